r"""
=======================================
Importance sampling against Monte Carlo
=======================================

The likelihood of a model with latent variables is an integral,
:math:`p(y|x) = \int p(y|x,z)\,p(z|x)\,dz`. Monte Carlo averages
:math:`p(y|x,z)` over draws from the prior, few of which explain y. Importance
sampling draws from the recognition network, given y, and weights the draws.
Here both are compared with the exact value of a linear-Gaussian model.
"""

# %%
# A model with an exact likelihood
# --------------------------------
# The networks of a :class:`~skcvae.model.Model` are plain modules that return
# distributions. With :math:`z \sim N(0, I)` and
# :math:`y \sim N(Wx + Bz, \sigma^2 I)` the marginal is
# :math:`N(Wx, BB^\top + \sigma^2 I)`. The recognition network has the exact
# mean of the posterior but, like a trained one, independent coordinates.

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal

from skcvae.inference.conditional_likelihood import importance_sampling, monte_carlo
from skcvae.model import Model

n, d_x, d_y, d_z, sigma = 500, 3, 12, 8, 0.5
rng = torch.Generator().manual_seed(0)
W, B = (torch.randn(d_y, d, generator=rng, dtype=torch.float64) for d in (d_x, d_z))


def normal(loc, scale):
    return Independent(Normal(loc, torch.as_tensor(scale).expand_as(loc)), 1)


class Prior(nn.Module):
    noise_shape = (d_z,)

    def forward(self, x):
        return normal(x.new_zeros(len(x), d_z), 1.0)


class Generation(nn.Module):
    def given(self, x):
        return lambda z: x @ W.T + z @ B.T


class Output(nn.Module):
    def forward(self, features):
        return normal(features, sigma)


class Recognition(nn.Module):
    def forward(self, x, y):
        precision = torch.eye(d_z) + B.T @ B / sigma**2
        loc = (y - x @ W.T) @ B @ torch.linalg.inv(precision) / sigma**2
        return normal(loc, precision.diagonal().rsqrt())


model = Model(Output(), generation=Generation(), prior=Prior(), recognition=Recognition())
marginal = MultivariateNormal(torch.zeros(d_y).double(), B @ B.T + sigma**2 * torch.eye(d_y))
x = torch.randn(n, d_x, generator=rng, dtype=torch.float64)
z, e = (torch.randn(n, d, generator=rng, dtype=torch.float64) for d in (d_z, d_y))
y = x @ W.T + z @ B.T + sigma * e
exact = marginal.log_prob(y - x @ W.T)

# %%
# Error of both estimates by the number of draws S
# ------------------------------------------------
# Both are unbiased for p(y|x), so their logarithm is biased low, with a bias that
# decreases with S. In eight dimensions, and with 100 draws or more, the error of Monte Carlo
# is ten nats and more, that of importance sampling a fraction of a nat.

draws = [1, 3, 10, 30, 100, 300, 1000, 3000]
fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for estimate in (importance_sampling, monte_carlo):
    errors, sizes = [], []
    for S in draws:
        noise = torch.randn(S, n, d_z, generator=rng, dtype=torch.float64)
        found = estimate(model, x, y, noise.split(100))
        errors.append((exact - found.log_prob).mean().item())
        sizes.append(found.effective_sample_size.median().item())
    name = estimate.__name__.replace("_", " ")
    ax.loglog(draws, errors, marker="o", label=name)
    print(
        f"{name}: {errors[-1]:.3f} nats too low at S = {S}, effective sample size {sizes[-1]:.0f}"
    )
ax.set(xlabel="draws S", ylabel="exact minus estimate, nats per row")
ax.legend()
plt.show()

# %%
# Estimators offer both: ``log_prob(X, y, method="monte_carlo")``, or by default
# ``"importance_sampling"``, which takes a fifth of its draws from the prior, in case the
# recognition network misses the posterior. With ``return_ess=True`` they also return the effective
# sample size of each row.
