"""TensorFloat-32 products on GPUs during a fit."""

import threading

import torch


class TensorFloat32:
    """Temporarily set torch's process-wide precision of float32 products to TensorFloat-32.

    The first fit that asks sets it, and the last one restores it, also across threads.
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
