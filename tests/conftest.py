"""What all tests share: hypothesis measures no time, because a busy machine is no fault of the code."""

from hypothesis import settings

# By its name, so that a checkout that was not installed has it too.
pytest_plugins = ["compatapi.testing.plugin"]

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
