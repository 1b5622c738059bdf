"""A covariance matrix of few rows, and its factors."""

import numpy as np
import torch
from torch import Tensor, nn

SHARES = np.logspace(-5, 0, 21)  # of the identity in a shrunk covariance
NOISE_SHARE = 0.2  # of the least variance, if z could have all: a ring is found as fast as ever


def shrunk_covariance(rows: np.ndarray) -> np.ndarray:
    """Return a covariance, shrunk to the identity as rows left out find best.

    Of the shares whose leave-one-out likelihood (Hoffbeck and Landgrebe, 1996) is within a
    standard error of the best, the largest is taken. It shrinks less than Ledoit and Wolf's share
    where outputs nearly depend on each other linearly.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_outputs)
        With mean zero and variances near one.

    Returns
    -------
    ndarray of shape (n_outputs, n_outputs)
        The covariance.
    """
    n_rows, n_outputs = rows.shape
    covariance = rows.T @ rows / n_rows
    values, vectors = np.linalg.eigh(covariance * n_rows / (n_rows - 1))
    variances = (1 - SHARES) * values.clip(0)[:, None] + SHARES
    distances = (rows @ vectors) ** 2 @ (1 / variances)
    left = 1 - (1 - SHARES) / (n_rows - 1) * distances
    lost = np.log(variances).sum(axis=0) + np.log(left) + distances / left
    excess = lost - lost[:, [lost.mean(axis=0).argmin()]]
    share = SHARES[excess.mean(axis=0) <= excess.std(axis=0) / np.sqrt(n_rows - 1)].max()
    return (1 - share) * covariance + share * np.eye(n_outputs)


def factors(
    covariance: Tensor, n_latents: int, noise_share: float = NOISE_SHARE
) -> tuple[Tensor, Tensor]:
    r"""Return loadings and noise variances, :math:`\Sigma \approx \Lambda\Lambda^\top + \psi`.

    Parameters
    ----------
    covariance : Tensor of shape (n_outputs, n_outputs)
        Positive definite.
    n_latents : int
        Number of latent variables.
    noise_share : float
        Least variance of the noise, in terms of the least variance of any direction, where there
        are as many latent variables as outputs.

    Returns
    -------
    loadings : Tensor of shape (n_outputs, n_latents)
        Orthogonal with respect to the noise, so that the posterior of z is diagonal; zero for
        latent variables beyond the number of outputs.
    noise : Tensor of shape (n_outputs,)
        Variances of the noise.
    """
    variance = covariance.diagonal()
    scale = variance.sqrt()
    # numpy's: in a forked process torch's decompositions may wait for ever.
    correlation = covariance / scale / scale[:, None]
    values, vectors = map(torch.from_numpy, np.linalg.eigh(correlation.numpy()))
    vectors = vectors * torch.where(vectors[0] < 0, -1, 1)  # signs that rounding cannot flip
    values, vectors = values.flip(0).clamp_min(1e-6), vectors.flip(1)
    rest = values[n_latents:]
    noise = rest.mean() if len(rest) else noise_share * values[-1]
    loadings = (vectors * (values - noise).clamp_min(0).sqrt())[:, :n_latents]
    loadings = nn.functional.pad(loadings, (0, n_latents - loadings.shape[1]))
    return scale[:, None] * loadings, noise * variance
