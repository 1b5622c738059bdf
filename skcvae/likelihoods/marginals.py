"""Means of rows, and working responses: where a likelihood starts that ignores x."""

import torch
from torch import Tensor


def mean_of(y: Tensor, weight: Tensor | None) -> Tensor:
    """Return the weighted mean over rows, of shape (...).

    Parameters
    ----------
    y : Tensor of shape (n_rows, ...)
        Rows.
    weight : Tensor of shape (n_rows,) or None
        Weights; None are equal ones.

    Returns
    -------
    Tensor of shape (...)
        The mean.
    """
    return y.mean(0) if weight is None else torch.tensordot(weight, y, 1) / weight.sum()


def share_of(y: Tensor, weight: Tensor | None, prior_share: float = 0.5) -> Tensor:
    """Return the weighted mean of shares, with one more row that has the prior share.

    Parameters
    ----------
    y : Tensor of shape (n_rows, ...)
        Numbers in [0, 1].
    weight : Tensor of shape (n_rows,) or None
        Weights; None are equal ones.
    prior_share : float, default=0.5
        Keeps the mean from 0 and 1.

    Returns
    -------
    Tensor of shape (...)
        In (0, 1).
    """
    return (len(y) * mean_of(y, weight) + prior_share) / (len(y) + 1)


def logit_response(y: Tensor, share: Tensor) -> Tensor:
    """Return the working response of logits at a share.

    Parameters
    ----------
    y : Tensor of shape (n_rows, ...)
        Numbers in [0, 1].
    share : Tensor of shape (...)
        In (0, 1).

    Returns
    -------
    Tensor of shape (n_rows, ...)
        Of mean zero where the share is the mean of y.
    """
    return (y - share) / (share * (1 - share))
