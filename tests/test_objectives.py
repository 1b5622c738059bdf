import pytest
import torch
from closed_form import make, noise
from torch.distributions import kl_divergence

from skcvae.objectives import CVAE, GSNN, Bound, Deterministic, Hybrid, NegativeBound


def value(bound):
    return bound.reconstruction - bound.kl


def test_bound_is_tight_where_the_recognition_network_is_exact():
    model, x, y, exact = make(orthogonal=True)
    bound = CVAE(model, 4000)(x, y, noise(4000, len(x)))
    torch.testing.assert_close(value(bound), exact, atol=0.15, rtol=0.0)


def test_bound_lies_below_the_log_likelihood_elsewhere():
    model, x, y, exact = make(orthogonal=False)
    for objective in (CVAE(model, 500), GSNN(model, 500)):
        bound = objective(x, y, noise(500, len(x)))
        assert value(bound).mean() < exact.mean()


def test_terms_are_the_papers():
    model, x, y, _ = make(orthogonal=False)
    eps = noise(3, len(x))
    given, q = model.condition(x), model.recognition(x, y)
    z = q.mean + q.stddev * eps
    bound = CVAE(model, 3)(x, y, eps)
    torch.testing.assert_close(bound.kl, kl_divergence(q, given.prior))
    torch.testing.assert_close(bound.reconstruction, given.likelihood(z).log_prob(y).mean(0))
    z = given.prior.mean + given.prior.stddev * eps
    bound = GSNN(model, 3)(x, y, eps)
    assert (bound.kl == 0).all()
    torch.testing.assert_close(bound.reconstruction, given.likelihood(z).log_prob(y).mean(0))


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_hybrid_is_the_weighted_sum(alpha):
    model, x, y, _ = make(orthogonal=False)
    eps = noise(4, len(x))
    hybrid = Hybrid(model, 4, alpha)(x, y, eps)
    cvae, gsnn = CVAE(model, 2)(x, y, eps[:2]), GSNN(model, 2)(x, y, eps[2:])
    expected = alpha * value(cvae) + (1 - alpha) * value(gsnn)
    torch.testing.assert_close(value(hybrid), expected)


def test_deterministic_objective_is_the_log_likelihood():
    model, x, y, _ = make(orthogonal=False)
    model.generation = None
    linear = torch.nn.Linear(3, 4).double()
    model.baseline = lambda x: [linear(x)]
    bound = Deterministic(model)(x, y, None)
    expected = model.output(linear(x)).log_prob(y)
    torch.testing.assert_close(bound.reconstruction, expected)
    assert (bound.kl == 0).all()


def test_loss_weighs_the_kl_and_the_examples():
    bound = Bound(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 1.5]))
    assert NegativeBound()(bound).item() == pytest.approx(-0.5)
    assert NegativeBound(beta=1.0)(bound).item() == pytest.approx(0.5)
    weight = torch.tensor([2.0, 0.0])
    assert NegativeBound()(bound, weight).item() == pytest.approx(-0.5)


def test_warmup_grows_linearly_and_is_off_by_default():
    loss = NegativeBound(beta=1.0, warmup=3)
    weights = []
    for epoch in range(5):
        loss.epoch = epoch
        weights.append(loss.kl_weight)
    assert weights == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])
    off = NegativeBound()
    off.epoch = 0
    assert off.kl_weight == 1


def test_switching_to_training_reaches_every_layer():
    objective = CVAE(make(orthogonal=True)[0], 1)
    for mode in (False, True):
        objective.train(mode)
        assert all(module.training == mode for module in objective.modules())
