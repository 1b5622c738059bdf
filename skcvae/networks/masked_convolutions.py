r"""Masked convolutions over y: the numbers of each pixel depend on earlier pixels only.

Images are read row by row and pixel by pixel, and the channels of one pixel in turn. One stack
of maps reads the rows above, another the pixels to the left and, at each layer, the first: there
is no blind spot. One pass evaluates all conditionals at a given y. To draw y, the maps of each
pixel are computed once, when all that they read is known, so a draw takes the work of one pass.

van den Oord, Kalchbrenner and Kavukcuoglu (2016), *Pixel Recurrent Neural Networks*, ICML; van
den Oord et al. (2016), *Conditional Image Generation with PixelCNN Decoders*, NIPS.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skcvae.networks.layers import Shape
from skcvae.networks.masked_perceptron import Choice, mask_of, orders


class Above(nn.Conv2d):
    """A convolution of maps whose window is the pixel's row and those above."""

    def __init__(self, n_in: int, n_out: int, reach: int):
        super().__init__(n_in, n_out, (reach + 1, 2 * reach + 1))
        self.reach = reach

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(F.pad(maps, (self.reach, self.reach, self.reach, 0)))

    def following(self, rows: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        """Return the layer's next row, and the rows that it reads for the one after.

        Parameters
        ----------
        rows : Tensor of shape (n, channels, reach, width)
            The rows above.
        row : Tensor of shape (n, channels, 1, width)
            The next row of the input.
        """
        window = torch.cat([rows, row], -2)
        padded = F.pad(window, (self.reach, self.reach))
        return super().forward(padded), window[..., 1:, :]


class Before(nn.Conv2d):
    """A convolution whose window is the row to the left and, of the pixel itself, lower orders."""

    def __init__(self, inputs: Tensor, outputs: Tensor, reach: int, *, strict: bool):
        super().__init__(len(inputs), len(outputs), (1, reach + 1))
        self.reach = reach
        mask = torch.ones_like(self.weight)
        mask[:, :, 0, -1] = mask_of(inputs, outputs, strict=strict)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        maps = F.pad(maps, (self.reach, 0, 0, 0))
        return F.conv2d(maps, self.weight * self.mask, self.bias)

    def product(self) -> Callable[[Tensor], Tensor]:
        """Return the layer at one pixel, from a window of shape (n, reach + 1, channels)."""
        weight = (self.weight * self.mask)[:, :, 0].transpose(1, 2).flatten(1)
        return lambda window: F.linear(window.flatten(1), weight, self.bias)


class CausalConvolutions(nn.Module):
    """Masked convolutions over images, in raster order.

    Parameters
    ----------
    image_shape : tuple of int
        Channels, height and width of y.
    size : int
        Numbers that encode one output.
    n_numbers : int
        Numbers that its distribution takes.
    n_features : int
        Features of each pixel, which all units read.
    width : int
        Channels of each layer and stack.
    n_layers : int
        Residual layers after the first.
    kernel_size : int
        Odd; that of the first layer is twice as large, plus one.

    Attributes
    ----------
    feature_shape, out_shape : tuple of int
        Shapes of the features, and of the widest tensor, of one row.
    """

    def __init__(
        self,
        image_shape: Shape,
        size: int,
        n_numbers: int,
        n_features: int,
        width: int,
        n_layers: int,
        kernel_size: int,
    ):
        super().__init__()
        n_channels, *self.image_size = image_shape
        inputs, hidden = orders(n_channels * size, n_channels), orders(width, n_channels)
        numbers = orders(n_channels * n_numbers, n_channels)
        self.n_channels = n_channels
        self.feature_shape = (n_features, *self.image_size)
        self.out_shape = (width, *self.image_size)
        self.features = nn.Conv2d(n_features, 2 * width, 1)
        self.first_above = Above(len(inputs), width, kernel_size)
        self.first_before = Before(inputs, hidden, kernel_size, strict=True)
        layers = range(n_layers)
        self.above = nn.ModuleList(Above(width, width, kernel_size // 2) for _ in layers)
        self.across = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(n_layers + 1))
        self.before = nn.ModuleList(
            Before(hidden, hidden, kernel_size // 2, strict=False) for _ in layers
        )
        self.last = Before(hidden, numbers, 0, strict=False)
        self.to(memory_format=torch.channels_last)  # faster on a CPU

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        """Return the numbers of all outputs given those before.

        Parameters
        ----------
        features : Tensor of shape batch + (n_features, height, width)
            Of x and z.
        y : Tensor of shape batch + (n_outputs, size)
            Encoded outputs, in order.

        Returns
        -------
        Tensor of shape batch + (n_outputs, n_numbers)
            To be added to those that follow from x and z alone.
        """
        batch = torch.broadcast_shapes(features.shape[:-3], y.shape[:-2])
        maps = self._maps(y).expand(*batch, -1, -1, -1).flatten(0, -4)
        context = features.expand(*batch, -1, -1, -1).flatten(0, -4)
        above, before = self.features(context).chunk(2, 1)
        above = above + self.first_above(F.pad(maps, (0, 0, 1, -1)))
        before = before + self.first_before(maps) + self.across[0](above.relu())
        for layer, across, row in zip(self.above, self.across[1:], self.before, strict=True):
            above = above + layer(above.relu())
            before = before + row(before.relu()) + across(above.relu())
        numbers = self.last(before.relu()).unflatten(1, (self.n_channels, -1))
        return numbers.permute(0, 3, 4, 1, 2).flatten(1, 3).unflatten(0, batch)

    def _maps(self, y: Tensor) -> Tensor:
        """Return outputs in order as maps, batch + (channels * size, height, width)."""
        y = y.unflatten(-2, (*self.image_size, self.n_channels)).flatten(-2)
        return y.movedim(-1, -3)

    def path(self, features: Tensor, choose: Choice) -> Tensor:
        """Return outputs that were chosen one after another, as `CausalPerceptron.path` does."""
        height, width = self.image_size
        walk = _Walk(self, features.shape[0])
        for i in range(height):
            walk.enter(self.features(features[:, :, i : i + 1]))
            for j in range(width):
                for channel in range(self.n_channels):
                    numbers = walk.numbers(j).unflatten(1, (self.n_channels, -1))[:, channel]
                    position = (i * width + j) * self.n_channels + channel
                    walk.put(j, channel, choose(position, numbers))
        return walk.y()


class _Walk:
    """The maps of n images whose outputs are chosen one after another."""

    def __init__(self, net: CausalConvolutions, n: int):
        self.net, self.before = net, (net.first_before, *net.before)
        self.products = [layer.product() for layer in (*self.before, net.last)]
        self.new_zeros = net.last.weight.new_zeros
        n_in, (_, self.width) = net.first_above.in_channels, net.image_size
        self.above = [  # the rows that each layer reads again
            self.new_zeros(n, layer.in_channels, layer.reach, self.width)
            for layer in (net.first_above, *net.above)
        ]
        self.n, self.rows = n, [self.new_zeros(n, self.width, n_in)]

    def enter(self, context: Tensor) -> None:
        """Enter the next row, whose features are (n, 2 * channels, 1, width)."""
        h, before = context.chunk(2, 1)
        row, self.shares = self.rows[-1].movedim(-1, 1).unsqueeze(2), []
        for i, layer in enumerate((self.net.first_above, *self.net.above)):
            step, self.above[i] = layer.following(self.above[i], row)
            h = h + step
            row = h.relu()
            share = self.net.across[i](row)
            self.shares.append((share if i else share + before).squeeze(2).movedim(1, -1))
        self.left = [
            self.new_zeros(self.n, layer.reach + self.width, layer.in_channels)
            for layer in self.before
        ]
        self.rows.append(self.left[0][:, self.before[0].reach :])

    def numbers(self, j: int) -> Tensor:
        """Return the numbers at a pixel of the row, given what was put: (n, n_numbers)."""
        h = 0.0
        for i, layer in enumerate(self.before):
            if i:
                self.left[i][:, j + layer.reach] = h.relu()
            window = self.left[i][:, j : j + layer.reach + 1]
            h = h + self.products[i](window) + self.shares[i][:, j]
        return self.products[-1](h.relu().unsqueeze(1))

    def put(self, j: int, channel: int, value: Tensor) -> None:
        """Set the value of a channel of a pixel of the row, (n, size)."""
        size = value.shape[-1]
        self.rows[-1][:, j, channel * size : (channel + 1) * size] = value

    def y(self) -> Tensor:
        """Return all outputs in order, (n, n_outputs, size)."""
        y = torch.stack(self.rows[1:], 1).flatten(1, 2)
        return y.unflatten(-1, (self.net.n_channels, -1)).flatten(1, 2)
