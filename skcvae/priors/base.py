"""Base class of priors."""

from abc import ABC, abstractmethod

from sklearn.utils._param_validation import HasMethods
from torch import nn

from skcvae.documented import Documented

PRIOR = HasMethods(["build"])


class Prior(Documented, ABC):
    """Base class of priors.

    Attributes
    ----------
    differentiable_draws : bool
        Whether gradients flow through draws, as objectives that draw from the prior need.
    conditions_on_rows : bool
        Whether the prior at x depends on the rows of `fit` and their codes, and training has a
        stage for it.
    """

    _parameter_constraints = {}

    differentiable_draws = True
    conditions_on_rows = False

    @abstractmethod
    def build(self, latent_shape: tuple[int, ...]) -> nn.Module:
        """Return the module that reads the prior network's output as a distribution of z.

        Parameters
        ----------
        latent_shape : tuple of int
            Shape of z for one row.

        Returns
        -------
        Module
            With attributes `parameter_shape`, the shape of the output for one row, and
            `noise_shape`, that of the noise of one draw. Where `parameter_shape` is None
            there is no network, and the module is called with x.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
