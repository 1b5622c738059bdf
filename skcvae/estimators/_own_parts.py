"""A trial of priors and objectives of the user's own classes, before training."""

from copy import deepcopy

import torch
from torch import Tensor

from skcvae.model import check_prior
from skcvae.objectives.base import Bound
from skcvae.training.net import ObjectiveModule


def check_own_parts(parts, module, n_samples, rows):
    """Raise an error if a part of the user's own class cannot be trained with.

    The module, on the CPU, is left as it is.
    """
    prior, objective = parts.prior, parts.finetuned or parts.objective
    if not (_is_own(prior) or _is_own(objective)):
        return
    arrays = [part.cpu() for part in rows[slice(2)][0]]
    if _is_own(prior):
        check_prior(module.model, *(None, *arrays)[-2:-1], prior)
    if _is_own(objective):
        trial = ObjectiveModule(module.model, deepcopy(objective), n_samples).eval()
        n_draws, *shape = trial.noise_shape
        noise = arrays[0].new_zeros(n_draws, len(arrays[0]), *shape)
        with torch.enable_grad():
            _check_bound(trial(arrays, noise), len(arrays[0]), objective)
        module.model.train()


def _is_own(part) -> bool:
    return part is not None and not type(part).__module__.startswith("skcvae.")


def _check_bound(bound, n_rows, objective):
    """Refuse what is no Bound, or has not a number for each example."""
    fits = isinstance(bound, Bound) and all(isinstance(term, Tensor) for term in bound)
    if fits:
        fits = bound.reconstruction.shape == bound.kl.shape[:1] == (n_rows,) and bound.kl.ndim < 3
    if not fits:
        raise ValueError(
            f"objective={objective!r} must return a skcvae.objectives.Bound of tensors, for "
            f"{n_rows} examples of shape ({n_rows},), or the kl of several latent scales "
            f"({n_rows}, n_latent_scales); its bound returned {_told(bound)}."
        )
    if not any(term.requires_grad for term in bound):
        raise ValueError(
            f"objective={objective!r} must return a bound that depends on the networks; it has no "
            "gradient."
        )


def _told(bound) -> str:
    if not isinstance(bound, tuple):
        return f"a {type(bound).__name__}"
    terms = ", ".join(str(tuple(getattr(term, "shape", ()))) for term in bound)
    return f"a {type(bound).__name__} of shapes {terms}"
