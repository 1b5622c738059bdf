"""Fully connected networks."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skcvae import whole_numbers
from skcvae.architectures.base import MOST_LATENTS, Architecture, latent_vector
from skcvae.networks.layers import ACTIVATIONS, Concatenation, Readout, Shape, Stack

MOST_BINS = 2**14  # of all columns: each has a row of weights in the first layer of each network


class MLP(Architecture):
    """Multilayer perceptrons.

    Parameters
    ----------
    hidden_layer_sizes : "auto", int or sequence of int, default="auto"
        Units in each hidden layer, the same for every network. "auto" uses two
        layers whose width grows with the numbers of rows and columns, from 32 to 512, and
        with skip connections is no less than the rank of a linear map of x and z, up to 512.
        Without hidden layers, ``()``, all networks are linear.
    activation : {"elu", "gelu", "relu", "silu", "tanh"}, default="silu"
        Activation after each hidden layer.
    dropout : float, default=0.0
        Dropout rate after each hidden layer, during training.
    shortcut : bool, default=True
        Skip connection: whether each network adds a linear map of its inputs to its
        features, so that linear relations are learned from few rows. The paper's
        networks have none.
    bins : int, array-like of shape (n_columns, n_edges) or None, default=None
        Piecewise linear encoding: number of bins per column of X, with edges at the
        quantiles of the column in `fit`, or the bin edges of standardised X. It helps
        with the kinks and steps that trees find in tables. None does not encode X.
        Where X has many columns, an int is reduced so that there are at most 16,384
        bins in all, but at least one per column.

    References
    ----------
    Gorishniy, Rubachev and Babenko (2022), *On Embeddings for Numerical Features in
    Tabular Deep Learning*, NeurIPS, section 3.2, for `bins`.

    Examples
    --------
    >>> from skcvae.architectures import MLP
    >>> MLP().resolve(n_rows=1000, x_shape=(5,), y_shape=(2,))
    MLP(hidden_layer_sizes=(64, 64))
    """

    _parameter_constraints = {
        "hidden_layer_sizes": [StrOptions({"auto"}), Integral, "array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "shortcut": ["boolean"],
        "bins": [Interval(Integral, 1, None, closed="left"), "array-like", None],
    }

    def __init__(
        self,
        hidden_layer_sizes="auto",
        *,
        activation="silu",
        dropout=0.0,
        shortcut=True,
        bins=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.shortcut = shortcut
        self.bins = bins

    def resolve(self, n_rows: int, x_shape: Shape, y_shape: Shape) -> "MLP":
        self._validate_params()
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str):
            # A power of two near n_rows^(1/2) n_columns^(1/4), or what a linear map needs.
            x_size, y_size = math.prod(x_shape), math.prod(y_shape)
            near = round(math.log2(1.5 * n_rows**0.5 * (x_size + y_size) ** 0.25))
            rank = math.ceil(math.log2(min(y_size, x_size + MOST_LATENTS)))
            width = 2 ** max(near, rank if self.shortcut else 0)
            sizes = (min(max(width, 32), 512),) * 2
        sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
        if not all(map(whole_numbers.is_positive, sizes)):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter of MLP must be 'auto', a positive int or a "
                f"sequence of positive ints. Got {self.hidden_layer_sizes!r} instead."
            )
        resolved = clone(self)
        resolved.hidden_layer_sizes = tuple(map(int, sizes))
        return resolved

    def fit_bins(self, x: np.ndarray) -> "MLP":
        """Return a copy with bin edges computed from data if `bins` is an int.

        Parameters
        ----------
        x : ndarray of shape (n_rows, ...)
            Rows as the networks get them, standardised or not.

        Returns
        -------
        MLP
            With `bins` an array of edges, or None.

        Raises
        ------
        ValueError
            If given edges do not ascend, or their number of columns is not that of X.
        """
        if self.bins is None:
            return clone(self)
        x = x.reshape(len(x), -1)
        if isinstance(self.bins, Integral):
            n_bins = min(self.bins, max(MOST_BINS // x.shape[1], 1))
            edges = np.quantile(x, np.linspace(0, 1, n_bins + 1), axis=0).T
        else:
            edges = np.asarray(self.bins, dtype=float)
        if edges.ndim != 2 or len(edges) != x.shape[1] or not (np.diff(edges) >= 0).all():
            raise ValueError(
                "The 'bins' parameter of MLP must be an int, None, or ascending edges of shape "
                f"(n_columns, n_edges) with n_columns = {x.shape[1]}. Got {self.bins!r} instead."
            )
        return clone(self).set_params(bins=edges)

    def latent_shape(self, latent_dim: int | str, y_shape: Shape) -> Shape:
        return latent_vector(latent_dim, y_shape, of_components=self.shortcut)

    def encoder(self, *in_shapes: Shape) -> nn.Module:
        if not self.hidden_layer_sizes:
            return Concatenation(in_shapes, self.bins)
        return Stack(
            in_shapes,
            self.hidden_layer_sizes,
            activation=self.activation,
            dropout=self.dropout,
            shortcut=self.shortcut,
            bins=self.bins,
        )

    def decoder(self, y_shape: Shape, *in_shapes: Shape | None) -> Stack:
        in_shapes = list(filter(None, in_shapes))  # there may be no x
        if self.hidden_layer_sizes:
            return self.encoder(*in_shapes)
        # Two numbers per output, so that location and scale are linear maps of full rank.
        width = 2 * math.prod(y_shape)
        return Stack(
            in_shapes, (width,), activation=None, dropout=0, shortcut=False, bins=self.bins
        )

    def mirrored(self) -> "MLP":
        return clone(self).set_params(hidden_layer_sizes=self.hidden_layer_sizes[::-1])

    head = Readout
