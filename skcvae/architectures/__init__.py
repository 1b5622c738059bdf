r"""What the networks are built of.

An architecture is a small parameter object, so that its parameters can be
searched: ``GridSearchCV(CVAERegressor(), {"architecture__dropout": [0, 0.1]})``.
To bring networks of your own, write a class with the methods of :class:`MLP`:
`resolve`, `latent_shape`, `encoder`, `decoder` and `head`. They return modules; the
sizes are known only in `fit`, so an architecture never holds a module itself.

The shape of a row is that of a vector, (d,), or of an image, (height, width) or
(channels, height, width).
"""

from skcvae.architectures.conv import Conv
from skcvae.architectures.mlp import MLP

__all__ = ["MLP", "Conv"]
