"""A test module that imports `json_library` runs twice: with orjson, where it is installed, and without."""

import pytest

from compatapi import jsontext

LIBRARIES = ["orjson", "json"] if jsontext.orjson else ["json"]


@pytest.fixture(autouse=True, scope="module", params=LIBRARIES)
def json_library(request):
    """The name of the library that `compatapi.jsontext` uses."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "json":
            patch.setattr(jsontext, "orjson", None)
        yield request.param
