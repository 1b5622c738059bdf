"""The colorization task: split images into lightness and colour, and join them again."""

import numpy as np

ROUNDING = 1e-6


def split_colors(images):
    """Split RGB images into lightness, X, and two colour channels, y.

    The task of colorization is p(y|x). Requires scikit-image: ``pip install skcvae[color]``.

    Parameters
    ----------
    images : array-like of shape (..., height, width, 3)
        Images in sRGB: integers from 0 to 255 of type uint8, or floats in [0, 1].

    Returns
    -------
    lightness : ndarray of shape (..., height, width)
        Lightness L* of CIE L*a*b*, from 0, black, to 100, white.
    color : ndarray of shape (..., 2, height, width)
        Channels a*, from green to red, and b*, from blue to yellow, from about -110 to 110; zero
        where grey.

    Raises
    ------
    ValueError
        If the last axis has another length, or the images other numbers.
    ImportError
        If scikit-image is not installed.

    References
    ----------
    Deshpande, Lu, Yeh, Chong and Forsyth (2017), *Learning Diverse Image Colorization*,
    CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.datasets import join_colors, split_colors
    >>> images = np.random.default_rng(0).random((5, 8, 6, 3))
    >>> lightness, color = split_colors(images)
    >>> lightness.shape, color.shape
    ((5, 8, 6), (5, 2, 8, 6))
    >>> bool(np.allclose(join_colors(lightness, color), images, atol=1e-3))
    True
    """
    images = np.asarray(images)
    if images.ndim < 3 or images.shape[-1] != 3:
        raise ValueError(
            f"images must have shape (..., height, width, 3), got shape {images.shape}."
        )
    is_unit = images.dtype.kind == "f" and ((images >= 0) & (images <= 1)).all()
    if images.dtype != np.uint8 and not is_unit:
        is_number = images.size and images.dtype.kind in "iuf"
        ends = f", from {images.min()} to {images.max()}" if is_number else ""
        raise ValueError(
            f"images must be uint8, or floats in [0, 1], got {images.dtype}{ends}. Divide numbers "
            "up to 255 by 255."
        )
    lab = _color_module().rgb2lab(images)
    return lab[..., 0], np.moveaxis(lab[..., 1:], -1, -3)


def join_colors(lightness, color):
    """Join lightness and colour channels to RGB images: the inverse of `split_colors`.

    Colours outside of sRGB are clipped to it.

    Parameters
    ----------
    lightness : array-like of shape (..., height, width)
        Lightness L* of CIE L*a*b*.
    color : array-like of shape (..., 2, height, width)
        Channels a* and b*. Further leading dimensions are kept, such as those of draws from
        `sample`.

    Returns
    -------
    ndarray of shape (..., height, width, 3)
        Images in sRGB, in [0, 1].

    Raises
    ------
    ValueError
        If the shapes do not fit.
    ImportError
        If scikit-image is not installed.
    """
    lightness, color = np.asarray(lightness), np.asarray(color)
    if color.ndim < 3 or color.shape[-3] != 2 or lightness.shape[-2:] != color.shape[-2:]:
        raise ValueError(
            "lightness and color must have shapes (..., height, width) and (..., 2, height, "
            f"width), got {lightness.shape} and {color.shape}."
        )
    a, b = color[..., 0, :, :], color[..., 1, :, :]
    # In CIE L*a*b* (L + 16) / 116 - b / 200 is not negative; scikit-image warns where it is.
    yellowest = 200 * (lightness + 16) / 116 * (1 - ROUNDING)
    channels = np.broadcast_arrays(lightness, a, np.minimum(b, yellowest))
    return _color_module().lab2rgb(np.stack(channels, -1))


def _color_module():
    try:
        from skimage import color
    except ImportError as error:
        raise ImportError(
            "Colours are converted by scikit-image: pip install skcvae[color]."
        ) from error
    return color
