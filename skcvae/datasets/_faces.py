"""Tasks on images of faces: segmentation and completion."""

from pathlib import Path

import numpy as np
from scipy.io import loadmat
from sklearn.datasets import fetch_olivetti_faces, get_data_home
from sklearn.utils import Bunch

from skcvae import whole_numbers
from skcvae.datasets._files import expecting

SUBSETS = {"train": 0, "validation": 1, "test": 2}
PARTS = ["hair", "face", "background"]
LFW_SIDE = 250


def load_lfw_parts(path, subset="train", *, size=None, return_X_y=False):
    """Load the LFW Part Labels: photographs of faces with hair, face and background labels.

    The files are not downloaded; they must be in `path`. They are photographs of
    people, for research use only.

    Parameters
    ----------
    path : str or path
        The folder of the unpacked Part Labels Database, or an npz file. The folder
        contains the lists ``parts_train.txt``, ``parts_validation.txt`` and
        ``parts_test.txt``, the photographs
        ``lfw_funneled/Some_Name/Some_Name_0001.jpg`` and their labels
        ``parts_lfw_funneled_gt_images/Some_Name_0001.ppm``, in which hair is
        red, face green and background blue; reading it requires Pillow. The npz file
        contains the arrays `image` of shape (n, height, width, 3), bytes, `mask` of
        shape (n, height, width), 0 for hair, 1 for face and 2 for background, and
        `split` of shape (n,), 0 for training, 1 for validation and 2 for test.
    subset : {"train", "validation", "test"}, default="train"
        The 1,500, 500 or 927 images of the official split.
    size : int, default=None
        Side of the downsampled images. Photographs are averaged; of the labels the
        central one of each block is taken. Sides of images in an npz file must be
        multiples of `size`. None does not resample the images, which are 250 x 250 in
        the original files.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        `data` of shape (n, 3, height, width), float32 in [0, 1], `target` of
        shape (n, height, width), labels, and `target_names`, the names of the labels.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a file is damaged or has another format.
    ImportError
        If `path` is a folder and Pillow is not installed.

    References
    ----------
    Kae, Sohn, Lee and Learned-Miller (2013), *Augmenting CRFs with Boltzmann
    Machine Shape Priors for Image Labeling*, CVPR.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skcvae.datasets import load_lfw_parts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "parts.npz"
    ...     image, mask = np.zeros((6, 8, 8, 3), np.uint8), np.zeros((6, 8, 8), np.uint8)
    ...     np.savez(path, image=image, mask=mask, split=[0, 0, 0, 1, 2, 2])
    ...     faces = load_lfw_parts(path, size=4)
    >>> faces.data.shape, faces.target.shape
    ((3, 3, 4, 4), (3, 4, 4))
    """
    if subset not in SUBSETS:
        raise ValueError(f"subset must be one of {sorted(SUBSETS)}, got {subset!r}.")
    if size is not None:
        size = whole_numbers.checked(size, "size", most=LFW_SIDE)
    read = _read_folder if Path(path).is_dir() else _read_npz
    images, labels = read(Path(path), subset, size)
    data = np.ascontiguousarray(np.moveaxis(images, -1, 1), dtype=np.float32)
    data /= 255
    target = labels.astype(int)
    if return_X_y:
        return data, target
    return Bunch(data=data, target=target, target_names=list(PARTS))


def fetch_olivetti_completion(*, data_home=None, return_X_y=False):
    """Load the face completion task: upper and lower halves of the Olivetti faces.

    This is the task of scikit-learn's example "Face completion with a
    multi-output estimators", with the first 30 people for training and the other 10
    for testing. The faces are downloaded if necessary.

    Parameters
    ----------
    data_home : str or path, default=None
        Folder with the original ``olivettifaces.mat``. If it is missing, the download
        of `sklearn.datasets.fetch_olivetti_faces` is cached there. None uses
        scikit-learn's data folder.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        `data` of shape (400, 32, 64), the upper halves, `target` of shape (400,
        32, 64), the lower halves, `images` of shape (400, 64, 64), all float32 in
        [0, 1], `people` of shape (400,), the person from 0 to 39, and `train` of shape
        (400,), a mask of the first 30 people.

    Raises
    ------
    ValueError
        If ``olivettifaces.mat`` is damaged or has another format.
    """
    images = _olivetti(Path(get_data_home(data_home)) / "olivettifaces.mat", data_home)
    data, target = np.split(images, 2, axis=1)
    if return_X_y:
        return data, target
    people = np.repeat(np.arange(40), 10)
    return Bunch(data=data, target=target, images=images, people=people, train=people < 30)


def _read_npz(path, subset, size):
    what = "an npz file with image (n, height, width, 3), mask (n, height, width) and split (n,)"
    with expecting(what, path):
        # np.load leaves a damaged file open if it is given a path.
        with path.open("rb") as file, np.load(file) as arrays:
            images, labels, split = (arrays[name] for name in ("image", "mask", "split"))
        n, height, width = labels.shape
        if images.shape != (n, height, width, 3) or images.dtype != np.uint8:
            raise ValueError(f"image of {images.dtype}, shape {images.shape}")
        if split.shape != (n,) or not np.isin(labels, range(len(PARTS))).all():
            raise ValueError(f"split of shape {split.shape}, mask of {np.unique(labels)}")
    rows = split == SUBSETS[subset]
    images, labels = images[rows], labels[rows]
    if size is None:
        return images, labels
    if height % size or width % size:
        raise ValueError(f"size must divide the sides of {height} x {width} images, got {size}.")
    high, wide = height // size, width // size
    blocks = images.reshape(-1, size, high, size, wide, 3)
    return blocks.mean(axis=(2, 4)), labels[:, high // 2 :: high, wide // 2 :: wide]


def _read_folder(path, subset, size):
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "load_lfw_parts requires Pillow to read a folder. You can install Pillow with "
            "`pip install pillow`."
        ) from error

    def pixels(file, resample):
        with Image.open(file) as image:
            image = image.convert("RGB")
            return np.asarray(image if size is None else image.resize((size, size), resample))

    images, labels = [], []
    for person, name in _read_names(path / f"parts_{subset}.txt"):
        file = path / "lfw_funneled" / person / f"{name}.jpg"
        with expecting("a photograph", file):
            images.append(pixels(file, Image.Resampling.BOX))
        file = path / "parts_lfw_funneled_gt_images" / f"{name}.ppm"
        with expecting("an image in red, green and blue of its photograph's size", file):
            labels.append(_labels(pixels(file, Image.Resampling.NEAREST), images[-1].shape))
    with expecting("a folder of images of one size", path):
        return np.stack(images), np.stack(labels)


def _read_names(path):
    """Return the folder and the name of each image in a list file."""
    with expecting("a list of names and numbers, as in 'Some_Name 1'", path):
        words = path.read_text().split()
        pairs = zip(words[::2], words[1::2], strict=True)
        return [(person, f"{person}_{int(number):04d}") for person, number in pairs]


def _labels(colours, shape):
    """Map red to 0, green to 1 and blue to 2."""
    bright = colours > 127
    if colours.shape != shape or (bright.sum(axis=-1) != 1).any():
        raise ValueError(f"colours {np.unique(colours)} in shape {colours.shape}")
    return bright.argmax(axis=-1).astype(np.uint8)


def _olivetti(path, data_home):
    """Return 400 faces of 64 x 64 floats, ordered by person."""
    if not path.is_file():
        return fetch_olivetti_faces(data_home=data_home, shuffle=False).images
    with expecting("a mat file with faces (4096, 400) of bytes", path):
        faces = loadmat(path)["faces"]
        if faces.shape != (4096, 400) or faces.dtype != np.uint8:
            raise ValueError(f"faces of {faces.dtype}, shape {faces.shape}")
    # Pixels are stored column by column.
    images = faces.T.reshape(400, 64, 64).transpose(0, 2, 1).astype(np.float32)
    images -= images.min()
    return images / images.max()
