"""One-hot encoding of labels."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcvae.data.coding import FORWARD_ROWS, slices


class OneHot(NamedTuple):
    """One-hot encoding: one number per class, 1 for the class of the label.

    A map of labels becomes an image with a channel per class; a vector of
    labels becomes a longer vector, class by class.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    row_shape : tuple of int
        Shape of one row of labels.
    """

    classes: np.ndarray
    row_shape: tuple[int, ...]

    @property
    def cells(self) -> tuple[int, ...]:
        """Shape of one row, class by class."""
        return (len(self.classes), *self.row_shape)

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one encoded row."""
        return self.cells if len(self.row_shape) > 1 else (math.prod(self.cells),)

    @property
    def labels(self) -> slice:
        """Columns that hold labels: all."""
        return slice(None)

    def check(self, array: np.ndarray, name: str) -> None:
        """Refuse labels outside `classes`; NaN entries are ignored."""
        for rows in slices(len(array), FORWARD_ROWS):
            unknown = np.setdiff1d(array[rows][np.isfinite(array[rows])], self.classes)
            if len(unknown):
                raise ValueError(
                    f"{name} has labels {unknown[:5].tolist()} that were not in y in fit, "
                    f"expected among {self.classes.tolist()}. Name all that may occur by "
                    "likelihood=Categorical(classes=...)."
                )

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return encoded rows on a device; the code of a NaN is NaN."""
        labels = np.reshape(array, (-1, 1, *self.row_shape))
        code = (labels == self.classes.reshape(-1, *[1] * len(self.row_shape))).astype(float)
        code[np.broadcast_to(np.isnan(labels), code.shape)] = np.nan
        return torch.from_numpy(code).to(dtype).reshape(-1, *self.code_shape).to(device)

    def to_array(self, tensor: Tensor) -> np.ndarray:
        """Return the label of the highest number."""
        return self.most_likely(self._by_class(tensor).numpy())

    def spread_to_array(self, tensor: Tensor) -> np.ndarray:
        """Return NaN: labels have no standard deviation."""
        return np.full(self.to_array(tensor).shape, np.nan)

    def to_proba(self, tensor: Tensor) -> np.ndarray:
        """Return class probabilities, which sum to one in float64."""
        proba = self._by_class(tensor).double()
        return (proba / proba.sum(-len(self.cells), keepdim=True)).numpy()

    def _by_class(self, tensor: Tensor) -> Tensor:
        batch = tensor.shape[: tensor.ndim - len(self.code_shape)]
        return tensor.cpu().reshape(*batch, *self.cells)

    def most_likely(self, proba: np.ndarray) -> np.ndarray:
        """Return the label of the highest number along the axis of classes."""
        return self.classes[proba.argmax(axis=-len(self.cells))]

    def log_jacobian(self, array: np.ndarray | None = None) -> np.ndarray:
        """Return zeros: a probability mass has no units."""
        return np.zeros(1 if array is None else len(array))
