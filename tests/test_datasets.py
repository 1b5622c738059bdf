import gzip
import itertools
import sys

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.io import savemat
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from skcvae.datasets import (
    Quadrants,
    fetch_mnist_quadrants,
    fetch_olivetti_completion,
    load_digits_quadrants,
    load_lfw_parts,
    make_linear_gaussian,
    make_ring,
    make_two_branches,
)
from skcvae.datasets._digits import IDX_FILES

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


@pytest.mark.parametrize("make", GENERATORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "params",
    [{"n_samples": -1}, {"n_samples": 2.5}, {"noise": 0}, {"noise": "a"}, {"random_state": "a"}],
    ids=str,
)
def test_generators_name_the_parameter_that_is_not_as_expected(make, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {make.__name__}"):
        make(**params)


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
    np.testing.assert_array_equal(task.join(X.tolist(), y.tolist()), images)
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


SIZES = {"train": 5, "validation": 2, "test": 3}


def write_npz(path, **changes):
    """Ten images of 12 x 12 in place of 2,927 of 250 x 250."""
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.integers(0, 256, (10, 12, 12, 3), dtype=np.uint8),
        "mask": rng.integers(0, 3, (10, 12, 12), dtype=np.uint8),
        "split": rng.permutation(np.repeat(np.arange(3), list(SIZES.values()))),
    }
    np.savez(path, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return arrays


@pytest.fixture
def lfw_folder(tmp_path):
    """The same ten in the original layout, and as an npz file."""
    image = pytest.importorskip("PIL.Image")
    arrays = write_npz(tmp_path / "lfw.npz")
    (tmp_path / "parts_lfw_funneled_gt_images").mkdir()
    for code, subset in enumerate(SIZES):
        rows = np.flatnonzero(arrays["split"] == code)
        people = [f"Ann_{row}" for row in rows]
        listed = "".join(f"{person} {row}\n" for person, row in zip(people, rows, strict=True))
        (tmp_path / f"parts_{subset}.txt").write_text(listed)
        for person, row in zip(people, rows, strict=True):
            photograph = tmp_path / "lfw_funneled" / person / f"{person}_{row:04d}.jpg"
            photograph.parent.mkdir(parents=True)
            image.fromarray(arrays["image"][row]).save(photograph)
            with image.open(photograph) as compressed:
                arrays["image"][row] = np.asarray(compressed)
            colours = 255 * np.eye(3, dtype=np.uint8)[arrays["mask"][row]]
            labels = tmp_path / "parts_lfw_funneled_gt_images" / f"{person}_{row:04d}.ppm"
            image.fromarray(colours).save(labels)
    np.savez(tmp_path / "lfw.npz", **arrays)
    return tmp_path


def test_lfw_parts_of_an_npz_file(tmp_path):
    arrays = write_npz(tmp_path / "lfw.npz")
    for code, (subset, n) in enumerate(SIZES.items()):
        faces = load_lfw_parts(tmp_path / "lfw.npz", subset)
        rows = arrays["split"] == code
        assert faces.data.shape == (n, 3, 12, 12) and faces.data.dtype == np.float32
        np.testing.assert_allclose(faces.data[:, 1] * 255, arrays["image"][rows][..., 1], 1e-6)
        np.testing.assert_array_equal(faces.target, arrays["mask"][rows])
        assert faces.target_names == ["hair", "face", "background"]
        X, y = load_lfw_parts(str(tmp_path / "lfw.npz"), subset, return_X_y=True)
        np.testing.assert_array_equal(X, faces.data)
        np.testing.assert_array_equal(y, faces.target)


def test_lfw_parts_are_reduced_by_block(tmp_path):
    write_npz(tmp_path / "lfw.npz")
    whole, small = (load_lfw_parts(tmp_path / "lfw.npz", size=size) for size in (None, 4))
    np.testing.assert_allclose(
        small.data[:, 2, 1, 3], whole.data[:, 2, 3:6, 9:12].mean(axis=(1, 2)), rtol=1e-6
    )
    np.testing.assert_array_equal(small.target[:, 1, 3], whole.target[:, 4, 10])
    with pytest.raises(ValueError, match="size must divide the sides of 12 x 12 images, got 5"):
        load_lfw_parts(tmp_path / "lfw.npz", size=5)
    with pytest.raises(ValueError, match="size == 0"):
        load_lfw_parts(tmp_path / "lfw.npz", size=0)


@pytest.mark.parametrize("size", [None, 6, 4, 3, 2])
@pytest.mark.parametrize("subset", SIZES)
def test_lfw_parts_of_the_original_files_are_those_of_the_npz_file(lfw_folder, subset, size):
    original = load_lfw_parts(lfw_folder, subset, size=size)
    npz = load_lfw_parts(lfw_folder / "lfw.npz", subset, size=size)
    assert original.data.dtype == npz.data.dtype and original.target.dtype == npz.target.dtype
    np.testing.assert_array_equal(original.target, npz.target)
    # Pillow rounds to bytes after averaging rows and again after columns.
    np.testing.assert_allclose(original.data, npz.data, rtol=0, atol=1.001 / 255)


@pytest.mark.parametrize(
    "changes",
    [
        {"split": None},
        {"split": np.zeros(9)},
        {"mask": np.full((10, 12, 12), 3)},
        {"mask": np.zeros((10, 144))},
        {"image": np.zeros((10, 3, 12, 12), dtype=np.uint8)},
        {"image": np.zeros((10, 12, 12, 3))},
    ],
    ids=["no split", "short split", "label 3", "flat mask", "channels first", "floats"],
)
def test_another_npz_file_is_an_error(tmp_path, changes):
    write_npz(tmp_path / "lfw.npz", **changes)
    with pytest.raises(ValueError, match=r"lfw.npz must be an npz file with image \(n, height"):
        load_lfw_parts(tmp_path / "lfw.npz")


@pytest.mark.parametrize("keep", [0, 10, 4000])
def test_a_damaged_npz_file_is_an_error(tmp_path, keep):
    path = tmp_path / "lfw.npz"
    write_npz(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="lfw.npz must be an npz file"):
        load_lfw_parts(path)


def test_an_array_alone_and_no_file_at_all(tmp_path):
    np.save(tmp_path / "lfw.npy", np.zeros(3))
    with pytest.raises(ValueError, match="lfw.npy must be an npz file"):
        load_lfw_parts(tmp_path / "lfw.npy")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_lfw_parts(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="subset must be one of .* got 'dev'"):
        load_lfw_parts(tmp_path, "dev")


def test_damaged_original_files_are_named(lfw_folder):
    listed = lfw_folder / "parts_test.txt"
    person, number = listed.read_text().split()[:2]
    name = f"{person}_{int(number):04d}"
    photograph = lfw_folder / "lfw_funneled" / person / f"{name}.jpg"
    labels = lfw_folder / "parts_lfw_funneled_gt_images" / f"{name}.ppm"
    good = labels.read_bytes()
    for bad in (good[:-3], b"", b"P6 12 12 255\n" + bytes(432), b"P6 1 1 255\n\xff\0\0"):
        labels.write_bytes(bad)
        with pytest.raises(ValueError, match=f"{name}.ppm must be an image in red, green and"):
            load_lfw_parts(lfw_folder, "test")
    labels.write_bytes(good)
    photograph.write_bytes(photograph.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{name}.jpg must be a photograph, got a damaged"):
        load_lfw_parts(lfw_folder, "test")
    photograph.unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}.jpg"):
        load_lfw_parts(lfw_folder, "test")
    listed.write_text("Ann\n")
    with pytest.raises(ValueError, match="parts_test.txt must be a list of names and numbers"):
        load_lfw_parts(lfw_folder, "test")
    listed.unlink()
    with pytest.raises(FileNotFoundError, match="parts_test.txt"):
        load_lfw_parts(lfw_folder, "test")


def test_original_files_of_several_sizes_are_an_error(lfw_folder):
    image = pytest.importorskip("PIL.Image")
    for file in [*lfw_folder.rglob("Ann_0_*.jpg"), *lfw_folder.rglob("Ann_0_*.ppm")]:
        with image.open(file) as small:
            small.crop((0, 0, 6, 6)).save(file)
    subset = list(SIZES)[np.load(lfw_folder / "lfw.npz")["split"][0]]
    with pytest.raises(ValueError, match="must be a folder of images of one size"):
        load_lfw_parts(lfw_folder, subset)


def test_a_folder_without_pillow_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="load_lfw_parts requires Pillow to read a folder"):
        load_lfw_parts(tmp_path)


def write_faces(path, faces):
    savemat(path, {"faces": faces.transpose(0, 2, 1).reshape(len(faces), -1).T})


def test_olivetti_faces_are_read_where_they_are(tmp_path):
    faces = np.random.default_rng(0).integers(10, 200, (400, 64, 64), dtype=np.uint8)
    write_faces(tmp_path / "olivettifaces.mat", faces)
    task = fetch_olivetti_completion(data_home=tmp_path)
    np.testing.assert_allclose(task.images, (faces - 10.0) / 189, rtol=1e-6)
    assert task.images.dtype == np.float32 and task.images.min() == 0 and task.images.max() == 1
    assert task.data.shape == task.target.shape == (400, 32, 64)
    np.testing.assert_array_equal(np.concatenate([task.data, task.target], axis=1), task.images)
    assert task.people.tolist() == [row // 10 for row in range(400)]
    np.testing.assert_array_equal(task.train, task.people < 30)
    X, y = fetch_olivetti_completion(data_home=str(tmp_path), return_X_y=True)
    np.testing.assert_array_equal(X, task.data)
    np.testing.assert_array_equal(y, task.target)


def test_olivetti_faces_not_at_hand_are_downloaded_through_scikit_learn(tmp_path, monkeypatch):
    asked, images = {}, np.random.default_rng(0).random((400, 64, 64))

    def fetch_olivetti_faces(**params):
        asked.update(params)
        return Bunch(images=images)

    monkeypatch.setattr("skcvae.datasets._faces.fetch_olivetti_faces", fetch_olivetti_faces)
    task = fetch_olivetti_completion(data_home=tmp_path)
    assert asked == {"data_home": tmp_path, "shuffle": False}
    np.testing.assert_array_equal(task.target, images[:, 32:])


def test_another_or_a_damaged_mat_file_is_an_error(tmp_path):
    path = tmp_path / "olivettifaces.mat"
    write_faces(path, np.zeros((400, 64, 64), dtype=np.uint8))
    whole = path.read_bytes()
    for n_bytes in (0, 100, 200, 5000):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(ValueError, match="olivettifaces.mat must be a mat file with faces"):
            fetch_olivetti_completion(data_home=tmp_path)
    for content in (
        {"other": np.zeros(3)},
        {"faces": np.zeros((400, 4096), dtype=np.uint8)},
        {"faces": np.zeros((4096, 400))},
    ):
        savemat(path, content)
        with pytest.raises(ValueError, match="olivettifaces.mat must be a mat file with faces"):
            fetch_olivetti_completion(data_home=tmp_path)


@pytest.mark.parametrize("make", [make_two_branches, make_ring, make_linear_gaussian])
def test_densities_read_outputs_of_any_shape(make):
    size = {"n_outputs": 1} if make is make_linear_gaussian else {}
    data = make(5, random_state=0, **size)
    for y in (data.y, data.y.reshape(5, -1), data.y.reshape(5, -1).tolist()):
        np.testing.assert_allclose(data.log_prob(data.X, y), data.log_prob(data.X, data.y))
    assert data.log_prob(data.X, data.y).shape == (5,)


@pytest.mark.parametrize("shapes", [((2, 1), (2, 12)), ((1, 4), (3, 12)), ((2, 4), (2, 4))])
def test_quadrants_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match=r"X must have shape \(n_images, 4\)"):
        Quadrants((4, 4)).join(*map(np.zeros, shapes))


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"\0\0\x08\3\0\0", b"no idx file"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_of_digits_that_are_damaged_are_named(tmp_path, content, suffix):
    for name in itertools.chain(*IDX_FILES):
        (tmp_path / f"{name}{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match="must be an idx file of bytes, got a damaged"):
        fetch_mnist_quadrants(data_home=tmp_path)
