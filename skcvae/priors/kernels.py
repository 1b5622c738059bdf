r"""Covariances of scikit-learn's kernels between rows of tensors.

scikit-learn's kernel objects hold the parameters, and its regressor finds them; here they
are evaluated on batches and devices, and where a fitted model is exported.
"""

from collections.abc import Callable
from functools import singledispatch

import numpy as np
import torch
from sklearn.gaussian_process import kernels
from torch import Tensor

KERNELS = (
    kernels.ConstantKernel,
    kernels.DotProduct,
    kernels.ExpSineSquared,
    kernels.Exponentiation,
    kernels.Matern,
    kernels.Product,
    kernels.RationalQuadratic,
    kernels.RBF,
    kernels.Sum,
    kernels.WhiteKernel,
)
MATERN: dict[float, Callable[[Tensor], Tensor]] = {  # of the distance over the length scale
    0.5: lambda r: (-r).exp(),
    1.5: lambda r: (1 + 3**0.5 * r) * (-(3**0.5) * r).exp(),
    2.5: lambda r: (1 + 5**0.5 * r + 5 / 3 * r.square()) * (-(5**0.5) * r).exp(),
    np.inf: lambda r: (-r.square() / 2).exp(),
}


@singledispatch
def covariance(kernel: kernels.Kernel, a: Tensor, b: Tensor) -> Tensor:
    """Return the covariances between rows; white noise has none between two rows.

    Parameters
    ----------
    kernel : Kernel
        One of scikit-learn's kernels: constant, white, dot product, RBF, Matern of
        nu 0.5, 1.5, 2.5 or infinity, rational quadratic, exponential sine squared; their
        sums, products and powers.
    a : Tensor of shape (..., n, d)
        Rows.
    b : Tensor of shape (..., m, d)
        Rows.

    Returns
    -------
    Tensor of shape (..., n, m)
        What ``kernel(a, b)`` is.

    Raises
    ------
    ValueError
        If the kernel is none of these, or has another number of length scales than there
        are columns.
    """
    raise ValueError(
        "The 'kernel' parameter of GaussianProcess must be made of "
        f"{', '.join(cls.__name__ for cls in KERNELS)}, got {kernel!r}."
    )


def variance(kernel: kernels.Kernel, a: Tensor) -> Tensor:
    """Return the variance of each row, with white noise.

    Parameters
    ----------
    kernel : Kernel
        As of :func:`covariance`.
    a : Tensor of shape (..., n, d)
        Rows.

    Returns
    -------
    Tensor of shape (..., n)
        What ``kernel.diag(a)`` is.
    """
    if isinstance(kernel, kernels.Sum):
        return variance(kernel.k1, a) + variance(kernel.k2, a)
    if isinstance(kernel, kernels.Product):
        return variance(kernel.k1, a) * variance(kernel.k2, a)
    if isinstance(kernel, kernels.Exponentiation):
        return variance(kernel.kernel, a) ** kernel.exponent
    if isinstance(kernel, kernels.WhiteKernel):
        return a.new_full(a.shape[:-1], kernel.noise_level)
    return covariance(kernel, a[..., None, :], a[..., None, :])[..., 0, 0]


def gram(kernel: kernels.Kernel, a: Tensor, jitter: float) -> Tensor:
    """Return the covariance matrix of rows, with white noise on its diagonal.

    Parameters
    ----------
    kernel : Kernel
        As of :func:`covariance`.
    a : Tensor of shape (..., n, d)
        Rows.
    jitter : float
        Added to the diagonal, as a share of it, so that the matrix has a Cholesky factor.

    Returns
    -------
    Tensor of shape (..., n, n)
        What ``kernel(a)`` is.
    """
    diagonal = torch.diag_embed(variance(kernel, a) * (1 + jitter))
    off = ~torch.eye(a.shape[-2], dtype=torch.bool, device=a.device)
    return covariance(kernel, a, a) * off + diagonal


@covariance.register
def _(kernel: kernels.Sum, a: Tensor, b: Tensor) -> Tensor:
    return covariance(kernel.k1, a, b) + covariance(kernel.k2, a, b)


@covariance.register
def _(kernel: kernels.Product, a: Tensor, b: Tensor) -> Tensor:
    return covariance(kernel.k1, a, b) * covariance(kernel.k2, a, b)


@covariance.register
def _(kernel: kernels.Exponentiation, a: Tensor, b: Tensor) -> Tensor:
    return covariance(kernel.kernel, a, b) ** kernel.exponent


@covariance.register
def _(kernel: kernels.ConstantKernel, a: Tensor, b: Tensor) -> Tensor:
    return _between(a, b).mul(0).add(kernel.constant_value)


@covariance.register
def _(kernel: kernels.WhiteKernel, a: Tensor, b: Tensor) -> Tensor:
    return _between(a, b).mul(0)


@covariance.register
def _(kernel: kernels.DotProduct, a: Tensor, b: Tensor) -> Tensor:
    return a @ b.mT + kernel.sigma_0**2


@covariance.register
def _(kernel: kernels.RBF, a: Tensor, b: Tensor) -> Tensor:
    return MATERN[np.inf](_distance(a, b, kernel.length_scale))


@covariance.register
def _(kernel: kernels.Matern, a: Tensor, b: Tensor) -> Tensor:
    if kernel.nu not in MATERN:
        raise ValueError(f"Matern must have nu in {sorted(MATERN)}, got {kernel!r}.")
    return MATERN[kernel.nu](_distance(a, b, kernel.length_scale))


@covariance.register
def _(kernel: kernels.RationalQuadratic, a: Tensor, b: Tensor) -> Tensor:
    squared = _distance(a, b, kernel.length_scale).square()
    return (1 + squared / (2 * kernel.alpha)) ** -kernel.alpha


@covariance.register
def _(kernel: kernels.ExpSineSquared, a: Tensor, b: Tensor) -> Tensor:
    wave = (torch.pi / kernel.periodicity * _distance(a, b, 1.0)).sin()
    return (-2 * (wave / kernel.length_scale).square()).exp()


def _between(a: Tensor, b: Tensor) -> Tensor:
    """Return zeros of the shape (..., n, m)."""
    return a[..., :1] * 0 + (b[..., :1] * 0).mT


def _distance(a: Tensor, b: Tensor, length_scale) -> Tensor:
    scale = torch.as_tensor(length_scale, dtype=a.dtype, device=a.device)
    if scale.ndim and len(scale) != a.shape[-1]:
        raise ValueError(
            f"The kernel has {len(scale)} length scales, expected one, or one for each of the "
            f"{a.shape[-1]} numbers of a row of X."
        )
    return torch.cdist(a / scale, b / scale, compute_mode="donot_use_mm_for_euclid_dist")
