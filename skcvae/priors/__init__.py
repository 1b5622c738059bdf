r"""What is assumed of the latent variables given x: :math:`p(z \mid x)`.

A prior is a small parameter object. Its `build` returns a module that reads the
prior network's output, numbers of its `parameter_shape` for each row, as a
:class:`torch.distributions.Distribution` over z. A draw of z follows from standard
normal noise of its `noise_shape` by :func:`skcvae.distributions.reparameterize`.

========== ============================================== ================= ==============
prior      p(z|x)                                         KL(q || p)        z* of `predict`
========== ============================================== ================= ==============
Gaussian   diagonal Gaussian                              exact             the mean
Standard   N(0, I)                                        exact             zero
Mixture    diagonal Gaussians, weighed                    from the draws    see there
Flow       diagonal Gaussian bent by a normalising flow   from the draws    see there
========== ============================================== ================= ==============
"""

from skcvae.priors.flow import Flow
from skcvae.priors.gaussian import Gaussian, Standard
from skcvae.priors.mixture import Mixture

__all__ = ["Flow", "Gaussian", "Mixture", "Standard"]
