"""A file is replaced whole or not at all, as its owner keeps it, and nothing is left beside it."""

import errno
import os
import signal
import stat

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcvae
from skcvae import EnsembleRegressor, NNRegressor, Training
from skcvae.io import replacing
from skcvae.io.checkpoint_file import CheckpointFile
from skcvae.io.replacing import remove_litter, replace

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, :2] + np.random.default_rng(1).normal(size=(40, 2))


@pytest.fixture(scope="module")
def est():
    return NNRegressor(max_epochs=1, random_state=0).fit(X, Y)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run"


@pytest.fixture(params=["save", "checkpoint"])
def write(request, est):
    """Write a model, or a checkpoint, to a path."""
    if request.param == "save":
        return est.save
    return lambda path: _written(CheckpointFile(path))


def _written(file):
    file.read()
    file.write({"fit": {"seed_": "1"}})


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_permissions_stay(write, path, mode):
    write(path)
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_owner_stays_where_the_system_allows_it(write, path):
    write(path)
    os.chown(path, 1234, 1235)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_links_are_followed(write, path):
    target = path.with_name("target")
    for link, other in ((path, "target"), (path.with_name("next"), "run")):
        link.symlink_to(other)
    write(path.with_name("next"))
    assert path.is_symlink() and target.is_file() and not target.is_symlink()
    assert sorted(os.listdir(path.parent)) == ["next", "run", "target"]


def test_the_folder_is_synchronised_after_the_rename(write, path, monkeypatch):
    done, fsync, rename = [], os.fsync, os.replace

    def synced(handle):
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def renamed(*args):
        done.append("rename")
        rename(*args)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write(path)
    assert done == ["file", "rename", "folder"]


def test_equal_contents_are_equal_bytes(write, path):
    contents = set()
    for _ in range(8):
        write(path)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_a_path_of_bytes_is_a_path(est, path):
    est.save(os.fsencode(path))
    np.testing.assert_array_equal(skcvae.load(os.fsencode(path)).predict(X), est.predict(X))
    with pytest.raises(TypeError, match="got type int"):
        est.save(7)
    with pytest.raises(ValueError, match="'checkpoint' parameter"):
        NNRegressor(training=Training(checkpoint=os.fsencode(path))).fit(X, Y)


def killed_while_writing(path):
    """Leave a process that is killed in the middle of a file."""
    process = os.fork()
    if not process:
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
        replace(str(path), b"x" * 1000)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")
def test_what_killed_writers_left_is_removed_and_nothing_else(write, path):
    others = [".run.v2.0123456789abcdef.part", ".run.part", ".run.0123.part"]
    for name in others:
        path.with_name(name).touch()
    os.mkfifo(path.with_name(".run.00000000000000ff.part"))
    for _ in range(3):
        killed_while_writing(path)
    assert len(os.listdir(path.parent)) == 5  # each has removed what the one before left
    write(path)
    expected = {"run", ".run.00000000000000ff.part", *others}
    assert set(os.listdir(path.parent)) == expected
    killed_while_writing(path)
    CheckpointFile(path).remove()
    assert set(os.listdir(path.parent)) == expected - {"run"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")
@pytest.mark.parametrize("name", ["x" * 255, "\u00e9" * 127])
def test_names_may_be_as_long_as_the_file_system_allows(write, path, name):
    path = path.with_name(name)
    killed_while_writing(path)
    assert os.listdir(path.parent)  # what was being written
    write(path)
    assert os.listdir(path.parent) == [name]


def test_the_file_of_another_writer_is_left_alone(path, monkeypatch):
    fsync = os.fsync

    def meanwhile(handle):
        monkeypatch.setattr(os, "fsync", fsync)
        remove_litter(str(path))
        replace(str(path), b"other")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", meanwhile)
    replace(str(path), b"own")
    assert path.read_bytes() == b"own" and os.listdir(path.parent) == ["run"]


def test_a_new_file_that_was_taken_for_litter_is_written_again(path, monkeypatch):
    lock, count = replacing._lock, [0]

    def late(file, *, wait):
        count[0] += 1
        if count[0] == 1:
            os.remove(file.name)  # by another writer, before the lock
        lock(file, wait=wait)

    monkeypatch.setattr(replacing, "_lock", late)
    replace(str(path), b"own")
    assert path.read_bytes() == b"own" and count[0] == 2


# Whatever writes: a clear error, and the old file.

FITS = {
    "a fit": lambda path: NNRegressor(training=Training(checkpoint=path)),
    "an ensemble": lambda path: EnsembleRegressor(
        NNRegressor(training=Training(checkpoint=path)), n_estimators=2, random_state=0
    ),
    "a pipeline": lambda path: make_pipeline(
        StandardScaler(), NNRegressor(training=Training(checkpoint=path))
    ),
}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("name", FITS)
def test_a_checkpoint_that_cannot_be_written_is_an_error(path, monkeypatch, name, code):
    fit = FITS[name](path)

    def full(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="checkpoint cannot be written to") as raised:
        clone(fit).fit(X, Y)
    assert raised.value.errno == code and not os.listdir(path.parent)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_save_that_fails_leaves_the_old_file(est, path, monkeypatch, code):
    def full(handle):
        raise OSError(code, os.strerror(code))

    ensemble = EnsembleRegressor(n_estimators=1).set_params(estimator=clone(est))
    for model in (est, ensemble.fit(X, Y)):
        path.write_bytes(b"old")
        with monkeypatch.context() as patch, pytest.raises(OSError, match="nothing was saved"):
            patch.setattr(os, "fsync", full)
            model.save(path)
        assert path.read_bytes() == b"old" and os.listdir(path.parent) == ["run"]
