r"""A Gaussian process given codes of rows: the module that a :class:`GaussianProcess` builds.

Codes have a mean and a scale: the mean is a value of the process, observed with a normal error
of that scale. With the reference's kernel :math:`\sqrt{\sigma_i \sigma_j}\,e(x_i, x_j)` the
process is that of :math:`z_i / \sqrt{\sigma_i}` with the covariance e.
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
NEGLIGIBLE = 1e-10  # share of a variance, below which what codes tell of it is rounding
PART = 256  # rows whose neighbours are found at once


class Weights(NamedTuple):
    """How the process at m rows depends on n codes: on one weighted sum of their means.

    All coordinates of z have the same weights, those of the best linear prediction from codes
    whose errors have the variances `noise`; each then has the process given that sum and its
    own errors. No weights make it wider than the kernel's own distribution.

    Parameters
    ----------
    share : Tensor of shape (m, n)
        Weights of the codes in the sum.
    left : Tensor of shape (m,)
        Variance that codes with errors of the variances `noise` leave.
    told : Tensor of shape (m,)
        Covariance of the process at the row with the sum.
    error : Tensor of shape (m,)
        Variance of the errors in the sum, at the variances `noise`.
    """

    share: Tensor
    left: Tensor
    told: Tensor
    error: Tensor

    @classmethod
    def of(cls, kernel, context: Tensor, x: Tensor, noise: Tensor, factor: Tensor) -> "Weights":
        """Return the weights of codes at rows `context` of shape (..., n, d), for rows x."""
        k = covariance(kernel, context, x)
        share = torch.cholesky_solve(k, factor).mT
        told = (share * k.mT).sum(-1)
        whole = variance(kernel, x)
        error = (share.square() * noise[..., None, :]).sum(-1)
        return cls(share, (whole - told).clamp_min(0), told, error)._told_of(whole)

    @classmethod
    def leave_one_out(cls, factor: Tensor, noise: Tensor) -> "Weights":
        """Return the weights of all other rows for each row."""
        inverse = torch.cholesky_inverse(factor)
        left = inverse.diagonal().reciprocal()
        whole = factor.square().sum(-1)
        share = -inverse * left[:, None]
        share = share - torch.diag(share.diagonal())
        error = share.square() @ noise
        return cls(share, (left - noise).clamp_min(0), whole - left, error)._told_of(whole)

    def _told_of(self, variance: Tensor) -> "Weights":
        """Return the weights, zero where codes tell nothing of this variance."""
        tells = self.told > NEGLIGIBLE * variance
        share, told, error = self.share * tells[..., None], self.told * tells, self.error * tells
        return Weights(share, self.left, told, error)

    def mixed(self, mean: Tensor, scale: Tensor, *, encoder_scale: bool) -> tuple[Tensor, Tensor]:
        """Return mean and variance, each (..., m, L), from those of codes, each (..., n, L)."""
        share = self.share.to(mean.dtype)
        if not encoder_scale:
            return self._given_sum(share @ mean, share.square() @ scale.square())
        log = scale.log()
        own = (share @ log).minimum(log.amax(-2, keepdim=True).clamp_min(0)).exp()
        loc, left = self._given_sum(share @ (mean / scale.sqrt()), share.square() @ scale)
        return own.sqrt() * loc, own * left

    def _given_sum(self, total: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance given sums whose errors have these variances."""
        left, told, least = (part.to(total.dtype)[..., None] for part in self[1:])
        more = error - least
        rounding = torch.finfo(total.dtype).eps * told
        whole = (told + more).maximum(rounding).where(told > 0, 1.0)  # variance of the sum
        return told / whole * total, left + told * (more / whole)


def factor_of(kernel, x: Tensor, noise: Tensor) -> Tensor:
    """Return the Cholesky factor of the covariance of codes of rows.

    Parameters
    ----------
    kernel : Kernel
        Of scikit-learn.
    x : Tensor of shape (..., n, d)
        Rows.
    noise : Tensor of shape (..., n)
        Variances of the errors of their codes.

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
        return torch.linalg.cholesky(gram(kernel, x, JITTER) + torch.diag_embed(noise))
    except torch.linalg.LinAlgError as error:
        raise singular(kernel) from error


def singular(kernel) -> ValueError:
    """Return the error for a kernel under which the covariance of rows is singular."""
    return ValueError(
        f"The covariance of rows under kernel={kernel!r} is singular, expected positive "
        "definite: add a WhiteKernel, or take another kernel."
    )


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
            weights = Weights.of(self.kernel, self.x, rows, self.noise, self.factor)
            return self.given(weights, self.mean, self.scale, x.dtype)
        nearest = covariance(self.kernel, rows, self.x).topk(self.n_nearest).indices
        weights = self.local(rows, nearest)
        return self.given(weights, self.mean[nearest], self.scale[nearest], x.dtype)

    def local(self, rows: Tensor, nearest: Tensor) -> Weights:
        """Return the weights for rows (m, d) of the codes of the rows with numbers (m, n)."""
        context, noise = self.x[nearest], self.noise[nearest]
        factor = factor_of(self.kernel, context, noise)
        return Weights.of(self.kernel, context, rows[:, None], noise, factor)

    def given(self, weights: Weights, mean: Tensor, scale: Tensor, dtype) -> Independent:
        """Return the process at rows with these weights of these codes."""
        found = weights.mixed(mean, scale, encoder_scale=self.encoder_scale)
        return self._normal(*(part.reshape(-1, *self.noise_shape).to(dtype) for part in found))

    @property
    def noise(self) -> Tensor:
        """Variances of the errors of the codes (n,), of the most certain number of each."""
        return (self.scale if self.encoder_scale else self.scale.square()).amin(-1)

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
    reach it through the process; codes of other rows are those of their last batch. Weights are
    those of the scales when codes were last renewed.

    Parameters
    ----------
    process : Process
        With codes.
    """

    def __init__(self, process: Process):
        self.process, self.nearest = process, None
        if process.factor is None:
            parts = torch.arange(len(process.x)).split(PART)
            self.nearest = torch.cat([self._nearest(rows) for rows in parts])
        self.renew()

    def renew(self) -> None:
        """Take the codes of all rows from the process."""
        process = self.process
        self.mean, self.scale = process.mean.float(), process.scale.float()
        if self.nearest is None:
            self.weights = Weights.leave_one_out(process.factor, process.noise)
            return
        rows = zip(process.x.split(PART), self.nearest.split(PART), strict=True)
        parts = [process.local(*some) for some in rows]
        self.weights = Weights(*map(torch.cat, zip(*parts, strict=True)))

    def prior(self, index: Tensor, codes: Distribution) -> Independent:
        """Return p(z|x) of some rows, given their codes now and those of all others."""
        mean = self.mean.index_copy(0, index, codes.mean.flatten(1))
        scale = self.scale.index_copy(0, index, codes.stddev.flatten(1))
        self.mean, self.scale = mean.detach(), scale.detach()
        weights = Weights(*(part[index] for part in self.weights))
        if self.nearest is not None:
            mean, scale = mean[self.nearest[index]], scale[self.nearest[index]]
        return self.process.given(weights, mean, scale, codes.mean.dtype)

    def _nearest(self, rows: Tensor) -> Tensor:
        """Return the numbers of the rows nearest to some rows."""
        k = covariance(self.process.kernel, self.process.x[rows], self.process.x)
        k[torch.arange(len(rows)), rows] = -torch.inf
        return k.topk(self.process.n_nearest).indices


def _factorise(process: Process, *keys) -> None:
    """Set the Cholesky factor where the process is exact."""
    is_exact = 0 < len(process.x) <= process.n_nearest
    factor = factor_of(process.kernel, process.x, process.noise) if is_exact else None
    process.factor = factor
    process.out_shape = (len(process.x),) if is_exact else (process.n_nearest,) * 2
