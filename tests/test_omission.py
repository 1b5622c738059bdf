"""Input omission noise: what becomes zero, how large, where, and when."""

import math

import numpy as np
import pytest
import torch

from skcvae import NNRegressor
from skcvae.data.batches import OrderedBatches, Rows, ShuffledBatches
from skcvae.data.coding import FORWARD_NUMBERS
from skcvae.data.omission import omit, omit_square


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def omitted_from(n, *row_shape, largest, seed=0):
    x = torch.ones(n, *row_shape)
    found = omit_square(x, largest, source(seed))
    assert (x == 1).all() and found.shape == x.shape
    return found == 0


@pytest.mark.parametrize("row_shape", [(8, 8), (3, 9, 7), (1, 5), (2, 3, 12, 5)])
@pytest.mark.parametrize("largest", [0.1, 0.4, 0.99])
def test_one_square_is_zero_in_every_channel_and_the_rest_untouched(row_shape, largest):
    x = 1 + torch.rand(300, *row_shape)
    found = omit_square(x, largest, source())
    assert ((found == x) | (found == 0)).all()
    zero = (found == 0).reshape(300, -1, *row_shape[-2:])
    assert (zero == zero[:, :1]).all()
    longest = math.ceil(largest * min(row_shape[-2:]))
    for one in zero[:, 0]:
        rows, columns = one.any(1), one.any(0)
        assert torch.equal(one, rows[:, None] & columns[None])
        for stretch in (rows, columns):
            places = stretch.nonzero()[:, 0]
            assert len(places) <= longest
            assert len(places) == 0 or places[-1] - places[0] + 1 == len(places)
        assert abs(int(rows.sum()) - int(columns.sum())) <= 1 or not one.any()
    assert zero.flatten(1).any(1).any()


@pytest.mark.parametrize("largest", [0.25, 0.4, 0.8])
def test_the_mean_side_is_half_the_largest(largest):
    omitted = omitted_from(4000, 40, 60, largest=largest)
    sides = omitted.any(-1).sum(-1).float()
    assert sides.mean().item() == pytest.approx(largest * 40 / 2, rel=0.05)
    assert sides.max() >= largest * 40 - 1 and sides.min() <= 1
    quarters = torch.histc(sides, 4, min=0, max=largest * 40) / 4000
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.06, rtol=0)


def test_every_place_inside_is_as_likely():
    omitted = omitted_from(20_000, 20, 30, largest=0.2).float()
    share = omitted.mean(0)
    torch.testing.assert_close(share, share.flip(0), atol=0.01, rtol=0)
    torch.testing.assert_close(share, share.flip(1), atol=0.01, rtol=0)
    inside = share[4:-4, 4:-4]
    torch.testing.assert_close(inside, inside.mean().expand_as(inside), atol=0.01, rtol=0)
    assert (share > 0).all()


def test_the_same_seed_omits_the_same():
    one, same, other = (omitted_from(50, 9, 7, largest=0.5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert not torch.equal(one[:-1], one[1:])


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_of_vectors_each_number_is_zero_by_itself(share):
    x = 1 + torch.rand(4000, 5)
    found = omit(x, share, source())
    zero = found == 0
    assert torch.equal(found[~zero], x[~zero])
    torch.testing.assert_close(zero.float().mean(0), torch.full((5,), share), atol=0.03, rtol=0)
    together = (zero[:, :1] & zero[:, 1:]).float().mean(0)
    torch.testing.assert_close(together, torch.full((4,), share**2), atol=0.03, rtol=0)


def test_of_images_it_is_a_square():
    x = torch.ones(30, 2, 6, 6)
    assert torch.equal(omit(x, 0.4, source()), omit_square(x, 0.4, source()))


def batches_of(kind, **options):
    rows = Rows((torch.ones(40, 1, 8, 8), torch.ones(40, 8, 8)), torch.ones(40))
    return rows, kind(rows, 16, shape=(1, 2), **options)


def test_x_in_training_batches_alone_is_changed_and_anew_in_each_epoch():
    rows, training = batches_of(ShuffledBatches, source=source(), omission=0.5)
    epochs = [list(training) for _ in range(2)]
    for batch, weight in epochs[0]:
        x, y = batch["arrays"]
        assert (x == 0).any() and (y == 1).all() and (weight == 1).all()
    first, second = (torch.cat([batch["arrays"][0] for batch, _ in epoch]) for epoch in epochs)
    assert not torch.equal(first, second)
    assert all((array == 1).all() for array in rows.arrays)
    _, plain = batches_of(ShuffledBatches, source=source())
    assert all((batch["arrays"][0] == 1).all() for batch, _ in plain)
    _, ordered = batches_of(OrderedBatches, seed=0, row_size=FORWARD_NUMBERS // 16)
    assert all((batch["arrays"][0] == 1).all() for batch, _ in ordered)


def test_a_fit_leaves_the_data_as_they_are_and_predicts_from_all_of_x():
    X, y = np.ones((20, 8, 8)), np.random.default_rng(0).normal(size=20)
    est = NNRegressor(omission=0.9, max_epochs=3, random_state=0, normalize_X=False).fit(X, y)
    assert (X == 1).all()
    assert np.ptp(est.predict(X)) < 1e-9
