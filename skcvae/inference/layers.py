"""The layers of an image: what a layered decoder composes."""

import torch
from torch import Tensor

from skcvae.model import Model
from skcvae.networks.layered import Layers


def layers(model: Model, x: Tensor, z: Tensor) -> Layers:
    """Return the mean image with the gate at one and at zero, and the gate.

    Parameters
    ----------
    model : Model
        A model of a layered architecture.
    x : Tensor of shape (n, ...)
        Inputs.
    z : Tensor of shape (n_draws, n, latent_dim)
        Latent variables.

    Returns
    -------
    Layers
        Foreground and background of shape (n_draws, n, ...), as y is coded; gates in [0, 1] of
        shape (n_draws, n, height, width).
    """
    head, likelihood = model.output.head, model.output.likelihood
    found = head.layers(model.generation.given(x)(z))

    def image(logit: float) -> Tensor:
        gate = torch.full_like(found.gate, logit)
        return likelihood(head.composed(found._replace(gate=gate))).mean

    return Layers(image(torch.inf), image(-torch.inf), found.gate.sigmoid().squeeze(-3))
