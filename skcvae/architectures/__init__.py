r"""Network architectures.

An architecture is a small parameter object, so that its parameters can be tuned:
``GridSearchCV(CVAERegressor(), {"architecture__dropout": [0, 0.1]})``.
For networks of your own, subclass :class:`MLP` or :class:`Architecture`. Sizes are known only
in `fit`, so an architecture does not store modules.

A row is a vector of shape (d,), or an image of shape (height, width) or
(channels, height, width). For :class:`Temporal` it is a vector, or a sequence of shape
(length, channels).
"""

from skcvae.architectures.base import Architecture
from skcvae.architectures.conv import Conv
from skcvae.architectures.layered import Layered
from skcvae.architectures.mlp import MLP
from skcvae.architectures.temporal import Temporal

__all__ = ["MLP", "Architecture", "Conv", "Layered", "Temporal"]
