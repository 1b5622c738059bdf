import pytest
import torch

from skcvae.distributions import diagonal_normal, raw_scale_of, reparameterize


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
