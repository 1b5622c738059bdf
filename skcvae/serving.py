"""Fitted networks as one torch module between the user's units, to be exported and served."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from skcvae.data.coding import Scaling, plan
from skcvae.data.gaps import Flagged, flagged
from skcvae.data.labels import OneHot
from skcvae.data.table import Table
from skcvae.data.tails import Tails
from skcvae.distributions import reparameterize
from skcvae.inference import moments


class Served(nn.Module):
    """Predict y from x, both in the user's units: the result of ``to_torch`` of an estimator.

    It is in evaluation mode and of the precision of `predict`, which is float64 except for
    convolutions; ``.float()`` makes it faster. `torch.export` takes it with any number of rows.

    Attributes
    ----------
    model : skcvae.model.Model
        The networks, between standardised x and coded y.
    noise_shape : tuple of int
        Shape of the noise that one draw of z takes for one row; () without z.
    """

    def __init__(self, fitted, y_shape: tuple[int, ...]):
        super().__init__()
        self.model = copy.deepcopy(fitted.exact_model)
        self.noise_shape = self.model.noise_shape
        self.x_row, self.y_row = fitted.x_coding.row_shape, fitted.y_coding.row_shape
        self.y_shape = y_shape
        self.x_encoder = encoder(fitted.x_coding)
        self.y_encoder = encoder(fitted.y_coding)
        self.decoder = decoder(fitted.y_coding)
        self.register_buffer("points", moments.points(self.model).to(fitted.exact_dtype))
        self.n_at_once = plan(1, len(self.points), self.model.row_size).draws
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the mean of y, or predictions at draws of z.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            Inputs, as in `fit`.
        noise : Tensor of shape (n_draws, n) + noise_shape, optional
            Standard normal numbers, ``torch.randn``. Zeros give the prediction at
            z* = E[z|x], the "latent_mean" of `predict`.

        Returns
        -------
        Tensor of shape (n, ...)
            E[y|x] over the points of `predict`, or the most likely labels; with noise, of
            shape (n_draws, n, ...), E[y|x,z] or the most likely labels for each draw of z.

        Raises
        ------
        ValueError
            If there is noise for a model without z.
        """
        if noise is None:
            return self._decoded(
                moments.moments(self.model, self._x(x), self.points.split(self.n_at_once))[0]
            )
        if not self.noise_shape:
            raise ValueError("noise is for draws of z, and this model has no z: expected None.")
        x = self._x(x)
        given = self.model.condition(x)
        return self._decoded(given.likelihood(reparameterize(given.prior, noise.to(x.dtype))).mean)

    def encode(self, x: Tensor, y: Tensor | None = None, *, return_std: bool = False):
        """Return E[z|x,y], or E[z|x] without y; with `return_std` its scale too."""
        self._check_latent(recognition=y is not None)
        x = self._x(x)
        if y is not None:
            y = self.y_encoder(y.reshape(-1, *self.y_row)).to(x.dtype)
        p = self.model.latent_given(x, y)
        return (p.mean, p.stddev) if return_std else p.mean

    def decode(self, x: Tensor, z: Tensor, *, return_proba: bool = False):
        """Return E[y|x,z], or the most likely labels; with `return_proba` probabilities too."""
        self._check_latent()
        x = self._x(x)
        given = self.model.condition(x)
        single = z.ndim == len(given.prior.event_shape) + 1
        mean = given.likelihood((z[None] if single else z).to(x.dtype)).mean
        mean = mean[0] if single else mean
        return (self._decoded(mean), self._proba(mean)) if return_proba else self._decoded(mean)

    def reconstruct(self, x: Tensor, y: Tensor, *, return_proba: bool = False):
        """Return E[y|x,z] at z = E[z|x,y], as `decode` does."""
        return self.decode(x, self.encode(x, y), return_proba=return_proba)

    def _x(self, x: Tensor) -> Tensor:
        weights = next(self.model.parameters())
        return self.x_encoder(x.reshape(-1, *self.x_row)).to(weights.dtype)

    def _decoded(self, mean: Tensor) -> Tensor:
        y = self.decoder(mean)
        return y.reshape(*y.shape[: y.ndim - len(self.y_row)], *self.y_shape)

    def _proba(self, mean: Tensor) -> Tensor:
        """Return the probability of each class, with the axis of classes before those of y."""
        if not isinstance(self.decoder, MostLikely):
            raise ValueError("return_proba=True expects labels.")
        proba = self.decoder.by_class(mean)
        proba = proba / proba.sum(-len(self.decoder.cells), keepdim=True)
        return proba.reshape(*proba.shape[: -len(self.y_row)], *self.y_shape)

    def _check_latent(self, *, recognition: bool = False) -> None:
        if self.model.is_deterministic:
            raise ValueError("This model has no latent variables to encode or decode.")
        if recognition and self.model.recognition is None:
            raise ValueError("This model has no recognition network: expected y=None.")


class ServedVAE(nn.Module):
    """Reconstruct x in the user's units: ``to_torch`` of a VAE or an autoencoder.

    It is in evaluation mode and of the precision of `transform`, as :class:`Served` is.

    Attributes
    ----------
    model : skcvae.model.Model
        The networks.
    """

    def __init__(self, fitted, x_shape: tuple[int, ...]):
        super().__init__()
        self.model = copy.deepcopy(fitted.exact_model)
        self.x_row, self.x_shape = fitted.y_coding.row_shape, x_shape
        self.encoder, self.decoder = encoder(fitted.y_coding), decoder(fitted.y_coding)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction E[x|z] at z = E[z|x], of shape (n, ...)."""
        return self.inverse_transform(self.transform(x))

    def transform(self, x: Tensor) -> Tensor:
        """Return E[z|x] of shape (n, n_components)."""
        code = self.encoder(x.reshape(-1, *self.x_row)).to(next(self.model.parameters()).dtype)
        return self.model.recognition(None, code).mean

    def inverse_transform(self, z: Tensor) -> Tensor:
        """Return E[x|z], or the most likely labels, for z of shape (n, n_components)."""
        z = z.to(next(self.model.parameters()).dtype)
        x = self.decoder(self.model.condition().likelihood(z[None]).mean[0])
        return x.reshape(-1, *self.x_shape)


def encoder(coding: Scaling | Tails | Flagged | OneHot | Table) -> nn.Module:
    """Return the module that does what `to_tensor` of a coding does."""
    kinds = {Scaling: Standardised, Tails: Heavy, Flagged: Filled, OneHot: Encoded, Table: Split}
    return kinds[type(coding)](coding)


def decoder(coding: Scaling | OneHot | Table) -> nn.Module:
    """Return the module that does what `to_array` of a coding does."""
    kinds = {Scaling: Rescaled, OneHot: MostLikely, Table: Joined}
    return kinds[type(coding)](coding)


class Standardised(nn.Module):
    """Numbers in the networks' units."""

    def __init__(self, scaling: Scaling):
        super().__init__()
        self.register_buffer("loc", torch.tensor(scaling.loc))
        self.register_buffer("scale", torch.tensor(scaling.scale))
        self.register_buffer("limit", torch.tensor(scaling.limit))

    def forward(self, array: Tensor) -> Tensor:
        code = (array - self.loc) / self.scale
        excess = (code.abs() - self.limit).clamp_min(0)
        return code + code.sign() * (excess.log1p() - excess)


class Heavy(nn.Module):
    """Numbers in the networks' units, with heavy tails once more without a limit."""

    def __init__(self, tails: Tails):
        super().__init__()
        self.columns = tails.columns.tolist()
        self.all, self.linear = encoder(tails.scaling), encoder(tails.linear)

    def forward(self, array: Tensor) -> Tensor:
        return torch.cat([self.all(array), self.linear(array[:, self.columns])], 1)


class Filled(nn.Module):
    """Numbers in the networks' units, zero for NaN, and the flags of NaN."""

    def __init__(self, coding: Flagged):
        super().__init__()
        self.numbers = encoder(coding.scaling)
        self.code_shape = coding.code_shape
        self.register_buffer("had_gaps", torch.tensor(coding.had_gaps))

    def forward(self, array: Tensor) -> Tensor:
        return flagged(self.numbers(array), self.had_gaps, self.code_shape)


class Encoded(nn.Module):
    """One-hot codes of labels; the code of a NaN is NaN."""

    def __init__(self, coding: OneHot):
        super().__init__()
        classes = coding.classes.reshape(-1, *[1] * len(coding.row_shape))
        self.register_buffer("classes", torch.tensor(classes))
        self.code_shape = coding.code_shape

    def forward(self, labels: Tensor) -> Tensor:
        labels = labels.unsqueeze(1)
        code = (labels == self.classes).double().where(~labels.isnan(), torch.nan)
        return code.reshape(-1, *self.code_shape)


class Split(nn.Module):
    """Codes of columns of several kinds, concatenated."""

    def __init__(self, table: Table):
        super().__init__()
        self.columns = table.columns
        self.groups = nn.ModuleList(map(encoder, table.codings))

    def forward(self, array: Tensor) -> Tensor:
        pairs = zip(self.groups, self.columns, strict=True)
        return torch.cat([group(array[:, columns]).double() for group, columns in pairs], -1)


class Rescaled(Standardised):
    """Numbers in the user's units: the inverse."""

    def forward(self, code: Tensor) -> Tensor:
        return code.to(self.loc.dtype) * self.scale + self.loc


class MostLikely(nn.Module):
    """The label of the highest number."""

    def __init__(self, coding: OneHot):
        super().__init__()
        self.register_buffer("classes", torch.tensor(coding.classes))
        self.coded, self.cells = len(coding.code_shape), coding.cells

    def by_class(self, code: Tensor) -> Tensor:
        """Return numbers with an axis of classes."""
        return code.reshape(*code.shape[: code.ndim - self.coded], *self.cells)

    def forward(self, code: Tensor) -> Tensor:
        return self.classes[self.by_class(code).argmax(-len(self.cells))]


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
