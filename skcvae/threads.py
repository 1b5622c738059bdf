"""CPU threads of a fit or a prediction: no more than its matrix products can use.

Threads of OpenMP wait for each other by spinning. Where other processes have the cores, small
products take many times longer on all threads than on one.
"""

import contextlib
import functools
import math

import torch
from threadpoolctl import ThreadpoolController
from torch import nn

THREAD_WORK = 2**22  # multiply-adds of a product that pay for a thread


def row_work(module: nn.Module) -> float:
    """Return the multiply-adds of the largest product for one row; infinity with convolutions."""
    weights = [weight for weight in module.parameters() if weight.ndim > 1]
    return max((weight.numel() if weight.ndim == 2 else math.inf for weight in weights), default=0)


def limited(work: float, n_threads: str | int = "auto") -> contextlib.AbstractContextManager:
    """Return a context in which torch takes so many threads, in the calling thread alone.

    Parameters
    ----------
    work : float
        Multiply-adds of the largest product.
    n_threads : "auto" or int, default="auto"
        "auto" takes as many as the work pays for, at most those it would take anyway.
    """
    available = torch.get_num_threads()
    if n_threads == "auto":
        n_threads = int(min(max(work / THREAD_WORK, 1), available))
    if n_threads == available:
        return contextlib.nullcontext()
    return _openmp().limit(limits=n_threads)


@functools.cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")
