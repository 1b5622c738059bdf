import pytest
import torch

from skcvae.architectures import MLP
from skcvae.networks.layers import ACTIVATIONS, Dropout, JoinedLinear


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


def test_resolving_changes_nothing_in_place():
    architecture = MLP(dropout=0.1)
    resolved = architecture.resolve(100, (3,), (1,))
    assert architecture.hidden_layer_sizes == "auto" and resolved.dropout == 0.1


@pytest.mark.parametrize(
    "bad",
    [
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (8, 0)},
        {"hidden_layer_sizes": (8, 2.5)},
        {"hidden_layer_sizes": -3},
        {"hidden_layer_sizes": "big"},
        {"activation": "softplus"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"shortcut": "yes"},
    ],
)
def test_parameters_out_of_range(bad):
    with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter of MLP must be"):
        MLP(**bad).resolve(10, (3,), (1,))


def test_joined_linear_is_a_linear_map_of_the_concatenation():
    joined = JoinedLinear([(3,), (2, 2)], 5)
    x, z = torch.randn(6, 3), torch.randn(6, 2, 2)
    weight = torch.cat([linear.weight for linear in joined.linears], dim=1)
    expected = torch.cat([x, z.flatten(1)], dim=1) @ weight.T + joined.linears[0].bias
    torch.testing.assert_close(joined(x, z), expected)


@pytest.mark.parametrize("shortcut", [True, False])
def test_given_x_the_decoder_equals_its_forward_for_every_draw(shortcut):
    decoder = MLP((8, 6), shortcut=shortcut).resolve(10, (3,), (1,)).decoder((3,), (2,))
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


def test_the_shortcut_is_linear_and_reads_every_input():
    with_shortcut = MLP((8, 6)).resolve(10, (3,), (1,)).encoder((3,), (2,))
    x, z = torch.randn(5, 3), torch.randn(5, 2)
    linear = with_shortcut(x, z) - with_shortcut.rest(with_shortcut.first(x, z))
    torch.testing.assert_close(linear, with_shortcut.shortcut(x, z))
    assert MLP((8,), shortcut=False).resolve(10, (3,), (1,)).encoder((3,)).shortcut is None
