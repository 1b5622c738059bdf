"""One fit in several processes, through skorch's AccelerateMixin.

Every process holds all data and goes through the same batches; it trains on its
share of each, and gradients are averaged between steps. The model is the same in
all of them, and, where there is no dropout, the same as that of one process, to
rounding.
"""

from collections.abc import Iterator

import torch
from accelerate.utils import broadcast_object_list
from skorch.hf import AccelerateMixin
from torch import Tensor

from skcvae.training.net import Net


class SharedBatches:
    """The share of one process in each batch."""

    def __init__(self, batches, number: int, n_processes: int):
        self.batches = batches
        self.dataset = batches.dataset
        self.number = number
        self.n_processes = n_processes

    def __iter__(self) -> Iterator:
        for inputs, weight in self.batches:
            arrays, noise = inputs["arrays"], inputs["noise"]
            n = len(arrays[-1])
            rows = torch.arange(n)[self.number :: self.n_processes]
            # Gradients are averaged over processes, so unequal shares are weighted by their
            # rows; a process without rows gets one of weight zero.
            share = self.n_processes * len(rows) / n
            rows = rows if len(rows) else torch.zeros(1, dtype=torch.long)
            rows = rows.to(noise.device)
            weight = noise.new_ones(n) if weight is None else weight
            part = {"arrays": tuple(a[rows] for a in arrays), "noise": noise[:, rows]}
            yield part, weight[rows] * share


class DistributedNet(AccelerateMixin, Net):
    """A net that trains together with those of the other processes."""

    def get_iterator(self, dataset, training=False):
        """Return the batches: shares of them in training, all in validation."""
        batches = super().get_iterator(dataset, training=training)
        if not training:
            return batches
        return SharedBatches(
            batches, self.accelerator.process_index, self.accelerator.num_processes
        )

    def reduced(self, total: Tensor, training: bool) -> Tensor:
        """Return sums over all processes; validation rows are the same in all."""
        return self.accelerator.reduce(total) if training else total


def shared_seed(seed: int) -> int:
    """Return the seed of the first process, in all of them."""
    (seed,) = broadcast_object_list([seed])
    return seed
