"""Fitted networks as one torch module between the user's units, to be exported and served."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from skcvae import inference
from skcvae._arrays import OneHot, Scaling, Table
from skcvae.distributions import reparameterize


class Served(nn.Module):
    """Predict y from x, both in the user's units: what ``to_torch`` of an estimator returns.

    It is in evaluation mode and of the precision of `predict`, which is float64 but for
    convolutions; ``.float()`` makes it faster. `torch.export` takes it with any number of rows.

    Attributes
    ----------
    model : skcvae.model.Model
        The networks, between standardised x and coded y.
    noise_shape : tuple of int
        Shape of the noise that one draw of z takes for one row; () without z.
    """

    def __init__(self, predictor, y_row: tuple[int, ...], y_shape: tuple[int, ...]):
        super().__init__()
        self.model = copy.deepcopy(predictor._exact_model)
        self.noise_shape = self.model.noise_shape
        self.x_row = predictor.x_scaling.row_shape
        self.register_buffer("x_loc", torch.tensor(predictor.x_scaling.loc))
        self.register_buffer("x_scale", torch.tensor(predictor.x_scaling.scale))
        self.decoder = decoder(predictor.y_coding)
        self.y_row, self.y_shape = y_row, y_shape
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the prediction, or predictions at draws of z.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            Inputs, as in `fit`.
        noise : Tensor of shape (n_draws, n) + noise_shape, optional
            Standard normal numbers, ``torch.randn``.

        Returns
        -------
        Tensor of shape (n, ...)
            E[y|x,z*] at z* = E[z|x], or the most likely labels; with noise, of shape
            (n_draws, n, ...), E[y|x,z] or the most likely labels for each draw of z.

        Raises
        ------
        ValueError
            If there is noise for a model without z.
        """
        if noise is not None and not self.noise_shape:
            raise ValueError("noise is for draws of z, and this model has no z: expected None.")
        weights = next(self.model.parameters())
        x = ((x.reshape(-1, *self.x_row) - self.x_loc) / self.x_scale).to(weights.dtype)
        if noise is None:
            mean = inference.deterministic(self.model, x)
        else:
            given = self.model.condition(x)
            mean = given.likelihood(reparameterize(given.prior, noise.to(x.dtype))).mean
        y = self.decoder(mean)
        return y.reshape(*y.shape[: y.ndim - len(self.y_row)], *self.y_shape)


def decoder(coding: Scaling | OneHot | Table) -> nn.Module:
    """Return what a coding's `to_array` does, as a module.

    Parameters
    ----------
    coding : Scaling, OneHot or Table
        From the user's units, or labels, to the networks' numbers.

    Returns
    -------
    Module
        From the networks' numbers to the user's units, or labels.
    """
    kinds = {Scaling: Rescaled, OneHot: MostLikely, Table: Joined}
    return kinds[type(coding)](coding)


class Rescaled(nn.Module):
    """Numbers in the user's units."""

    def __init__(self, scaling: Scaling):
        super().__init__()
        self.register_buffer("loc", torch.tensor(scaling.loc))
        self.register_buffer("scale", torch.tensor(scaling.scale))

    def forward(self, code: Tensor) -> Tensor:
        return code.to(self.loc.dtype) * self.scale + self.loc


class MostLikely(nn.Module):
    """The label of the highest number."""

    def __init__(self, coding: OneHot):
        super().__init__()
        self.register_buffer("classes", torch.tensor(coding.classes))
        self.coded, self.cells = len(coding.code_shape), coding.cells

    def forward(self, code: Tensor) -> Tensor:
        by_class = code.reshape(*code.shape[: code.ndim - self.coded], *self.cells)
        return self.classes[by_class.argmax(-len(self.cells))]


class Joined(nn.Module):
    """Columns of several kinds, in the user's order, with labels as numbers."""

    def __init__(self, table: Table):
        super().__init__()
        self.sizes = table.sizes
        self.groups = nn.ModuleList(map(decoder, table.codings))
        order = np.argsort(np.concatenate(table.columns))
        self.register_buffer("order", torch.tensor(order))

    def forward(self, code: Tensor) -> Tensor:
        parts = zip(self.groups, code.split(self.sizes, -1), strict=True)
        return torch.cat([group(part).double() for group, part in parts], -1)[..., self.order]
