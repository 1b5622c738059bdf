"""The paper's quadrant task: complete an image from some of its quadrants."""

from numbers import Integral

import numpy as np

from skcvae import whole_numbers

# Input quadrants in order: bottom left, top left, top right.
ORDER = ((1, 0), (0, 0), (0, 1))


class Quadrants:
    """Split images into input quadrants, X, and the remaining quadrants, y.

    The input is the bottom left quadrant, the left half, or all but the bottom right
    quadrant. The middle row or column of an odd side belongs to the bottom or the right.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width.
    n_quadrants : {1, 2, 3}, default=1
        Number of input quadrants.

    Attributes
    ----------
    seen : ndarray of shape (height, width), bool
        Mask of the pixels in X.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
    Deep Conditional Generative Models*, NIPS, section 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.datasets import Quadrants
    >>> images = np.arange(32).reshape(2, 4, 4)
    >>> task = Quadrants((4, 4), n_quadrants=1)
    >>> X, y = task.split(images)
    >>> X.shape, y.shape
    ((2, 4), (2, 12))
    >>> bool((task.join(X, y) == images).all())
    True
    """

    def __init__(self, image_shape, n_quadrants=1):
        n_quadrants = whole_numbers.checked(n_quadrants, "n_quadrants", most=3)
        are_whole = all(isinstance(side, Integral) for side in image_shape)
        if len(image_shape) != 2 or not are_whole or min(image_shape) < 2:
            raise ValueError(
                "image_shape must be (height, width), whole numbers of at least 2, got "
                f"{image_shape!r}."
            )
        self.image_shape = tuple(image_shape)
        self.n_quadrants = n_quadrants
        height, width = self.image_shape
        bottom = np.arange(height) >= height // 2
        right = np.arange(width) >= width // 2
        self.seen = np.zeros(self.image_shape, dtype=bool)
        for is_bottom, is_right in ORDER[:n_quadrants]:
            self.seen |= np.outer(bottom == is_bottom, right == is_right)

    def split(self, images):
        """Split images into inputs and outputs.

        Parameters
        ----------
        images : array-like of shape (n_images, height, width)
            A stack of images.

        Returns
        -------
        X : ndarray of shape (n_images, n_seen)
            Pixels of the input quadrants, row by row.
        y : ndarray of shape (n_images, n_hidden)
            The other pixels, row by row.

        Raises
        ------
        ValueError
            If the images have another shape.
        """
        images = np.asarray(images)
        if images.ndim != 3 or images.shape[1:] != self.image_shape:
            raise ValueError(
                f"images must have shape {('n_images', *self.image_shape)}, got {images.shape}."
            )
        return images[:, self.seen], images[:, ~self.seen]

    def join(self, X, y):
        """Join inputs and outputs to images, the inverse of `split`.

        Parameters
        ----------
        X : array-like of shape (n_images, n_seen)
            Pixels of the input quadrants.
        y : array-like of shape (..., n_images, n_hidden)
            The other pixels. Leading dimensions are kept, such as those of draws from
            `sample`.

        Returns
        -------
        ndarray of shape (..., n_images, height, width)
            Whole images.

        Raises
        ------
        ValueError
            If X or y have another shape.
        """
        X, y = np.asarray(X), np.asarray(y)
        sizes = self.seen.sum(), (~self.seen).sum()
        if X.ndim != 2 or X.shape[1] != sizes[0] or y.shape[-2:] != (len(X), sizes[1]):
            raise ValueError(
                f"X must have shape (n_images, {sizes[0]}), and y (..., n_images, {sizes[1]}), "
                f"got {X.shape} and {y.shape}."
            )
        images = np.empty((*y.shape[:-1], *self.image_shape), dtype=np.result_type(X, y))
        images[..., self.seen] = X
        images[..., ~self.seen] = y
        return images
