"""A fitted model from arrays to arrays, in bounded memory whatever n and S are."""

import copy
import functools
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from skcvae import conditional_likelihood, inference
from skcvae._arrays import Plan, Scaling, plan, slices
from skcvae._random import generator, row_noise
from skcvae.model import Model

NOISE_DRAWS = 100  # draws whose noise is made at once, whatever the chunks are


class Predictor:
    """Networks in evaluation mode between the user's units of X and y.

    Parameters
    ----------
    model : Model
        On its device.
    x_scaling, y_scaling : Scaling
        From the user's units to the networks'.
    latent_shape : tuple of int
        Shape of z for one row.
    device : torch.device
        Where the networks are.
    """

    def __init__(
        self,
        model: Model,
        x_scaling: Scaling,
        y_scaling: Scaling,
        *,
        latent_shape: tuple[int, ...],
        device: torch.device,
    ):
        self.model = model.eval()
        self.x_scaling = x_scaling
        self.y_scaling = y_scaling
        self.latent_shape = latent_shape
        self.device = device

    @functools.cached_property
    def _exact_model(self) -> Model:
        """The model in float64: rows then do not feel, to 1e-12, what is beside them."""
        return copy.deepcopy(self.model).double()

    @torch.inference_mode()
    def deterministic(self, X: np.ndarray) -> np.ndarray:
        """Return E[y|x,z*] at z* = E[z|x], of shape (n, *y_shape)."""
        out = self._empty(len(X))
        for rows in slices(len(X), self._plan(len(X), 1).rows):
            x = self._inputs(X[rows], torch.float64)
            out[rows] = self.y_scaling.to_array(inference.deterministic(self._exact_model, x))
        return out

    @torch.inference_mode()
    def moments(self, X: np.ndarray, n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of p(y|x), of shape (n, *y_shape)."""
        mean, std = self._empty(len(X)), self._empty(len(X))
        work = self._plan(len(X), n_samples)
        for rows in slices(len(X), work.rows):
            x = self._inputs(X[rows])
            noise = self._noise(n_samples, work.draws, seed, x)
            average, variance = inference.moments(self.model, x, noise)
            mean[rows] = self.y_scaling.to_array(average)
            std[rows] = variance.sqrt().cpu().numpy() * self.y_scaling.scale
        return mean, std

    @torch.inference_mode()
    def sample(
        self, X: np.ndarray, n_samples: int, seed: int, *, observation_noise: bool = True
    ) -> np.ndarray:
        """Return joint draws of y, or of E[y|x,z], of shape (n_samples, n, *y_shape)."""
        out = np.empty((n_samples, len(X), *self.y_scaling.loc.shape))
        noise = generator(seed)
        outputs = generator(seed + 1, self.device) if observation_noise else None
        work = self._plan(len(X), n_samples)
        for rows in slices(len(X), work.rows):
            x = self._inputs(X[rows])
            blocks = inference.draws(
                self.model, x, n_samples, work.draws, noise=noise, outputs=outputs
            )
            for drawn, block in zip(slices(n_samples, work.draws), blocks, strict=True):
                out[drawn, rows] = self.y_scaling.to_array(block)
        return out

    def quantiles(
        self, X: np.ndarray, levels: np.ndarray, n_samples: int, seed: int
    ) -> np.ndarray:
        """Return marginal quantiles from draws, of shape (*levels.shape, n, *y_shape)."""
        out = np.empty((*levels.shape, *self._empty(len(X)).shape))
        size = math.prod(self.y_scaling.loc.shape)
        for i, rows in enumerate(slices(len(X), plan(len(X), n_samples, 1, size).rows)):
            draws = self.sample(X[rows], n_samples, seed + i)
            out[..., rows, *(slice(None) for _ in self.y_scaling.loc.shape)] = np.quantile(
                draws, levels, axis=0
            )
        return out

    @torch.inference_mode()
    def log_prob(
        self, X: np.ndarray, y: np.ndarray, *, estimate, n_samples: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log p(y|x) in the user's units and the effective sample size, each (n,)."""
        out = np.empty((2, len(X)))
        work = self._plan(len(X), n_samples)
        for rows in slices(len(X), work.rows):
            x = self._inputs(X[rows])
            target = self.y_scaling.to_tensor(y[rows], torch.float32, self.device)
            if self.model.generation is None:
                estimated = conditional_likelihood.exact(self.model, x, target)
            else:
                noise = self._noise(n_samples, work.draws, seed, x, target)
                estimated = estimate(self.model, x, target, noise)
            out[:, rows] = torch.stack(estimated).cpu()
        out[0] += self.y_scaling.log_jacobian
        return out[0], out[1]

    def _inputs(self, X: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
        return self.x_scaling.to_tensor(X, dtype, self.device)

    def _empty(self, n_rows: int) -> np.ndarray:
        return np.empty((n_rows, *self.y_scaling.loc.shape))

    def _noise(self, n_samples: int, block: int, seed: int, *rows: Tensor) -> Iterator[Tensor]:
        """Yield noise that follows from the rows: estimates do not feel chunks or order."""
        content = torch.cat([part.flatten(1) for part in rows], dim=1)
        for i, drawn in enumerate(slices(n_samples, NOISE_DRAWS)):
            shape = (drawn.stop - drawn.start, *self.latent_shape)
            yield from row_noise(content, shape, seed + i).to(self.device).split(block)

    def _plan(self, n_rows: int, n_samples: int) -> Plan:
        return plan(n_rows, n_samples, self.model.row_size)
