"""Atomic replacement of files, and safetensors files of arrays and a document.

Nothing in the latter is code: the arrays are numbers, the document is a text. Its metadata are the
format, the document, and a checksum that finds what a disk or a transfer has changed.
"""

import errno
import os
import secrets
import stat
import zlib
from contextlib import suppress

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

FORMAT = "skcvae 1"
LARGEST_HEADER = 100_000_000  # bytes, document included: safetensors reads no more


def replace(path, *parts) -> None:
    """Atomically replace a file, by way of a temporary file in the same folder."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb") as file:
            for content in parts:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.remove(temporary)
        raise


def write(path, document: str, arrays: dict[str, np.ndarray]) -> None:
    """Atomically write a safetensors file."""
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileExistsError(
            errno.EEXIST, "expected a regular file, got a directory or special file", target
        )
    data = _bytes(document, arrays)
    try:
        replace(target, data)
    except OSError as error:
        text = f"{error.strerror}; nothing was saved, and an existing file is unchanged"
        raise OSError(error.errno, text, target) from error


def _bytes(document: str, arrays: dict[str, np.ndarray]) -> bytes:
    checksum = _checksum(document, arrays)
    data = save(arrays, {"format": FORMAT, "document": document, "crc32": checksum})
    if int.from_bytes(data[:8], "little") > LARGEST_HEADER:
        raise ValueError(
            f"Parameters and history take more than {LARGEST_HEADER} bytes, the most that a "
            "file may hold of them; joblib.dump writes them all the same."
        )
    return data


def read(path) -> tuple[str, dict[str, np.ndarray]]:
    """Return the document and the arrays of a file, in memory of the order of its size."""
    # Opening a pipe would wait for someone to write to it.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(
            errno.EINVAL, "expected a regular file, got a directory or special file", str(path)
        )
    with open(path, "rb") as file:  # raises Python's own error if it is unreadable
        if file.read(9)[8:] != b"{":
            raise ValueError("it is no safetensors file, as save writes, but of another format")
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise ValueError(
                f"its format is {metadata.get('format')!r}, "
                f"expected {FORMAT!r}, the only supported format"
            )
        if set(metadata) != {"format", "document", "crc32"}:
            raise ValueError(f"its metadata are {sorted(metadata)}, not those of {FORMAT!r}")
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    if metadata["crc32"] != _checksum(metadata["document"], arrays):
        raise ValueError("it is damaged: its contents do not have the checksum that it names")
    return metadata["document"], arrays


def _checksum(document: str, arrays: dict[str, np.ndarray]) -> str:
    checksum = zlib.crc32(document.encode())
    for name, array in sorted(arrays.items()):
        checksum = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), checksum)
        checksum = zlib.crc32(array.tobytes(), checksum)
    return f"{checksum:08x}"
