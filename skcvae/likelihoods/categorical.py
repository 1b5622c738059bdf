"""Class labels, such as label maps."""

import numpy as np
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from skcvae.data.labels import OneHot
from skcvae.distributions import SoftOneHot
from skcvae.likelihoods.base import Likelihood, LikelihoodModule


class Categorical(Likelihood):
    r"""Labels: :math:`p(y \mid x, z) = \prod_j \pi_{j, y_j}`, a class for each output.

    Each output is an integer label, as in label maps. Labels are one-hot encoded for
    the networks. `predict` returns labels, and the class probabilities :math:`\pi` too
    with ``return_proba=True``.

    Parameters
    ----------
    classes : sequence of int, default=None
        All possible labels. None uses the labels of the training data; any other
        label raises an error later.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.likelihoods import Categorical
    >>> Categorical().classes_of(np.array([[0, 2], [2, 5]]))
    array([0, 2, 5])
    """

    coding = OneHot

    _parameter_constraints = {"classes": ["array-like", None]}

    def __init__(self, classes=None):
        self.classes = classes

    def check_targets(self, y):
        fractional = np.isfinite(y) & (y % 1 != 0)
        if fractional.any():
            raise ValueError(
                "likelihood='categorical' expects integer labels in y, got "
                f"{y[fractional][0]:g}. Use likelihood='gaussian' for real numbers."
            )

    def classes_of(self, y):
        """Return all possible labels.

        Parameters
        ----------
        y : ndarray
            The training targets.

        Returns
        -------
        ndarray of shape (n_classes,)
            Sorted integers.

        Raises
        ------
        ValueError
            If `classes` are not distinct integers, or are fewer than two.
        """
        self._validate_params()
        given = np.unique(y[np.isfinite(y)] if self.classes is None else self.classes)
        expected = len(given) if self.classes is None else len(self.classes)
        if given.dtype.kind not in "iufb" or (given % 1 != 0).any() or len(given) != expected:
            raise ValueError(
                f"The 'classes' parameter of Categorical must be distinct integers or None. "
                f"Got {self.classes!r} instead."
            )
        if len(given) < 2:
            raise ValueError(
                "likelihood='categorical' expects at least 2 classes, got labels "
                f"{given.tolist()} in y. Pass all possible labels to Categorical(classes=...)."
            )
        integers = given.dtype if given.dtype.kind in "iu" else np.int64
        return given.astype(integers)

    def fit_coding(self, y, weight=None, *, normalize=True):
        self.set_params(classes=self.classes_of(y))
        coding = OneHot(self.classes, y.shape[1:])
        coding.check(y, "y")
        return coding

    def code_shape(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        return OneHot(np.asarray(self.classes), tuple(row_shape)).code_shape

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        return _ClassLogits(y_shape, len(self.classes))


class _ClassLogits(LikelihoodModule):
    def __init__(self, y_shape: tuple[int, ...], n_classes: int):
        super().__init__((1, *y_shape))
        self.n_classes = n_classes

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.parameter_shape) - 1
        (logits,) = parameters.unbind(-event_ndim - 1)
        return Independent(
            SoftOneHot(logits, self.n_classes, event_ndim), event_ndim, validate_args=False
        )
