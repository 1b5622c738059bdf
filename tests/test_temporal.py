"""Laws of sequences, and of the temporal networks."""

import functools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import nn
from torch.nn import functional as F

from skcvae import Autoencoder, CVAERegressor, NNRegressor
from skcvae.architectures import MLP, Temporal
from skcvae.likelihoods import Gaussian
from skcvae.networks.temporal import DilatedConvolution, ResidualBlock

N, LENGTH, AHEAD = 40, 12, 5
rng = np.random.default_rng(0)
X = rng.normal(size=(N, LENGTH, 2))
WALKS = np.cumsum(rng.normal(size=(N, LENGTH, 3)), axis=1) + X[..., :1]
NO_STEP = {"max_epochs": 1, "lr": 1e-12, "random_state": 0, "n_score_samples": 200}
QUICK = {"max_epochs": 2, "random_state": 0, "n_score_samples": 5}
SHAPES = [(6, 2), (2, 6, 3), (4, 1), (5,)]
BATCHES = [(5,), (1,), (7, 5)]

each_batch = pytest.mark.parametrize("batch", BATCHES, ids=str)


def temporal(**params):
    return Temporal(4, **{"activation": "tanh", **params}).resolve(10, (6, 2), (6, 3))


def cut(y, lengths):
    """Return rows that end after so many times each, NaN from there."""
    tail = np.arange(y.shape[1]) >= lengths[:, None]
    return np.where(tail[..., None], np.nan, y)


@functools.cache
def fitted(estimator_class):
    """Return a fit that tests share and leave as it is."""
    return estimator_class(architecture=Temporal(4), **QUICK).fit(X, WALKS)


# Networks.


@each_batch
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_networks_give_the_shapes_they_announce(shape, batch):
    encoder, decoder = temporal().encoder(shape, (6, 3)), temporal().decoder((6, 3), shape, (2,))
    for network, other in ((encoder, (6, 3)), (decoder, (2,))):
        features = network(torch.randn(*batch, *shape), torch.randn(*batch, *other))
        assert features.shape == (*batch, *network.out_shape) == (*batch, 6, 4 + 3)
    head = temporal().head((6, 4), (2, 6, 3))
    assert head(torch.randn(*batch, 6, 4)).shape == (*batch, 2, 6, 3)
    assert temporal().encoder((5,)).out_shape == (1, 4 + 5)
    assert temporal(shortcut=False).encoder((5,)).out_shape == (1, 4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_draws_at_once_are_each_draw_alone(shape):
    decoder = temporal().decoder((6, 3), shape, (2,))
    x, z = torch.randn(5, *shape), torch.randn(7, 5, 2)
    of_z = decoder.given(x)
    torch.testing.assert_close(of_z(z), torch.stack([decoder(x, one) for one in z]))
    calls = []
    decoder.entrances[0].register_forward_hook(lambda *args: calls.append("x"))
    of_z(z)
    assert not calls


@pytest.mark.parametrize(("kernel_size", "dilation"), [(3, 1), (3, 4), (5, 2), (3, 8)])
def test_a_dilated_convolution_is_that_of_torch(kernel_size, dilation):
    layer = DilatedConvolution(4, 4, kernel_size, dilation)
    h = torch.randn(5, 6, 4)
    weight = layer.linear.weight.unflatten(1, (kernel_size, 4)).mT
    expected = F.conv1d(
        h.mT, weight, layer.linear.bias,
        padding=dilation * (kernel_size // 2), dilation=dilation,
    )  # fmt: skip
    torch.testing.assert_close(layer(h), expected.mT)


@pytest.mark.parametrize("shape", [(6, 2), (2, 6, 3), (5,)], ids=str)
def test_without_blocks_features_are_an_affine_map_of_every_input(shape):
    decoder = temporal().decoder((6, 3), shape, (2,))
    for block in decoder.blocks:
        nn.init.zeros_(block.mix.weight)
        nn.init.zeros_(block.mix.bias)
    x, z = torch.randn(2, *shape), torch.randn(2, 2)
    at_zero = decoder(torch.zeros_like(x), torch.zeros_like(z))
    torch.testing.assert_close(decoder(3 * x, 3 * z) - at_zero, 3 * (decoder(x, z) - at_zero))
    assert (decoder(x, z) - at_zero).abs().min() > 0


def test_another_length_is_mapped_linearly_along_time_behind_blocks():
    entrance = temporal(n_blocks=2).encoder((4, 2), (6, 3)).entrances[0]
    assert len(entrance.blocks) == 2
    x = torch.randn(5, 4, 2)
    h = entrance.blocks(entrance.linear(x))
    torch.testing.assert_close(entrance(x), torch.einsum("st,ntc->nsc", entrance.along.weight, h))


def test_only_the_first_input_has_a_bias():
    encoder = temporal().encoder((6, 2), (6, 3), (6, 3))
    assert [entrance.linear.bias is None for entrance in encoder.entrances] == [False, True, True]


@pytest.mark.parametrize(("n_blocks", "shortcut"), [(1, False), (2, False), (3, False), (3, True)])
def test_what_moves_in_time_moves_the_features_with_it(n_blocks, shortcut):
    network = temporal(n_blocks=n_blocks, kernel_size=5, shortcut=shortcut)
    network = network.decoder((40, 3), (40, 2)).double()
    reach = 2 * (2**n_blocks - 1)
    x = torch.randn(3, 40, 2, dtype=torch.float64)
    still, moved = network(x), network(x.roll(3, -2))
    inside = (..., slice(reach + 3, 40 - reach), slice(None))
    torch.testing.assert_close(moved[inside], still.roll(3, -2)[inside])
    x[:, 20] += 1
    changed = (network(x) != still).any(-1).any(0).nonzero().flatten()
    assert_array_equal(changed, np.arange(max(20 - reach, 0), 20 + reach + 1))


@pytest.mark.parametrize(("length", "n_blocks"), [(1, 1), (3, 1), (4, 2), (15, 3), (16, 4)])
def test_automatic_blocks_read_as_far_as_the_sequence_is_long(length, n_blocks):
    for shapes in (((length, 2), (1,)), ((1,), (length, 2)), ((length, 1), (1, 2))):
        assert Temporal().resolve(10, *shapes).n_blocks == n_blocks
    reach = sum(2 ** (i + 1) for i in range(n_blocks)) + 1
    assert reach >= length and (n_blocks == 1 or (reach - 1) / 2 < length)


def test_dropout_is_of_every_block():
    network = temporal(dropout=0.5).encoder((6, 2))
    blocks = [part for part in network.modules() if isinstance(part, ResidualBlock)]
    assert blocks and all(block.dropout.rate == 0.5 for block in blocks)


# Estimators.


def test_joint_draws_are_paths_that_hang_together():
    y = np.cumsum(np.random.default_rng(1).normal(size=(400, 8, 1)), axis=1)
    x = np.zeros((400, 1))
    params = {"architecture": Temporal(16), "likelihood": Gaussian(), "random_state": 0}
    est = CVAERegressor(objective="elbo", max_epochs=15, **params).fit(x, y)
    paths = est.sample(x[:1], 4000, random_state=0)
    assert paths.shape == (4000, 1, 8, 1)
    found, expected = np.cov(paths[:, 0, :, 0].T), np.minimum.outer(*[np.arange(1, 9)] * 2)
    assert_allclose(found, expected, atol=1.0)
    assert found[0, 7] > 0.4


def test_a_filter_is_learned_from_few_sequences():
    x = np.random.default_rng(1).normal(size=(120, 60, 1))
    kernel = 0.5 ** np.arange(4)
    y = np.stack([np.convolve(row[:, 0], kernel)[:60] for row in x])[..., None]
    error = {}
    for architecture in ("temporal", "mlp"):
        est = NNRegressor(architecture=architecture, max_epochs=25, random_state=0)
        est.fit(x[:60], y[:60])
        error[architecture] = np.square(est.predict(x[60:]) - y[60:]).mean() / y.var()
    assert error["temporal"] < 1e-3 < 0.01 < error["mlp"]


def test_predictions_move_with_x_in_the_interior():
    x = np.random.default_rng(1).normal(size=(20, 30, 2))
    est = NNRegressor(architecture=Temporal(4, n_blocks=2), **QUICK).fit(x, np.cumsum(x, axis=1))
    still, moved = est.predict(x), est.predict(np.roll(x, 1, axis=1))
    assert_allclose(moved[:, 9:22], still[:, 8:21], rtol=1e-6, atol=1e-6)
    assert np.abs(moved - still).max() > 1e-3


def test_units_of_a_channel_do_not_matter(estimator_class):
    factor, offset = np.array([1.0, 1e-3, 1e4]), np.array([0.0, 7.0, -1e5])
    est = fitted(estimator_class)
    other = estimator_class(architecture=Temporal(4), **QUICK)
    other.fit(X * factor[:2] + offset[:2], WALKS * factor + offset)
    rows = X * factor[:2] + offset[:2]
    assert_allclose(other.predict(rows), est.predict(X) * factor + offset, rtol=1e-4)
    jacobian = LENGTH * np.log(factor).sum()
    found = other.log_prob(rows[:10], WALKS[:10] * factor + offset)
    assert_allclose(found, est.log_prob(X[:10], WALKS[:10]) - jacobian, rtol=1e-3)
    unscaled = estimator_class(
        architecture=Temporal(4), normalize_X=False, normalize_y=False, **QUICK
    )
    assert unscaled.fit(X, WALKS).specification_.x_coding.scale.max() == 1


@pytest.mark.parametrize("likelihood", ["poisson", "gamma", "hurdle", "student_t", "bernoulli"])
def test_other_likelihoods_take_sequences(likelihood):
    y = np.abs(np.round(WALKS))
    y = y + 1 if likelihood == "gamma" else y > 0 if likelihood == "bernoulli" else y
    est = CVAERegressor(architecture=Temporal(4), likelihood=likelihood, **QUICK).fit(X, y)
    assert np.isfinite(est.score(X, y)) and est.sample(X, 3).shape == (3, *y.shape)


# The start of training.


@pytest.mark.parametrize("params", [{}, {"initial_guess": True}, {"partial_y": True}], ids=str)
@pytest.mark.parametrize("length", [2, 20])
def test_where_lengths_agree_it_starts_at_the_filter_of_least_squares(length, params):
    gen = np.random.default_rng(0)
    x, kernel = gen.normal(size=(300, length, 2)), gen.normal(size=(5, 2))
    spread = np.pad(x, ((0, 0), (2, 2), (0, 0)))
    effect = sum(spread[:, i : i + length] @ kernel[i] for i in range(5))
    noise = gen.normal(size=(300, 1)) + gen.normal(size=(300, length))
    ahead = np.linspace(-1, 1, length)  # of the one mean for all times: like noise
    y = 3 + (effect + noise + ahead)[..., None]
    est = CVAERegressor(architecture=Temporal(4), **params, **NO_STEP).fit(x[:150], y[:150])
    law = multivariate_normal(cov=1 + np.eye(length) + np.outer(ahead, ahead))
    expected = law.logpdf(noise[150:220] + ahead).mean()
    assert est.score(x[150:220], y[150:220]) == pytest.approx(expected, abs=0.06 * length)
    found, moved = est.predict(x), np.roll(x[:50], 1, axis=1)
    assert found.mean() == pytest.approx(y.mean(), abs=0.15)
    assert_allclose(est.predict(moved)[:, 9:-9], found[:50, 8:-10], atol=1e-4)


# Rows that are shorter than the array.


@pytest.mark.filterwarnings("ignore:The best validation score")  # outputs are independent
def test_the_density_of_a_shorter_row_is_the_integral_over_its_tail():
    y = np.cumsum(np.random.default_rng(1).normal(size=(200, 2, 1)), axis=1) + 3
    x = np.random.default_rng(2).normal(size=(200, 4, 1))
    lengths = np.where(np.arange(200) % 3, 2, 1)
    est = CVAERegressor(
        architecture=Temporal(8), partial_y=True, likelihood=Gaussian(), max_epochs=10,
        random_state=0,
    ).fit(x, cut(y, lengths))  # fmt: skip
    steps = np.linspace(-9, 15, 121)
    whole = np.stack([np.full_like(steps, 4.0), steps], axis=1)[..., None]
    rows = np.repeat(x[:1], len(whole), axis=0)
    log_p = logsumexp(est.log_prob(rows, whole, n_samples=2000)) + np.log(steps[1] - steps[0])
    alone = est.log_prob(x[:1], cut(whole[:1], np.array([1])), n_samples=20_000)
    assert log_p == pytest.approx(alone[0], abs=0.03)


def test_without_z_a_shorter_row_has_the_density_of_the_times_it_has():
    est = NNRegressor(
        architecture=Temporal(4), partial_y=True, likelihood=Gaussian(), **QUICK
    ).fit(X, cut(WALKS, np.arange(N) % 9 + 4))
    mean, std = est.predict(X, return_std=True)
    by_time = -0.5 * np.square((WALKS - mean) / std) - np.log(std) - 0.5 * np.log(2 * np.pi)
    for length in (1, 7, LENGTH):
        found = est.log_prob(X, cut(WALKS, np.full(N, length)))
        assert_allclose(found, by_time[:, :length].sum((1, 2)), rtol=1e-5)


def test_rows_of_several_lengths_do_not_matter_to_each_other(estimator_class):
    lengths = np.arange(N) % 9 + 4
    rows, y = cut(X, lengths), cut(WALKS, lengths)
    est = estimator_class(architecture=Temporal(4), partial_X=True, partial_y=True, **QUICK)
    est.fit(rows, y)
    rows, y, some = rows[:10], y[:10], np.array([7, 2, 9])
    assert_allclose(est.predict(rows[some]), est.predict(rows)[some], rtol=1e-9)
    assert_allclose(est.log_prob(rows[some], y[some]), est.log_prob(rows, y)[some], rtol=1e-6)
    paths = est.complete(rows, y, 3, random_state=0)
    assert_array_equal(paths[:, ~np.isnan(y)], np.broadcast_to(y, paths.shape)[:, ~np.isnan(y)])
    assert np.isfinite(paths).all()


def test_the_end_of_a_row_is_told_from_its_mean():
    lengths = np.random.default_rng(1).integers(3, LENGTH + 1, 400)
    x = cut(np.zeros((400, LENGTH, 1)) + 5, lengths)
    x[0] = np.random.default_rng(2).normal(size=(LENGTH, 1))
    est = NNRegressor(
        architecture=Temporal(8), partial_X=True, max_epochs=20, lr=0.01, random_state=0
    ).fit(x, lengths.astype(float))
    assert np.abs(est.predict(x[1:]) - lengths[1:]).max() < 1


# What goes with it.


@pytest.mark.parametrize("y_shape", [(LENGTH, 3), (AHEAD, 1), (4,)], ids=str)
def test_the_torch_module_is_exported_for_any_number_of_rows(y_shape):
    y = WALKS.reshape(N, -1)[:, : np.prod(y_shape)].reshape(N, *y_shape)
    est = CVAERegressor(architecture=Temporal(4, n_blocks=1), **QUICK).fit(X, y)
    module = est.to_torch()
    rows = ({0: torch.export.Dim("rows")}, None)
    program = torch.export.export(module, (torch.tensor(X), None), dynamic_shapes=rows)
    for some in (X, X[:5]):
        found = program.module()(torch.tensor(some), None).numpy()
        assert_allclose(found, est.predict(some), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("est", "X", "y", "message"),
    [
        (NNRegressor(), X[:, 0], WALKS[:, 0], r"expects sequences in X or y.*such as \(3, 1\)"),
        (NNRegressor(), X[:, None], WALKS, r"rows of X to be vectors or seq.* \(1, 12, 2\)"),
        (NNRegressor(), X, WALKS[:, None], r"rows of y to be vectors or sequences"),
        (CVAERegressor(initial_guess=True, n_scales=2), X, WALKS, "expected n_scales=1"),
        (CVAERegressor(x_shape=(5, 2)), X, WALKS, "x_shape must be the shape of one row"),
    ],
)
def test_what_are_no_sequences_is_refused(est, X, y, message):
    with pytest.raises(ValueError, match=message):
        est.set_params(architecture="temporal", max_epochs=1).fit(X, y)


def test_a_channel_that_is_never_observed_is_refused():
    for part in ({"X": X}, {"y": WALKS}):
        hidden = {"X": X, "y": WALKS, **{name: a.copy() for name, a in part.items()}}
        (name,) = part
        hidden[name][..., 1] = np.nan
        est = NNRegressor(architecture="temporal", partial_X=True, partial_y=True, **QUICK)
        with pytest.raises(ValueError, match=rf"{name} has .* NaN in every row.*\[1\]"):
            est.fit(**hidden)


def test_autoencoders_read_sequences_but_not_layer_by_layer():
    est = Autoencoder(2, architecture=Temporal(4), max_epochs=2, random_state=0).fit(WALKS)
    assert est.transform(WALKS).shape == (N, 2)
    assert est.inverse_transform(est.transform(WALKS)).shape == WALKS.shape
    with pytest.raises(ValueError, match="MLP or Conv"):
        est.set_params(pretraining="stacked").fit(WALKS)


def test_flat_rows_are_the_same_sequences():
    shaped = fitted(CVAERegressor)
    flat = CVAERegressor(
        architecture=Temporal(4), x_shape=(LENGTH, 2), y_shape=(LENGTH, 3), **QUICK
    ).fit(X.reshape(N, -1), WALKS.reshape(N, -1))
    assert_allclose(
        flat.predict(X.reshape(N, -1)).reshape(WALKS.shape), shaped.predict(X), rtol=1e-9
    )


def test_the_mlp_reads_sequences_too():
    assert NNRegressor(architecture=MLP((8,)), **QUICK).fit(X, WALKS).predict(X).shape == (
        N, LENGTH, 3,
    )  # fmt: skip
