"""What the `build` of every likelihood returns, and what those of real outputs share."""

from abc import abstractmethod

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae._documented import Documented


class RealOutputs(Documented):
    """A likelihood of real numbers, which are standardised before it."""

    targets = "real"

    def check_targets(self, y):
        """Accept every finite y.

        Parameters
        ----------
        y : ndarray
            The targets.
        """


class LikelihoodModule(nn.Module):
    """Read the last layer's numbers as a distribution of y.

    Parameters
    ----------
    parameter_shape : tuple of int
        Shape of the numbers of one row.
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
            Unbounded numbers.

        Returns
        -------
        Distribution
            Over rows of y, with batch shape ``batch``.
        """

    def read(self, y: Tensor) -> Tensor:
        """Return y as the networks that read it see it: as it is, where its range is tame.

        Parameters
        ----------
        y : Tensor of shape (..., outputs)
            Outputs, or means of outputs. NaN stays NaN.

        Returns
        -------
        Tensor of the same shape
            Numbers of the order of one.
        """
        return y
