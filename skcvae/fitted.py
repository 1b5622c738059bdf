"""A fitted model from arrays to arrays, in bounded memory for any number of rows and draws."""

import contextlib
import copy
import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from skcvae.data.coding import Plan, plan, slices
from skcvae.distributions import component_means
from skcvae.inference import completion, conditional_likelihood, moments, posterior_collapse
from skcvae.inference.layers import layers
from skcvae.inference.posterior_mode import posterior_mode
from skcvae.model import Model
from skcvae.networks.layered import Layers
from skcvae.random import generator, spawned
from skcvae.threads import Pace, limited, row_work
from skcvae.training.progress import line

Inputs = np.ndarray | None  # None where there is nothing to condition on
Read = Callable[[Tensor], np.ndarray]  # from encoded numbers to the user's units

SHOWN_AFTER = 2.0  # seconds, where progress is shown
NOISE_DRAWS = 100  # draws whose noise is made at once, independent of the chunks


class Fitted:
    """Networks in evaluation mode, between the user's units of X and y.

    Long calls show a progress line with a title, unless that is None.
    """

    def __init__(self, model: Model, x_coding, y_coding, title: str | None = None):
        self.model = model.eval()
        self.x_coding = x_coding
        self.y_coding = y_coding
        self.title = title
        self.pace = Pace("auto")
        self.device = next(model.parameters()).device
        self.row_size, self.row_work = model.row_size, row_work(model)  # slow for one row

    @functools.cached_property
    def exact_model(self) -> Model:
        """A float64 copy: predictions depend on batch composition by at most 1e-12.

        Not of convolutions, which would take ten times as long on a CPU; nor without float64.
        """
        convolves = any(isinstance(module, nn.Conv2d) for module in self.model.modules())
        if convolves or self.device.type == "mps":
            return self.model
        with torch.inference_mode(False):  # so that it can be differentiated
            return copy.deepcopy(self.model).double()

    @property
    def exact_dtype(self) -> torch.dtype:
        """The precision of `exact_model`."""
        return next(self.exact_model.parameters()).dtype

    def deterministic(self, X: np.ndarray, read: Read) -> np.ndarray:
        """Return E[y|x,z*] at z* = E[z|x], of shape (n, ...)."""

        def evaluate(rows, block, shown):
            x = self._inputs(X, rows, self.exact_dtype)
            return [read(moments.deterministic(self.exact_model, x))]

        return self._by_rows(len(X), 1, evaluate)[0]

    def encode(self, X: Inputs, y: np.ndarray | None, n_steps: int = 0) -> list[np.ndarray]:
        """Return mean and scale of q(z|x,y) or p(z|x), or with steps p(z|x,y)'s mode, (n, ...)."""

        def evaluate(rows, block, shown):
            x = self._inputs(X, rows, self.exact_dtype)
            target = None if y is None else self._outputs(y[rows], self.exact_dtype)
            if n_steps:
                found = [posterior_mode(self.exact_model, x, target, n_steps)]
            else:
                p = self.exact_model.latent_given(x, target)
                found = [p.mean, p.stddev]
            return [part.double().cpu().numpy() for part in found]

        return self._by_rows(len(X if y is None else y), 1, evaluate)

    def decode(self, X: Inputs, z: np.ndarray, read: Read) -> np.ndarray:
        """Return E[y|x,z] of shape (n_draws, n, ...), for z of that shape."""

        def decoder(x: Tensor | None) -> Callable[[Tensor], Tensor]:
            given = self.exact_model.condition(x)
            return lambda block: given.likelihood(block).mean

        return self._decoded(X, z, decoder, read)

    def decode_layers(self, X: np.ndarray, z: np.ndarray, read: Read) -> Layers:
        """Return foreground and background, as `decode` returns y, and the gate."""
        reads = Layers(read, read, lambda gate: gate.double().cpu().numpy())

        def part(i: int) -> Callable[[Tensor], Callable[[Tensor], Tensor]]:
            return lambda x: lambda block: layers(self.exact_model, x, block)[i]

        return Layers(*(self._decoded(X, z, part(i), each) for i, each in enumerate(reads)))

    def _decoded(self, X: Inputs, z: np.ndarray, decoder, read: Read) -> np.ndarray:
        """Return what the function that `decoder` returns for some x says of draws of z."""

        def blocks(rows: slice, size: int) -> Iterator[Tensor]:
            decode = decoder(self._inputs(X, rows, self.exact_dtype))
            for drawn in slices(len(z), size):
                block = np.ascontiguousarray(z[drawn, rows])  # torch refuses negative strides
                yield decode(torch.tensor(block, dtype=self.exact_dtype, device=self.device))

        return self._by_draws(z.shape[1], len(z), blocks, read)

    def modes(self, X: np.ndarray, n_modes: int, read: Read) -> list[np.ndarray]:
        """Return E[y|x,z] at the prior's heaviest components, (n, n_modes, ...), and weights."""

        def evaluate(rows, block, shown):
            given = self.exact_model.condition(self._inputs(X, rows, self.exact_dtype))
            means, weights = (part[:n_modes] for part in component_means(given.prior))
            parts = [read(given.likelihood(z).mean) for z in means.split(block)]
            y = np.concatenate(parts).swapaxes(0, 1)
            return [y, weights.T.double().cpu().numpy()]

        return self._by_rows(len(X), n_modes, evaluate)

    def kl_by_unit(self, X: Inputs, y: np.ndarray) -> np.ndarray:
        """Return the mean over rows of the KL term of each latent variable."""

        def evaluate(rows, block, shown):
            arrays = self._inputs(X, rows), self._outputs(y[rows])
            return [posterior_collapse.kl_by_unit(self.model, *arrays).cpu().double().numpy()]

        return self._by_rows(len(y), 1, evaluate)[0].mean(axis=0)

    def moments(self, X: np.ndarray, *reads: Read) -> list[np.ndarray]:
        """Return mean and, with two functions to read them, deviation of p(y|x); (n, ...)."""
        points = moments.points(self.model).to(self.device, self.exact_dtype)

        def evaluate(rows, block, shown):
            x = self._inputs(X, rows, self.exact_dtype)
            noise = points.expand(-1, len(x), *points.shape[2:]).split(block)
            mean, variance = moments.moments(self.exact_model, x, _counted(noise, shown))
            found = zip(reads, (mean, variance.sqrt()), strict=False)
            return [read(moment) for read, moment in found]

        return self._by_rows(len(X), len(points), evaluate)

    def sample(
        self, X: Inputs, n_samples: int, seed: int, *, observation_noise: bool = True
    ) -> np.ndarray:
        """Return draws of y, or of E[y|x,z], (n_samples, n, *row_shape); n = 1 without X."""
        source, outputs = self._generators(seed)

        def blocks(rows: slice, size: int) -> Iterator[Tensor]:
            shape = (rows.stop - rows.start, *self.model.noise_shape)
            noise = (
                torch.randn((drawn.stop - drawn.start, *shape), generator=source).to(self.device)
                for drawn in slices(n_samples, size)
            )
            x = self._inputs(X, rows)
            return moments.draws(self.model, x, noise, outputs, observation_noise)

        n_rows = 1 if X is None else len(X)
        return self._by_draws(n_rows, n_samples, blocks, self.y_coding.to_array)

    def complete(
        self,
        X: Inputs,
        y: np.ndarray,
        n_samples: int,
        seed: int,
        *,
        n_steps: int,
        observation_noise: bool,
    ) -> np.ndarray:
        """Return y with its NaN entries sampled, of shape (n_samples, n, *row_shape)."""
        noise, outputs = self._generators(seed)

        def blocks(rows: slice, size: int) -> Iterator[Tensor]:
            x, observed = self._inputs(X, rows), self._outputs(y[rows])
            for drawn in slices(n_samples, size):
                yield completion.complete(
                    self.model,
                    x,
                    observed,
                    drawn.stop - drawn.start,
                    n_steps=n_steps,
                    noise=noise,
                    outputs=outputs,
                    observation_noise=observation_noise,
                )

        return self._by_draws(len(y), n_samples, blocks, self.y_coding.to_array)

    def log_prob(
        self, X: Inputs, y: np.ndarray, *, estimate, n_samples: int, seed: int, smooth: bool
    ) -> list[np.ndarray]:
        """Return log p(y|x) in the user's units and the effective sample size, each (n,).

        If it is to be smooth in y, the noise follows from x alone.
        """

        def evaluate(rows, block, shown):
            x, target = self._inputs(X, rows), self._outputs(y[rows])
            if self.model.is_deterministic:
                estimated = conditional_likelihood.exact(self.model, x, target)
            else:
                noise = self._noise(n_samples, block, seed, x, None if smooth else target)
                estimated = estimate(self.model, x, target, _counted(noise, shown))
            return [part.cpu().numpy() for part in estimated]

        log_p, effective_sample_size = self._by_rows(len(y), n_samples, evaluate)
        return [log_p + self.y_coding.log_jacobian(y), effective_sample_size]

    def log_prob_observed(
        self, X: Inputs, y: np.ndarray, *, n_samples: int, n_steps: int, seed: int
    ) -> np.ndarray:
        """Return log p(y_o|x) of the observed entries in the user's units, (n,)."""
        how = {"n_draws": n_samples, "n_steps": n_steps, "generators": self._generators(seed)}

        def evaluate(rows, block, shown):
            x, observed = self._inputs(X, rows), self._outputs(y[rows])
            given = self.model, x, observed, self._noise(n_samples, block, seed, x, observed)
            return [completion.log_prob_observed(*given, **how).log_prob.cpu().numpy()]

        return self._by_rows(len(y), n_samples, evaluate)[0] + self.y_coding.log_jacobian(y)

    def _by_rows(self, n_rows: int, n_draws: int, evaluate) -> list[np.ndarray]:
        """Return the arrays that `evaluate` returns for chunks of rows, joined."""
        out: list[np.ndarray] = []
        with self._running(n_rows, n_draws) as (chunk, shown):
            for rows in slices(n_rows, chunk.rows):
                with self.pace.step(rows.stop - rows.start):
                    blocks = evaluate(rows, chunk.draws, shown)
                out = out or [_empty((n_rows,), block) for block in blocks]
                for whole, block in zip(out, blocks, strict=True):
                    whole[rows] = block
                shown.update(rows.stop * n_draws - shown.n)
        return out

    def _by_draws(
        self, n_rows: int, n_draws: int, blocks: Callable[..., Iterator[Tensor]], read: Read
    ) -> np.ndarray:
        """Return the draws that `blocks` yields for chunks of rows, joined and read."""
        out = None
        with self._running(n_rows, n_draws) as (chunk, shown):
            for rows in slices(n_rows, chunk.rows):
                drawn = _counted(blocks(rows, chunk.draws), shown)
                with self.pace.step(rows.stop - rows.start):
                    for part, block in zip(slices(n_draws, chunk.draws), drawn, strict=True):
                        values = read(block)
                        out = _empty((n_draws, n_rows), values) if out is None else out
                        out[part, rows] = values
        return out

    def _inputs(self, X: Inputs, rows: slice, dtype: torch.dtype = torch.float32) -> Tensor | None:
        return None if X is None else self.x_coding.to_tensor(X[rows], dtype, self.device)

    def _outputs(self, y: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
        return self.y_coding.to_tensor(y, dtype, self.device)

    def _generators(self, seed: int) -> tuple[torch.Generator, torch.Generator]:
        """Return independent generators of z, on the CPU, and of y given z, on the device."""
        z_seed, y_seed = spawned(seed, 2)
        return generator(z_seed), generator(y_seed, self.device)

    def _noise(
        self, n_samples: int, block: int, seed: int, *rows: Tensor | None
    ) -> Iterator[Tensor]:
        """Yield row-seeded noise, independent of chunking and order."""
        content = torch.cat([part.flatten(1) for part in rows if part is not None], dim=1)
        for i, drawn in enumerate(slices(n_samples, NOISE_DRAWS)):
            shape = (drawn.stop - drawn.start, *self.model.noise_shape)
            noise = conditional_likelihood.row_noise(content, shape, seed + i)
            yield from noise.to(self.device).split(block)

    @contextlib.contextmanager
    def _running(self, n_rows: int, n_draws: int) -> Iterator[tuple[Plan, tqdm]]:
        """Give the size of chunks, and a line that counts draws; evaluate networks meanwhile."""
        chunk = plan(n_rows, n_draws, self.row_size)
        threads = limited(chunk.rows * chunk.draws * self.row_work, self.pace.n_threads)
        counted = tqdm(disable=True)
        if self.title is not None:
            counted = line(self.title, n_rows * n_draws, "draw", delay=SHOWN_AFTER)
        with torch.inference_mode(), threads, counted as shown:
            yield chunk, shown


def _counted(blocks: Iterable[Tensor], shown: tqdm) -> Iterator[Tensor]:
    """Yield blocks of draws for some rows, and count them when they have been used."""
    for block in blocks:
        yield block
        shown.update(block.shape[0] * block.shape[1])


def _empty(sizes: tuple[int, ...], block: np.ndarray) -> np.ndarray:
    """Return an empty array like a block, but with other first dimensions."""
    return np.empty((*sizes, *block.shape[len(sizes) :]), block.dtype)
