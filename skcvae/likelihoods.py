r"""What is assumed of y given the generation network's output: :math:`p(y \mid x, z)`.

A likelihood is a small parameter object, as a kernel is for a Gaussian process.
Its `build` returns a module that reads the network's output, a tensor of shape
``(*batch, *parameter_shape)``, as a :class:`torch.distributions.Distribution`
over y. Outputs are independent given z; it is z that ties them together.
"""

from numbers import Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Bernoulli as BernoulliDistribution
from torch.distributions import Distribution, Independent
from torch.nn import functional as F

from skcvae.distributions import Labels, diagonal_normal, raw_scale_of

__all__ = ["Bernoulli", "Categorical", "Gaussian"]


class Gaussian(BaseEstimator):
    r"""Real outputs: :math:`p(y \mid x, z) = N(\mu(x, z), \mathrm{diag}(\sigma^2))`.

    Parameters
    ----------
    heteroscedastic : bool, default=False
        If False, :math:`\sigma` is one learned number per output. If True, the
        network predicts it for each row and draw, :math:`\sigma(x, z)`.
    init_scale : float, default=0.3
        The scale that training starts from, in units of the standardised y.
        A start well below one makes the reconstruction matter from the first
        step, so the latent variables are put to use before the noise explains
        everything.
    min_scale : float, default=0.001
        The floor under every scale, in units of the standardised y. It keeps
        the density bounded where outputs repeat or are constant.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import Gaussian
    >>> CVAERegressor(likelihood=Gaussian(heteroscedastic=True))
    CVAERegressor(likelihood=Gaussian(heteroscedastic=True))
    """

    targets = "real"

    _parameter_constraints = {
        "heteroscedastic": ["boolean"],
        "init_scale": [Interval(Real, 0, None, closed="neither")],
        "min_scale": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, heteroscedastic=False, *, init_scale=0.3, min_scale=1e-3):
        self.heteroscedastic = heteroscedastic
        self.init_scale = init_scale
        self.min_scale = min_scale

    def check_targets(self, y):
        """Accept every finite y.

        Parameters
        ----------
        y : ndarray
            The targets.
        """

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        """Return the module that turns network outputs into the distribution.

        Parameters
        ----------
        y_shape : tuple of int
            Shape of one row of y.

        Returns
        -------
        Module
            With an attribute `parameter_shape`.
        """
        self._validate_params()
        layer = _PredictedScale if self.heteroscedastic else _LearnedScale
        return layer(y_shape, self.init_scale, self.min_scale)


class Bernoulli(BaseEstimator):
    r"""Binary outputs: :math:`p(y \mid x, z) = \prod_j \pi_j^{y_j} (1 - \pi_j)^{1 - y_j}`.

    Targets may be any number in [0, 1]. For 0 and 1 this is a probability mass.
    For values between, such as grey pixels, it is the cross-entropy that the
    paper reports: not a normalised likelihood, comparable only with scores of
    the same kind. Draws are 0 or 1; the mean is :math:`\pi`.

    Examples
    --------
    >>> from skcvae.likelihoods import Bernoulli
    >>> Bernoulli().build((4, 4)).parameter_shape
    (1, 4, 4)
    """

    targets = "unit interval"

    _parameter_constraints = {}

    def check_targets(self, y):
        """Refuse targets outside [0, 1].

        Parameters
        ----------
        y : ndarray
            The targets.

        Raises
        ------
        ValueError
            If any target lies outside.
        """
        low, high = np.nanmin(y), np.nanmax(y)
        if low < 0 or high > 1:
            raise ValueError(
                f"likelihood='bernoulli' expects y in [0, 1], got values in [{low:g}, {high:g}]. "
                "Rescale y or choose likelihood='gaussian'."
            )

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        """Return the module that turns network outputs into the distribution.

        Parameters
        ----------
        y_shape : tuple of int
            Shape of one row of y.

        Returns
        -------
        Module
            With an attribute `parameter_shape`.
        """
        return _Logits(y_shape)


class Categorical(BaseEstimator):
    r"""Labels: :math:`p(y \mid x, z) = \prod_j \pi_{j, y_j}`, a class for each output.

    Made for label maps, one integer per pixel. The networks read and predict one
    number per class and output; `predict` returns labels, and the class maps
    :math:`\pi` with ``return_proba=True``.

    Parameters
    ----------
    classes : sequence of int, default=None
        Every label that may occur. None takes those of the training data; a
        label that is met later and was not among them is an error.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.likelihoods import Categorical
    >>> Categorical().classes_of(np.array([[0, 2], [2, 5]]))
    array([0, 2, 5])
    """

    targets = "label"

    _parameter_constraints = {"classes": ["array-like", None]}

    def __init__(self, classes=None):
        self.classes = classes

    def check_targets(self, y):
        """Refuse targets that are no whole numbers.

        Parameters
        ----------
        y : ndarray
            The targets.

        Raises
        ------
        ValueError
            If any is not.
        """
        fractional = np.isfinite(y) & (y % 1 != 0)
        if fractional.any():
            raise ValueError(
                "likelihood='categorical' expects labels, whole numbers, in y, got "
                f"{y[fractional][0]:g}. Use likelihood='gaussian' for real numbers."
            )

    def classes_of(self, y):
        """Return the labels that may occur.

        Parameters
        ----------
        y : ndarray
            The targets of training.

        Returns
        -------
        ndarray of shape (n_classes,)
            Sorted integers.

        Raises
        ------
        ValueError
            If `classes` are no distinct whole numbers or fewer than two.
        """
        self._validate_params()
        given = np.unique(y[np.isfinite(y)] if self.classes is None else self.classes)
        expected = len(given) if self.classes is None else len(self.classes)
        if given.dtype.kind not in "iufb" or (given % 1 != 0).any() or len(given) != expected:
            raise ValueError(
                f"The 'classes' parameter of Categorical must be distinct whole numbers or None. "
                f"Got {self.classes!r} instead."
            )
        if len(given) < 2:
            raise ValueError(
                "likelihood='categorical' expects at least 2 classes, got labels "
                f"{given.tolist()} in y. Name all that may occur by Categorical(classes=...)."
            )
        integers = given.dtype if given.dtype.kind in "iu" else np.int64
        return given.astype(integers)

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        """Return the module that turns network outputs into the distribution.

        Parameters
        ----------
        y_shape : tuple of int
            Shape of one row of coded labels: an image with a channel for each of
            `classes`, or a vector with a block for each.

        Returns
        -------
        Module
            With an attribute `parameter_shape`.
        """
        return _ClassLogits(y_shape, len(self.classes))


class _LearnedScale(nn.Module):
    """One scale per output, the same for every row."""

    def __init__(self, y_shape: tuple[int, ...], init_scale: float, min_scale: float):
        super().__init__()
        self.parameter_shape = (1, *y_shape)
        self.min_scale = min_scale
        self.raw_scale = nn.Parameter(torch.full(y_shape, raw_scale_of(init_scale)))

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = self.raw_scale.ndim
        (loc,) = parameters.unbind(-event_ndim - 1)
        return diagonal_normal(
            loc, self.raw_scale, min_scale=self.min_scale, event_ndim=event_ndim
        )


class _PredictedScale(nn.Module):
    """One scale per output and row, predicted."""

    def __init__(self, y_shape: tuple[int, ...], init_scale: float, min_scale: float):
        super().__init__()
        self.parameter_shape = (2, *y_shape)
        self.min_scale = min_scale
        self.start = raw_scale_of(init_scale)

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.parameter_shape) - 1
        loc, raw_scale = parameters.unbind(-event_ndim - 1)
        return diagonal_normal(
            loc, raw_scale + self.start, min_scale=self.min_scale, event_ndim=event_ndim
        )


class _Logits(nn.Module):
    def __init__(self, y_shape: tuple[int, ...]):
        super().__init__()
        self.parameter_shape = (1, *y_shape)

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.parameter_shape) - 1
        (logits,) = parameters.unbind(-event_ndim - 1)
        # Grey targets lie outside the support that torch would check.
        pixels = _Pixels(logits=logits, validate_args=False)
        return Independent(pixels, event_ndim, validate_args=False)


class _Pixels(BernoulliDistribution):
    """torch's distribution with a log-probability in fewer passes over the numbers."""

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.addcmul(F.softplus(self.logits).neg_(), value, self.logits)


class _ClassLogits(nn.Module):
    def __init__(self, y_shape: tuple[int, ...], n_classes: int):
        super().__init__()
        self.parameter_shape = (1, *y_shape)
        self.n_classes = n_classes

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.parameter_shape) - 1
        (logits,) = parameters.unbind(-event_ndim - 1)
        return Independent(
            Labels(logits, self.n_classes, event_ndim), event_ndim, validate_args=False
        )
