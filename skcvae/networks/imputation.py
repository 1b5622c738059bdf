r"""What a recognition network needs where outputs are missing, from a linear factor model.

.. math:: y = B x + b + \Lambda z + \epsilon, \quad z \sim N(0, I), \quad
    \epsilon \sim N(0, \mathrm{diag}(\psi))

The posterior mean of z given x and the observed outputs is that given x and a y whose missing
outputs are filled in by their means, so that a network which reads a complete y linearly reads an
incomplete one correctly. Its covariance :math:`(I + \Lambda_o^\top \psi_o^{-1} \Lambda_o)^{-1}`
is not diagonal, as that of a complete y is: a direction that only the missing outputs tell is as
wide as the prior.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from skcvae.networks.layers import Shape

SMALL = 0.01  # of loadings that start at random: at zero they would have no gradient


class Imputed(NamedTuple):
    """Outputs without gaps, and what the gaps do to the posterior of z.

    Parameters
    ----------
    y : Tensor of shape (n, ...)
        Outputs, missing ones filled in by their means.
    spread : Tensor of shape (..., n_latents, n_latents)
        Lower triangular. The Cholesky factor of the posterior's covariance, with row i divided by
        the standard deviation of z_i given a complete y: the identity if no output is missing.
    """

    y: Tensor
    spread: Tensor


class FactorImputer(nn.Module):
    """Fill in missing outputs by a model that is trained with the network that reads them.

    Parameters
    ----------
    x_shape : tuple of int or None
        Shape of one encoded row of x; None where there is nothing to condition on.
    y_shape : tuple of int
        Shape of one encoded row of y.
    n_latents : int
        Length of z.
    """

    def __init__(self, x_shape: Shape | None, y_shape: Shape, n_latents: int):
        super().__init__()
        self.x_dim, self.y_dim = -len(x_shape or ()), -len(y_shape)
        n_features, n_outputs = math.prod(x_shape) if x_shape else 0, math.prod(y_shape)
        self.coef = nn.Parameter(torch.zeros(n_outputs, n_features))
        self.intercept = nn.Parameter(torch.zeros(n_outputs))
        self.loadings = nn.Parameter(SMALL * torch.randn(n_outputs, n_latents))
        self.log_precision = nn.Parameter(torch.zeros(n_outputs))

    def start_at(self, coef: Tensor, intercept: Tensor, loadings: Tensor, noise: Tensor) -> None:
        """Set the linear model; `noise` has the variances."""
        self.coef.copy_(coef)
        self.intercept.copy_(intercept)
        self.loadings.copy_(torch.where(loadings.any(0), loadings, self.loadings))
        self.log_precision.copy_(-noise.log())

    def forward(self, x: Tensor | None, y: Tensor) -> Imputed:
        """Return y, of shape (n, ...) or (n_draws, n, ...), without its NaN."""
        flat, mean = y.flatten(self.y_dim), self.intercept
        if x is not None:
            mean = mean + x.flatten(self.x_dim) @ self.coef.T
        observed = ~flat.isnan()
        weight = observed * self.log_precision.exp()
        precision = self._posterior_precision(weight)
        factor = torch.linalg.cholesky(precision)
        told = weight * (flat - mean).where(observed, 0.0) @ self.loadings
        z = torch.cholesky_solve(told[..., None], factor).squeeze(-1)
        whole = 1 + self.log_precision.exp() @ self.loadings.square()
        spread = whole.sqrt()[:, None] * torch.linalg.cholesky(torch.cholesky_inverse(factor))
        return Imputed(flat.where(observed, mean + z @ self.loadings.T).view_as(y), spread)

    def _posterior_precision(self, weight: Tensor) -> Tensor:
        """Return the precision of z given each row's observed outputs."""
        n_latents = self.loadings.shape[1]
        squares = (self.loadings[:, :, None] * self.loadings[:, None]).flatten(1)
        gain = (weight @ squares).unflatten(-1, (n_latents, n_latents))
        return gain + torch.eye(n_latents).to(gain)
