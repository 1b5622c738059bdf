r"""The networks of an autoencoder: an encoder :math:`f` and a decoder :math:`g`.

.. math:: \hat x = g(f(x))

The code :math:`f(x)` and the reconstruction :math:`\hat x` are points, not distributions.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from skcvae.model import Conditional
from skcvae.networks.layers import Shape


class EncoderDecoder(nn.Module):
    """An encoder and a decoder, with those methods of a model that need no density.

    Parameters
    ----------
    encoder, decoder : Module
        From rows to codes, which are vectors, and back.
    x_shape : tuple of int
        Shape of one row.

    Attributes
    ----------
    noise_shape : tuple of int
        Shape of the noise that corrupts one row.
    row_size : int
        Numbers per row in the widest tensor, to plan memory by.
    """

    is_deterministic = False

    def __init__(self, encoder: nn.Module, decoder: nn.Module, x_shape: Shape):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.noise_shape = tuple(x_shape)
        shapes = [getattr(module, "out_shape", ()) for module in self.modules()]
        self.row_size = max(map(math.prod, [x_shape, *shapes]))

    def latent_given(self, x: None, y: Tensor) -> Distribution:
        """Return the code of rows, as a distribution without spread."""
        del x
        return _point(self.encoder(y), 1)

    recognition = latent_given

    def condition(self, x: None = None) -> Conditional:
        """Return the decoder as a model given nothing; there is no prior."""
        del x
        event_ndim = len(self.noise_shape)
        return Conditional(None, lambda z: _point(self.decoder(z), event_ndim), list)


def _point(loc: Tensor, event_ndim: int) -> Distribution:
    spread = Normal(loc, torch.zeros_like(loc), validate_args=False)
    return Independent(spread, event_ndim, validate_args=False)


class CodeDecoder(nn.Module):
    """The decoder of an architecture as a module that reads codes alone.

    Parameters
    ----------
    trunk : Module
        Without an x.
    """

    def __init__(self, trunk: nn.Module):
        super().__init__()
        self.trunk = trunk

    def forward(self, z: Tensor) -> Tensor:
        return self.trunk.given(None)(z)


def encoder_decoder(
    architecture, x_shape: Shape, n_components: int, *, activation: str
) -> EncoderDecoder:
    """Build an autoencoder from shapes.

    Parameters
    ----------
    architecture : object
        A resolved architecture.
    x_shape : tuple of int
        Shape of one row.
    n_components : int
        Length of the code.
    activation : {"identity", "sigmoid"}
        Activation of the code.

    Returns
    -------
    EncoderDecoder
        Untrained; each half is a trunk and an output layer.
    """
    architecture, n_dims = architecture.for_codes(), len(x_shape)
    mirrored = architecture.mirrored()
    trunk = architecture.encoder(x_shape)
    code = [architecture.head(trunk.out_shape, (1, n_components)), nn.Flatten(-2)]
    if activation == "sigmoid":
        code.append(nn.Sigmoid())
    back = mirrored.decoder(x_shape, None, (n_components,))
    rows = mirrored.head(back.out_shape, (1, *x_shape)), nn.Flatten(-n_dims - 1, -n_dims)
    encoder = nn.Sequential(trunk, nn.Sequential(*code))
    decoder = nn.Sequential(CodeDecoder(back), nn.Sequential(*rows))
    return EncoderDecoder(encoder, decoder, x_shape)


def layer_pairs(networks: EncoderDecoder) -> list[EncoderDecoder]:
    """Return each layer of the encoder with the decoder's of the same level, data first.

    Parameters
    ----------
    networks : EncoderDecoder
        As :func:`encoder_decoder` builds it. The pairs share its weights; skip connections
        are in none of them.

    Returns
    -------
    list of EncoderDecoder
        The first reconstructs rows, each of the others the codes of the one before.

    Raises
    ------
    ValueError
        If the networks have no hidden layers, or none that are known.
    """
    (trunk, code), (back, rows) = networks.encoder, networks.decoder
    if not (hasattr(trunk, "layers") and hasattr(back.trunk, "layers")):
        raise ValueError(
            "pretraining='stacked' trains layer by layer and expects an architecture with hidden "
            f"layers, MLP or Conv; got an encoder {type(trunk).__name__} without."
        )
    up, down = [*trunk.layers(), code], [*back.trunk.layers(), rows]
    down[len(up) - 1 :] = [nn.Sequential(*down[len(up) - 1 :])]
    pairs, x = [], torch.zeros(1, *networks.noise_shape)
    for encoder, decoder in zip(up, reversed(down), strict=True):
        pairs.append(EncoderDecoder(encoder, decoder, tuple(x.shape[1:])))
        with torch.no_grad():
            x = encoder(x.to(next(encoder.parameters()).device))
    return pairs
