"""Outputs that depend on those before them: masked networks over y."""

import math
from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.data.labels import OneHot
from skcvae.distributions import ChainRule, Order
from skcvae.likelihoods.base import LikelihoodModule
from skcvae.likelihoods.bernoulli import Bernoulli
from skcvae.likelihoods.categorical import Categorical
from skcvae.likelihoods.gaussian import Gaussian
from skcvae.likelihoods.nested import Nested
from skcvae.networks.masked_convolutions import CausalConvolutions
from skcvae.networks.masked_perceptron import CausalPerceptron
from skcvae.random import generator, normal_points

N_POINTS = 256  # of noise, where each draw of z has one


class Autoregressive(Nested):
    r"""Each output given those before: :math:`p(y \mid x, z) = \prod_j p(y_j \mid y_{<j}, x, z)`.

    A masked network over y reads earlier outputs and features of (x, z), and adds to the numbers
    that the model gives each output by itself. Vectors have a masked perceptron (MADE), in the
    order of the outputs; images masked convolutions (gated PixelCNN, with residual layers instead
    of gates), row by row and pixel by pixel, and the channels of a pixel in turn. With
    :class:`~skcvae.NNRegressor` the model is autoregressive alone; with z, z may be left with
    little to say.

    `log_prob` is exact given z, in one pass. `sample` draws one output after another, from a
    generator of its own. `predict` returns the mean over `n_draws` draws of the means given
    earlier outputs, which are exact in the last step; the noise is quasi-random and antithetic,
    and the same for all rows. It is exact for Gaussian outputs whose means are linear in the
    earlier ones.

    `complete` keeps known outputs in their places. If they come first in the order, draws of the
    others are exact. Otherwise each is one of `n_draws` candidates, chosen by the probability of
    the known outputs given those drawn before them (importance resampling); a warning says where
    the effective sample size of these weights is below 2 in more than a tenth of the rows. y with
    missing outputs cannot be trained on (`partial_y`).

    Parameters
    ----------
    likelihood : Bernoulli, Categorical or Gaussian
        The distribution of an output given x, z and earlier outputs. A learned scale is shared by
        all outputs; ``Gaussian(heteroscedastic=True)`` has one for each, which depends on earlier
        outputs too.
    width : "auto" or int, default="auto"
        Channels of each convolution, or units of each layer of the perceptron. "auto" takes 32,
        and for vectors four units for each output, from 64 to 512.
    n_layers : int, default=4
        Residual layers after the first.
    kernel_size : int, default=3
        Side of the convolutions, odd. That of the first is twice as large, plus one.
    n_features : "auto" or int, default="auto"
        Features of (x, z) that the masked network reads. "auto" takes 8 for each pixel, and for
        vectors as many as there are units.
    n_draws : "auto" or int, default="auto"
        Draws of the mean and the variance, and candidates of `complete`. Odd numbers are rounded
        up. "auto" takes 32, and for vectors 128: standard deviations are then within a few
        hundredths of those of many draws.

    References
    ----------
    Germain, Gregor, Murray and Larochelle (2015), *MADE: Masked Autoencoder for Distribution
    Estimation*, ICML.

    van den Oord et al. (2016), *Conditional Image Generation with PixelCNN Decoders*, NIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae import NNRegressor
    >>> from skcvae.likelihoods import Autoregressive, Bernoulli
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 2))
    >>> y = np.repeat(rng.integers(0, 2, size=(40, 1)), 5, axis=1)
    >>> likelihood = Autoregressive(Bernoulli())
    >>> est = NNRegressor(likelihood=likelihood, max_epochs=2, random_state=0).fit(X, y)
    >>> est.sample(X, n_samples=7, random_state=0).shape
    (7, 40, 5)
    """

    accepts_missing = False

    _parameter_constraints = {
        "likelihood": [Bernoulli, Categorical, Gaussian],
        "width": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 0, None, closed="left")],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "n_features": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "n_draws": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        likelihood,
        *,
        width="auto",
        n_layers=4,
        kernel_size=3,
        n_features="auto",
        n_draws="auto",
    ):
        self.likelihood = likelihood
        self.width = width
        self.n_layers = n_layers
        self.kernel_size = kernel_size
        self.n_features = n_features
        self.n_draws = n_draws

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._check_parameters()
        size = len(self.likelihood.classes) if self.coding is OneHot else 1
        order = Order(tuple(y_shape), size)
        output = self.likelihood.build((size,))
        (n_draws,) = self._or(n_draws=32 if len(order.code_shape) > 1 else 128)
        return _Outputs(output, self._network(order, output), order, n_draws)

    def _network(self, order: Order, output: LikelihoodModule) -> nn.Module:
        sizes = {"size": order.size, "n_numbers": math.prod(output.parameter_shape)}
        sizes["n_layers"] = self.n_layers
        if len(order.code_shape) > 1:
            width, n_features = self._or(width=max(32, order.image_shape[0]), n_features=8)
            sizes |= {"width": width, "n_features": n_features, "kernel_size": self.kernel_size}
            return CausalConvolutions(order.image_shape, **sizes)
        n_outputs = order.image_shape[-1]
        (width,) = self._or(width=min(max(4 * n_outputs, 64), 512))
        (n_features,) = self._or(n_features=width)
        return CausalPerceptron(n_outputs, width=width, n_features=n_features, **sizes)

    def _or(self, **automatic: int) -> list[int]:
        """Return parameters, and numbers for those that are "auto"."""
        given = {name: getattr(self, name) for name in automatic}
        return [automatic[name] if value == "auto" else value for name, value in given.items()]

    def _check_parameters(self):
        self._validate_params()
        self._check_odd("kernel_size")
        if self.ignore_label is not None:
            raise ValueError(
                "Autoregressive reads every output and can ignore no label, got "
                f"{self.likelihood!r}. Leave the rows with it out, or use CorrelatedLogits."
            )


class _Outputs(LikelihoodModule):
    """Read (numbers of each output, features of the masked network)."""

    def __init__(self, output: LikelihoodModule, network: nn.Module, order: Order, n_draws: int):
        n_features, *grid = network.feature_shape
        n_maps = (
            math.prod(output.parameter_shape) * math.prod(order.image_shape) // math.prod(grid)
        )
        super().__init__((n_maps + n_features, *grid))
        self.output, self.network, self.order = output, network, order
        self.sizes = (n_maps, n_features)
        self.n_draws = n_draws + n_draws % 2
        self.register_buffer("noise", None, persistent=False)
        self.register_buffer("draw_noise", None, persistent=False)

    def train(self, mode: bool = True) -> "_Outputs":
        """Set the mode; in evaluation there is noise before torch.export looks."""
        if not mode:
            self._averaged()
        return super().train(mode)

    def _averaged(self) -> tuple[Tensor, Tensor]:
        """Return the noise of averages, made at first use: it may be larger than the weights."""
        if self.noise is None:
            weight, n_outputs = next(self.parameters()), math.prod(self.order.image_shape)
            # In another order than those of z, which are the same numbers.
            order = torch.randperm(N_POINTS, generator=generator(0))
            self.noise = normal_points(self.n_draws, (n_outputs,)).to(weight)
            self.draw_noise = normal_points(N_POINTS, (n_outputs,))[order].to(weight)
        return self.noise, self.draw_noise

    def forward(self, parameters: Tensor) -> Distribution:
        axis = -len(self.parameter_shape)
        numbers, features = parameters.split(self.sizes, axis)
        n_numbers = math.prod(self.output.parameter_shape)
        numbers = self.order.ordered(numbers.flatten(axis), n_numbers)
        parts = numbers, features, self.network, self._of_output, self.order
        return ChainRule(*parts, self._averaged)

    def _of_output(self, numbers: Tensor) -> Distribution:
        return self.output(numbers.unflatten(-1, self.output.parameter_shape))
