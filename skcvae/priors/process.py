r"""A Gaussian process given codes of rows: the module that a :class:`GaussianProcess` builds.

Codes have a mean and a scale, so that a row's process is a weighted sum of uncertain numbers.
With the reference's kernel :math:`\sqrt{\sigma_i \sigma_j}\,e(x_i, x_j)` the process is that of
:math:`z_i / \sqrt{\sigma_i}` with the covariance e.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from skcvae.priors.kernels import covariance, gram, variance

JITTER = 1e-8  # of the diagonal
MOST_NEIGHBORS = 2000  # up to which "auto" conditions on all rows
NEIGHBORS = 64  # beyond
PART = 256  # rows whose neighbours are found at once


class Weights(NamedTuple):
    """How the process at m rows depends on n codes.

    Parameters
    ----------
    share : Tensor of shape (m, n)
        Weights of the codes in the mean.
    left : Tensor of shape (m,)
        Variance that the codes leave.
    """

    share: Tensor
    left: Tensor

    @classmethod
    def of(cls, kernel, context: Tensor, x: Tensor, factor: Tensor | None = None) -> "Weights":
        """Return the weights of codes at rows `context` of shape (..., n, d), for rows x."""
        k = covariance(kernel, context, x)
        factor = factor_of(kernel, context) if factor is None else factor
        share = torch.cholesky_solve(k, factor)
        left = variance(kernel, x) - (share * k).sum(-2)
        return cls(share.mT, left.clamp_min(0))

    @classmethod
    def leave_one_out(cls, factor: Tensor) -> "Weights":
        """Return the weights of all other rows for each row."""
        inverse = torch.cholesky_inverse(factor)
        left = inverse.diagonal().reciprocal()
        share = -inverse * left[:, None]
        return cls(share - torch.diag(share.diagonal()), left)

    def mixed(self, mean: Tensor, scale: Tensor, *, encoder_scale: bool) -> tuple[Tensor, Tensor]:
        """Return mean and variance, each (..., m, L), from those of codes, each (..., n, L)."""
        share, left = self.share.to(mean.dtype), self.left.to(mean.dtype)[..., None]
        if not encoder_scale:
            return share @ mean, left + share.square() @ scale.square()
        own = (share @ scale.log()).exp()
        loc = own.sqrt() * (share @ (mean / scale.sqrt()))
        return loc, own * (left + share.square() @ scale)


def factor_of(kernel, x: Tensor) -> Tensor:
    """Return the Cholesky factor of the covariance of rows.

    Parameters
    ----------
    kernel : Kernel
        Of scikit-learn.
    x : Tensor of shape (..., n, d)
        Rows.

    Returns
    -------
    Tensor of shape (..., n, n)
        Lower triangular.

    Raises
    ------
    ValueError
        If the covariance of the rows is singular.
    """
    try:
        return torch.linalg.cholesky(gram(kernel, x, JITTER))
    except torch.linalg.LinAlgError as error:
        raise ValueError(
            f"The covariance of rows under kernel={kernel!r} is singular, expected positive "
            "definite: add a WhiteKernel, or take another kernel."
        ) from error


class Process(nn.Module):
    """The process given the codes of n rows; N(0, I) in training, and where n is zero.

    Attributes
    ----------
    parameter_shape : None
        The module reads x itself.
    x : Tensor of shape (n, d)
        Rows, float64.
    mean, scale : Tensor of shape (n, L)
        Their codes, with L the numbers of z.
    out_shape : tuple of int
        Of the largest tensor for a row, to plan memory by.
    """

    parameter_shape = None

    def __init__(
        self,
        latent_shape: tuple[int, ...],
        kernel,
        *,
        encoder_scale: bool,
        n_neighbors: int | str,
        min_scale: float,
    ):
        super().__init__()
        self.noise_shape = latent_shape
        self.kernel = kernel
        self.encoder_scale = encoder_scale
        self.n_neighbors = n_neighbors
        self.min_scale = min_scale
        for name in ("x", "mean", "scale"):
            self.register_buffer(name, torch.zeros(0, 1, dtype=torch.float64))
        self.register_buffer("factor", None, persistent=False)
        self.out_shape: tuple[int, ...] = ()
        self.register_load_state_dict_post_hook(_factorise)

    def allocate(self, n_rows: int, x_shape: tuple[int, ...]) -> None:
        """Make room for the codes of n rows; refuse a kernel that does not fit them."""
        self.x = self.x.new_zeros(n_rows, math.prod(x_shape))
        self.mean = self.x.new_zeros(n_rows, math.prod(self.noise_shape))
        self.scale = torch.ones_like(self.mean)
        some = self.x.new_zeros(1, self.x.shape[1])
        covariance(self.kernel, some, some)

    def condition(self, x: Tensor, mean: Tensor, scale: Tensor) -> None:
        """Condition the process on the codes of rows."""
        self.x, self.mean, self.scale = (part.flatten(1).double() for part in (x, mean, scale))
        _factorise(self)

    def forward(self, x: Tensor) -> Distribution:
        if self.training or not len(self.x):
            # The shape, not the length, which torch.export would take for a constant.
            zero = x.new_zeros(x.shape[0], *self.noise_shape)
            return self._normal(zero, torch.ones_like(zero))
        rows = x.flatten(1).to(self.x.dtype)
        if self.factor is not None:
            weights = Weights.of(self.kernel, self.x, rows, self.factor)
            return self.given(weights, self.mean, self.scale, x.dtype)
        nearest = covariance(self.kernel, rows, self.x).topk(self.n_nearest).indices
        weights = Weights.of(self.kernel, self.x[nearest], rows[:, None])
        return self.given(weights, self.mean[nearest], self.scale[nearest], x.dtype)

    def given(self, weights: Weights, mean: Tensor, scale: Tensor, dtype) -> Independent:
        """Return the process at rows with these weights of these codes."""
        found = weights.mixed(mean, scale, encoder_scale=self.encoder_scale)
        return self._normal(*(part.reshape(-1, *self.noise_shape).to(dtype) for part in found))

    @property
    def n_nearest(self) -> int:
        """Rows to condition each row on."""
        if self.n_neighbors == "auto":
            return len(self.x) if len(self.x) <= MOST_NEIGHBORS else NEIGHBORS
        return min(self.n_neighbors, len(self.x))

    def _normal(self, mean: Tensor, variance: Tensor) -> Independent:
        normal = Normal(mean, variance.sqrt(), validate_args=False)
        return Independent(normal, len(self.noise_shape), validate_args=False)


class Others:
    """The process at each row that a process is conditioned on, given the codes of the others.

    Codes of the rows of a batch are those of the recognition network now, so that gradients
    reach it through the process; codes of other rows are those of their last batch. Weights
    depend on x and the kernel alone, and are computed once.

    Parameters
    ----------
    process : Process
        With codes.
    """

    def __init__(self, process: Process):
        self.process = process
        self.renew()
        self.nearest = None
        if process.factor is not None:
            self.weights = Weights.leave_one_out(process.factor)
            return
        parts = [self._nearest(rows) for rows in torch.arange(len(process.x)).split(PART)]
        nearest, share, left = map(torch.cat, zip(*parts, strict=True))
        self.nearest, self.weights = nearest, Weights(share, left)

    def renew(self) -> None:
        """Take the codes of all rows from the process."""
        self.mean, self.scale = self.process.mean.float(), self.process.scale.float()

    def prior(self, index: Tensor, codes: Distribution) -> Independent:
        """Return p(z|x) of some rows, given their codes now and those of all others."""
        mean = self.mean.index_copy(0, index, codes.mean.flatten(1))
        scale = self.scale.index_copy(0, index, codes.stddev.flatten(1))
        self.mean, self.scale = mean.detach(), scale.detach()
        weights = Weights(*(part[index] for part in self.weights))
        if self.nearest is not None:
            mean, scale = mean[self.nearest[index]], scale[self.nearest[index]]
        return self.process.given(weights, mean, scale, codes.mean.dtype)

    def _nearest(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the rows nearest to some rows, and their weights."""
        kernel, x = self.process.kernel, self.process.x
        k = covariance(kernel, x[rows], x)
        k[torch.arange(len(rows)), rows] = -torch.inf
        nearest = k.topk(self.process.n_nearest).indices
        return nearest, *Weights.of(kernel, x[nearest], x[rows][:, None])


def _factorise(process: Process, *keys) -> None:
    """Set the Cholesky factor where the process is exact."""
    is_exact = 0 < len(process.x) <= process.n_nearest
    process.factor = factor_of(process.kernel, process.x) if is_exact else None
    process.out_shape = (len(process.x),) if is_exact else (process.n_nearest,) * 2
