"""Whether one model is better than another on the same rows, by more than chance."""

import math

import torch
from torch import Tensor

from skcvae.data.batches import Rows, StreamedRows
from skcvae.data.coding import FORWARD_ROWS, slices


def exceeds_its_error(gain: Tensor, weight: Tensor) -> bool:
    """Return whether a mean gain exceeds its standard error, which one row does not have.

    Parameters
    ----------
    gain, weight : Tensor of shape (n_rows,)
        The gain of each row, and its weight.

    Returns
    -------
    bool
        Whether it does; a mean of infinity does.
    """
    share = weight / weight.sum()
    n_rows = 1 / share.square().sum().item()  # of equal weight
    if n_rows < 1.5:
        return False
    mean = share @ gain
    error = (share * (gain - mean)).norm() * math.sqrt(n_rows / (n_rows - 1))
    return bool(mean > error.nan_to_num())


def by_inputs(rows: Rows | StreamedRows, gain: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean gain, and the weight, of each row of x: its copies tell nothing new.

    Parameters
    ----------
    rows : Rows or StreamedRows
        Read in blocks; without x each row is for itself.
    gain, weight : Tensor of shape (n_rows,)
        Of each row.

    Returns
    -------
    gain, weight : Tensor of shape (n_distinct,)
        Of each row of x that differs from the others.
    """
    if len(rows[slice(1)][0]) == 1:
        return gain, weight
    found: dict[bytes, int] = {}
    labels = [
        found.setdefault(row.tobytes(), len(found))
        for block in slices(len(rows), FORWARD_ROWS)
        for row in rows[block][0][0].cpu().numpy()
    ]
    label = torch.tensor(labels, device=gain.device)
    total = gain.new_zeros(len(found)).index_add(0, label, weight)
    return gain.new_zeros(len(found)).index_add(0, label, weight * gain) / total, total
