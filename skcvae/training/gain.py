"""Whether one model is better than another on the same rows, by more than chance."""

import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from skcvae.data.batches import Rows, StreamedRows
from skcvae.data.coding import FORWARD_ROWS, slices
from skcvae.data.hold_out import belonging
from skcvae.data.weights import effective_rows

LEVEL = 0.975  # at which few rows widen the standard error, as Student's t the normal


def exceeds_its_error(gain: Tensor, weight: Tensor) -> bool:
    """Return whether a mean gain exceeds its standard error, which few rows widen.

    One row has none.

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
    n_rows = effective_rows(share)
    if n_rows < 1.5:
        return False
    mean = share @ gain
    widening = stdtrit(n_rows - 1, LEVEL) / ndtri(LEVEL) * (n_rows / (n_rows - 1)) ** 0.5
    error = (share * (gain - mean)).norm() * widening
    return bool(mean > error.nan_to_num())


def by_group(rows: Rows | StreamedRows, gain: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean gain, and the weight, of each group: more rows of it tell little new.

    Parameters
    ----------
    rows : Rows or StreamedRows
        Without groups, copies of a row of x are one; these are read in blocks.
    gain, weight : Tensor of shape (n_rows,)
        Of each row.

    Returns
    -------
    gain, weight : Tensor of shape (n_groups,)
        Of each group.
    """
    if rows.group is None and len(rows[slice(1)][0]) < 2:
        return gain, weight
    blocks = slices(len(rows), FORWARD_ROWS)
    x = (row for block in blocks for row in rows[block][0][0].cpu().numpy())
    number = torch.from_numpy(belonging(x, rows.group)).to(gain.device)
    n_groups = int(number.max()) + 1
    total = gain.new_zeros(n_groups).index_add(0, number, weight)
    return gain.new_zeros(n_groups).index_add(0, number, weight * gain) / total, total
