"""Random numbers from explicit generators; no global state is read or written.

torch's layers and distributions draw from one global generator and offer no way
to pass another. :class:`drawing_from` is that way: inside it, every random
operation of the current thread that could take a generator is handed one.
"""

import zlib
from operator import attrgetter

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode


def seed_from(random_state) -> int:
    """Return a seed for torch generators."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(2**31 - 1))


def spawned(seed: int, n_streams: int) -> list[int]:
    """Return seeds of independent streams, by numpy's ``SeedSequence``."""
    return (np.random.SeedSequence(seed).generate_state(n_streams) >> 1).tolist()


def generator(seed: int, device: str | torch.device = "cpu") -> Generator:
    """Return a new generator."""
    return Generator(device).manual_seed(seed)


def row_noise(rows: Tensor, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return standard normal noise that follows from each row's own content.

    Rows are independent of each other, and a row's noise does not depend on
    where the row stands or what stands beside it.
    """
    noise = torch.empty((len(rows), *shape))
    source = Generator()
    for row, out in zip(rows.cpu().numpy(), noise.unbind(), strict=True):
        source.manual_seed(zlib.crc32(row.tobytes(), seed % 2**32))
        out.normal_(generator=source)
    return noise.transpose(0, 1)


class drawing_from(TorchDispatchMode):  # noqa: N801 (used as a statement)
    """Let every random operation of this thread draw from one generator.

    Parameters
    ----------
    source : Generator
        On the device of the tensors involved.

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
