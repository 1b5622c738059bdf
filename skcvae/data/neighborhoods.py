"""Batches of neighbouring rows, for models in which rows depend on each other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from skcvae.data.batches import Rows, ShuffledBatches, StreamedRows
from skcvae.data.coding import FORWARD_ROWS, slices


@dataclass
class NeighborhoodBatches(ShuffledBatches):
    """Iterate over random neighbourhoods of at most `batch_size` rows, new in each epoch.

    A batch has the numbers of its rows as its "index".
    """

    def __iter__(self) -> Iterator[tuple[dict, Tensor | None]]:
        n_draws, *row_shape = self.shape
        x = inputs_of(self.dataset)
        blocks = neighborhoods(x, torch.arange(len(x)), self.batch_size, self.source)
        for block in torch.randperm(len(blocks), generator=self.source).tolist():
            index = blocks[block].to(self.dataset.index_device)
            arrays, weight = self.dataset[index]
            noise = torch.randn((n_draws, len(index), *row_shape), generator=self.source)
            yield {"arrays": arrays, "noise": noise.to(arrays[-1]), "index": index}, weight


def inputs_of(rows: Rows | StreamedRows) -> Tensor:
    """Return x of all rows, of shape (n, d), on the CPU."""
    parts = [rows[block][0][0] for block in slices(len(rows), FORWARD_ROWS)]
    return torch.cat(parts).flatten(1).cpu()


def neighborhoods(x: Tensor, index: Tensor, size: int, source: Generator) -> list[Tensor]:
    """Split rows along random directions into as few parts of at most `size` as there are.

    These are the cells of a random projection tree, which adapt to the dimension in which
    the rows lie (Dasgupta and Freund, 2008). `index` and the parts are numbers of rows of x.
    """
    if len(index) <= size:
        return [index]
    direction = torch.randn(x.shape[1], generator=source)
    ordered = index[(x[index] @ direction).argsort()]
    share = 0.3 + 0.4 * torch.rand((), generator=source).item()
    n_parts = math.ceil(len(index) / size)
    cut = size * min(max(round(share * n_parts), 1), n_parts - 1)
    first, second = ordered[:cut], ordered[cut:]
    return neighborhoods(x, first, size, source) + neighborhoods(x, second, size, source)
