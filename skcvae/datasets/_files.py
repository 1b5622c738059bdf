"""Errors of files that are damaged or of another kind."""

from contextlib import contextmanager


@contextmanager
def expecting(what, path):
    """Re-raise reading errors as a ValueError that names the file and the expected format."""
    try:
        yield
    except (FileNotFoundError, MemoryError):
        raise
    # Readers raise many kinds of exceptions for damaged files.
    except Exception as error:
        raise ValueError(f"{path} must be {what}, got a damaged or other file.") from error
