"""Temporal convolutional networks."""

import math
from numbers import Integral, Real

from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skcvae.architectures.base import Architecture, latent_vector
from skcvae.networks.layers import ACTIVATIONS, Readout, Shape
from skcvae.networks.temporal import SequenceReadout, TemporalNetwork, is_sequence


class Temporal(Architecture):
    r"""Temporal convolutional networks, for sequences in X or y.

    At least one of X and y must be sequences of shape (length, channels); the other may be
    vectors, or sequences of another length. Each network is a stack of residual blocks with
    dilated convolutions along time, which read both directions. A sequence of the length of y
    enters time by time, one of another length through blocks of its own and a linear map along
    time, and a vector by a linear map. z is a vector. Channels are standardised, each by one mean
    and one scale for all times.

    Parameters
    ----------
    n_channels : int, default=32
        Channels of the features at each time.
    n_blocks : "auto" or int, default="auto"
        Number of residual blocks, of dilations 1, 2, 4, ... "auto" is the least number with
        which each time reads as many others as the longest sequence has.
    kernel_size : int, default=3
        Values that a convolution reads, odd and at least 3.
    activation : {"elu", "gelu", "relu", "silu", "tanh"}, default="silu"
        Activation after each convolution.
    dropout : float, default=0.0
        Dropout rate after each activation, during training.
    shortcut : bool, default=True
        Whether features that are linear in the inputs stand beside those of the blocks: in all
        times, or where X has the length of y in the eight times before and after. Least squares
        is then kept where training does not improve on it. Networks that would need more than a
        million weights for that have none.

    References
    ----------
    Bai, Kolter and Koltun (2018), *An Empirical Evaluation of Generic Convolutional and
    Recurrent Networks for Sequence Modeling*, section 3, whose convolutions are causal.

    Examples
    --------
    >>> from skcvae.architectures import Temporal
    >>> Temporal().resolve(n_rows=1000, x_shape=(48, 2), y_shape=(24, 1))
    Temporal(n_blocks=5)
    """

    _parameter_constraints = {
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "n_blocks": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "kernel_size": [Interval(Integral, 3, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "shortcut": ["boolean"],
    }

    reads_sequences = True

    def __init__(
        self,
        n_channels=32,
        *,
        n_blocks="auto",
        kernel_size=3,
        activation="silu",
        dropout=0.0,
        shortcut=True,
    ):
        self.n_channels = n_channels
        self.n_blocks = n_blocks
        self.kernel_size = kernel_size
        self.activation = activation
        self.dropout = dropout
        self.shortcut = shortcut

    def resolve(self, n_rows: int, x_shape: Shape, y_shape: Shape) -> "Temporal":
        del n_rows
        self._validate_params()
        lengths = [shape[-2] for shape in (x_shape, y_shape) if is_sequence(shape)]
        if not lengths:
            found = " and ".join(str(shape) for shape in (x_shape, y_shape) if shape)
            raise ValueError(
                "architecture='temporal' expects sequences in X or y, rows of shape (length, "
                f"channels), got rows of shape {found}. Set x_shape or y_shape, such as "
                f"{(*(y_shape or x_shape), 1)}, if sequences are flat, or use architecture='mlp'."
            )
        self._check_odd("kernel_size")
        n_blocks = self.n_blocks
        if isinstance(n_blocks, str):
            others = (max(lengths) - 1) / (self.kernel_size - 1)
            n_blocks = max(math.ceil(math.log2(others + 1)), 1)
        return clone(self).set_params(n_blocks=n_blocks)

    def latent_shape(self, latent_dim: int | str, y_shape: Shape) -> Shape:
        return latent_vector(latent_dim, y_shape, of_components=self.shortcut)

    def encoder(self, *in_shapes: Shape) -> TemporalNetwork:
        return self._network((math.prod(in_shapes[-1]),), in_shapes[-1:], in_shapes)

    def decoder(self, y_shape: Shape, *in_shapes: Shape | None) -> TemporalNetwork:
        return self._network(y_shape, [y_shape], list(filter(None, in_shapes)))

    def head(self, in_shape: Shape, out_shape: Shape) -> nn.Module:
        if is_sequence(out_shape[1:]):
            return SequenceReadout(in_shape, out_shape)
        return Readout(in_shape, out_shape)

    def _network(self, target: Shape, first, in_shapes) -> TemporalNetwork:
        lengths = [shape[-2] for shape in (*first, *in_shapes) if is_sequence(shape)]
        return TemporalNetwork(
            in_shapes,
            target,
            next(iter(lengths), 1),  # of vectors alone, features at one time
            self.n_channels,
            n_blocks=self.n_blocks,
            kernel_size=self.kernel_size,
            activation=self.activation,
            dropout=self.dropout,
            shortcut=self.shortcut,
        )
