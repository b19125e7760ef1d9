"""What all tests share: hypothesis measures no time, because a busy machine is no fault of the code."""

import gc

from hypothesis import settings

# By its name, so that a checkout that was not installed has it too.
pytest_plugins = ["compatapi.testing.plugin"]

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


def pytest_collection_finish():
    """Keep modules and tests from the collector: each test that calls it would look through all of them again."""
    gc.collect()
    gc.freeze()
