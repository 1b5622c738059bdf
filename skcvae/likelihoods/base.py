"""Base classes of likelihoods: the parameter object, the module, and learned scales.

To write a likelihood of your own, subclass :class:`Likelihood`, or :class:`RealOutputs`
where y is standardised first, and define `build`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Real

import numpy as np
import torch
from sklearn.utils._param_validation import HasMethods, Interval
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from skcvae.data.coding import Scaling
from skcvae.distributions import raw_scale_of, scale_of
from skcvae.documented import Documented
from skcvae.likelihoods.marginals import mean_of

Family = Callable[[Tensor, Tensor], Distribution]

# Undamped, the scale fits y by wide noise before z is used: on a ring, two outputs, such a fit
# ends 1.1 nats below the truth; damped, 0.26.
DAMPING = 0.2

LIKELIHOOD = HasMethods(["build", "check_targets", "fit_coding", "code_shape"])
POSITIVE = [Interval(Real, 0, None, closed="neither")]
SCALES = {"heteroscedastic": ["boolean"], "init_scale": POSITIVE, "min_scale": POSITIVE}


class Likelihood(Documented, ABC):
    """Base class of likelihoods.

    Attributes
    ----------
    coding : type
        The class of what `fit_coding` returns.
    accepts_missing : bool
        Whether entries of y that were not observed can be marginalised out.
    accepts_means : bool
        Whether means of targets, such as pooled pixels, are targets too.
    absent_code : int or None
        What marks an absent annotation: -1 where y are labels, binary or counts.
    has_labels : bool
        Whether y are labels, all of which are held out for validation where y is one output.
    bounds : tuple of float
        The least and the greatest number that an output can be; labels have none.
    """

    _parameter_constraints = {}

    coding = Scaling
    accepts_missing = True
    accepts_means = True
    absent_code = None
    has_labels = False
    bounds = -np.inf, np.inf

    def support(self, row_shape: tuple[int, ...]) -> np.ndarray:
        """Return the least and the greatest number of each output, of shape (2,) + row_shape."""
        return np.stack([np.full(row_shape, bound) for bound in self.bounds])

    def check_targets(self, y):
        """Accept every finite y.

        Parameters
        ----------
        y : ndarray of shape (n_rows, ...)
            The targets. NaN entries are not observed.
        """

    def fit_coding(self, y, weight=None, *, normalize=True):
        """Return the encoding of y for the networks: by default the identity.

        Parameters
        ----------
        y : ndarray of shape (n_rows, ...)
            The targets of training.
        weight : ndarray of shape (n_rows,), default=None
            Sample weights.
        normalize : bool, default=True
            The estimators' `normalize_y`.

        Returns
        -------
        Scaling, OneHot or Table
            The coding; likelihoods may set parameters that follow from y.
        """
        return Scaling.identity_of(y, "y")

    def code_shape(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one encoded row.

        Parameters
        ----------
        row_shape : tuple of int
            Shape of one row of y.

        Returns
        -------
        tuple of int
            By default the same.
        """
        return tuple(row_shape)

    @abstractmethod
    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        """Return the module that reads the network's output as a distribution of y.

        Parameters
        ----------
        y_shape : tuple of int
            Shape of one encoded row of y.

        Returns
        -------
        LikelihoodModule
            With an attribute `parameter_shape`.
        """


class RealOutputs(Likelihood):
    """Base class of likelihoods of real numbers, which are standardised first."""

    def fit_coding(self, y, weight=None, *, normalize=True):
        return Scaling.fit(y, weight, "y", standardise=normalize)


class LikelihoodModule(nn.Module):
    """Read the network's output as a distribution of y.

    Parameters
    ----------
    parameter_shape : tuple of int
        Shape of the output for one row.

    Attributes
    ----------
    n_locations : int
        How many locations of each output the numbers begin with, where there is a method
        `start_at`, with which training starts at least squares.
    has_labels : bool
        Whether y are labels.
    """

    n_locations = 1
    has_labels = False

    def __init__(self, parameter_shape: tuple[int, ...]):
        super().__init__()
        self.parameter_shape = parameter_shape

    @abstractmethod
    def forward(self, parameters: Tensor) -> Distribution:
        """Return the distribution of encoded rows, from unbounded numbers.

        Their shape is ``batch + parameter_shape``; that of the distribution is ``batch``.
        """

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor] | None:
        """Return where training starts: a distribution that ignores x, and y as seen from there.

        By default this is None, and training starts at random.

        Parameters
        ----------
        y : Tensor of shape (n_rows, ...)
            Encoded rows to train on, complete, float64.
        weight : Tensor of shape (n_rows,), default=None
            Their weights.

        Returns
        -------
        numbers : Tensor of shape parameter_shape
            The parameters of the distribution.
        response : Tensor of shape (n_rows,) + parameter_shape
            What least squares predicts from x, to be added to the numbers: as the working response
            of a generalised linear model (McCullagh and Nelder, 1989, section 2.5).
        """
        return None

    def read(self, y: Tensor) -> Tensor:
        """Transform y for the networks that read it: by default unchanged.

        Parameters
        ----------
        y : Tensor of shape (..., outputs)
            Outputs, or means of outputs. NaN stays NaN.

        Returns
        -------
        Tensor of the same shape
            Numbers of the order of one.
        """
        return y


def row_of(
    likelihood: Likelihood, name: str, y_shape: tuple[int, ...], default=None, *, positive=False
) -> np.ndarray:
    """Return a parameter that is a number, or has one for each output.

    Parameters
    ----------
    likelihood : Likelihood
        The parameter object.
    name : str
        The name of the parameter.
    y_shape : tuple of int
        Shape of one row of y.
    default : float, default=None
        In place of None.
    positive : bool, default=False
        Whether the numbers have to be positive.

    Returns
    -------
    ndarray of shape y_shape
        A copy, float64.
    """
    given = getattr(likelihood, name)
    row = np.asarray(default if given is None else given, dtype=float)
    is_positive = not positive or (row.astype(np.float32) > 0).all()
    if row.shape not in ((), tuple(y_shape)) or not is_positive:
        raise ValueError(
            f"The {name!r} parameter of {type(likelihood).__name__} must be a "
            f"{'positive ' * positive}number or have shape {tuple(y_shape)}. "
            f"Got {given!r} instead."
        )
    return np.broadcast_to(row, y_shape).copy()


class LearnedScale(LikelihoodModule):
    """One learned scale per output, the same for every row; fitted ones have a temperature."""

    n_numbers = 1

    def __init__(self, y_shape: tuple[int, ...], init_scale: float, min_scale: float, family):
        super().__init__((self.n_numbers, *y_shape))
        self.min_scale = min_scale
        self.family: Family = family
        self.raw_scale = nn.Parameter(torch.full(y_shape, raw_scale_of(init_scale)))
        self.register_buffer("temperature", torch.ones(1))

    @staticmethod
    def of(likelihood: Likelihood, y_shape: tuple[int, ...], family) -> "LearnedScale":
        """Return the layer of the scales that a likelihood asks for."""
        layer = PredictedScale if likelihood.heteroscedastic else LearnedScale
        return layer(y_shape, likelihood.init_scale, likelihood.min_scale, family)

    def start_at(self, covariance: Tensor) -> None:
        """Start at the noise of a linear model: a covariance of shape (n_outputs, n_outputs)."""
        scale = (covariance.diagonal().sqrt() - self.min_scale).clamp_min(self.min_scale / 10)
        self.raw_scale.copy_(raw_scale_of(scale).view_as(self.raw_scale))

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean = mean_of(y, weight)
        self.start_at(mean_of((y - mean).square(), weight).flatten().diag())
        numbers = torch.stack([mean, torch.zeros_like(mean)][: self.n_numbers])
        return numbers, torch.stack([y - mean, torch.zeros_like(y)][: self.n_numbers], 1)

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = self.raw_scale.ndim
        loc, *offset = parameters.unbind(-event_ndim - 1)
        raw_scale = self.raw_scale + DAMPING * offset[0] if offset else self.raw_scale
        scale = scale_of(raw_scale, self.min_scale)
        scale = scale if self.training else scale * self.temperature
        return Independent(self.family(loc, scale), event_ndim, validate_args=False)


class PredictedScale(LearnedScale):
    """One scale per output and row: a learned base scale plus a damped network offset."""

    n_numbers = 2


class Rescaled(LikelihoodModule):
    """Learned scales of outputs that the networks read on another scale, which `read` gives.

    Parameters
    ----------
    layer : LearnedScale
        Scales on that other scale, of a family of distributions of y itself.
    """

    def __init__(self, layer: LearnedScale):
        super().__init__(layer.parameter_shape)
        self.layer = layer

    def start_at(self, covariance: Tensor) -> None:
        """Start at the noise of a linear model of what the networks read."""
        self.layer.start_at(covariance)

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.layer.marginal(self.read(y), weight)

    def forward(self, parameters: Tensor) -> Distribution:
        return self.layer(parameters)
