"""Laws of the convolutional networks, whatever the sizes."""

import itertools

import pytest
import torch

from skcvae.architectures import Conv
from skcvae.networks.convolutions import Convolution, level_sizes

SIZES = [(8, 8), (9, 7), (1, 5), (16, 12)]
CHANNELS = [(4, 6), (4, 6, 8)]
BATCHES = [(5,), (1,), (7, 5), (2, 3, 5)]


@pytest.fixture(params=SIZES, ids=str)
def size(request):
    return request.param


@pytest.fixture(params=CHANNELS, ids=str)
def channels(request):
    return request.param


def architecture(channels, size, **params):
    conv = Conv(channels, activation="tanh", linear_features=False, **params)
    return conv.resolve(10, size, size)


def rows_of(size):
    """Return shapes of rows that go in: images, of one size or another, and vectors."""
    return [size, (3, *size), (2, 3, *size), (3, 6, 11), (4,)]


def test_levels_halve_rounding_up(size):
    levels = level_sizes(size, 4)
    assert levels[0] == size and len(levels) == 4
    for fine, coarse in itertools.pairwise(levels):
        assert all(2 * c - 1 <= f <= 2 * c for f, c in zip(fine, coarse, strict=True))


@pytest.mark.parametrize("batch", BATCHES, ids=str)
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_the_way_down_gives_the_shapes_it_announces(size, channels, batch, kernel_size):
    conv = architecture(channels, size, kernel_size=kernel_size)
    lowest = (channels[-1], *level_sizes(size, len(channels))[-1])
    for shape in rows_of(size):
        descent = conv.encoder(shape, (2, *size))
        levels = descent.levels(torch.randn(*batch, *shape), torch.randn(*batch, 2, *size))
        assert [h.shape for h in levels] == [(*batch, *level) for level in descent.level_shapes]
        assert descent.out_shape == levels[-1].shape[len(batch) :] == lowest
        alone = conv.encoder(shape)
        assert alone(torch.randn(*batch, *shape)).shape == (*batch, *alone.out_shape)


@pytest.mark.parametrize("batch", BATCHES, ids=str)
@pytest.mark.parametrize("shortcut", [True, False])
def test_the_way_up_gives_the_shapes_it_announces(size, channels, batch, shortcut):
    conv = architecture(channels, size, shortcut=shortcut)
    for shape in rows_of(size):
        ascent = conv.decoder(size, shape)
        scales = ascent.scales(torch.randn(*batch, *shape), len(channels))
        assert ascent.out_shape == (channels[0], *size)
        assert ascent.scale_shapes(len(channels)) == [
            (c, *level)
            for c, level in zip(channels, level_sizes(size, len(channels)), strict=True)
        ]
        for h, announced in zip(scales, ascent.scale_shapes(len(channels)), strict=True):
            assert h.shape == (*batch, *announced)
        x = torch.randn(*batch, *shape)
        torch.testing.assert_close(ascent(x), ascent.scales(x, len(channels))[0])


@pytest.mark.parametrize("y_shape", [(9,), (8, 8), (2, 9, 7), (2, 3, 4, 5)])
def test_the_last_layer_has_the_shape_of_y(size, y_shape):
    conv = architecture((4, 6), size)
    for in_shape in ((4, *size), (6, 3, 2)):
        head = conv.head(in_shape, (2, *y_shape))
        assert head(torch.randn(7, 5, *in_shape)).shape == (7, 5, 2, *y_shape)


@pytest.mark.parametrize("y_shape", [(9, 7), (3,)])
@pytest.mark.parametrize("shortcut", [True, False])
def test_all_draws_at_once_are_each_draw_alone(channels, y_shape, shortcut):
    conv = architecture(channels, (9, 7), shortcut=shortcut)
    for x_shape in rows_of((9, 7)):
        for z_shape in ((3,), conv.latent_shape(2, (9, 7))):
            ascent = conv.decoder(y_shape, x_shape, z_shape)
            x, z = torch.randn(5, *x_shape), torch.randn(7, 5, *z_shape)
            of_z = ascent.given(x)
            together = of_z(z)
            assert together.shape == (7, 5, *ascent.out_shape)
            torch.testing.assert_close(together, torch.stack([of_z(one) for one in z]))
            one_row = torch.stack([ascent.given(x[i : i + 1])(z[:, i]) for i in range(5)], dim=1)
            torch.testing.assert_close(together, one_row)
            assert (together[0] != together[1]).any()


@pytest.mark.parametrize("y_shape", [(9, 7), (3,)])
def test_the_way_down_reads_draws_of_y_beside_one_x(channels, y_shape):
    conv = architecture(channels, (9, 7))
    for x_shape in rows_of((9, 7)):
        descent = conv.encoder(x_shape, y_shape)
        x, y = torch.randn(5, *x_shape), torch.randn(7, 5, *y_shape)
        torch.testing.assert_close(descent(x, y), torch.stack([descent(x, one) for one in y]))


def test_the_work_on_x_is_done_once():
    ascent = architecture((4, 6), (8, 8)).decoder((8, 8), (8, 8), (2, 4, 4))
    calls = []
    ascent.descent.register_forward_hook(lambda *args: calls.append("down"))
    for layer in [ascent.mix, *ascent.descent.entrances, *ascent.skips]:
        layer.register_forward_hook(lambda *args: calls.append("x"))
    of_z = ascent.given(torch.randn(5, 8, 8))
    before = len(calls)
    of_z(torch.randn(5, 2, 4, 4))
    assert len(calls) == before == 3


@pytest.mark.parametrize("other", [(16, 24), (3, 2), (4, 20), (9, 7)])
def test_images_of_another_size_are_resized(other):
    torch.manual_seed(0)
    layer = Convolution((2, *other), 3, (8, 10), kernel_size=3, stride=2)
    same = Convolution((2, 8, 10), 3, (8, 10), kernel_size=3, stride=2)
    same.load_state_dict(layer.state_dict())
    flat = torch.randn(5, 2, 1, 1)
    assert layer.out_shape == same.out_shape == (3, 4, 5)
    found, expected = layer(flat.expand(5, 2, *other)), same(flat.expand(5, 2, 8, 10))
    torch.testing.assert_close(found, expected)
    left_is_bright = torch.zeros(1, 2, *other)
    left_is_bright[..., : other[1] // 2] = 1.0
    all_is_bright = torch.ones(1, 2, 8, 10)
    torch.testing.assert_close(layer(left_is_bright)[..., 1], same(all_is_bright)[..., 1])


@pytest.mark.parametrize("factor", [2, 3])
def test_images_shrink_to_means_of_blocks_and_grow_by_repeating(factor):
    small, large = (8, 10), (8 * factor, 10 * factor)
    shrinking = Convolution((2, *large), 3, small, kernel_size=3)
    growing = Convolution((2, *small), 3, large, kernel_size=3)
    x = torch.randn(5, 2, *large)
    blocks = x.unflatten(-1, (10, factor)).unflatten(-3, (8, factor)).mean((-3, -1))
    torch.testing.assert_close(shrinking(x), shrinking.conv(blocks))
    repeated = blocks.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    torch.testing.assert_close(growing(blocks), growing.conv(repeated))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("axis", [-1, -2])
def test_what_moves_by_a_cell_of_the_lowest_level_moves_y_with_it(channels, axis):
    torch.manual_seed(0)
    cell = 2 ** (len(channels) - 1)
    conv = architecture(channels, (64, 64)).set_params(shortcut=False)
    ascent = conv.decoder((64, 64), (2, 64, 64), (3, 64 // cell, 64 // cell)).double()
    x = torch.randn(1, 2, 64, 64, dtype=torch.float64)
    z = torch.randn(1, 3, 64 // cell, 64 // cell, dtype=torch.float64)
    still = ascent.given(x)(z)
    moved = ascent.given(x.roll(cell, axis))(z.roll(1, axis))
    inside = (..., slice(24, 40), slice(24, 40))
    torch.testing.assert_close(moved[inside], still.roll(cell, axis)[inside])
    assert (moved[inside] - still[inside]).abs().max() > 1e-3


@pytest.mark.parametrize("y_shape", [(9, 7), (3,)])
def test_the_shortcut_shows_the_detail_of_x(y_shape):
    conv = architecture((4, 6, 8), (9, 7))
    x, z = torch.randn(5, 2, 9, 7), torch.randn(5, 3)
    with_detail = conv.decoder(y_shape, (2, 9, 7), (3,))
    without = conv.set_params(shortcut=False).decoder(y_shape, (2, 9, 7), (3,))
    missing = with_detail.load_state_dict(without.state_dict(), strict=False).missing_keys
    assert all(name.startswith("skips.") for name in missing)
    assert len(missing) == (2 if len(y_shape) > 1 else 0)
    differs = with_detail.given(x)(z) - without.given(x)(z)
    assert (differs.abs().max() > 0) == (len(y_shape) > 1)


@pytest.mark.parametrize("shortcut", [True, False])
def test_every_parameter_receives_a_gradient(size, channels, shortcut):
    conv = architecture(channels, size, shortcut=shortcut)
    z = torch.randn(5, *conv.latent_shape(2, size))
    for x_shape in rows_of(size):
        x = torch.randn(5, *x_shape)
        generation = conv.decoder(size, x_shape, z.shape[1:])
        baseline = conv.decoder(size, x_shape)
        recognition = conv.encoder(x_shape, size)
        features = [generation.given(x)(z), baseline(x), recognition(x, torch.randn(5, *size))]
        sum(h.square().sum() for h in features).backward()
        for network in (generation, baseline, recognition):
            assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())


def test_there_are_as_many_scales_as_levels(channels):
    ascent = architecture(channels, (8, 8)).decoder((8, 8), (8, 8))
    assert len(ascent.scale_shapes(len(channels))) == len(channels)
    with pytest.raises(ValueError, match=r"n_scales=\d expects Conv to have at least \d levels"):
        ascent.scale_shapes(len(channels) + 1)
