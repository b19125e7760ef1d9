"""Settings of Sphinx. Build with ``tox -e docs``."""

import sys
from pathlib import Path

# Behind everything else: an installed package is what gets documented, a plain checkout will do without one.
sys.path.append(str(Path(__file__).parents[1]))

import compatapi

project = "compatapi"
author = "The compatapi authors"
copyright = author
version = release = compatapi.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = f"compatapi {release}"
html_copy_source = False

# Levels of headings that can be linked to as page.md#heading.
myst_heading_anchors = 4

# Docstrings name things in single backticks. What is not documented here (a module, a name of the standard library) is
# shown as code and not linked; "nitpicky" would make a warning of each.
default_role = "py:obj"
nitpicky = False

# "Attributes" sections become a list in the class: as members of their own they would be documented twice.
napoleon_use_ivar = True
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 90


def _find_by_public_name(app, env, node, contnode):
    """Link ``compatapi.errors.Cancelled`` to where it is documented: ``compatapi.Cancelled``."""
    module, _, name = node.get("reftarget", "").rpartition(".")
    if not module.startswith("compatapi.") or name not in compatapi.__all__:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", f"compatapi.{name}", node, contnode)


def setup(app):
    """Called by Sphinx."""
    app.connect("missing-reference", _find_by_public_name)
