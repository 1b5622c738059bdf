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

from skcvae.distributions import diagonal_normal, raw_scale_of

__all__ = ["Bernoulli", "Gaussian"]


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

    real_valued = True

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

    real_valued = False

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
        low, high = np.min(y), np.max(y)
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
        pixels = BernoulliDistribution(logits=logits, validate_args=False)
        return Independent(pixels, event_ndim, validate_args=False)
