"""A checkpoint on disk: a digest, and the state of training as torch saves it, without code."""

import hashlib
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path

import torch

from skcvae.io import files

DIGEST = 16  # bytes in front of the state, to recognise a whole file


class CheckpointFile:
    """A checkpoint file with atomic writes."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.seen = None

    def read(self) -> dict | None:
        """Return the content of the file, or None if it does not exist."""
        try:
            self.seen = self._identity()
            return None if self.seen is None else _loaded(self.path.read_bytes(), self.path)
        except OSError as error:
            raise self._failure("read from", error) from error

    def write(self, state: dict) -> None:
        """Replace the file."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getbuffer()
        if self._identity() not in (self.seen, None):
            raise ValueError(
                f"checkpoint={str(self.path)!r} was written by another fit while this one ran. "
                "Expected a path of its own for each: a search or several processes cannot share "
                "one."
            )
        try:
            files.replace(self.path, digest_of([content]).digest(), content)
        except OSError as error:
            raise self._failure("written to", error) from error
        self.seen = self._identity()

    def remove(self) -> None:
        """Delete the file and the temporary files of killed writers."""
        for path in [self.path, *self.path.parent.glob(f".{_escaped(self.path.name)}.*.part")]:
            path.unlink(missing_ok=True)

    def _identity(self) -> tuple | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _failure(self, what: str, error: OSError) -> OSError:
        return OSError(
            error.errno,
            f"checkpoint cannot be {what} ({error.strerror}). Expected the path of a file in an "
            "existing, writable folder with free space",
            str(self.path),
        )


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _loaded(content: bytes, path: Path) -> dict:
    """Return the state in the content of a file, which must be a whole checkpoint."""
    digest, state = content[:DIGEST], content[DIGEST:]
    if digest != digest_of([state]).digest():
        raise ValueError(
            f"checkpoint={str(path)!r} is damaged, or is not a checkpoint. Expected a file "
            "written by an interrupted fit: delete it to start anew, or choose another "
            "path."
        )
    return torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)


def seed_of(path: str | os.PathLike) -> int | None:
    """Return the seed stored in a checkpoint, or None without one."""
    state = CheckpointFile(path).read()
    return state and int(state["fit"]["seed_"])


def digest_of(parts: Iterable):
    """Return the digest of bytes-like parts, one after the other."""
    digest = hashlib.blake2b(digest_size=DIGEST)
    for part in parts:
        digest.update(part)
    return digest
