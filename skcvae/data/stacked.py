"""Batches of several fits side by side: each member has its own rows, order, noise and weights.

A member draws from its own generator what it would draw alone, in the same order. Where it
has fewer rows than others, in the last batch of an epoch, its first row fills up, at weight
zero.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from skcvae.data.batches import ShuffledBatches
from skcvae.data.omission import omit


class StackedBatch(NamedTuple):
    """One batch of each of M members."""

    arrays: tuple[Tensor, ...]  # such as (x, y), each (M, n, ...)
    noise: Tensor  # standard normal, (M, n_draws, n, ...)
    weight: Tensor  # of the rows, (M, n)
    share: Tensor  # weights over the number of rows that the member has in the batch


class StackedBatches:
    """Iterate over the shuffled batches of all members at once.

    Members have equal batch sizes and as many batches per epoch.
    """

    def __init__(self, batches: list[ShuffledBatches]):
        self.batches, rows = batches, [member.dataset for member in batches]
        self.sizes = torch.tensor([part.n_rows for part in rows])
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.arrays = [torch.cat(parts) for parts in zip(*(r.arrays for r in rows), strict=True)]
        ones = [torch.ones(part.n_rows, device=part.device) for part in rows]
        given = (part.weight for part in rows)
        self.weight = torch.cat([w if g is None else g for w, g in zip(ones, given, strict=True)])
        self.n_rows = min(batches[0].batch_size, int(self.sizes.max()))

    def __iter__(self) -> Iterator[StackedBatch]:
        index, is_own = self._orders()
        index, is_own = index.to(self.weight.device), is_own.to(self.weight.device)
        for rows, own in zip(
            index.split(self.n_rows, 1), is_own.split(self.n_rows, 1), strict=True
        ):
            weight, counts = self.weight[rows] * own, own.sum(1)
            x, y = [array[rows] for array in self.arrays[:-1]], self.arrays[-1][rows]
            noise = self._drawn(x, y, counts.tolist())
            yield StackedBatch((*x, y), noise, weight, weight / counts[:, None])

    def _orders(self) -> tuple[Tensor, Tensor]:
        """Return the order of the rows of each member, and which of them are its own."""
        n_batches = -(-int(self.sizes.max()) // self.n_rows)
        index = self.starts[:, None].repeat(1, n_batches * self.n_rows)
        for member, order, n in zip(self.batches, index, self.sizes, strict=True):
            order[:n] += torch.randperm(int(n), generator=member.source)
        return index, torch.arange(index.shape[1]) < self.sizes[:, None]

    def _drawn(self, x: list[Tensor], y: Tensor, counts: list[int]) -> Tensor:
        """Omit a part of x in place, and return noise; each member draws for its own rows."""
        n_draws, *row_shape = self.batches[0].shape
        noise = torch.zeros((len(y), n_draws, self.n_rows, *row_shape))
        for i, (member, n) in enumerate(zip(self.batches, counts, strict=True)):
            if member.omission:
                for part in x:
                    part[i, :n] = omit(part[i, :n], member.omission, member.source)
            if n == self.n_rows:
                noise[i].normal_(generator=member.source)
            else:
                drawn = torch.randn((n_draws, n, *row_shape), generator=member.source)
                noise[i, :, :n] = drawn
        return noise.to(y.device)


def beside(parts: tuple) -> StackedBatch:
    """Stack one validation batch of each member; rows that one lacks have weight zero."""
    n_rows = max(len(inputs["arrays"][-1]) for inputs, _ in parts)
    arrays, noises, weights = [], [], []
    for inputs, weight in parts:
        *x, y = inputs["arrays"]
        rows = torch.arange(n_rows, device=y.device)
        is_own = rows < len(y)
        rows = rows.where(is_own, 0)
        arrays.append([part[rows] for part in (*x, y)])
        noises.append(inputs["noise"][:, rows])
        weights.append(is_own * (1.0 if weight is None else weight[rows]))
    stacked = tuple(map(torch.stack, zip(*arrays, strict=True)))
    weight = torch.stack(weights)
    return StackedBatch(stacked, torch.stack(noises), weight, weight)
