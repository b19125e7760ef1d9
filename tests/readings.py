"""Looking into chunks for what comparing them does not see."""


def readings(value):
    """Return all readings in a chunk, or in a list of chunks, by their places; ids that were made up left out."""
    found = {}

    def look(item, path):
        if isinstance(item, list | tuple):
            for place, each in enumerate(item):
                look(each, f"{path}[{place}]")
        elif hasattr(item, "readings"):
            found.update({f"{path}.{name}": pair for name, pair in item.readings.items() if name != "id"})
            for attribute in item.__attrs_attrs__:
                if attribute.name != "_extra":
                    look(getattr(item, attribute.name), f"{path}.{attribute.name}")

    look(value, "")
    return found
