"""Random numbers from explicit generators; no global state is read or written.

torch's layers and distributions draw from one global generator and offer no way
to pass another. :class:`drawing_from` is that way: inside it, every random
operation of the current thread that could take a generator is handed one.
"""

import functools
from operator import attrgetter

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Generator, Tensor
from torch.distributions import Distribution
from torch.quasirandom import SobolEngine
from torch.utils._python_dispatch import TorchDispatchMode


def seed_from(random_state) -> int:
    """Return a seed for torch generators."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    try:
        drawn = check_random_state(random_state)
    except ValueError:
        drawn = None
    if drawn is None or isinstance(random_state, bool):
        raise ValueError(
            "random_state must be an int from 0 to 2**32 - 1, a RandomState or None, got "
            f"{random_state!r}."
        )
    return int(drawn.randint(2**31 - 1))


def spawned(seed: int | list[int], n_streams: int) -> list[int]:
    """Return seeds of independent streams, by numpy's ``SeedSequence``."""
    return (np.random.SeedSequence(seed).generate_state(n_streams) >> 1).tolist()


def generator(seed: int, device: str | torch.device = "cpu") -> Generator:
    """Return a new generator."""
    return Generator(device).manual_seed(seed)


@functools.lru_cache(maxsize=16)
def normal_points(n_points: int, shape: tuple[int, ...]) -> Tensor:
    """Return standard normal numbers for integration, the same at every call.

    Half of them are a scrambled Sobol sequence (Owen, 1995; Joe and Kuo, 2008) mapped by the
    inverse normal cdf, the others their negatives (antithetic variates): averages of functions
    that are linear in the noise are exact. Beyond the dimensions that torch's sequence has, they
    are pseudo-random. An even number of points is expected; powers of two spread best. The
    tensor, float64 on the CPU, is not to be changed.
    """
    size = int(np.prod(shape))
    with torch.inference_mode(False):
        if size > SobolEngine.MAXDIM:
            half = torch.randn((n_points // 2, size), generator=generator(0), dtype=torch.float64)
        else:
            sobol = SobolEngine(size, scramble=True, seed=0)
            uniform = sobol.draw(n_points // 2, dtype=torch.float64)
            half = torch.special.ndtri(uniform + 2.0 ** -(SobolEngine.MAXBIT + 1))
        return torch.cat([half, -half]).reshape(n_points, *shape)


class drawing_from(TorchDispatchMode):  # noqa: N801 (used as a statement)
    """Let every random operation of this thread draw from a generator on its tensors' device.

    Examples
    --------
    >>> import torch
    >>> from skcvae.random import drawing_from, generator
    >>> with drawing_from(generator(0)):
    ...     first = torch.nn.Linear(2, 1).weight
    >>> with drawing_from(generator(0)):
    ...     second = torch.nn.Linear(2, 1).weight
    >>> bool((first == second).all())
    True
    """

    def __init__(self, source: Generator):
        super().__init__()
        self.source = source

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if kwargs.get("generator") is None:
            # randn and its like take a generator in an overload of that name.
            with_generator = getattr(func.overloadpacket, "generator", func)
            names = map(attrgetter("name"), with_generator._schema.arguments)
            if "generator" in names:
                return with_generator(*args, **{**kwargs, "generator": self.source})
        return func(*args, **kwargs)


def draw(p: Distribution, source: Generator) -> Tensor:
    """Return one draw of a distribution from a generator, of shape batch + event.

    :class:`drawing_from` takes time at each operation; distributions whose draws have many define
    `sample_from`, with a generator instead.
    """
    if hasattr(p, "sample_from"):
        return p.sample_from(source)
    with drawing_from(source):
        return p.sample()
