"""Class labels, such as label maps."""

from numbers import Integral

import numpy as np
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from skcvae.data import label_names as labels
from skcvae.data.labels import OneHot
from skcvae.distributions import SoftOneHot
from skcvae.likelihoods.base import Likelihood, LikelihoodModule
from skcvae.likelihoods.marginals import share_of


class Categorical(Likelihood):
    r"""Labels: :math:`p(y \mid x, z) = \prod_j \pi_{j, y_j}`, a class for each output.

    Each output is a label, as in label maps: an integer, a text or a boolean. Labels are
    one-hot encoded for the networks. `predict` returns labels, and the class probabilities
    :math:`\pi` too with ``return_proba=True``.

    Parameters
    ----------
    classes : sequence of int, str or bool, default=None
        All possible labels. None uses the labels of the training data; any other
        label raises an error later.
    ignore_label : int, bool or str, default=None
        The label of outputs that are not known, such as 255 in label maps. They are as NaN:
        not observed, which expects ``partial_y=True`` of the estimator, and drawn by `complete`.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.likelihoods import Categorical
    >>> Categorical().classes_of(np.array([[0, 2], [2, 5]]))
    array([0, 2, 5])
    """

    coding = OneHot
    has_labels = True

    _parameter_constraints = {
        "classes": ["array-like", None],
        "ignore_label": [Integral, "boolean", str, None],
    }

    def __init__(self, classes=None, ignore_label=None):
        self.classes = classes
        self.ignore_label = ignore_label

    @property
    def absent_code(self):
        """What marks an absent annotation: -1, unless it is a class."""
        return None if -1 in np.asarray(self.classes).ravel().tolist() else -1

    def codes_of(self, y):
        """Return labels as numbers: texts and booleans by their position in `classes`.

        Parameters
        ----------
        y : array-like
            Labels. None, NaN and `ignore_label` are not observed.

        Returns
        -------
        array-like of the same shape
            Of y itself if it holds numbers and there is nothing to ignore; else float64, NaN where
            not observed. `classes` is set if it is None and labels are texts or booleans.
        """
        codes = labels.codes_of(y, self.classes, self.ignore_label)
        if codes is None:
            return y
        if self.classes is None and codes.classes is not None:
            self.set_params(classes=codes.classes)
        return codes.numbers

    def labels_of(self, codes):
        """Return the labels that the numbers of `codes_of` stand for.

        Parameters
        ----------
        codes : ndarray
            Labels as numbers.

        Returns
        -------
        ndarray of the same shape
            The labels of y in `fit`.
        """
        return np.asarray(self.classes)[codes] if labels.have_names(self.classes) else codes

    @property
    def codes(self):
        """The classes as numbers."""
        classes = np.asarray(self.classes)
        return np.arange(len(classes)) if labels.have_names(classes) else classes

    def check_targets(self, y):
        fractional = np.isfinite(y) & (y % 1 != 0)
        if fractional.any():
            raise ValueError(
                "likelihood='categorical' expects integer labels in y, got "
                f"{y[fractional][0]:g}. Use likelihood='gaussian' for real numbers."
            )
        if self.classes is None:
            labels.refuse_one_hot(y)
            labels.refuse_ignored(y)

    def classes_of(self, y):
        """Return all possible labels.

        Parameters
        ----------
        y : ndarray
            The training targets.

        Returns
        -------
        ndarray of shape (n_classes,)
            Sorted labels.

        Raises
        ------
        ValueError
            If `classes` are not distinct integers, are fewer than two, or have `ignore_label`.
        """
        self._validate_params()
        has_both = self.classes is not None and self.ignore_label is not None
        if has_both and self.ignore_label in np.asarray(self.classes).tolist():
            raise ValueError(
                "The 'ignore_label' parameter of Categorical must not be one of its 'classes', "
                f"{[*self.classes]}. Got {self.ignore_label!r}."
            )
        if labels.have_names(self.classes):
            return labels.distinct(self.classes)
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
        coding = OneHot(self.codes, y.shape[1:])
        coding.check(y, "y")
        return coding

    def code_shape(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        return OneHot(self.codes, tuple(row_shape)).code_shape

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        return _ClassLogits(y_shape, len(self.classes))


class _ClassLogits(LikelihoodModule):
    has_labels = True

    def __init__(self, y_shape: tuple[int, ...], n_classes: int):
        super().__init__((1, *y_shape))
        self.n_classes = n_classes

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        share = share_of(y, weight, 1 / self.n_classes)
        return share.log()[None], (y / share - 1)[:, None]

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.parameter_shape) - 1
        (logits,) = parameters.unbind(-event_ndim - 1)
        return Independent(
            SoftOneHot(logits, self.n_classes, event_ndim), event_ndim, validate_args=False
        )
