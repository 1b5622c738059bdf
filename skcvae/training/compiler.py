"""The option `compile`: whether to train through torch's compiler, and its parameters."""

import torch
from torch import nn


def compiler_params(compiler: bool | dict) -> dict | None:
    """Return the parameters of `torch.compile`, or None if it is not to be used."""
    return compiler if isinstance(compiler, dict) else {} if compiler else None


def check_compiler(params: dict) -> None:
    """Refuse parameters that `torch.compile` does not take; it compiles at the first step."""
    try:
        torch.compile(nn.Identity(), **params)
    except Exception as error:
        raise ValueError(
            f"compile={params!r} cannot be used: {error}. Expected a bool, or parameters of "
            "torch.compile."
        ) from error
