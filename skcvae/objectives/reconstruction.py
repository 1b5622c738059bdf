r"""The objective of an autoencoder :math:`\hat x = g(f(x))`: minus an error, minus penalties.

.. math::

    -\| x - g(f(\tilde x)) \|^2
        - \lambda \left\| \frac{\partial f(\tilde x)}{\partial \tilde x} \right\|_F^2
        - \beta \sum_j KL(\rho \,\|\, \hat\rho_j), \quad
    \tilde x = m \odot (x + \sigma \epsilon)

with :math:`\epsilon \sim N(0, I)`, a mask :math:`m` whose entries are 0 with a given
probability, and :math:`\hat\rho_j` the mean of code :math:`j` over a batch. The norms are sums
over the entries of a row.
"""

from numbers import Real
from statistics import NormalDist

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor
from torch.distributions import Bernoulli, kl_divergence

from skcvae.documented import Documented
from skcvae.model import Conditional
from skcvae.objectives.base import Bound


class Reconstruction(Documented):
    """The negative squared error of the reconstruction, and penalties of the code.

    Parameters
    ----------
    noise : float, default=0.0
        Standard deviation of the Gaussian noise that is added to the encoder's inputs.
    masking : float, default=0.0
        Probability with which an entry of the encoder's inputs is set to zero.
    sparsity : float, default=0.0
        Weight of the divergence between the mean activations of the code and their target.
    target_activation : float, default=0.05
        Target of the mean activations, which lie between 0 and 1.
    contraction : float, default=0.0
        Weight of the squared Frobenius norm of the encoder's Jacobian.

    References
    ----------
    Vincent, Larochelle, Lajoie, Bengio and Manzagol (2010), *Stacked Denoising Autoencoders*,
    JMLR, section 3.2.

    Rifai, Vincent, Muller, Glorot and Bengio (2011), *Contractive Auto-Encoders*, ICML,
    equation 1.

    Examples
    --------
    >>> from skcvae.objectives.reconstruction import Reconstruction
    >>> Reconstruction(noise=0.1, masking=0.2).noise_per_sample
    2
    """

    _parameter_constraints = {
        "noise": [Interval(Real, 0, None, closed="left")],
        "masking": [Interval(Real, 0, 1, closed="left")],
        "sparsity": [Interval(Real, 0, None, closed="left")],
        "target_activation": [Interval(Real, 0, 1, closed="neither")],
        "contraction": [Interval(Real, 0, None, closed="left")],
    }

    uses_latents = True
    uses_recognition = False
    draws_from_prior = False
    weighs_kl = True
    penalty = "penalty"
    max_grad_norm = None  # clipping moves the optimum: gradients grow with columns and far rows

    def __init__(
        self, noise=0.0, masking=0.0, sparsity=0.0, target_activation=0.05, contraction=0.0
    ):
        self.noise = noise
        self.masking = masking
        self.sparsity = sparsity
        self.target_activation = target_activation
        self.contraction = contraction

    @property
    def noise_per_sample(self) -> int:
        """Draws of noise of the shape of a row: one for each kind of corruption."""
        return bool(self.noise) + bool(self.masking)

    def bound(self, model, given: Conditional, x: None, y: Tensor, noise: Tensor) -> Bound:
        """Return the negative error and the penalties of each row.

        Parameters
        ----------
        model : EncoderDecoder
            The networks.
        given : Conditional
            Their decoder.
        x : None
            There is nothing to condition on.
        y : Tensor of shape (n, ...)
            Rows.
        noise : Tensor of shape (noise_per_sample, n, ...)
            Standard normal numbers.

        Returns
        -------
        Bound
            The two terms, in the squared units of the encoded rows.
        """
        read, learns = self.corrupted(y, noise), torch.is_grad_enabled()
        contracts = bool(self.contraction)
        with torch.set_grad_enabled(learns or contracts):
            read = read.detach().requires_grad_(contracts)
            code = model.latent_given(None, read).mean
        error = (y - given.likelihood(code).mean).square().flatten(1).sum(1)
        penalty = torch.zeros_like(error)
        if contracts:
            norm = squared_jacobian_norm(code, read, create_graph=learns)
            penalty = penalty + self.contraction * norm
        if self.sparsity:
            penalty = penalty + self.sparsity * sparsity_penalty(code, self.target_activation)
        return Bound(-error, penalty)

    def corrupted(self, x: Tensor, noise: Tensor) -> Tensor:
        """Return rows as the encoder reads them in training.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            Rows.
        noise : Tensor of shape (noise_per_sample, n, ...)
            Standard normal numbers: of the Gaussian noise, then of the mask.

        Returns
        -------
        Tensor of shape (n, ...)
            A copy, or the rows where there is no noise.
        """
        if self.noise:
            x = x + self.noise * noise[0]
        if self.masking:
            x = x * (noise[-1] > NormalDist().inv_cdf(self.masking))
        return x


def squared_jacobian_norm(code: Tensor, x: Tensor, *, create_graph: bool = False) -> Tensor:
    r"""Return :math:`\| \partial f(x) / \partial x \|_F^2` of each row, exactly.

    Parameters
    ----------
    code : Tensor of shape (n, n_components)
        Codes that were computed from x, row by row.
    x : Tensor of shape (n, ...)
        Rows that require gradients.
    create_graph : bool, default=False
        Whether the norm is to be differentiated.

    Returns
    -------
    Tensor of shape (n,)
        The sum of squares over all components and all entries of a row.
    """
    # Rows are independent, so the gradient of a sum over rows has that of each.
    each = torch.eye(code.shape[1], dtype=code.dtype, device=code.device)
    each = each[:, None].expand(-1, len(code), -1)
    (jacobian,) = torch.autograd.grad(
        code, x, each, create_graph=create_graph, is_grads_batched=True
    )
    return jacobian.square().sum(0).flatten(1).sum(1)


def sparsity_penalty(code: Tensor, target: float) -> Tensor:
    r"""Return :math:`\sum_j KL(\rho \,\|\, \hat\rho_j)` of the mean activations of a batch.

    Parameters
    ----------
    code : Tensor of shape (n, n_components)
        Activations between 0 and 1.
    target : float
        The target :math:`\rho`.

    Returns
    -------
    Tensor of shape ()
        The divergence between Bernoulli distributions, in nats.
    """
    mean = Bernoulli(code.mean(0), validate_args=False)
    return kl_divergence(Bernoulli(torch.full_like(mean.probs, target)), mean).sum()
