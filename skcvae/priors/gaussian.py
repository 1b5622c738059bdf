r"""Gaussian priors: conditional on x, or standard normal (the paper's relaxed prior)."""

from numbers import Real

from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae._documented import Documented
from skcvae.distributions import diagonal_normal


class Gaussian(Documented):
    r"""The paper's conditional prior, :math:`p(z \mid x) = N(\mu(x), \mathrm{diag}(\sigma^2(x)))`.

    Parameters
    ----------
    min_scale : float, default=0.001
        Lower bound on every scale of the prior and of the recognition network.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
    Deep Conditional Generative Models*, NIPS, section 4.1.

    Examples
    --------
    >>> from skcvae.priors import Gaussian
    >>> Gaussian().build((3,)).parameter_shape
    (2, 3)
    """

    _parameter_constraints = {"min_scale": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, min_scale=1e-3):
        self.min_scale = min_scale

    def build(self, latent_shape: tuple[int, ...]) -> nn.Module:
        """Return the module that turns network outputs into the distribution.

        Parameters
        ----------
        latent_shape : tuple of int
            Shape of z for one row.

        Returns
        -------
        Module
            With attributes `parameter_shape` and `noise_shape`.
        """
        self._validate_params()
        return DiagonalGaussian(latent_shape, self.min_scale)


class Standard(Documented):
    r"""The relaxed prior, :math:`p(z \mid x) = N(0, I)`, the same for every x.

    References
    ----------
    Sohn, Lee and Yan (2015), section 4.1: the latent variables may be made
    statistically independent of the input.

    Examples
    --------
    >>> from skcvae.priors import Standard
    >>> Standard().build((3,)).parameter_shape is None
    True
    """

    _parameter_constraints = {}

    def build(self, latent_shape: tuple[int, ...]) -> nn.Module:
        """Return a module that ignores x.

        Parameters
        ----------
        latent_shape : tuple of int
            Shape of z for one row.

        Returns
        -------
        Module
            Its `parameter_shape` is None: it has no prior network.
        """
        return StandardNormal(latent_shape)


class DiagonalGaussian(nn.Module):
    """Map (location, raw scale) to a diagonal Gaussian over z."""

    def __init__(self, latent_shape: tuple[int, ...], min_scale: float = 1e-3):
        super().__init__()
        self.parameter_shape = (2, *latent_shape)
        self.noise_shape = latent_shape
        self.min_scale = min_scale

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.parameter_shape) - 1
        loc, raw_scale = parameters.unbind(-event_ndim - 1)
        return diagonal_normal(loc, raw_scale, min_scale=self.min_scale, event_ndim=event_ndim)


class StandardNormal(nn.Module):
    """N(0, I) for every row of x."""

    parameter_shape = None

    def __init__(self, latent_shape: tuple[int, ...]):
        super().__init__()
        self.noise_shape = latent_shape

    def forward(self, x: Tensor) -> Distribution:
        zero = x.new_zeros(()).expand(len(x), *self.noise_shape)
        return diagonal_normal(zero, zero, min_scale=0.0, event_ndim=len(self.noise_shape))
