r"""Fully connected layers, built from input and output shapes.

The first layer of a stack has several inputs, :math:`h = \sum_i W_i x_i + b`. This is
a linear map of their concatenation, kept as a sum so that the share of x is
computed once per row, regardless of the number of draws of z. With one draw and few
columns it is one product.
"""

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import chain, pairwise

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

# In place where the derivative can be computed from the result: the input is the output
# of the previous layer, and is not used elsewhere.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": partial(nn.ELU, inplace=True),
    "gelu": nn.GELU,
    "relu": partial(nn.ReLU, inplace=True),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}

Shape = tuple[int, ...]

THIN = 64  # columns up to which one product of concatenated inputs is faster than one of each
HIDDEN_SHARE = 0.05  # of the usual weights of the last hidden layer, where units cannot cancel
MIRRORED = -0.999  # of paired units: at -1 layers below would have no gradient but rounding


class Dropout(nn.Module):
    """Dropout with its own random generator instead of torch's global one.

    Attributes
    ----------
    generator : Generator or None
        Set during training, on the device of the inputs.
    """

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate
        self.generator: Generator | None = None

    def forward(self, h: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return h
        keep = torch.empty_like(h).bernoulli_(1 - self.rate, generator=self.generator)
        return h * keep / (1 - self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class PiecewiseLinear(nn.Module):
    r"""Piecewise linear encoding of numerical features.

    A feature :math:`x` is encoded by :math:`x` itself and, for each bin
    :math:`[a_i, a_{i+1}]`, a feature that is linear inside the bin and constant outside. A
    linear map of the encoding is piecewise linear in :math:`x`, with knots at the bin edges.
    If the edges are quantiles, the encoded features have mean 0 and variance at most 1.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the encoding of one row.
    """

    def __init__(self, edges: np.ndarray):
        super().__init__()
        edges = torch.as_tensor(edges, dtype=torch.float32)
        width, n_bins = edges.diff(), edges.shape[1] - 1
        above = 1 - (torch.arange(n_bins) + 0.5) / n_bins  # the share of rows above a bin
        spread = (above * (1 - above)).sqrt()
        self.register_buffer("lower", edges[:, :-1].clone())
        self.register_buffer("slope", torch.where(width > 0, 1 / width, 0.0))
        self.register_buffer("loc", torch.where(width > 0, above, 0.0))
        self.register_buffer("scale", spread)
        self.out_shape = (len(edges) * (1 + n_bins),)

    def forward(self, x: Tensor) -> Tensor:
        share = ((x[..., None] - self.lower) * self.slope).clamp(0, 1)
        return torch.cat([x, ((share - self.loc) / self.scale).flatten(-2)], -1)


class Concatenation(nn.Module):
    """The inputs side by side, as the features of a linear encoder.

    Their leading dimensions are broadcast, as those of a sum are: one may hold several draws.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row.
    """

    def __init__(self, in_shapes: Sequence[Shape], bins: np.ndarray | None = None):
        super().__init__()
        self.bins = None if bins is None else PiecewiseLinear(bins)
        self.start_dims = list(map(operator.neg, map(len, in_shapes)))
        _, *sizes = map(math.prod, in_shapes)
        first = math.prod(in_shapes[0]) if self.bins is None else self.bins.out_shape[0]
        self.out_shape = (first + sum(sizes),)

    def forward(self, *inputs: Tensor) -> Tensor:
        first, *others = map(torch.flatten, inputs, self.start_dims)
        parts = [first if self.bins is None else self.bins(first), *others]
        leading = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
        return torch.cat([part.expand(*leading, -1) for part in parts], -1)


class Stack(nn.Module):
    """A multilayer perceptron without its output layer; without an activation it is linear.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row.
    """

    def __init__(
        self,
        in_shapes: Sequence[Shape],
        widths: Sequence[int],
        *,
        activation: str | None,
        dropout: float,
        shortcut: bool,
        bins: np.ndarray | None = None,
    ):
        super().__init__()
        self.bins = None if bins is None else PiecewiseLinear(bins)
        self.start_dims = list(map(operator.neg, map(len, in_shapes)))
        sizes = list(map(math.prod, in_shapes))
        sizes[0] = sizes[0] if self.bins is None else self.bins.out_shape[0]
        self.is_thin = 1 < len(sizes) and sum(sizes) <= THIN
        self.first, self.shortcut = nn.ModuleList(), nn.ModuleList()
        for linears, width in ((self.first, widths[0]), (self.shortcut, widths[-1]))[
            : 1 + shortcut
        ]:
            for size in sizes:
                linears.append(nn.Linear(size, width, bias=not len(linears)))
        layers: list[nn.Module] = []
        for width, following in zip(widths, [*widths[1:], None], strict=True):
            layers.append(nn.Identity() if activation is None else ACTIVATIONS[activation]())
            if dropout:
                layers.append(Dropout(dropout))
            if following is not None:
                layers.append(nn.Linear(width, following))
        self.rest = nn.Sequential(*layers)
        self.out_shape = (widths[-1],)

    def given(self, x: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Return the stack as a function of its last input alone; x's share is computed once."""
        if x is None:
            return self
        shares: list[Tensor] = []

        def features(z: Tensor) -> Tensor:
            z = z.flatten(self.start_dims[1])
            # Shapes, not lengths, which torch.export would take for constants.
            one_draw = math.prod(z.shape[:-2]) == 1 and z.shape[-2] == x.shape[0]
            if self.is_thin and one_draw:
                return self(x, z.flatten(0, -2)).view(*z.shape[:-1], *self.out_shape)
            if not shares:
                (flat,) = self._flat(x)
                shares.extend(m[0](flat) for m in (self.first, self.shortcut) if m)
            h = self.rest(self.first[1](z).add_(shares[0]))
            return h + self.shortcut[1](z).add_(shares[1]) if self.shortcut else h

        return features

    def forward(self, *inputs: Tensor) -> Tensor:
        flat = self._flat(*inputs)
        h = self.rest(self._sum(self.first, flat))
        return h + self._sum(self.shortcut, flat) if self.shortcut else h

    def _sum(self, linears: nn.ModuleList, inputs: Sequence[Tensor]) -> Tensor:
        r"""Return :math:`\sum_i W_i x_i + b`, in one product of thin inputs with as many draws."""
        are_alike = all(part.shape[:-1] == inputs[0].shape[:-1] for part in inputs)
        if not self.is_thin or not are_alike:
            return reduce(operator.add, (m(part) for m, part in zip(linears, inputs, strict=True)))
        weight = torch.cat([linear.weight for linear in linears], 1)
        return self.product(torch.cat(inputs, -1), weight, linears[0].bias)

    def product(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return a linear layer of x; where several models are trained at once, it is replaced."""
        return F.linear(x, weight, bias)

    def _flat(self, *inputs: Tensor) -> list[Tensor]:
        """Return flat rows, the first input with its piecewise linear encoding."""
        flat = list(map(torch.flatten, inputs, self.start_dims))
        return flat if self.bins is None else [self.bins(flat[0]), *flat[1:]]

    def layers(self) -> list[nn.Module]:
        """Return the hidden layers of a stack with one input, without the skip connection."""
        starts = [i for i, layer in enumerate(self.rest) if isinstance(layer, nn.Linear)]
        parts = [self.rest[i:j] for i, j in pairwise([0, *starts, len(self.rest)])]
        return [nn.Sequential(nn.Flatten(self.start_dims[0]), *self.first, *parts[0]), *parts[1:]]

    def scales(self, x: Tensor, n_scales: int) -> list[Tensor]:
        """Return the features for each resolution, which are all the same."""
        return [self(x)] * n_scales

    def scale_shapes(self, n_scales: int) -> list[Shape]:
        """Return the shapes of the features that `scales` returns."""
        return [self.out_shape] * n_scales

    @staticmethod
    @torch.no_grad()
    def set_affine(
        head: "Readout",
        trunks: dict["Stack", list[Tensor]],
        intercept: Tensor,
        others: Tensor | float = 0,
        n_locations: int = 1,
    ) -> None:
        """Start networks that share an output layer at an affine map of their inputs.

        The units of the last hidden layer come in pairs, which the location reads with opposite
        signs, so that they nearly cancel and yet have the usual size (antisymmetric
        initialisation, Zhang, Xu, Luo and Ma, 2020). With more outputs than pairs they start
        small.

        Parameters
        ----------
        head : Readout
            The output layer, of which the first number for each output is its location.
        trunks : dict from Stack to list of Tensors of shape (n_outputs, n_inputs)
            The networks below, whose features are added, and a map for each of their inputs;
            inputs without one are not read.
        intercept : Tensor of shape (n_outputs,)
            Of the location.
        others : Tensor of shape (n_outputs,) or float, default=0
            The other numbers, which are constant.
        n_locations : int, default=1
            How many times the head begins with the location.
        """
        size, half = n_locations * len(intercept), head.linear.in_features // 2
        location = torch.cat(list(chain(*trunks.values())), dim=1).tile(n_locations, 1)
        basis = torch.eye(size).to(location)
        if size > head.linear.in_features:  # the features then hold the leading directions alone
            basis = torch.from_numpy(np.linalg.svd(location.numpy())[0])
        random, is_paired = head.linear.weight[:size].T.to(basis), size <= half
        if is_paired:
            random[half:] = 0
            random[half : 2 * half] = MIRRORED * random[:half]
        random = torch.from_numpy(np.linalg.qr(random.numpy())[0])
        mixing = basis[:, : random.shape[1]] @ random.T
        for trunk, maps in trunks.items():
            for linear in trunk.shortcut:
                # Features that the location does not read stay random: what is learned reads them.
                linear.weight.sub_(random @ (random.T @ linear.weight.to(random)))
                if linear.bias is not None:
                    linear.bias.zero_()
            for linear, part in zip(trunk.shortcut, maps, strict=False):
                linear.weight[:, : part.shape[1]] += mixing.T @ part.tile(n_locations, 1)
            last = trunk.first
            for layer in trunk.rest:
                last = [layer] if isinstance(layer, nn.Linear) else last
            for linear in last:
                for parameter in linear.parameters():
                    if is_paired:
                        parameter[half : 2 * half] = parameter[:half]
                    else:
                        parameter.mul_(HIDDEN_SHARE)
        weight, bias = head.linear.weight.zero_(), head.linear.bias.zero_()
        weight[:size], bias[:size] = mixing, intercept.tile(n_locations)
        bias.view(-1, size)[1:] = others


class Readout(nn.Module):
    """A linear output layer with an output of a given shape."""

    def __init__(self, in_shape: Shape, out_shape: Shape, *, bias: bool = True):
        super().__init__()
        self.in_ndim = len(in_shape)
        self.out_shape = tuple(out_shape)
        self.linear = nn.Linear(math.prod(in_shape), math.prod(out_shape), bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        numbers = self.linear(features.flatten(features.ndim - self.in_ndim))
        # Sums over outputs, such as log densities, need more than the 8 bits of bfloat16.
        numbers = numbers.float() if numbers.dtype == torch.bfloat16 else numbers
        return numbers.unflatten(-1, self.out_shape)
