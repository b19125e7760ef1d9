"""What the tests have done in worker processes: a worker imports this by name, which it cannot do with a test file."""

from calls import REQUEST, client_of, error_of
from compatapi import errors


def give_back(value):
    """For a worker process: what it was given."""
    return value


def raise_it(error):
    """For a worker process: fail with an error."""
    raise error


def ask(url):
    """For a worker process: a call that fails, and one that succeeds."""
    error = error_of(errors.RateLimitError, client_of(url).chat_completion, REQUEST)
    return error, client_of(url).chat_completion_stream(REQUEST, lambda chunk: None)
