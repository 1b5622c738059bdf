"""Tasks on images of digits: scikit-learn's digits and MNIST."""

import gzip
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, get_data_home, load_digits
from sklearn.utils import Bunch

from skcvae.datasets._files import expecting
from skcvae.datasets._quadrants import Quadrants

SUBSETS = {
    "train": slice(0, 50_000),
    "validation": slice(50_000, 60_000),
    "test": slice(60_000, 70_000),
}
IDX_FILES = (
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)


def load_digits_quadrants(n_quadrants=1, *, threshold=None, return_X_y=False):
    """Load the quadrant task on scikit-learn's 1,797 digits of 8 x 8 pixels.

    Parameters
    ----------
    n_quadrants : {1, 2, 3}, default=1
        Number of input quadrants: 16, 32 or 48 of the 64 pixels.
    threshold : float, default=None
        Threshold for binary pixels. None returns grey pixels in [0, 1].
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        `data` of shape (1797, n_seen), `target` of shape (1797, n_hidden),
        `images`, `labels` (the digits) and `task`, the :class:`Quadrants` object whose
        ``join`` restores the images.

    Examples
    --------
    >>> from skcvae.datasets import load_digits_quadrants
    >>> digits = load_digits_quadrants(n_quadrants=2)
    >>> digits.data.shape, digits.target.shape
    ((1797, 32), (1797, 32))
    """
    digits = load_digits()
    return _bunch(digits.images / 16, digits.target, n_quadrants, threshold, return_X_y)


def load_digits_label_maps(*, return_X_y=False):
    """Load thumbnails and label maps of scikit-learn's 1,797 digits.

    A small segmentation task: predict the class of each of the 8 x 8 pixels, background,
    edge or ink, from the digit downsampled to 2 x 2 pixels. Most of the detail is lost,
    so that many label maps are compatible with a thumbnail.

    Parameters
    ----------
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        `data` of shape (1797, 2, 2) in [0, 1]; `target` of shape (1797, 8, 8), a
        label for each pixel; `target_names`, the names of the labels 0, 1 and 2,
        which are grey values below 4, from 4 to below 12, and from 12 to 16; `labels`
        (the digits).

    Examples
    --------
    >>> from skcvae.datasets import load_digits_label_maps
    >>> digits = load_digits_label_maps()
    >>> digits.data.shape, digits.target.shape, digits.target_names
    ((1797, 2, 2), (1797, 8, 8), ['background', 'edge', 'ink'])
    """
    digits = load_digits()
    data = digits.images.reshape(-1, 2, 4, 2, 4).mean(axis=(2, 4)) / 16
    target = np.digitize(digits.images, [4, 12])
    if return_X_y:
        return data, target
    names = ["background", "edge", "ink"]
    return Bunch(data=data, target=target, target_names=names, labels=digits.target)


def fetch_mnist_quadrants(
    n_quadrants=1, *, subset="train", threshold=None, data_home=None, return_X_y=False
):
    """Load the paper's quadrant task on MNIST, and download the images if necessary.

    Parameters
    ----------
    n_quadrants : {1, 2, 3}, default=1
        Number of input quadrants: 196, 392 or 588 of the 784 pixels.
    subset : {"train", "validation", "test"}, default="train"
        The first 50,000, the next 10,000 or the last 10,000 images.
    threshold : float, default=None
        Threshold for binary pixels. None returns grey pixels in [0, 1], as in the paper.
    data_home : str or path, default=None
        Folder with the four original idx files, gzipped or not. If they are missing, the
        download of `sklearn.datasets.fetch_openml` is cached there. None uses
        scikit-learn's data folder.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        As in :func:`load_digits_quadrants`.

    Raises
    ------
    ValueError
        If a parameter is out of range, or an idx file is damaged.
    """
    if subset not in SUBSETS:
        raise ValueError(f"subset must be one of {sorted(SUBSETS)}, got {subset!r}.")
    images, labels = _mnist(data_home)
    rows = SUBSETS[subset]
    return _bunch(images[rows] / 255, labels[rows], n_quadrants, threshold, return_X_y)


def _bunch(images, labels, n_quadrants, threshold, return_X_y):
    if threshold is not None:
        images = (images > threshold).astype(float)
    task = Quadrants(images.shape[1:], n_quadrants)
    data, target = task.split(images)
    if return_X_y:
        return data, target
    return Bunch(data=data, target=target, images=images, labels=labels, task=task)


def _mnist(data_home):
    """Return 70,000 images of 28 x 28 bytes and their labels, the test images last."""
    folder = Path(get_data_home(data_home))
    paths = [[_find(folder, name) for name in pair] for pair in IDX_FILES]
    if all(path for pair in paths for path in pair):
        images, labels = zip(*[[_read_idx(path) for path in pair] for pair in paths], strict=True)
        return np.concatenate(images), np.concatenate(labels)
    mnist = fetch_openml("mnist_784", version=1, as_frame=False, data_home=data_home)
    return mnist.data.reshape(-1, 28, 28).astype(np.uint8), mnist.target.astype(np.uint8)


def _find(folder, name):
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _read_idx(path):
    """Read an idx file of bytes: magic number 0 0 8 ndim, big-endian sizes, data."""
    with expecting("an idx file of bytes", path):
        content = (gzip.decompress if path.suffix == ".gz" else bytes)(path.read_bytes())
        ndim = content[3] if content[:3] == b"\0\0\x08" else 0
        shape = np.frombuffer(content, ">i4", count=ndim, offset=4)
        if not ndim:
            raise ValueError(f"magic number {content[:4]}")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * ndim).reshape(shape)
