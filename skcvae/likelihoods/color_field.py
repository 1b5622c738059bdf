r"""Colour fields: images whose noise is correlated, and whose rare colours count more."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.data.field import FieldStatistics
from skcvae.distributions import FieldGaussian, FieldNoise, SharedScaleNormal
from skcvae.likelihoods.base import SCALES, LearnedScale, LikelihoodModule, RealOutputs
from skcvae.likelihoods.rarity import Rarity, RarityWeighted

MOST_CHANNELS = 3  # of which the joint frequencies fit in a table
LONGEST = 2048  # side, of which a matrix of cosines is made


class ColorField(RealOutputs):
    r"""Images with correlated Gaussian noise: squared error, principal components, gradients.

    Of the residual in units of learned scales, :math:`u = (y - \mu(x, z)) / \sigma`, three terms
    count, as in a loss for the colours of photographs:

    .. math::

        -\log p(y \mid x, z) = \tfrac c2 \Bigl( a \|u\|^2
            + m \Bigl[ \sum_{k=1}^K \tfrac{v_K}{v_k} (P_k^\top u)^2
            + \bigl\|u - P P^\top u\bigr\|^2 \Bigr]
            + g \, \|\nabla u\|^2 \Bigr) + \sum_j \log \sigma_j + \tfrac d2 \log 2 \pi,

    with the first K principal components P of y and their variances v, and the first
    differences of neighbouring pixels, :math:`\nabla u`. All are quadratic, so this is
    one Gaussian with a structured precision; c is such that its determinant is
    one before scaling, so `log_prob` is a density that integrates to one. With
    `mahalanobis`, `gradient` and `rarity` zero it is `Gaussian`.

    A fourth part is no density: weights that depend on y itself. In training, and
    nowhere else, the squared error of each pixel counts :math:`w` times, with

    .. math:: w \propto \bigl((1 - \rho) / Q + \rho \, f\bigr)^{-1}, \quad E[w] = 1,

    for the frequency f of the pixel's quantised colour among Q that occur. Scales are
    fitted without these weights. `log_prob`, `score` and the losses of validation rows do
    not contain them; the training loss in `history_` does.

    Rows of y must be images with at most three channels and without missing entries.

    Parameters
    ----------
    l2, mahalanobis, gradient : float, default=1.0
        The weights a, m and g of the terms. Only their ratios matter, since scales are
        learned. The sum of `l2` and `mahalanobis` must be positive: gradients alone leave
        the mean of an image without a density.
    rarity : float, default=0.5
        :math:`\rho`, from 0, all pixels count the same, to below 1, by inverse frequency. It
        weighs the squared error, and so has no effect where `l2` is zero.
    n_components : int, default=20
        Number K of principal components.
    heteroscedastic : bool, default=False
        If False, :math:`\sigma` is a learned parameter per output. If True, the
        network predicts it for each row and draw.
    init_scale : float, default=0.3
        The initial scale, in units of the standardised y.
    min_scale : float, default=0.001
        Lower bound on every scale, in units of the standardised y.
    statistics : FieldStatistics, default=None
        Principal components and frequencies, in units of the standardised y. None takes
        those of the training data.

    References
    ----------
    Deshpande, Lu, Yeh, Chong and Forsyth (2017), *Learning Diverse Image Colorization*,
    CVPR, section 3: the terms.

    Zhang, Isola and Efros (2016), *Colorful Image Colorization*, ECCV, section 2.2: the
    weights by rarity.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import ColorField
    >>> y = np.random.default_rng(0).normal(size=(50, 2, 8, 8)).cumsum(-1)
    >>> likelihood = ColorField(n_components=3)
    >>> est = CVAERegressor(likelihood=likelihood, max_epochs=2, random_state=0)
    >>> est.fit(y[:, 0], y).sample(y[:4, 0], n_samples=2).shape
    (2, 4, 2, 8, 8)
    """

    accepts_missing = False
    accepts_means = False  # statistics are of one resolution

    _parameter_constraints = {
        "l2": [Interval(Real, 0, None, closed="left")],
        "mahalanobis": [Interval(Real, 0, None, closed="left")],
        "gradient": [Interval(Real, 0, None, closed="left")],
        "rarity": [Interval(Real, 0, 1, closed="left")],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        **SCALES,
        "statistics": [FieldStatistics, None],
    }

    def __init__(
        self,
        l2=1.0,
        mahalanobis=1.0,
        gradient=1.0,
        rarity=0.5,
        *,
        n_components=20,
        heteroscedastic=False,
        init_scale=0.3,
        min_scale=1e-3,
        statistics=None,
    ):
        self.l2 = l2
        self.mahalanobis = mahalanobis
        self.gradient = gradient
        self.rarity = rarity
        self.n_components = n_components
        self.heteroscedastic = heteroscedastic
        self.init_scale = init_scale
        self.min_scale = min_scale
        self.statistics = statistics

    def check_targets(self, y):
        if np.isnan(y.min()):
            raise ValueError(
                "ColorField expects whole images in y, got NaN entries, which it does not "
                "marginalise out. Use likelihood='gaussian' for images observed in part."
            )

    def fit_coding(self, y, weight=None, *, normalize=True):
        self._check(y.shape[1:])
        coding = super().fit_coding(y, weight, normalize=normalize)
        if self.statistics is None:
            statistics = FieldStatistics.fit(y, coding, weight, self.n_components)
            self.set_params(statistics=statistics)
        return coding

    def _check(self, y_shape):
        """Raise an error if a parameter is out of range, or rows are not small images."""
        self._validate_params()
        if not self.l2 + self.mahalanobis > 0:
            raise ValueError(
                "ColorField expects a positive sum of 'l2' and 'mahalanobis', got "
                f"l2={self.l2!r} and mahalanobis={self.mahalanobis!r}: gradients leave the mean "
                "of an image free."
            )
        if (
            len(y_shape) not in (2, 3)
            or math.prod(y_shape[:-2]) > MOST_CHANNELS
            or max(y_shape[-2:]) > LONGEST
        ):
            raise ValueError(
                "ColorField expects rows of y to be images, of shape (height, width) or "
                f"(channels, height, width) with at most {MOST_CHANNELS} channels and sides "
                f"of at most {LONGEST}, got rows of shape {tuple(y_shape)}. Set y_shape if images "
                "are flat."
            )

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._check(y_shape)
        if self.statistics is None or not self.statistics.describes(y_shape):
            raise ValueError(
                "The 'statistics' parameter of ColorField must be the FieldStatistics of images "
                f"of shape {tuple(y_shape)}, which fit_coding estimates from y. Got "
                f"{self.statistics!r} instead."
            )
        noise = FieldNoise(
            y_shape,
            l2=self.l2,
            mahalanobis=self.mahalanobis,
            gradient=self.gradient,
            components=self.statistics.components,
            variances=self.statistics.variances,
        )
        scales = LearnedScale.of(self, y_shape, SharedScaleNormal)
        rarity = Rarity(self.statistics, self.rarity, y_shape) if self.rarity else None
        return _Field(scales, noise, rarity)


class _Field(LikelihoodModule):
    """Read locations, and offsets of scales, as images with correlated noise."""

    def __init__(self, scales: LikelihoodModule, noise: FieldNoise, rarity: Rarity | None):
        super().__init__(scales.parameter_shape)
        self.scales, self.noise, self.rarity = scales, noise, rarity

    def forward(self, parameters: Tensor) -> Distribution:
        p = self.scales(parameters)
        if self.training and self.rarity is not None:
            return RarityWeighted(p.mean, p.stddev, self.noise, self.rarity)
        return FieldGaussian(p.mean, p.stddev, self.noise)
