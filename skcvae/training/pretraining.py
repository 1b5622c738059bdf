"""Pretraining layer by layer: stacked autoencoders."""

from collections.abc import Callable

import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.utils.data import Dataset

from skcvae.autoencoder import layer_pairs
from skcvae.data.batches import Rows, StreamedRows
from skcvae.networks.layers import Stack
from skcvae.training.net import Net, ObjectiveModule, train


class Features(Dataset):
    """Rows behind some layers, which are evaluated batch by batch."""

    log_jacobian = (0.0, 0.0)

    def __init__(self, rows: "Rows | StreamedRows | Features", layer: nn.Module):
        self.rows = rows
        self.layer = layer.eval()
        self.weight = rows.weight
        self.device, self.index_device = rows.device, rows.index_device
        self.n_rows = rows.n_rows

    def __len__(self) -> int:
        return self.n_rows

    @torch.no_grad()
    def __getitem__(self, index) -> tuple[tuple[Tensor], Tensor | None]:
        (x,), weight = self.rows[index]
        return (self.layer(x),), weight


def pretrain(module: ObjectiveModule, rows, validation, net: Callable[..., Net]) -> None:
    """Train each layer of an autoencoder with its mirror image, from the data to the code.

    Layers are trained to reconstruct what the layers below make of the rows, corrupted as
    the rows are; skip connections start at zero. `net` makes a net from a module, rows and
    validation rows. An interrupt is re-raised.
    """
    objective = clone(module.objective).set_params(sparsity=0.0, contraction=0.0)
    for pair in layer_pairs(module.model):
        stage = net(ObjectiveModule(pair, objective), rows, validation)
        train(stage, rows)
        if stage.interrupted:
            raise KeyboardInterrupt
        rows = Features(rows, pair.encoder)
        validation = validation and Features(validation, pair.encoder)
    for stack in module.model.modules():
        for linear in stack.shortcut if isinstance(stack, Stack) else ():
            nn.init.zeros_(linear.weight)
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)
    module.model.train()
