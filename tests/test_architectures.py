import pickle

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from skcvae import NNRegressor
from skcvae.architectures import MLP, Conv, Layered, Temporal
from skcvae.networks.layers import ACTIVATIONS, Dropout, PiecewiseLinear


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [5, (5,), [7, 5], (9, 7, 5)])
def test_features_have_the_shape_they_announce(activation, sizes):
    architecture = MLP(sizes, activation=activation).resolve(10, (2, 3), (4,))
    trunk = architecture.encoder((2, 3), (4,))
    features = trunk(torch.randn(6, 2, 3), torch.randn(6, 4))
    assert features.shape[1:] == trunk.out_shape == (5,)
    assert architecture.head(trunk.out_shape, (2, 4))(features).shape == (6, 2, 4)


def test_automatic_width_grows_with_rows_and_columns():
    def width(n_rows, n_columns):
        return MLP().resolve(n_rows, (n_columns,), (1,)).hidden_layer_sizes[0]

    widths = [width(n, 10) for n in (10, 1000, 10_000, 10**7)]
    assert widths == sorted(widths) and widths[0] == 32 and widths[-1] == 512
    assert width(1000, 500) > width(1000, 5)


def test_automatic_width_holds_a_linear_map():
    for x_size, y_size in ((3, 5), (40, 40), (64, 100), (300, 200), (1, 1000), (2000, 2000)):
        for n_rows in (10, 1000):
            mlp = MLP().resolve(n_rows, (x_size,), (y_size,))
            (n_latents,) = mlp.latent_shape("auto", (y_size,))
            least = min(y_size, x_size + n_latents, 512)
            assert mlp.hidden_layer_sizes[0] >= least


@pytest.mark.parametrize("latent_dim", [1, 7])
@pytest.mark.parametrize("y_shape", [(9,), (6, 5), (2, 6, 5)])
def test_latent_shapes_hold_what_was_asked_for(latent_dim, y_shape):
    conv = Conv((4, 6), linear_features=False).resolve(10, (6, 5), y_shape)
    assert MLP().latent_shape(latent_dim, y_shape) == (latent_dim,)
    lowest = (3, 3) if len(y_shape) > 1 else ()
    assert conv.latent_shape(latent_dim, y_shape) == (latent_dim, *lowest)
    assert conv.latent_shape("auto", y_shape)[0] == (4 if lowest else 6)


def test_latent_size_grows_with_the_outputs():
    outputs = (1, 3, 48, 588, 10**6)
    for is_linear, expected in [(True, (1, 3, 47, 64, 64)), (False, (1, 3, 14, 48, 64))]:
        for architecture in (MLP(shortcut=is_linear), Conv(linear_features=is_linear)):
            found = [architecture.latent_shape("auto", (d,)) for d in outputs]
            assert found == [(d,) for d in expected]


@pytest.mark.parametrize(
    ("architecture", "auto"),
    [
        (MLP(dropout=0.1), ["hidden_layer_sizes"]),
        (Conv(), ["channels", "image_size"]),
        (Layered(background_share=0.5), ["channels", "image_size"]),
        (Temporal(dropout=0.1), ["n_blocks"]),
    ],
    ids=repr,
)
def test_resolving_changes_nothing_in_place_and_leaves_nothing_to_resolve(architecture, auto):
    before = repr(architecture)
    y_shape = (8, 6) if isinstance(architecture, Layered) else (1,)
    resolved = architecture.resolve(100, (9, 12), y_shape)
    assert repr(architecture) == before
    assert all(getattr(architecture, name) == "auto" for name in auto)
    assert all(isinstance(getattr(resolved, name), tuple | int) for name in auto)
    assert repr(resolved.resolve(7, (9, 12), y_shape)) == repr(resolved)


def test_levels_halve_until_no_side_is_long():
    for side, n_levels in ((1, 2), (8, 2), (16, 2), (17, 3), (33, 4), (200, 6)):
        conv = Conv().resolve(10, (side, 4), (1,))
        assert len(conv.channels) == n_levels and conv.image_size == (side, 4)
        assert list(conv.channels) == sorted(conv.channels)


def test_full_resolution_is_that_of_y_unless_it_is_a_vector():
    assert Conv().resolve(10, (9, 12), (3, 5, 4)).image_size == (5, 4)
    assert Conv().resolve(10, (9, 12), (3,)).image_size == (9, 12)
    assert Conv(image_size=[6, 7]).resolve(10, (9, 12), (5, 4)).image_size == (6, 7)


@pytest.mark.parametrize(
    ("family", "bad"),
    [
        (MLP, {"hidden_layer_sizes": (8, 0)}),
        (MLP, {"hidden_layer_sizes": (8, 2.5)}),
        (MLP, {"hidden_layer_sizes": -3}),
        (MLP, {"hidden_layer_sizes": "big"}),
        (MLP, {"activation": "softplus"}),
        (MLP, {"dropout": 1.0}),
        (MLP, {"dropout": -0.1}),
        (MLP, {"shortcut": "yes"}),
        (MLP, {"bins": 0}),
        (MLP, {"bins": "many"}),
        (Layered, {"channels": ()}),
        (Layered, {"channels": (8, 0)}),
        (Layered, {"kernel_size": 2}),
        (Layered, {"image_size": (8,)}),
        (Layered, {"background_share": 1.0}),
        (Conv, {"channels": ()}),
        (Conv, {"channels": (8,)}),
        (Conv, {"channels": (8, 0)}),
        (Conv, {"channels": (8, 2.5)}),
        (Conv, {"channels": 8}),
        (Conv, {"channels": "big"}),
        (Conv, {"kernel_size": 0}),
        (Conv, {"kernel_size": 4}),
        (Conv, {"kernel_size": 2.5}),
        (Conv, {"activation": "softplus"}),
        (Conv, {"shortcut": "yes"}),
        (Conv, {"image_size": (8,)}),
        (Conv, {"image_size": (8, 0)}),
        (Conv, {"image_size": (3, 8, 8)}),
        (Conv, {"image_size": (8.5, 8)}),
        (Conv, {"image_size": 8}),
        (Conv, {"image_size": "big"}),
        (Temporal, {"n_channels": 0}),
        (Temporal, {"n_channels": 2.5}),
        (Temporal, {"n_blocks": 0}),
        (Temporal, {"n_blocks": "many"}),
        (Temporal, {"kernel_size": 1}),
        (Temporal, {"kernel_size": 4}),
        (Temporal, {"activation": "softplus"}),
        (Temporal, {"dropout": 1.0}),
    ],
)
def test_parameters_out_of_range(family, bad):
    (name,) = bad
    message = f"The '{name}' parameter of {family.__name__} must be"
    with pytest.raises(ValueError, match=message) as error:
        family(**bad).resolve(10, (8, 8), (8, 8) if family is Layered else (1,))
    assert f"Got {bad[name]!r} instead" in str(error.value)


def test_convolutions_expect_an_image():
    with pytest.raises(
        ValueError, match=r"images in X or y, .* got rows of shape \(3,\) and \(1,"
    ):
        Conv().resolve(10, (3,), (1,))


@pytest.mark.parametrize("n_columns", [3, 100])  # one product of thin inputs, or a sum
def test_first_layers_are_linear_maps_of_the_concatenated_inputs(n_columns):
    trunk = MLP((8, 6)).resolve(10, (n_columns,), (1,)).encoder((n_columns,), (2,))
    x, z = torch.randn(5, n_columns), torch.randn(5, 2)
    first, shortcut = (
        F.linear(torch.cat([x, z], dim=1), torch.cat([m.weight for m in part], 1), part[0].bias)
        for part in (trunk.first, trunk.shortcut)
    )
    torch.testing.assert_close(trunk(x, z), trunk.rest(first) + shortcut)
    assert not MLP((8,), shortcut=False).resolve(10, (3,), (1,)).encoder((3,)).shortcut


@pytest.mark.parametrize("shortcut", [True, False])
def test_given_x_the_decoder_equals_its_forward_for_every_draw(shortcut):
    decoder = MLP((8, 6), shortcut=shortcut).resolve(10, (3,), (1,)).decoder((1,), (3,), (2,))
    x, z = torch.randn(5, 3), torch.randn(7, 5, 2)
    together = decoder.given(x)(z)
    torch.testing.assert_close(together, torch.stack([decoder(x, one) for one in z]))


def test_dropout_draws_from_its_generator_only():
    layer = Dropout(0.25)
    h = torch.ones(400, 50)
    state = torch.get_rng_state()
    draws = []
    for seed in (0, 0, 1):
        layer.generator = torch.Generator().manual_seed(seed)
        draws.append(layer(h))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert (draws[0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert draws[0].mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(layer.eval()(h), h)


def test_bins_code_how_far_a_number_has_come():
    bins = PiecewiseLinear(np.array([[0.0, 1.0, 3.0], [2.0, 2.0, 4.0]]))
    x = torch.tensor([[-5.0, 1.0], [0.5, 2.0], [2.0, 3.0], [9.0, 9.0]])
    shares = torch.tensor([[0, 0, 0], [0.5, 0, 0], [1, 0.5, 0.5], [1, 1, 1]])
    coded = (shares - torch.tensor([0.75, 0.25, 0.25])) / 0.1875**0.5
    expected = torch.cat([x, coded[:, :2], torch.zeros(4, 1), coded[:, 2:]], dim=1)
    torch.testing.assert_close(bins(x), expected)
    assert bins.out_shape == (6,)


def test_edges_of_bins_are_quantiles_by_which_the_code_is_standardised():
    x = np.random.default_rng(0).uniform(3, 9, size=(1000, 2))
    fitted = MLP(bins=4).fit_bins(x)
    np.testing.assert_allclose(fitted.bins[1], np.quantile(x[:, 1], [0, 0.25, 0.5, 0.75, 1]))
    np.testing.assert_array_equal(fitted.fit_bins(x[:7]).bins, fitted.bins)
    assert MLP().fit_bins(x).bins is None
    code = PiecewiseLinear(fitted.bins)(torch.as_tensor(x, dtype=torch.float32))[:, 2:]
    assert code.mean(0).abs().max() < 0.1 and 0.7 < code.std(0).min() < code.std(0).max() < 1


@pytest.mark.parametrize(("n_columns", "n_bins"), [(600, 24), (5000, 3), (20_000, 1)])
def test_many_columns_have_fewer_bins_each(n_columns, n_bins):
    x = np.random.default_rng(0).normal(size=(50, n_columns)).astype(np.float32)
    assert MLP(bins=24).fit_bins(x).bins.shape == (n_columns, n_bins + 1)


@pytest.mark.parametrize("bins", [[0, 1], [[0, 1]], [[0, 1], [1, 0]]])
def test_edges_that_are_given_ascend_and_are_of_every_column(bins):
    with pytest.raises(ValueError, match="ascending edges of shape .* with n_columns = 2"):
        MLP(bins=bins).fit_bins(np.zeros((3, 2)))


def test_given_x_the_decoder_with_bins_equals_its_forward():
    x, z = torch.randn(5, 3, 2), torch.randn(7, 5, 2)
    architecture = MLP((8, 6), bins=4).resolve(10, (3, 2), (1,)).fit_bins(x.numpy())
    decoder = architecture.decoder((1,), (3, 2), (2,))
    together = decoder.given(x)(z)
    torch.testing.assert_close(together, torch.stack([decoder(x, one) for one in z]))


def test_a_fit_with_bins_finds_a_step_and_survives_a_pickle():
    X = np.random.default_rng(0).uniform(size=(400, 2))
    y = np.where(X[:, 0] > 0.5, 1.0, 0.0)
    params = {"max_epochs": 20, "random_state": 0}
    smooth = NNRegressor(architecture=MLP((16,)), **params).fit(X, y)
    stepped = NNRegressor(architecture=MLP((16,), bins=20), **params).fit(X, y)
    assert stepped.score(X, y) > smooth.score(X, y)
    assert stepped.architecture_.bins.shape == (2, 21)
    again = pickle.loads(pickle.dumps(stepped))
    np.testing.assert_allclose(again.predict(X), stepped.predict(X))


@pytest.mark.parametrize("params", [{}, {"initial_guess": True}], ids=repr)
def test_without_hidden_layers_predictions_are_affine(estimator_class, data, params):
    X, y = data
    est = estimator_class(architecture=MLP(()), max_epochs=3, random_state=0, **params).fit(X, y)
    zero, one, other = np.zeros_like(X), X, X[::-1] * 100
    at_zero, *found, at_sum = map(est.predict, (zero, one, other, one + other))
    np.testing.assert_allclose(sum(found) - at_zero, at_sum, rtol=1e-9)
    assert np.ptp(at_sum, axis=0).min() > 1


def test_linear_networks_encode_bins():
    linear = MLP((), bins=np.array([[-1.0, 0.0, 1.0]]))
    for network in (linear.encoder((1,), (2,)), linear.decoder((3,), (1,), (2,))):
        x = torch.tensor([[-1.0], [0.0], [1.0]])
        features = network(x, torch.zeros(3, 2))
        assert features.shape == (3, *network.out_shape)
        assert (features[2] - 2 * features[1] + features[0]).abs().max() > 0.01
