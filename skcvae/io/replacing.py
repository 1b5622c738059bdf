"""Atomic replacement of files.

A file is written beside its target and renamed when it is complete. The writer holds a lock on
it, so that what a killed writer left is told from what another one is writing.
"""

import hashlib
import os
import re
import secrets
import stat
from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed
    fcntl = None

LONGEST_STEM = 200  # bytes of a name, of the 255 that file systems allow


def replace(target: str, *parts) -> None:
    """Atomically replace a file, with permissions and owner of the old one."""
    with suppress(OSError):
        remove_litter(target)
    temporary, file = _opened(target)
    try:
        with file:
            with suppress(FileNotFoundError):
                _take_over(os.stat(target), temporary)
            for content in parts:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                os.replace(temporary, target)  # while it is locked
        if fcntl is None:
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.remove(temporary)
        raise
    _sync_folder(os.path.dirname(target))


def _take_over(old: os.stat_result, temporary: str) -> None:
    """Give a file the permissions of an old one, and its owner where the system allows it."""
    with suppress(AttributeError, PermissionError):  # the first on Windows
        os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def remove_litter(path: str) -> None:
    """Remove what killed writers of a file left beside it."""
    folder, name = os.path.split(path)
    ours = re.compile(rf"\.{re.escape(_stem(name))}\.[0-9a-f]{{16}}\.part")
    for other in filter(ours.fullmatch, os.listdir(folder or ".")):
        litter = os.path.join(folder, other)
        if os.path.isfile(litter):
            with suppress(OSError), open(litter, "rb") as file:
                _lock(file, wait=False)
                os.remove(litter)


def _opened(target: str):
    """Return the path of a new locked file beside a target, and the file."""
    folder, name = os.path.split(target)
    while True:
        path = os.path.join(folder, f".{_stem(name)}.{secrets.token_hex(8)}.part")
        file = open(path, "xb")
        with suppress(OSError):  # a file system without locks; nothing is litter there
            _lock(file, wait=True)
        if os.path.exists(path):  # else taken for litter, before it was locked
            return path, file
        file.close()


def _stem(name: str) -> str:
    """Return a name, or a digest of a long one: with an ending it would exceed 255 bytes."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= LONGEST_STEM else hashlib.blake2b(encoded).hexdigest()[:32]


def _lock(file, *, wait: bool) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _sync_folder(folder: str) -> None:
    """Let the rename last where the system can; the file is in place without."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
