"""Faces of LFW with masks of hair and face at 32 x 32: rows, colours, and copies to train on."""

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample

LUMA_AND_CHROMA = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
AT_ONCE = 500  # images that are moved together


def load(folder):
    """Return scores, NaN where there are none, images with masks at 64 x 64, and the split."""
    parts = np.load(folder / "lfw_parts" / "lfw_parts_64.npz")
    scores = np.load(folder / "lfw_parts" / "lfw_attributes_4144.npz")
    X = np.full((len(parts["image"]), scores["attribute"].shape[1]), np.nan)
    X[scores["lfw_parts_row"]] = scores["attribute"][scores["attribute_row"]]
    images = np.moveaxis(parts["image"], -1, 1) / np.float32(255)
    return X, np.concatenate([images, parts["mask"][:, None] != 2], axis=1), parts["split"]


def seen(y):
    """Return images with masks as the networks see them: at 32 x 32, luma and chroma.

    The three channels are an orthonormal map of red, green and blue, so that densities of
    images are those of their colours. They are much less correlated: a likelihood with
    independent noise suits them better.
    """
    return turned(at_half(y), LUMA_AND_CHROMA)


def turned(y, matrix):
    """Return images, with or without masks, whose colours a matrix maps."""
    colors = np.einsum("ij,njhw->nihw", matrix.astype(y.dtype), y[:, :3])
    return np.concatenate([colors, y[:, 3:]], axis=1)


def rgb(y):
    """Return red, green and blue of images as the networks see them, without masks."""
    return turned(y[:, :3], LUMA_AND_CHROMA.T)


def at_half(y):
    n, channels, height, width = y.shape
    halved = y.reshape(n, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))
    halved[:, -1] = np.round(halved[:, -1])
    return halved


def copies(X, y, n_copies, rng):
    """Return rows to train on: copies of each face, moved and with other light and colours."""
    moved = [altered(y, rng) for _ in range(n_copies)]
    return np.tile(X, (n_copies, 1)), turned(np.concatenate(moved), LUMA_AND_CHROMA)


def altered(y, rng, size=1.5):
    """Return images with masks at 32 x 32, mirrored or not, turned, scaled and shifted."""
    n = len(y)
    angle, log_scale = rng.uniform(-0.1, 0.1, (2, n)) * size
    cos, sin = np.exp(log_scale) * (np.cos(angle), np.sin(angle))
    mirror, shift = rng.choice([-1, 1], n), rng.uniform(-0.1, 0.1, (2, n)) * size
    affine = np.array([[cos * mirror, -sin, shift[0]], [sin * mirror, cos, shift[1]]])
    affine = torch.from_numpy(np.moveaxis(affine, -1, 0).astype(y.dtype))
    blocks = [slice(i, i + AT_ONCE) for i in range(0, n, AT_ONCE)]
    y = at_half(np.concatenate([moved(y[rows], affine[rows]) for rows in blocks]))
    gain = rng.uniform(-0.15, 0.15, (n, 1, 1, 1)) + rng.uniform(-0.05, 0.05, (n, 3, 1, 1))
    offset = 0.5 + rng.uniform(-0.08, 0.08, (n, 1, 1, 1)) * size
    y[:, :-1] = ((y[:, :-1] - 0.5) * np.exp(size * gain) + offset).clip(0, 1)
    return y


def moved(y, affine):
    grid = affine_grid(affine, list(y.shape), align_corners=False)
    args = {"padding_mode": "reflection", "align_corners": False}
    return grid_sample(torch.from_numpy(y), grid, **args).numpy()
