r"""Gaussian noise of images, with a structured precision matrix.

The residual of an image in units of its scales, :math:`u = (y - \mu) / \sigma`, has d numbers
and the precision

.. math::

    \Lambda = c \, (a I + m M + g L), \qquad
    M = I + P \, \mathrm{diag}(v_K / v_k - 1) \, P^\top,

with K principal components, the columns of P, their variances :math:`v_1 \ge \dots \ge v_K`,
and :math:`L`, for which :math:`u^\top L u` is the sum of the squared first differences of u,
horizontal and vertical. The constant c makes :math:`|\Lambda| = 1`.

The two-dimensional discrete cosine transform F diagonalises L, so that :math:`A = F (a I + m I +
g L) F^\top` is diagonal. With the thin QR decomposition :math:`A^{-1/2} F P = QR` and the
eigendecomposition :math:`m R \, \mathrm{diag}(v_K / v_k - 1) R^\top = U \mathrm{diag}(t) U^\top`,

.. math::

    \Lambda = F^\top A^{1/2} \bigl(I + V \mathrm{diag}(t) V^\top\bigr) A^{1/2} F, \qquad V = QU,

which gives the determinant, a square root and its inverse. The cost is that of F and
of 2 K products of images.
"""

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.distributions.latent import LOG_ROOT_2_PI


class FieldNoise(nn.Module):
    r"""Noise of images with precision :math:`\Lambda`, of determinant one.

    Parameters
    ----------
    shape : tuple of int
        Shape of one image, (height, width) or (channels, height, width).
    l2, mahalanobis, gradient : float
        The weights a, m and g, not negative; a + m is positive.
    components : ndarray of shape (n_components,) + shape
        Orthonormal principal components.
    variances : ndarray of shape (n_components,)
        Their variances, positive.

    Attributes
    ----------
    l2 : float
        The weight of the identity after normalisation, c a.
    variance : Tensor of shape `shape`
        Diagonal of the inverse of the precision.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        l2: float,
        mahalanobis: float,
        gradient: float,
        components: np.ndarray,
        variances: np.ndarray,
    ):
        super().__init__()
        self.shape = tuple(shape)
        (down, low), (across, high) = map(cosines, self.shape[-2:])
        a = l2 + mahalanobis + gradient * np.add.outer(low, high)
        a = np.broadcast_to(a, self.shape)
        turned = (down @ components @ across.T / np.sqrt(a)).reshape(-1, a.size)
        Q, R = np.linalg.qr(turned.T)
        excess = mahalanobis * (variances.min(initial=math.inf) / variances - 1)
        t, U = np.linalg.eigh(R * excess @ R.T)
        V = (Q @ U).T
        normaliser = math.exp(-(np.log(a).sum() + np.log1p(t).sum()) / a.size)
        gain = np.sqrt(normaliser * a)
        colored = down.T @ (V.reshape(-1, *self.shape) / gain) @ across
        variance = np.square(down).T @ (1 / gain**2) @ np.square(across)
        variance = variance + np.tensordot(1 / (1 + t) - 1, colored**2, 1)
        self.l2 = normaliser * l2
        for name, array in {
            "down": down, "across": across, "gain": gain, "directions": V,
            "stretch": np.sqrt(1 + t) - 1, "shrinkage": 1 / np.sqrt(1 + t) - 1,
            "variance": variance,
        }.items():  # fmt: skip
            tensor = torch.tensor(array, dtype=torch.get_default_dtype())
            self.register_buffer(name, tensor, persistent=False)

    def whiten(self, u: Tensor) -> Tensor:
        """Map noise to independent standard normal numbers.

        Parameters
        ----------
        u : Tensor of shape batch + shape
            Residuals in units of their scales.

        Returns
        -------
        Tensor of the same shape
            The squared norm is the quadratic form of the precision.
        """
        # In bfloat16 the quadratic form of a large image would be wrong by whole nats.
        with torch.autocast(u.device.type, enabled=False):
            return self._along(self.gain * (self.down @ u @ self.across.mT), self.stretch)

    def color(self, noise: Tensor) -> Tensor:
        """Map independent standard normal numbers to noise: the inverse of `whiten`.

        Parameters
        ----------
        noise : Tensor of shape batch + shape
            Independent standard normal numbers.

        Returns
        -------
        Tensor of the same shape
            Draws with the precision matrix.
        """
        return self.down.mT @ (self._along(noise, self.shrinkage) / self.gain) @ self.across

    def _along(self, image: Tensor, factors: Tensor) -> Tensor:
        """Return (I + V' diag(factors) V) times an image."""
        flat = image.flatten(-len(self.shape))
        share = (flat @ self.directions.mT * factors) @ self.directions
        return image + share.unflatten(-1, self.shape)


class FieldGaussian(Distribution):
    r"""Images with Gaussian noise of a structured precision.

    .. math::

        \log p(y) = -\tfrac12 u^\top \Lambda u - \sum_j \log \sigma_j - \tfrac d2 \log 2\pi,
        \qquad u = (y - \mu) / \sigma, \quad |\Lambda| = 1.

    Parameters
    ----------
    loc : Tensor of shape batch + event
        Means.
    scale : Tensor that broadcasts to `loc`
        Scales of the numbers.
    noise : FieldNoise
        The precision, the same for the whole batch.
    """

    arg_constraints: dict = {}

    def __init__(self, loc: Tensor, scale: Tensor, noise: FieldNoise):
        self.loc, self.scale, self.noise = loc, scale.expand_as(loc), noise
        batch = loc.shape[: loc.ndim - len(noise.shape)]
        super().__init__(batch, torch.Size(noise.shape), validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale.square() * self.noise.variance

    def expand(self, batch_shape, _instance=None) -> "FieldGaussian":
        shape, new = (*batch_shape, *self.event_shape), copy.copy(self)
        FieldGaussian.__init__(new, self.loc.expand(shape), self.scale.expand(shape), self.noise)
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        white = self.noise.whiten((value - self.loc) / self.scale)
        each = -0.5 * white.square() - self.scale.log() - LOG_ROOT_2_PI
        return each.flatten(-len(self.event_shape)).sum(-1)

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        shape = self._extended_shape(sample_shape)
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return (self.loc + self.scale * self.noise.color(noise)).detach()


def cosines(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the orthonormal discrete cosine transform, and what differences weigh in it.

    Parameters
    ----------
    n : int
        Number of pixels in a line.

    Returns
    -------
    basis : ndarray of shape (n, n)
        One cosine a row: the eigenvectors of the sum of squared first differences.
    eigenvalues : ndarray of shape (n,)
        The eigenvalue of each.
    """
    k = np.arange(n)
    basis = np.sqrt(2 / n) * np.cos(np.pi * np.outer(k, k + 0.5) / n)
    basis[0] /= math.sqrt(2)
    return basis, 4 * np.sin(np.pi * k / (2 * n)) ** 2
