"""Devices to train on."""

import torch


def available_device(name):
    """Return the device to train on; "auto" takes CUDA if available."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    n_mps = int(torch.backends.mps.is_available())
    known = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": n_mps}
    if kind not in known or (index and not index.isdigit()) or int(index or 0) >= known[kind]:
        raise ValueError(
            "device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps', and be available: got "
            f"{name!r} on a machine with {known['cuda']} CUDA devices and {n_mps} MPS devices."
        )
    return name
