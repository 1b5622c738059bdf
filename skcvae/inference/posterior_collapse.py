r"""Posterior collapse: the KL term of each latent variable.

A latent variable is *active* if the mean over rows of

.. math:: KL\left(q(z_j|x,y) \,\|\, N(m_j(x), s_j^2(x))\right)

is above 0.01 nats, with :math:`m_j` and :math:`s_j` the mean and the standard
deviation of :math:`p(z_j|x)`. For a Gaussian prior the KL term of the objective is the
sum of these terms; at several latent scales those of each scale are given the means of the
coarser ones. Other priors are replaced by a Gaussian with the same moments, since q
is Gaussian and a collapsed q equals its prior. The usual criterion for the prior N(0, I),
the variance over rows of :math:`E_q[z_j]` (Burda, Grosse and Salakhutdinov, 2016), would
count a variable that depends on x only.
"""

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal, kl_divergence

from skcvae.distributions import HierarchicalGaussian, is_gaussian
from skcvae.model import Model

ACTIVE = 0.01  # nats


def kl_by_unit(model: Model, x: Tensor | None, y: Tensor) -> Tensor:
    """Return the KL term of each latent variable.

    Parameters
    ----------
    model : Model
        A model with a recognition network.
    x : Tensor of shape (n, ...) or None
        Inputs; None where the model has nothing to condition on.
    y : Tensor of shape (n, ...)
        Outputs.

    Returns
    -------
    Tensor of shape (n, n_latent)
        Nats, non-negative; a latent map is flattened.
    """
    return kl_of_units(model.recognition(x, y), model.condition(x).prior)


def kl_of_units(q: Distribution, p: Distribution) -> Tensor:
    """Return the KL term of each latent variable from q and the prior."""
    if isinstance(q, HierarchicalGaussian):
        z = q.mean
        pairs = zip(q.given(z), p.given(z), strict=True)
        return torch.cat([kl_of_units(of_q, of_p) for (of_q, _), (of_p, _) in pairs], 1)
    terms = kl_divergence(*(Normal(d.mean, d.stddev, validate_args=False) for d in (q, p)))
    return terms.flatten(1)


def has_units(prior: Distribution) -> bool:
    """Return whether the KL terms of a prior have a closed form, quick enough for each epoch."""
    return is_gaussian(prior) or isinstance(prior, HierarchicalGaussian)
