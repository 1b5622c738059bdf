"""One-hot categorical distribution that accepts soft targets."""

import torch
from torch import Tensor
from torch.distributions import Distribution


class SoftOneHot(Distribution):
    r"""Categorical distribution over one-hot codes, with elementwise log-probabilities.

    The log-probability of an element is :math:`y_k \log \pi_k`. Its sum over the
    classes, as :class:`~torch.distributions.Independent` computes it, is the
    log-probability of the label; for soft targets it is the negative cross-entropy.

    Parameters
    ----------
    logits : Tensor of shape batch + (n_classes, ...) or batch + (n_classes * n_outputs,)
        Unnormalised log-probabilities.
    n_classes : int
        Number of classes.
    event_ndim : int
        Number of trailing event dimensions. The classes are the first of them; in a
        vector each class is a block of `n_outputs` elements.
    """

    arg_constraints: dict = {}

    def __init__(self, logits: Tensor, n_classes: int, event_ndim: int):
        self.n_classes = n_classes
        self.event_ndim = event_ndim
        self.log_pi = self._by_class(logits).log_softmax(self._axis).reshape(logits.shape)
        super().__init__(logits.shape, validate_args=False)

    @property
    def _axis(self) -> int:
        return -max(self.event_ndim, 2)

    def _by_class(self, code: Tensor) -> Tensor:
        return code.unflatten(-1, (self.n_classes, -1)) if self.event_ndim == 1 else code

    @property
    def mean(self) -> Tensor:
        return self.log_pi.exp()

    @property
    def variance(self) -> Tensor:
        pi = self.mean
        return pi * (1 - pi)

    def expand(self, batch_shape, _instance=None) -> "SoftOneHot":
        new = self._get_checked_instance(SoftOneHot, _instance)
        new.n_classes, new.event_ndim = self.n_classes, self.event_ndim
        new.log_pi = self.log_pi.expand(batch_shape)
        super(SoftOneHot, new).__init__(new.log_pi.shape, validate_args=False)
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        return value * self.log_pi

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        log_pi = self.log_pi.detach().expand(*sample_shape, *self.log_pi.shape)
        # Gumbel-max trick.
        noisy = self._by_class(log_pi - torch.empty_like(log_pi).exponential_().log())
        drawn = noisy.argmax(self._axis, keepdim=True)
        return torch.zeros_like(noisy).scatter_(self._axis, drawn, 1.0).reshape(log_pi.shape)
