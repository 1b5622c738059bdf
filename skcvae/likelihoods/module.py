"""Base classes of likelihoods and of the modules they build."""

from abc import abstractmethod

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae._documented import Documented


class RealOutputs(Documented):
    """Base class of likelihoods of real outputs, which are standardised."""

    targets = "real"

    def check_targets(self, y):
        """Accept every finite y.

        Parameters
        ----------
        y : ndarray
            The targets.
        """


class LikelihoodModule(nn.Module):
    """Map the network's output to a distribution of y.

    Parameters
    ----------
    parameter_shape : tuple of int
        Shape of the distribution's parameters for one row.
    """

    def __init__(self, parameter_shape: tuple[int, ...]):
        super().__init__()
        self.parameter_shape = parameter_shape

    @abstractmethod
    def forward(self, parameters: Tensor) -> Distribution:
        """Return the distribution.

        Parameters
        ----------
        parameters : Tensor of shape batch + parameter_shape
            Unconstrained parameters.

        Returns
        -------
        Distribution
            Over rows of y, with batch shape ``batch``.
        """

    def read(self, y: Tensor) -> Tensor:
        """Encode y as an input of the networks; the identity by default.

        Parameters
        ----------
        y : Tensor of shape (..., outputs)
            Outputs, or means of outputs. NaN stays NaN.

        Returns
        -------
        Tensor of the same shape
            Encoded values, of the order of one.
        """
        return y
