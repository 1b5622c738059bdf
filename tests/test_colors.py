"""Laws of the split of images into lightness and colour."""

import sys

import numpy as np
import pytest

from skcvae.datasets import join_colors, split_colors

skimage = pytest.importorskip("skimage")

IMAGES = np.random.default_rng(0).integers(0, 256, size=(6, 5, 4, 3), dtype=np.uint8)


def test_joining_undoes_splitting():
    np.testing.assert_allclose(join_colors(*split_colors(IMAGES)), IMAGES / 255, atol=2e-3)


def test_bytes_are_shares_of_255():
    for found, expected in zip(split_colors(IMAGES), split_colors(IMAGES / 255), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_grey_images_have_no_color_and_white_is_lightest():
    lightness, color = split_colors(np.ones((1, 2, 2, 3)))
    np.testing.assert_allclose(lightness, 100, atol=1e-3)
    np.testing.assert_allclose(color, 0, atol=0.01)
    grey = join_colors(np.full((3, 4), 40.0), np.zeros((2, 3, 4)))
    np.testing.assert_allclose(grey, grey[..., :1] * np.ones(3), atol=1e-4)


def test_red_and_yellow_are_positive():
    lightness, color = split_colors(np.array([[[1.0, 0, 0], [1, 1, 0]]]))
    assert lightness.shape == (1, 2) and color.shape == (2, 1, 2)
    assert color[0, 0, 0] > 50 and color[1, 0, 1] > 50


def test_draws_of_color_share_the_lightness():
    lightness, color = split_colors(IMAGES)
    draws = np.stack([color, 0 * color, -color])
    joined = join_colors(lightness, draws)
    assert joined.shape == (3, *IMAGES.shape)
    np.testing.assert_array_equal(joined[1], join_colors(lightness, 0 * color))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_colors_out_of_range_are_clipped_without_a_warning(dtype):
    lightness = np.linspace(0, 100, 20, dtype=dtype)[:, None].repeat(30, 1)
    for color in (300.0, -300.0):
        joined = join_colors(lightness, np.full((2, 20, 30), color, dtype=dtype))
        assert (joined >= 0).all() and (joined <= 1).all()


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 4), (4, 4, 1)])
def test_images_have_three_channels_at_the_end(shape):
    with pytest.raises(ValueError, match=r"height, width, 3\), got shape"):
        split_colors(np.zeros(shape))


@pytest.mark.parametrize(
    ("lightness", "color"), [((4, 5), (3, 4, 5)), ((4, 5), (2, 5, 4)), ((4, 5), (4, 5))]
)
def test_lightness_and_color_fit_each_other(lightness, color):
    with pytest.raises(ValueError, match=r"lightness and color must have shapes .* got \(4, 5\)"):
        join_colors(np.zeros(lightness), np.zeros(color))


def test_without_scikit_image_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ImportError, match=r"pip install skcvae\[color\]"):
        split_colors(IMAGES)


@pytest.mark.parametrize(
    "images", [IMAGES.astype(int), IMAGES.tolist(), IMAGES * 1.0, IMAGES / -255, IMAGES * np.nan]
)
def test_only_bytes_and_shares_are_split(images):
    with pytest.raises(ValueError, match=r"images must be uint8, or floats in \[0, 1\], got"):
        split_colors(images)
