"""Safetensors files of arrays and a document, and atomic replacement of files.

Nothing in such a file is code: the arrays are numbers, the document is a text. Its metadata are
the format, the document, and a checksum that finds what a disk or a transfer has changed.
"""

import errno
import json
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from skcvae.io.replacing import replace

# How files of other kinds begin, and what is read by what.
OTHERS = {
    b"\x80": "it is a pickle, as joblib writes: joblib.load reads it, and runs code in it",
    b"PK\x03\x04": "it is a zip archive, as torch.save and torch.export.save write",
}
LARGEST_HEADER = 100_000_000  # bytes, document included: safetensors reads no more
LONGEST_REASON = 200  # characters, in which a file may be quoted


def write(path, document: str, arrays: dict[str, np.ndarray], *, format: str) -> None:
    """Atomically write a file; equal contents are equal bytes."""
    target = os.path.realpath(os.fsdecode(path))
    if os.path.exists(target):
        _check_regular(target)
    parts = _parts(document, arrays, format)
    try:
        replace(target, *parts)
    except OSError as error:
        text = f"{error.strerror}; nothing was saved, and an existing file is unchanged"
        raise OSError(error.errno, text, target) from error


def _parts(document: str, arrays: dict[str, np.ndarray], format: str) -> tuple[bytes, ...]:
    """Return header and data; safetensors orders metadata at random."""
    checksum = _checksum(document, arrays)
    data = save(arrays, {"format": format, "document": document, "crc32": checksum})
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LARGEST_HEADER:
        raise ValueError(
            f"Parameters and history take more than {LARGEST_HEADER} bytes, the most that a "
            "file may hold of them; joblib.dump writes them all the same."
        )
    return len(header).to_bytes(8, "little"), header, memoryview(data)[end:]


def read(path, *, format: str) -> tuple[str, dict[str, np.ndarray]]:
    """Return the document and the arrays of a file, in memory of the order of its size."""
    path = os.fsdecode(path)
    _check_regular(path)
    _check_beginning(path)
    with _opened(path) as file:
        metadata = file.metadata() or {}
        found = metadata.get("format")
        if found != format:
            what = f"its format is {found!r}" if found else "save did not write it"
            raise ValueError(f"{what}, expected {format!r}, the only supported format")
        if set(metadata) != {"format", "document", "crc32"}:
            raise ValueError(f"its metadata are {sorted(metadata)}, not those of {format!r}")
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    if metadata["crc32"] != _checksum(metadata["document"], arrays):
        raise ValueError("it is damaged: its contents do not have the checksum that it names")
    return metadata["document"], arrays


def _check_beginning(path: str) -> None:
    """Refuse files of other formats, and such as end before their header does."""
    with open(path, "rb") as file:  # raises Python's own error if it is unreadable
        start, size = file.read(9), os.fstat(file.fileno()).st_size
    other = next((said for begin, said in OTHERS.items() if start.startswith(begin)), None)
    length = int.from_bytes(start[:8], "little")
    if start[8:] == b"{" and length <= LARGEST_HEADER:
        if size < 8 + length:
            raise ValueError(f"it is truncated, to {size} bytes")
    elif size < 9:
        raise ValueError(f"it is empty or truncated, to {size} bytes")
    else:
        raise ValueError(other or "it is not a safetensors file, which save writes")


def _opened(path: str):
    """Return an open safetensors file; raise ValueError if its header does not fit its size."""
    try:
        return safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise ValueError("it is truncated or damaged") from error


def named(path):
    """Return a path; refuse contents of files, and open files."""
    is_content = isinstance(path, bytes) and b"\0" in path
    if is_content or not isinstance(path, str | bytes | os.PathLike):
        got = f"{len(path)} bytes of content" if is_content else f"type {type(path).__name__}"
        raise TypeError(f"path must be the name of a file, as str or path-like, got {got}.")
    return path


@contextmanager
def refusing(refusal: str) -> Iterator[None]:
    """Re-raise errors in the content of a file as a ValueError with a short reason."""
    try:
        yield
    except (ImportError, MemoryError, OSError):  # not the file's fault
        raise
    except Exception as error:
        reason = (
            str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        )
        shown = reason[:LONGEST_REASON]
        raise ValueError(f"{refusal}: {shown}") from (error if shown == reason else None)


def _check_regular(path: str) -> None:
    """Raise an error for what cannot be replaced, or would wait for someone to write to it."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FileExistsError(
            errno.EEXIST, "expected a regular file, got a directory or special file", path
        )


def _checksum(document: str, arrays: dict[str, np.ndarray]) -> str:
    checksum = zlib.crc32(document.encode())
    for name, array in sorted(arrays.items()):
        checksum = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), checksum)
        checksum = zlib.crc32(array.tobytes(), checksum)
    return f"{checksum:08x}"
