"""Training objectives: what is maximised, one value per example.

====================== ============================================================ ===========
objective              per example, L draws of z                                    proposal
====================== ============================================================ ===========
`ELBO`                 variational lower bound of log p(y|x)                        q(z|x,y)
`IWAE`                 importance-weighted bound, tighter with more draws           q(z|x,y)
`GSNN`                 mean of log p(y|x,z)                                         p(z|x)
`MonteCarloLikelihood` log of the mean of p(y|x,z)                                  p(z|x)
`Hybrid`               alpha ELBO + (1 - alpha) GSNN                                both
`Deterministic`        log p(y|x) of a model without z                              none
`MultiScale`           any of these plus y at coarser resolutions, by `n_scales`    its own
====================== ============================================================ ===========

An objective is a small parameter object with a method
:meth:`~skcvae.objectives.Objective.bound`. To train with an objective of your own,
subclass :class:`Objective` and pass an instance as the parameter `objective`.
"""

from skcvae.objectives.base import Bound, Objective
from skcvae.objectives.deterministic import Deterministic
from skcvae.objectives.elbo import ELBO
from skcvae.objectives.gsnn import GSNN
from skcvae.objectives.hybrid import Hybrid
from skcvae.objectives.iwae import IWAE
from skcvae.objectives.monte_carlo import MonteCarloLikelihood
from skcvae.objectives.multiscale import MultiScale

__all__ = [
    "ELBO",
    "GSNN",
    "IWAE",
    "Bound",
    "Deterministic",
    "Hybrid",
    "MonteCarloLikelihood",
    "MultiScale",
    "Objective",
]
