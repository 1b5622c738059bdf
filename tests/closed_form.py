r"""A linear-Gaussian model with its true networks: everything is known exactly.

.. math::

    z \sim N(Ax, I), \quad y | x, z \sim N(Cx + Bz, \sigma^2 I), \quad
    y | x \sim N((C + BA)x, BB^\top + \sigma^2 I).

The recognition network is the exact posterior, or the best diagonal one.
"""

import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal

from skcvae.model import Model

SIGMA = 0.3


class Linear(nn.Module):
    """Stands for the generation network: features are the location of y."""

    def __init__(self, of_x, of_z):
        super().__init__()
        self.of_x, self.of_z = nn.Parameter(of_x), nn.Parameter(of_z)
        self.out_shape = (len(of_x),)

    def given(self, x):
        share = x @ self.of_x.T
        return lambda z: share + z @ self.of_z.T


class Prior(nn.Module):
    def __init__(self, of_x):
        super().__init__()
        self.of_x = nn.Parameter(of_x)
        self.noise_shape = of_x.shape[:1]

    def forward(self, x):
        return Independent(Normal(x @ self.of_x.T, torch.ones_like(x @ self.of_x.T)), 1)


class Output(nn.Module):
    def forward(self, features):
        return Independent(Normal(features, torch.full_like(features, SIGMA)), 1)


class Posterior(nn.Module):
    """Exact where B'B is diagonal; otherwise right in the mean, too narrow in scale.

    B has the rows of the observed outputs: y may hold NaN.
    """

    def __init__(self, prior, generation, *, partial=False):
        super().__init__()
        self.prior, self.generation, self.partial = prior, generation, partial

    def forward(self, x, y):
        observed = ~y.isnan()
        B = self.generation.of_z * observed[..., None]
        precision = torch.eye(B.shape[-1], dtype=B.dtype) + B.mT @ B / SIGMA**2
        residual = (y - self.generation.given(x)(self.prior(x).mean)).where(observed, 0.0)
        pull = B.mT @ residual[..., None] / SIGMA**2
        loc = self.prior(x).mean + torch.linalg.solve(precision, pull).squeeze(-1)
        return Independent(Normal(loc, precision.diagonal(dim1=-2, dim2=-1).rsqrt()), 1)


def make(n_rows=200, d_x=3, d_y=4, d_z=2, *, orthogonal, seed=0):
    """Return the model, rows (x, y) and their exact log p(y|x), all float64."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    A, B, C = normal(d_z, d_x), normal(d_y, d_z), normal(d_y, d_x)
    if orthogonal:
        B = torch.linalg.qr(B).Q * torch.linspace(0.5, 1.5, d_z, dtype=torch.float64)
    prior, generation = Prior(A), Linear(C, B)
    model = Model(
        Output(), generation=generation, prior=prior, recognition=Posterior(prior, generation)
    )
    x = normal(n_rows, d_x)
    z = x @ A.T + normal(n_rows, d_z)
    y = x @ C.T + z @ B.T + SIGMA * normal(n_rows, d_y)
    covariance = B @ B.T + SIGMA**2 * torch.eye(d_y, dtype=torch.float64)
    exact = MultivariateNormal(x @ (C + B @ A).T, covariance).log_prob(y)
    return model, x, y, exact


def noise(n_draws, n_rows, d_z=2, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n_draws, n_rows, d_z, generator=g, dtype=torch.float64)
