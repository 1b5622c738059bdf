"""A fitted model from arrays to arrays, in bounded memory whatever n and S are."""

import copy
import functools
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from skcvae import completion, conditional_likelihood, inference, posterior_collapse
from skcvae._arrays import OneHot, Plan, Scaling, Table, plan, slices
from skcvae._progress import line
from skcvae._random import generator, row_noise
from skcvae.model import Model

Read = Callable[[Tensor], np.ndarray]  # from the networks' numbers to the user's

SHOWN_AFTER = 2.0  # seconds, where progress is shown
NOISE_DRAWS = 100  # draws whose noise is made at once, whatever the chunks are


class Predictor:
    """Networks in evaluation mode between the user's units of X and y.

    Parameters
    ----------
    model : Model
        On its device.
    x_scaling : Scaling
        From the user's units of X to the networks'.
    y_coding : Scaling, OneHot or Table
        From the user's units, or labels, of y to the networks'.
    device : torch.device
        Where the networks are.

    Attributes
    ----------
    title : str or None
        Of the live line that long work shows; None shows none.
    """

    def __init__(
        self,
        model: Model,
        x_scaling: Scaling,
        y_coding: Scaling | OneHot | Table,
        *,
        device: torch.device,
    ):
        self.model = model.eval()
        self.x_scaling = x_scaling
        self.y_coding = y_coding
        self.device = device
        self.title: str | None = None
        self.row_size = model.row_size  # once: a single row should not wait for it

    @functools.cached_property
    def _exact_model(self) -> Model:
        """The model in float64: rows then do not feel, to 1e-12, what is beside them.

        Not so with convolutions, which read rows one by one, and would take ten
        times as long on a CPU.
        """
        convolves = any(isinstance(module, nn.Conv2d) for module in self.model.modules())
        return self.model if convolves else copy.deepcopy(self.model).double()

    @torch.inference_mode()
    def deterministic(self, X: np.ndarray, read: Read) -> np.ndarray:
        """Return E[y|x,z*] at z* = E[z|x], read row by row; shape (n, ...)."""
        out = None
        with self._line(len(X), "row") as shown:
            for rows in slices(len(X), self._plan(len(X), 1).rows):
                x = self._inputs(X[rows], next(self._exact_model.parameters()).dtype)
                block = read(inference.deterministic(self._exact_model, x))
                out = _room((len(X),), block) if out is None else out
                out[rows] = block
                shown.update(len(x))
        return out

    @torch.inference_mode()
    def kl_by_unit(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the mean over rows of the KL term of each latent variable."""
        total = 0.0
        for rows in slices(len(X), self._plan(len(X), 1).rows):
            x, target = self._inputs(X[rows]), self._outputs(y[rows])
            total = total + posterior_collapse.kl_by_unit(self.model, x, target).double().sum(0)
        return total.cpu().numpy() / len(X)

    @torch.inference_mode()
    def moments(
        self, X: np.ndarray, n_samples: int, seed: int, *reads: tuple[str, Read]
    ) -> list[np.ndarray]:
        """Return "mean" or "std" of p(y|x), each as its function reads it; shapes (n, ...)."""
        out: list[np.ndarray] = []
        work = self._plan(len(X), n_samples)
        with self._line(len(X) * n_samples) as shown:
            for rows in slices(len(X), work.rows):
                x = self._inputs(X[rows])
                noise = _counted(self._noise(n_samples, work.draws, seed, x), shown)
                mean, variance = inference.moments(self.model, x, noise)
                found = {"mean": mean, "std": variance.sqrt()}
                blocks = [read(found[name]) for name, read in reads]
                out = out or [_room((len(X),), block) for block in blocks]
                for whole, block in zip(out, blocks, strict=True):
                    whole[rows] = block
                shown.update(rows.stop * n_samples - shown.n)
        return out

    def sample(
        self, X: np.ndarray, n_samples: int, seed: int, *, observation_noise: bool = True
    ) -> np.ndarray:
        """Return joint draws of y, or of E[y|x,z], of shape (n_samples, n, *row_shape)."""
        with self._line(len(X) * n_samples) as shown:
            return self._sample(X, n_samples, seed, shown, observation_noise=observation_noise)

    @torch.inference_mode()
    def _sample(
        self,
        X: np.ndarray,
        n_samples: int,
        seed: int,
        shown: tqdm,
        *,
        observation_noise: bool = True,
    ) -> np.ndarray:
        noise = generator(seed)
        outputs = generator(seed + 1, self.device) if observation_noise else None

        def blocks(rows: slice, size: int) -> Iterator[Tensor]:
            x = self._inputs(X[rows])
            return inference.draws(self.model, x, n_samples, size, noise=noise, outputs=outputs)

        return self._drawn(len(X), n_samples, blocks, shown)

    @torch.inference_mode()
    def complete(
        self,
        X: np.ndarray,
        y: np.ndarray,
        n_samples: int,
        seed: int,
        *,
        n_steps: int,
        observation_noise: bool,
    ) -> np.ndarray:
        """Return y with NaN filled in, of shape (n_samples, n, *row_shape)."""
        noise, outputs = generator(seed), generator(seed + 1, self.device)

        def blocks(rows: slice, size: int) -> Iterator[Tensor]:
            x, known = self._inputs(X[rows]), self._outputs(y[rows])
            for drawn in slices(n_samples, size):
                yield completion.complete(
                    self.model,
                    x,
                    known,
                    drawn.stop - drawn.start,
                    n_steps=n_steps,
                    noise=noise,
                    outputs=outputs,
                    observation_noise=observation_noise,
                )

        with self._line(len(X) * n_samples) as shown:
            return self._drawn(len(X), n_samples, blocks, shown)

    def _drawn(
        self,
        n_rows: int,
        n_samples: int,
        blocks: Callable[[slice, int], Iterator[Tensor]],
        shown: tqdm,
    ) -> np.ndarray:
        """Return what `blocks` yields for some rows, so many draws at a time."""
        out = None
        work = self._plan(n_rows, n_samples)
        for rows in slices(n_rows, work.rows):
            drawn = slices(n_samples, work.draws)
            of_rows = _counted(blocks(rows, work.draws), shown)
            for part, block in zip(drawn, of_rows, strict=True):
                values = self.y_coding.to_array(block)
                out = _room((n_samples, n_rows), values) if out is None else out
                out[part, rows] = values
        return out

    def quantiles(
        self, X: np.ndarray, levels: np.ndarray, n_samples: int, seed: int
    ) -> np.ndarray:
        """Return marginal quantiles from draws, of shape (*levels.shape, n, *row_shape)."""
        row_shape = self.y_coding.row_shape
        out = np.empty((*levels.shape, len(X), *row_shape))
        rows_at_once = plan(len(X), n_samples, 1, math.prod(row_shape)).rows
        with self._line(len(X) * n_samples) as shown:
            for i, rows in enumerate(slices(len(X), rows_at_once)):
                found = np.quantile(
                    self._sample(X[rows], n_samples, seed + i, shown), levels, axis=0
                )
                out[..., rows, *(slice(None) for _ in row_shape)] = found
        return out

    @torch.inference_mode()
    def log_prob(
        self, X: np.ndarray, y: np.ndarray, *, estimate, n_samples: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log p(y|x) in the user's units and the effective sample size, each (n,)."""
        out = np.empty((2, len(X)))
        work = self._plan(len(X), n_samples)
        with self._line(len(X) * n_samples) as shown:
            for rows in slices(len(X), work.rows):
                x, target = self._inputs(X[rows]), self._outputs(y[rows])
                if self.model.is_deterministic:
                    estimated = conditional_likelihood.exact(self.model, x, target)
                else:
                    noise = self._noise(n_samples, work.draws, seed, x, target)
                    estimated = estimate(self.model, x, target, _counted(noise, shown))
                out[:, rows] = torch.stack(estimated).cpu()
                shown.update(rows.stop * n_samples - shown.n)
        out[0] += self.y_coding.log_jacobian(y)
        return out[0], out[1]

    def _inputs(self, X: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
        return self.x_scaling.to_tensor(X, dtype, self.device)

    def _outputs(self, y: np.ndarray) -> Tensor:
        return self.y_coding.to_tensor(y, torch.float32, self.device)

    def _noise(self, n_samples: int, block: int, seed: int, *rows: Tensor) -> Iterator[Tensor]:
        """Yield noise that follows from the rows: estimates do not feel chunks or order."""
        content = torch.cat([part.flatten(1) for part in rows], dim=1)
        for i, drawn in enumerate(slices(n_samples, NOISE_DRAWS)):
            shape = (drawn.stop - drawn.start, *self.model.noise_shape)
            yield from row_noise(content, shape, seed + i).to(self.device).split(block)

    def _plan(self, n_rows: int, n_samples: int) -> Plan:
        return plan(n_rows, n_samples, self.row_size)

    def _line(self, total: int, unit: str = "draw") -> tqdm:
        return line(self.title, total, unit, delay=SHOWN_AFTER)


def _counted(blocks: Iterable[Tensor], shown: tqdm) -> Iterator[Tensor]:
    """Yield blocks of draws for some rows, and count them when they have been used."""
    for block in blocks:
        yield block
        shown.update(block.shape[0] * block.shape[1])


def _room(sizes: tuple[int, ...], block: np.ndarray) -> np.ndarray:
    """Return an empty array like a block, but with other first dimensions."""
    return np.empty((*sizes, *block.shape[len(sizes) :]), block.dtype)
