import math

import pytest
import torch
from torch.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    Normal,
    StudentT,
    kl_divergence,
)

from skcvae.distributions import (
    SharedScaleNormal,
    SoftOneHot,
    diagonal_normal,
    raw_scale_of,
    reparameterize,
)
from skcvae.inference.partial import Marginalised
from skcvae.likelihoods.student import _StudentT

K = 4
MAPS = [(1, 1), (3, 2), (2, 3, 5)]  # shapes of rows of labels; a vector is coded flat
VECTORS = [(1,), (3,)]

of_each_shape = pytest.mark.parametrize("shape", [*VECTORS, *MAPS])


def coded(labels, shape):
    """Return labels (n, *shape) as the rows that `SoftOneHot` reads."""
    code = torch.nn.functional.one_hot(labels, K).movedim(-1, 1).double()
    return code.flatten(1) if len(shape) == 1 else code


def by_class(code, shape):
    return code.unflatten(-1, (K, -1)) if len(shape) == 1 else code


def labels_of(logits, shape):
    event_ndim = 1 if len(shape) == 1 else len(shape) + 1
    return Independent(SoftOneHot(logits, K, event_ndim), event_ndim, validate_args=False)


def some_logits(shape, *batch):
    torch.manual_seed(0)
    row = (K * math.prod(shape),) if len(shape) == 1 else (K, *shape)
    return 3 * torch.randn(*batch, *row, dtype=torch.float64)


@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 40.0])
def test_raw_scale_is_read_back(scale):
    loc = torch.zeros(2, dtype=torch.float64)
    raw = torch.full((2,), raw_scale_of(scale), dtype=torch.float64)
    found = diagonal_normal(loc, raw, min_scale=0.0, event_ndim=1).stddev
    torch.testing.assert_close(found, torch.full_like(found, scale))


def test_floor_holds_and_gradients_stay_finite_far_out():
    raw = torch.tensor([-1e4, 1e4], requires_grad=True)
    distribution = diagonal_normal(torch.zeros(2), raw, min_scale=0.01, event_ndim=1)
    distribution.log_prob(torch.ones(2)).backward()
    assert (distribution.stddev >= 0.01).all()
    assert raw.grad.isfinite().all()


@pytest.mark.parametrize("event", [(3,), (2, 4, 4)])
def test_reparameterized_draws_have_the_distributions_moments(event):
    torch.manual_seed(0)
    distribution = diagonal_normal(
        torch.randn(5, *event), torch.randn(5, *event), min_scale=0.0, event_ndim=len(event)
    )
    for n in (5, 1):  # noise of its own for each row, or shared by all
        z = reparameterize(distribution, torch.randn(20_000, n, *event))
        assert z.shape == (20_000, 5, *event)
        torch.testing.assert_close(z.mean(0), distribution.mean, atol=0.1, rtol=0.0)
        torch.testing.assert_close(z.std(0), distribution.stddev, atol=0.0, rtol=0.05)


@of_each_shape
def test_labels_score_as_categorical_outputs_that_are_independent(shape):
    logits = some_logits(shape, 7, 5)
    labels = torch.randint(K, (5, *shape))
    other = Categorical(logits=by_class(logits, shape).movedim(2, -1))
    p = labels_of(logits, shape)
    expected = other.log_prob(labels).flatten(2).sum(-1)
    assert p.batch_shape == (7, 5)
    torch.testing.assert_close(p.log_prob(coded(labels, shape)), expected)
    torch.testing.assert_close(by_class(p.mean, shape), other.probs.movedim(-1, 2))
    torch.testing.assert_close(p.variance, p.mean * (1 - p.mean))


@of_each_shape
def test_drawn_labels_are_one_hot_and_as_frequent_as_probable(shape):
    p = labels_of(some_logits(shape, 2), shape)
    draws = p.sample((20_000,))
    assert draws.shape == (20_000, *p.mean.shape) and draws.unique().tolist() == [0, 1]
    assert (draws.unflatten(-1, (K, -1)).sum(-2) if len(shape) == 1 else draws.sum(2)).eq(1).all()
    torch.testing.assert_close(draws.mean(0), p.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(draws.var(0), p.variance, atol=0.02, rtol=0)


@of_each_shape
def test_soft_labels_score_the_cross_entropy(shape):
    logits, soft = some_logits(shape, 5), some_logits(shape, 5).exp()
    soft = by_class(soft, shape)
    soft = (soft / soft.sum(1, keepdim=True)).reshape(logits.shape)
    p = labels_of(logits, shape)
    expected = (soft * p.mean.log()).flatten(1).sum(1)
    torch.testing.assert_close(p.log_prob(soft), expected)


def test_hopeless_labels_stay_finite():
    logits = torch.tensor([1e4, -1e4, 0.0, 0.0], requires_grad=True)
    labels_of(logits, (1,)).log_prob(torch.tensor([0.0, 1.0, 0.0, 0.0])).backward()
    assert logits.grad.isfinite().all()


# What is observed of a row.

FAMILIES = {
    "gaussian": lambda raw: diagonal_normal(
        raw, raw.detach() / 2, min_scale=0.01, event_ndim=raw.ndim - 1
    ),
    "bernoulli": lambda raw: Independent(
        Bernoulli(logits=raw, validate_args=False), raw.ndim - 1, validate_args=False
    ),
    "labels": lambda raw: labels_of(raw, (2,) if raw.ndim == 2 else raw.shape[2:]),
}

of_each_family = pytest.mark.parametrize("family", FAMILIES)


@of_each_family
@pytest.mark.parametrize("event", [(8,), (4, 2, 3)])
def test_the_unobserved_adds_nothing_and_the_observed_all(family, event):
    raw = torch.randn(5, *event, dtype=torch.float64)
    whole = FAMILIES[family](raw)
    y = torch.rand(5, *event, dtype=torch.float64)
    hidden = torch.rand(5, *event) < 0.5
    hidden[0] = False
    hidden[1] = True
    found = Marginalised(whole).log_prob(y.masked_fill(hidden, math.nan))
    rest = Marginalised(whole).log_prob(y.masked_fill(~hidden, math.nan))
    expected = whole.base_dist.log_prob(y).where(~hidden, 0.0).flatten(1).sum(1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found + rest, whole.log_prob(y))
    torch.testing.assert_close(found[0], whole.log_prob(y)[0])
    assert found[1] == 0


def test_the_observed_labels_have_their_marginal_mass():
    p = labels_of(some_logits((2,)), (2,))
    first = torch.arange(K)[:, None].expand(K, K).reshape(-1, 1)
    second = torch.arange(K)[None].expand(K, K).reshape(-1, 1)
    every = coded(torch.cat([first, second], dim=1), (2,))
    joint = p.log_prob(every).exp().reshape(K, K)
    known = by_class(every, (2,)).clone()
    known[:, :, 1] = math.nan
    found = Marginalised(p).log_prob(known.reshape(every.shape)).exp().reshape(K, K)
    torch.testing.assert_close(found, joint.sum(1, keepdim=True).expand(K, K))


@of_each_family
def test_gradients_of_what_is_observed_are_finite_and_of_the_rest_zero(family):
    raw = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    y = torch.rand(5, 8, dtype=torch.float64)
    y.unflatten(1, (4, 2))[:, :, 0] = math.nan
    Marginalised(FAMILIES[family](raw)).log_prob(y).sum().backward()
    found = raw.grad.unflatten(1, (4, 2))
    assert (found[..., 0] == 0).all()
    assert found[..., 1].isfinite().all() and (found[..., 1] != 0).all()


@of_each_family
@pytest.mark.parametrize("event", [(8,), (4, 2, 3)])
@pytest.mark.parametrize("wrap", [lambda p: p, Marginalised])
def test_expanded_distributions_are_repeated_ones(family, event, wrap):
    p = wrap(FAMILIES[family](torch.randn(5, *event, dtype=torch.float64)))
    wide = p.expand((3, 5))
    y = torch.rand(5, *event, dtype=torch.float64)
    assert type(wide) is type(p) and wide.batch_shape == (3, 5)
    for found, expected in (
        (wide.mean, p.mean),
        (wide.variance, p.variance),
        (wide.log_prob(y), p.log_prob(y)),
    ):
        torch.testing.assert_close(found, expected.expand(3, *expected.shape))
    draws = wide.sample()
    assert draws.shape == (3, 5, *event) and (draws[0] != draws[1]).any()


@pytest.mark.parametrize("shape", [(3,), (5, 3)], ids=["shared by rows", "of each row"])
def test_normal_and_t_densities_and_divergences_are_those_of_torch(shape):
    torch.manual_seed(0)
    loc, y = torch.randn(2, 4, 5, 3, dtype=torch.float64).unbind()
    scale = (0.1 + torch.rand(shape, dtype=torch.float64)).requires_grad_()
    df = 3 + torch.rand(shape, dtype=torch.float64)
    normal, t = SharedScaleNormal(loc, scale), _StudentT(df, loc, scale)
    pairs = [
        (normal.log_prob(y), Normal(loc, scale).log_prob(y)),
        (t.log_prob(y), StudentT(df, loc, scale).log_prob(y)),
        (
            kl_divergence(normal, SharedScaleNormal(y, 2 * scale)),
            kl_divergence(Normal(loc, scale), Normal(y, 2 * scale)),
        ),
    ]
    for found, expected in pairs:
        torch.testing.assert_close(found, expected)
        found, expected = (torch.autograd.grad(part.sum(), scale) for part in (found, expected))
        torch.testing.assert_close(found, expected)
    assert normal.sample().shape == t.sample().shape == loc.shape
