r"""The mode of the posterior of z, by gradient ascent.

.. math:: z^* = \arg\max_z \; \log p(y \mid x, z) + \log p(z \mid x)

The recognition network gives the start. Each row is optimised for itself: Adam scales every
latent variable of every row by its own gradients.
"""

import torch
from torch import Tensor

from skcvae.model import Conditional, Model

STEP = 0.05  # of Adam, in units of z


def posterior_mode(model: Model, x: Tensor, y: Tensor, n_steps: int) -> Tensor:
    """Return the best z of `n_steps` steps of Adam and of their start.

    Parameters
    ----------
    model : Model
        A model with latent variables.
    x : Tensor of shape (n, ...)
        Inputs.
    y : Tensor of shape (n, ...)
        Outputs.
    n_steps : int
        Gradient steps.

    Returns
    -------
    Tensor of shape (n, ...)
        Latent variables, at which the log joint density is at least that of the start: the
        mean of q(z|x,y), or of p(z|x) without a recognition network.
    """
    # Tensors of inference mode cannot be differentiated.
    with torch.inference_mode(False):
        x, y = x.clone(), y.clone()
        with torch.no_grad():
            given = model.condition(x)
            start = given.prior if model.recognition is None else model.recognition(x, y)
            z = start.mean.clone()
        optimizer = torch.optim.Adam([z], lr=STEP)
        best, highest = z.clone(), torch.full_like(y.flatten(1)[:, 0], -torch.inf)
        for _ in range(n_steps + 1):
            log_p, z.grad = _log_joint(given, y, z)
            better = log_p > highest
            highest = log_p.where(better, highest)
            best = z.where(better.reshape(-1, *[1] * (z.ndim - 1)), best)
            optimizer.step()
        return best


def _log_joint(given: Conditional, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return log p(y,z|x) of each row, and the gradient that descends from it."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        log_p = given.likelihood(z[None]).log_prob(y)[0] + given.prior.log_prob(z)
        (gradient,) = torch.autograd.grad(log_p.sum(), [z])
    return log_p.detach(), -gradient
