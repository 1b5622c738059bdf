"""Noise that outputs share: principal components as factors (Tipping and Bishop, 1999)."""

import numpy as np
import torch
from torch import Tensor, nn

FEW_OUTPUTS = 4  # of which z may take nearly all; of more, the noise may have heavy tails
NOISE_SHARE = 0.2  # of the least variance, if z could have all: a ring is found as fast as ever
DECIMALS = 9  # of correlations
MOST_NATS = 2.0  # that draws from the prior alone are to tell: some e^2 of them are needed


def factors(covariance: Tensor, n_latents: int) -> tuple[Tensor, Tensor]:
    r"""Return loadings and noise variances, :math:`\Sigma \approx \Lambda\Lambda^\top + \psi`.

    Parameters
    ----------
    covariance : Tensor of shape (n_outputs, n_outputs)
        Positive definite.
    n_latents : int
        Number of latent variables.

    Returns
    -------
    loadings : Tensor of shape (n_outputs, n_latents)
        Orthogonal with respect to the noise, so that the posterior of z is diagonal; zero for
        latent variables beyond the number of outputs.
    noise : Tensor of shape (n_outputs,)
        Variances of the noise.
    """
    scale, values, vectors = _principal_components(covariance)
    noise = values[min(n_latents, len(values) - 1) :].mean()
    if len(values) <= min(n_latents, FEW_OUTPUTS):
        noise = NOISE_SHARE * noise
    return scale[:, None] * _loadings(values, vectors, noise, n_latents), noise * scale.square()


def coarse_factors(covariance: Tensor, n_latents: int) -> tuple[Tensor, Tensor]:
    r"""Return loadings so small that few draws of z from N(0, I) meet y, and noise variances.

    Parameters
    ----------
    covariance : Tensor of shape (n_outputs, n_outputs)
        Positive definite.
    n_latents : int
        Number of latent variables.

    Returns
    -------
    loadings : Tensor of shape (n_outputs, n_latents)
        Of principal components that outputs share; y tells `MOST_NATS` of z at most.
    noise : Tensor of shape (n_outputs,)
        Variances of the noise: what is left of each output.
    """
    scale, values, vectors = _principal_components(covariance)
    values, vectors = values[:n_latents], vectors[:, :n_latents]
    # The least noise with which the first components together tell that much.
    counts = torch.arange(1, len(values) + 1)
    levels = ((values.log().cumsum(0) - 2 * MOST_NATS) / counts).exp()
    noise = levels[levels < values][-1].clamp_min(1.0)
    loadings = _loadings(values, vectors, noise, n_latents)
    return scale[:, None] * loadings, scale.square() * (1 - loadings.square().sum(1))


def _principal_components(covariance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the scales of outputs, and the variances and directions of their correlation."""
    scale = covariance.diagonal().sqrt()
    # Errors of rounding choose no directions where components are equal.
    correlation = (covariance / scale / scale[:, None]).round(decimals=DECIMALS)
    # numpy's: in a forked process torch's decompositions may wait for ever.
    values, vectors = map(torch.from_numpy, np.linalg.eigh(correlation.numpy()))
    vectors = vectors * torch.where(vectors[0] < 0, -1, 1)  # signs that rounding cannot flip
    return scale, values.flip(0).clamp_min(1e-6), vectors.flip(1)


def _loadings(values: Tensor, vectors: Tensor, noise: Tensor, n_latents: int) -> Tensor:
    """Return loadings of outputs of unit variance."""
    loadings = (vectors * (values - noise).clamp_min(0).sqrt())[:, :n_latents]
    return nn.functional.pad(loadings, (0, n_latents - loadings.shape[1]))
