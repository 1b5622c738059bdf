"""In what precision training multiplies matrices, and for how long."""

import contextlib
import threading

import torch


class TensorFloat32:
    """Let float32 products have ten bits, on the GPUs that can, while any fit wants it.

    torch has one switch for the whole process. It is turned by the first fit
    that asks and turned back by the last, whatever threads they run in.
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.n_users = 0

    def __enter__(self) -> None:
        with self.lock:
            if not self.n_users:
                self.before = torch.get_float32_matmul_precision()
                torch.set_float32_matmul_precision("high")
            self.n_users += 1

    def __exit__(self, *error) -> None:
        with self.lock:
            self.n_users -= 1
            if not self.n_users:
                torch.set_float32_matmul_precision(self.before)


tensor_float_32 = TensorFloat32()


def of_products(precision: str, device: torch.device) -> contextlib.AbstractContextManager:
    """Return a context for the products of a batch.

    Parameters
    ----------
    precision : {"float32", "tf32", "bfloat16"}
        Weights and everything but products stay in float32.
    device : torch.device
        Where the networks are.

    Returns
    -------
    context manager
        For the forward pass; the backward pass follows it.
    """
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def of_fit(precision: str) -> contextlib.AbstractContextManager:
    """Return a context for a whole fit.

    Parameters
    ----------
    precision : {"float32", "tf32", "bfloat16"}
        Only "tf32" changes anything.

    Returns
    -------
    context manager
        Forward and backward passes alike.
    """
    return tensor_float_32 if precision == "tf32" else contextlib.nullcontext()
