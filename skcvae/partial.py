r"""y observed in part: a likelihood of the outputs that are there.

.. math:: p(y_o \mid x, z) = \prod_{j \in o} p(y_j \mid x, z)

Outputs are independent given z, so the others are left out of the product. NaN
stands for what is not observed.
"""

from torch import Tensor, nn
from torch.distributions import Distribution, Independent


class Partial(nn.Module):
    """A likelihood of what is observed of y: an output that is NaN does not count.

    Parameters
    ----------
    likelihood : Module
        Made by the `build` of a likelihood whose outputs are independent.
    """

    def __init__(self, likelihood: nn.Module):
        super().__init__()
        self.likelihood = likelihood
        self.parameter_shape = likelihood.parameter_shape

    def forward(self, parameters: Tensor) -> Distribution:
        return Observed(self.likelihood(parameters))


class Observed(Independent):
    """A distribution whose log-probability is that of the observed outputs; others are NaN.

    Parameters
    ----------
    whole : Independent
        Over all outputs, which are independent.
    """

    def __init__(self, whole: Independent):
        super().__init__(whole.base_dist, whole.reinterpreted_batch_ndims, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of what is observed.

        Parameters
        ----------
        value : Tensor
            NaN where nothing is known.

        Returns
        -------
        Tensor of shape batch
            Zero for a row of NaN alone.
        """
        log_p = self.base_dist.log_prob(value.nan_to_num(0.0))
        return log_p.where(~value.isnan(), 0.0).flatten(-self.reinterpreted_batch_ndims).sum(-1)

    def expand(self, batch_shape, _instance=None) -> "Observed":
        """Return a distribution with more rows.

        Parameters
        ----------
        batch_shape : torch.Size
            The new batch shape.

        Returns
        -------
        Observed
            Sharing the numbers.
        """
        return Observed(
            Independent(
                self.base_dist, self.reinterpreted_batch_ndims, validate_args=False
            ).expand(batch_shape)
        )
