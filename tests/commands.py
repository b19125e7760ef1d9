"""Running the commands inside the process of the test."""

import os

from click.testing import CliRunner

from compatapi.cli.app import app
from compatapi.providers import PROVIDERS

KEY = "sk-a-very-secret-key"

_READ = {"COMPATAPI_MODEL", *(name for row in PROVIDERS.values() for name in (*row.key_env, *row.base_url_env))}


def invoke(*args, stdin="", **env):
    """Run a command in an environment without anybody's keys; return click's result."""
    clean = {name: None for name in _READ if name in os.environ}
    return CliRunner(env={**clean, **env}).invoke(app, args, input=stdin, prog_name="compatapi")


def sent(server):
    """Return the JSON of the last request."""
    return server.requests[-1].json_object()
