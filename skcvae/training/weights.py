"""The weights that an optimizer moves, as one vector where it can be, and their average.

Clipping, a step and averaging are then a few kernels. On twenty tensors they take as long as the
products of a small network.
"""

from dataclasses import dataclass, field

import torch
from skorch.callbacks import ParamMapper
from torch import Tensor, nn, optim

ELEMENTWISE = {optim.Adam, optim.AdamW, optim.SGD}  # they treat each number by itself
ALIGNED = 16  # numbers: a cache line, and what wide loads expect


def moved_weights(net) -> list[nn.Parameter]:
    """Return what the optimizer of a net moves: one vector, or all parameters.

    They stay apart where something could treat them one by one: another optimizer, groups of
    parameters, callbacks of the user, a compiler, several processes; on a GPU, where each
    gradient would be a kernel of its own; and with channels last, which convolutions need. Else
    the net's parameters and their gradients are now views of the vector.
    """
    parameters, groups = list(net.module.parameters()), net.optimizer_.param_groups
    single = net.compile or hasattr(net, "accelerator") or len(groups) > 1
    single |= type(net.optimizer_) not in ELEMENTWISE
    for p in parameters:
        single |= p.device.type != "cpu" or p.dtype != torch.float32
        single |= not (p.requires_grad and p.is_contiguous())
    for _, callback in net.callbacks_:
        single |= not type(callback).__module__.startswith(("skcvae.", "skorch."))
        single |= isinstance(callback, ParamMapper)  # it may freeze weights
    if single:
        return parameters
    vector = _joined(parameters)
    groups[0]["params"] = [vector]
    return [vector]


def _joined(parameters: list[nn.Parameter]) -> nn.Parameter:
    sizes = [-(-p.numel() // ALIGNED) * ALIGNED for p in parameters]
    vector = nn.Parameter(parameters[0].data.new_zeros(sum(sizes)))
    vector.grad = torch.zeros_like(vector)
    parts = zip(vector.data.split(sizes), vector.grad.split(sizes), strict=True)
    for p, (part, gradient) in zip(parameters, parts, strict=True):
        p.data = part[: p.numel()].view_as(p).copy_(p.data)
        p.grad = gradient[: p.numel()].view_as(p)
    return vector


@dataclass
class WeightAverage:
    """The exponential moving average of the weights, in place of them between epochs.

    Averaging does what a decaying learning rate does, without a horizon: the average is
    validated and kept, while steps go on from the weights. The decay is shorter at the
    start, so that the first weights are forgotten. A decay of 0 keeps no average.
    """

    decay: float
    n_steps: int = 0
    weights: list[Tensor] = field(default_factory=list)
    average: list[Tensor] = field(default_factory=list)

    def start(self, weights: list[Tensor]) -> None:
        """Start from these weights; without a decay they are their own average."""
        self.weights = weights if self.decay else []
        self.average = list(map(Tensor.clone, map(Tensor.detach, self.weights)))

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights after a step."""
        if not self.weights:
            return
        self.n_steps += 1
        decay = min(self.decay, self.n_steps / (self.n_steps + 9))
        torch._foreach_lerp_(self.average, self.weights, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the numbers of the average and the weights, of which there are views."""
        for average, weight in zip(self.average, self.weights, strict=True):
            before = weight.clone()
            weight.copy_(average)
            average.copy_(before)
