"""Real outputs with independent Gaussian noise."""

from torch import nn

from skcvae.distributions import SharedScaleNormal
from skcvae.likelihoods.base import SCALES, LearnedScale, RealOutputs


class Gaussian(RealOutputs):
    r"""Real outputs: :math:`p(y \mid x, z) = N(\mu(x, z), \mathrm{diag}(\sigma^2))`.

    Parameters
    ----------
    heteroscedastic : bool, default=False
        If False, :math:`\sigma` is a learned parameter per output. If True, the
        network predicts it for each row and draw, :math:`\sigma(x, z)`.
    init_scale : float, default=0.3
        The initial scale, in units of the standardised y. A value well below one
        gives the reconstruction term weight from the first step, so that the latent
        variables are used before the noise explains all variation.
    min_scale : float, default=0.001
        Lower bound on every scale, in units of the standardised y. It keeps
        the density bounded if outputs repeat or are constant.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import Gaussian
    >>> CVAERegressor(likelihood=Gaussian(heteroscedastic=True))
    CVAERegressor(likelihood=Gaussian(heteroscedastic=True))
    """

    _parameter_constraints = SCALES

    def __init__(self, heteroscedastic=False, *, init_scale=0.3, min_scale=1e-3):
        self.heteroscedastic = heteroscedastic
        self.init_scale = init_scale
        self.min_scale = min_scale

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        return LearnedScale.of(self, y_shape, SharedScaleNormal)
