r"""A masked perceptron over y: the numbers of each output depend on earlier outputs only.

Outputs are in order. A weight from output i to a hidden unit of order j is masked unless i < j,
one from a hidden unit of order i to one of order j, or to the numbers of output j, unless
i <= j. So one pass evaluates all conditionals at a given y, and drawing y takes a pass for each
output.

Germain, Gregor, Murray and Larochelle (2015), *MADE: Masked Autoencoder for Distribution
Estimation*, ICML.
"""

import operator
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# From the position of an output, and its numbers, to its value.
Choice = Callable[[int, Tensor], Tensor]


def orders(n_units: int, n_orders: int) -> Tensor:
    """Return the orders of units, spread evenly and ascending."""
    return torch.arange(n_units) * n_orders // n_units


def mask_of(inputs: Tensor, outputs: Tensor, *, strict: bool) -> Tensor:
    """Return which inputs each output may read, by their orders: (n_outputs, n_inputs)."""
    compare = operator.lt if strict else operator.le
    return compare(inputs, outputs[:, None]).float()


class MaskedLinear(nn.Linear):
    """A linear layer some of whose weights are zero."""

    def __init__(self, inputs: Tensor, outputs: Tensor, *, strict: bool, bias: bool = True):
        super().__init__(len(inputs), len(outputs), bias=bias)
        self.register_buffer("mask", mask_of(inputs, outputs, strict=strict), persistent=False)

    def forward(self, h: Tensor) -> Tensor:
        return F.linear(h, self.weight * self.mask, self.bias)


class CausalPerceptron(nn.Module):
    """A masked perceptron over vectors.

    Parameters
    ----------
    n_outputs : int
        Number d of outputs.
    size : int
        Numbers that encode one output.
    n_numbers : int
        Numbers that its distribution takes.
    n_features : int
        Features of the row, which all units read.
    width : int
        Hidden units of each layer.
    n_layers : int
        Residual layers after the first.

    Attributes
    ----------
    feature_shape, out_shape : tuple of int
        Shapes of the features, and of the widest tensor, of one row.
    """

    def __init__(
        self, n_outputs: int, size: int, n_numbers: int, n_features: int, width: int, n_layers: int
    ):
        super().__init__()
        inputs, hidden = orders(n_outputs * size, n_outputs), orders(width, n_outputs)
        numbers = orders(n_outputs * n_numbers, n_outputs)
        self.row_shape, self.n_numbers = (n_outputs, size), n_numbers
        self.feature_shape, self.out_shape = (n_features,), (width,)
        self.first = MaskedLinear(inputs, hidden, strict=True)
        self.features = nn.Linear(n_features, width, bias=False)
        self.layers = nn.ModuleList(
            MaskedLinear(hidden, hidden, strict=False) for _ in range(n_layers)
        )
        self.last = MaskedLinear(hidden, numbers, strict=False, bias=False)
        self.shortcut = MaskedLinear(inputs, numbers, strict=True, bias=False)

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        """Return the numbers of all outputs given those before.

        Parameters
        ----------
        features : Tensor of shape batch + (n_features,)
            Of x and z.
        y : Tensor of shape batch + (n_outputs, size)
            Encoded outputs.

        Returns
        -------
        Tensor of shape batch + (n_outputs, n_numbers)
            To be added to those that follow from x and z alone.
        """
        y = y.flatten(-2)
        h = self.first(y) + self.features(features)
        for layer in self.layers:
            h = h + layer(h.relu())
        return (self.last(h.relu()) + self.shortcut(y)).unflatten(-1, (-1, self.n_numbers))

    def path(self, features: Tensor, choose: Choice) -> Tensor:
        """Return outputs that were chosen one after another.

        Parameters
        ----------
        features : Tensor of shape (n, n_features)
            Of x and z.
        choose : callable
            Maps a position and the numbers there, (n, n_numbers), to its value, (n, size).

        Returns
        -------
        Tensor of shape (n, n_outputs, size)
            Encoded outputs.
        """
        y = features.new_zeros(features.shape[0], *self.row_shape)
        for i in range(self.row_shape[0]):
            y[:, i] = choose(i, self(features, y)[:, i])
        return y
