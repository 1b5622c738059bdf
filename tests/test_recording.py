"""Laws of recorded calls: they return what the call returns, in fewer operations."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from skcvae.training.recording import recorded
from skcvae.training.stackable import BatchedLinear


def layer(x, weight, bias):
    return vmap(lambda *own: F.silu(BatchedLinear.apply(*own)))(x, weight, bias)


def gradients(x, weight, bias):
    with torch.enable_grad():
        parts = [part.detach().requires_grad_() for part in (weight, bias)]
        return torch.autograd.grad(layer(x, *parts).square().sum(), parts)


def reshaped(x, weight, bias):
    h = x.unsqueeze(1).view(3, 1, 10).squeeze(1).view(3, 5, 2).permute(0, 1, 2)
    return h.expand(3, 5, 2) * 1, h.transpose(1, 2).transpose(1, 2) / 1, h.transpose(1, 2).clone()


def turned(x, weight, bias):
    square = x @ x.transpose(1, 2)
    flat = x.transpose(1, 2).reshape(3, 10)
    return flat, square.permute(0, 2, 1) - x.sum(2, keepdim=True), x.permute(2, 0, 1)


def products(x, weight, bias):
    h = torch.bmm(x, weight.transpose(1, 2))
    return (
        h + 1,
        h.transpose(1, 2),
        torch.bmm(weight, x.transpose(1, 2)).transpose(1, 2).contiguous(),
    )


def promoted(x, weight, bias):
    return x.long() * 1.0, x.sum() * 1, bias * torch.ones(3, 4), (bias * 2).expand(2, 3, 4)


def repeated(x, weight, bias):
    return x.exp() + x.exp(), x.sum(1) - x.sum(2, keepdim=True).sum(1), x.clone()


CALLS = [layer, gradients, reshaped, turned, products, promoted, repeated]


@pytest.fixture
def arguments():
    rng = np.random.default_rng(0)
    shapes = (3, 5, 2), (3, 4, 2), (3, 4)
    return [torch.from_numpy(rng.normal(size=shape)).float() for shape in shapes]


def n_operations(recording):
    return sum(node.op == "call_function" for node in recording.graph.nodes)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_recording_returns_what_the_call_returns(call, arguments):
    recording = recorded(call, arguments)
    other = [2 * part + 1 for part in arguments]
    for given in (arguments, other):
        expected, found = call(*given), recording(*given)
        for a, b in zip([*expected], [*found], strict=True):
            assert a.shape == b.shape and a.dtype == b.dtype
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("call", [gradients, reshaped, repeated], ids=lambda call: call.__name__)
def test_what_changes_nothing_is_left_out(call, arguments):
    plain = make_fx(call, tracing_mode="fake")(*arguments)
    assert n_operations(recorded(call, arguments)) < 0.8 * n_operations(plain)


def test_a_recording_that_writes_in_place_is_left_as_it_is(arguments):
    def call(x, weight, bias):
        kept = x.detach().clone()
        shared = kept.view(3, 5, 2)
        return shared.add_(1) * 1, kept.exp(), kept.exp()

    recording = recorded(call, arguments)
    assert n_operations(recording) == n_operations(make_fx(call, tracing_mode="fake")(*arguments))
    for a, b in zip(call(*arguments), recording(*arguments), strict=True):
        torch.testing.assert_close(a, b)


def test_a_product_that_others_need_is_made_once(arguments):
    recording = recorded(products, arguments)
    found = [node for node in recording.graph.nodes if node.target == torch.ops.aten.bmm.default]
    assert len(found) == 2


def test_a_recording_is_a_module_without_weights(arguments):
    recording = recorded(layer, arguments)
    assert isinstance(recording, nn.Module) and not [*recording.parameters()]
