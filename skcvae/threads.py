"""CPU threads of a fit or a prediction: no more than its matrix products can use.

Threads of OpenMP wait for each other by spinning. Where other processes have the cores, small
products take many times longer on all threads than on one.
"""

import contextlib
import functools
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from threadpoolctl import ThreadpoolController
from torch import nn

THREAD_WORK = 3 * 2**20  # multiply-adds of a product that may pay for a thread
TRIED_SHARE = 1 / 20  # of the time
LATEST = 0.3  # weight of the latest step in a mean time


def row_work(module: nn.Module) -> float:
    """Return the multiply-adds of the largest product for one row; infinity with convolutions."""
    weights = [weight for weight in module.parameters() if weight.ndim > 1]
    return max((w.numel() if w.ndim == 2 else math.inf for w in weights), default=0)


def limited(work: float, n_threads: str | int = "auto") -> contextlib.AbstractContextManager:
    """Return a context in which torch takes so many threads, in the calling thread alone.

    "auto" takes as many as the work, multiply-adds of the largest product, pays for, at most
    those it would take anyway; a number, at most one for each core.
    """
    available = torch.get_num_threads()
    if n_threads == "auto":
        n_threads = int(min(max(work / THREAD_WORK, 1), available))
    n_threads = min(n_threads, max(os.cpu_count() or 1, available))
    if n_threads == available:
        return contextlib.nullcontext()
    return _openmp().limit(limits=n_threads)


@dataclass
class Pace:
    """One thread for a step or all, whichever was faster on average in the steps before.

    Other processes come and go: the slower one is tried again, for a small share of the time
    spent in steps. `seconds` are those of a step of size one with one thread, and with all; zero
    is not known.
    """

    n_threads: str | int
    seconds: dict[bool, float] = field(default_factory={False: 0.0, True: 0.0}.copy)
    spent: float = 0.0
    due: float = math.inf  # seconds in steps before the next trial

    def step(self, size: float = 1) -> contextlib.AbstractContextManager:
        """Return a context for a step, whose time grows with its size, in which it has threads."""
        chooses = self.n_threads == "auto" and torch.get_num_threads() > 1
        return self._timed(size) if chooses else contextlib.nullcontext()

    @contextlib.contextmanager
    def _timed(self, size: float) -> Iterator[None]:
        start = time.perf_counter()
        is_trial = self.spent >= self.due
        takes_all = min(self.seconds, key=self.seconds.get) ^ is_trial
        with contextlib.nullcontext() if takes_all else _openmp().limit(limits=1):
            yield
        duration = time.perf_counter() - start
        self.spent += duration
        seconds, before = duration / size, self.seconds[takes_all]
        # A mean: beside a busy process one step on all threads can be fast, and the next slow.
        self.seconds[takes_all] = before + LATEST * (seconds - before) if before else seconds
        if is_trial or not before:
            self.due = self.spent + duration / TRIED_SHARE


@functools.cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")
