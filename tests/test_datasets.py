import gzip

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.datasets import load_digits

from skcvae.datasets import (
    Quadrants,
    fetch_mnist_quadrants,
    load_digits_quadrants,
    make_linear_gaussian,
    make_ring,
    make_two_branches,
)

GENERATORS = [make_linear_gaussian, make_ring, make_two_branches]


@pytest.mark.parametrize("make", GENERATORS, ids=lambda f: f.__name__)
def test_generators_repeat_and_have_their_entropy(make):
    data, again = make(n_samples=2000, random_state=3), make(n_samples=2000, random_state=3)
    np.testing.assert_array_equal(data.X, again.X)
    np.testing.assert_array_equal(data.y, again.y)
    log_p = data.log_prob(data.X, data.y)
    assert len(data.X) == len(data.y) == 2000 and log_p.shape == (2000,)
    # Rows of their own density have a higher mean log density than shifted ones.
    assert log_p.mean() > data.log_prob(data.X, data.y + 0.3).mean()
    assert data.log_prob(data.X[:1], data.y[:1]).shape == (1,)


def test_two_branches_density_integrates_to_one():
    data = make_two_branches(n_samples=5, noise=0.2, random_state=0)
    for x in data.X:
        density = lambda y, x=x: np.exp(data.log_prob(x[None], np.array([y])))[0]  # noqa: E731
        assert quad(density, -4, 4, limit=200)[0] == pytest.approx(1)


@pytest.mark.parametrize(
    "make", [make_ring, lambda **p: make_linear_gaussian(n_outputs=2, **p)], ids=["ring", "linear"]
)
def test_densities_of_two_outputs_integrate_to_one(make):
    data = make(n_samples=1, noise=0.5, random_state=0)
    axis = np.linspace(-15, 15, 601)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    density = np.exp(data.log_prob(np.repeat(data.X, len(grid), axis=0), grid))
    assert density.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=1e-6)


def test_ring_density_does_not_overflow_far_out():
    data = make_ring(n_samples=3, noise=1e-3, random_state=0)
    assert np.isfinite(data.log_prob(data.X, data.y)).all()


@pytest.mark.parametrize("image_shape", [(8, 8), (7, 9), (2, 3)])
@pytest.mark.parametrize("n_quadrants", [1, 2, 3])
def test_quadrants_there_and_back(image_shape, n_quadrants):
    images = np.random.default_rng(0).random((5, *image_shape))
    task = Quadrants(image_shape, n_quadrants)
    X, y = task.split(images)
    np.testing.assert_array_equal(task.join(X, y), images)
    draws = np.stack([y, 1 - y, 0 * y])
    joined = task.join(X, draws)
    assert joined.shape == (3, *images.shape)
    np.testing.assert_array_equal(joined[0], images)
    np.testing.assert_array_equal(joined[1][:, task.seen], X)


def test_quadrants_are_the_papers():
    first, second, third = (Quadrants((4, 4), n).seen.astype(int) for n in (1, 2, 3))
    assert first.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert second.tolist() == [[1, 1, 0, 0]] * 4
    assert third.tolist() == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]


def test_bad_quadrants():
    for n in (0, 4):
        with pytest.raises(ValueError, match=f"n_quadrants == {n}"):
            Quadrants((4, 4), n)
    with pytest.raises(ValueError, match=r"image_shape must be .* got \(4,\)"):
        Quadrants((4,))
    with pytest.raises(ValueError, match=r"images must have shape .* got \(3, 4, 5\)"):
        Quadrants((4, 4)).split(np.zeros((3, 4, 5)))


def test_digits():
    digits = load_digits_quadrants(n_quadrants=3)
    assert digits.data.shape == (1797, 48) and digits.target.shape == (1797, 16)
    np.testing.assert_array_equal(digits.task.join(digits.data, digits.target), digits.images)
    np.testing.assert_array_equal(digits.labels, load_digits().target)
    assert digits.data.min() == 0 and digits.data.max() == 1
    X, y = load_digits_quadrants(n_quadrants=3, threshold=0.5, return_X_y=True)
    np.testing.assert_array_equal(X, digits.data > 0.5)
    np.testing.assert_array_equal(y, digits.target > 0.5)


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    content = header + array.astype(np.uint8).tobytes()
    if path.suffix == ".gz":
        content = gzip.compress(content)
    path.write_bytes(content)


@pytest.fixture(params=["", ".gz"])
def idx_folder(request, tmp_path):
    """Seventy images in place of seventy thousand, in the original files."""
    rng = np.random.default_rng(0)
    for name, n in (("train", 60), ("t10k", 10)):
        images, labels = rng.integers(0, 256, (n, 28, 28)), rng.integers(0, 10, n)
        write_idx(tmp_path / f"{name}-images-idx3-ubyte{request.param}", images)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte{request.param}", labels)
    return tmp_path


def test_idx_files_are_read_where_they_are(idx_folder, monkeypatch):
    small = {"train": slice(0, 50), "validation": slice(50, 60), "test": slice(60, 70)}
    monkeypatch.setattr("skcvae.datasets._digits.SUBSETS", small)
    parts = [fetch_mnist_quadrants(2, subset=s, data_home=idx_folder) for s in small]
    assert [len(part.data) for part in parts] == [50, 10, 10]
    assert parts[0].data.shape[1] == 392 and parts[0].data.max() <= 1
    together = np.concatenate([part.images for part in parts])
    assert len(np.unique(together.reshape(70, -1), axis=0)) == 70


def test_a_damaged_idx_file_is_an_error(idx_folder):
    for path in idx_folder.iterdir():
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.compress(gzip.decompress(content)[:-3])
        else:
            content = content[:-3]
        path.write_bytes(content)
    with pytest.raises(ValueError, match="must be an idx file of bytes"):
        fetch_mnist_quadrants(data_home=idx_folder)


def test_what_is_not_at_hand_is_downloaded_through_openml(tmp_path, monkeypatch):
    asked = {}

    def fetch_openml(name, **params):
        asked.update(name=name, **params)
        from sklearn.utils import Bunch

        rng = np.random.default_rng(0)
        return Bunch(
            data=rng.integers(0, 256, (70, 784)), target=rng.integers(0, 10, 70).astype(str)
        )

    monkeypatch.setattr("skcvae.datasets._digits.fetch_openml", fetch_openml)
    mnist = fetch_mnist_quadrants(data_home=tmp_path)
    assert asked["name"] == "mnist_784" and asked["data_home"] == tmp_path
    assert mnist.images.shape == (70, 28, 28) and mnist.labels.dtype == np.uint8


def test_unknown_subset():
    with pytest.raises(ValueError, match="subset must be one of .* got 'dev'"):
        fetch_mnist_quadrants(subset="dev")
