"""Bounds on logarithms that the networks predict, within which their exponentials are finite."""

import torch
from torch import Tensor

# A number is at most as many times the mean as there are rows, but may be much smaller.
LOWEST, HIGHEST = -20.0, 10.0
STRAIGHT = 0.5  # of a bound, up to which numbers stay as they are


def bounded(number: Tensor, low: float = LOWEST, high: float = HIGHEST) -> Tensor:
    """Return numbers between two bounds, most of which are unchanged.

    Parameters
    ----------
    number : Tensor
        Any numbers.
    low, high : float, default=-20 and 10
        Bounds below and above zero.

    Returns
    -------
    Tensor of the same shape
        The number itself within half of the bounds; the slope is continuous.
    """
    inside, room = _inside(number, low, high)
    return inside + room * ((number - inside) / room).tanh()


def unbounded(number: Tensor, low: float = LOWEST, high: float = HIGHEST) -> Tensor:
    """Return what `bounded` maps to these numbers, or nearly, if they are not within the bounds.

    Parameters
    ----------
    number : Tensor
        Any numbers.
    low, high : float, default=-20 and 10
        Bounds below and above zero.

    Returns
    -------
    Tensor of the same shape
        The inverse.
    """
    inside, room = _inside(number, low, high)
    return inside + room * ((number - inside) / room).clamp(-0.99, 0.99).atanh()


def _inside(number: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Return the part that stays as it is, and the room up to the bounds."""
    inside = number.clamp(STRAIGHT * low, STRAIGHT * high)
    return inside, (1 - STRAIGHT) * torch.where(number < 0, -low, high)
