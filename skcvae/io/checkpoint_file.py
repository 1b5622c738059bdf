"""A checkpoint on disk: the state of training as plain data and arrays."""

import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from skcvae.io import files
from skcvae.io.decoding import PlainDecoder, instance, parsed
from skcvae.io.encoding import Encoder
from skcvae.io.replacing import remove_litter

FORMAT = "skcvae checkpoint 2"


class CheckpointFile:
    """A checkpoint file with atomic writes; a link is followed."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.target = Path(os.path.realpath(path))
        self.seen = None

    def read(self) -> dict | None:
        """Return the content of the file, or None if it does not exist."""
        try:
            self.seen = self._identity()
            return None if self.seen is None else self._content()
        except FileNotFoundError:  # a fit that ended has just removed it
            self.seen = None
            return None
        except OSError as error:
            raise self._failure("read from", error) from error

    def _content(self) -> dict:
        with self.refusing():
            document, arrays = files.read(self.target, format=FORMAT)
            return instance(dict, _TensorDecoder(arrays).decoded(parsed(document)))

    def refusing(self):
        """Return a context that re-raises errors in the content as a ValueError."""
        return files.refusing(
            f"checkpoint={str(self.path)!r} is damaged, or is not a checkpoint. Expected a file "
            "written by an interrupted fit: delete it to start anew, or choose another path. "
            "The reason"
        )

    def write(self, state: dict) -> None:
        """Replace the file; the state is plain data and tensors."""
        arrays = {}
        document = json.dumps(_TensorEncoder(arrays).encoded(state), allow_nan=False)
        if self._identity() not in (self.seen, None):
            raise ValueError(
                f"checkpoint={str(self.path)!r} was written by another fit while this one ran. "
                "Expected a path of its own for each: a search or several processes cannot share "
                "one."
            )
        try:
            files.write(self.target, document, arrays, format=FORMAT)
        except OSError as error:
            raise self._failure("written to", error) from error
        self.seen = self._identity()

    def remove(self) -> None:
        """Delete the file and the temporary files of killed writers."""
        self.target.unlink(missing_ok=True)
        remove_litter(self.target)

    def _identity(self) -> tuple | None:
        try:
            found = self.target.stat()
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


class _TensorEncoder(Encoder):
    def _object(self, value, name):
        if isinstance(value, Tensor):
            return self._array(value.detach().cpu().numpy(), name)
        return super()._object(value, name)


class _TensorDecoder(PlainDecoder):
    def _array(self, name):
        return torch.from_numpy(np.array(super()._array(name)))


def seed_of(path: str | os.PathLike) -> int | None:
    """Return the seed stored in a checkpoint, or None without one."""
    file = CheckpointFile(path)
    state = file.read()
    if state is None:
        return None
    with file.refusing():
        return int(instance(str, state["fit"]["seed_"]))
