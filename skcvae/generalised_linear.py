"""A generalised linear model, from ridge regression of a working response.

A step of iterated least squares (McCullagh and Nelder, 1989, section 2.5) from the distribution
that ignores x is too short where x tells much. Each number of the likelihood is scaled and
shifted, and dispersions are set, so that rows left out are most likely, with a penalty that
matters for few rows.
"""

import torch
from torch import Tensor
from torch.optim import LBFGS

from skcvae import ridge
from skcvae.data.weights import effective_rows
from skcvae.least_squares import FEWEST_ROWS

FARTHEST = 5.0  # of a working response, which the outputs of few rows may exceed
N_STEPS = 30  # of Newton's method, nearly, for two numbers of each output


@torch.no_grad()
def fit_generalised(
    likelihood, x, y: Tensor, found, weight=None, group=None
) -> tuple[Tensor, Tensor, Tensor]:
    """Fit a generalised linear model, and set the dispersions of its likelihood.

    Parameters
    ----------
    likelihood : LikelihoodModule
        Of outputs with a start, whose own parameters are set.
    x : ndarray of shape (n_rows, n_features) or None
        Inputs.
    y : Tensor of shape (n_rows, ...)
        Complete rows, encoded.
    found : tuple of Tensors
        What `likelihood.marginal` returns.
    weight, group : ndarray of shape (n_rows,), default=None
        Weights of the rows, and labels of rows that belong together.

    Returns
    -------
    coef : Tensor of shape (n_numbers, n_features)
        Of each number of the likelihood.
    intercept, error : Tensor of shape (n_numbers,)
        Intercepts, and standard deviations of the left-out working response.
    """
    numbers, response = found[0], found[1].flatten(1).clip(-FARTHEST, FARTHEST)
    n_rows = len(y) if weight is None else effective_rows(weight)
    if x is None or n_rows < FEWEST_ROWS:
        n_features = 0 if x is None else x.shape[1]
        coef = numbers.new_zeros(numbers.numel(), n_features)
        return coef, numbers.flatten(), response.std(0, correction=0)
    linear = ridge.fit(x, response.numpy(), weight, group)
    left_out = torch.from_numpy(linear.left_out).view(-1, *numbers.shape)
    factor = 1 if weight is None else torch.from_numpy(weight / weight.mean())
    change = torch.zeros(2, *numbers.shape).to(numbers).requires_grad_()
    own = list(likelihood.parameters())
    before = [parameter.clone() for parameter in own]
    optimizer = LBFGS([change, *own], max_iter=N_STEPS, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        moved = [change, *(now - then for now, then in zip(own, before, strict=True))]
        seen = likelihood(numbers + change[0] + change[1].exp() * left_out)
        lost = sum(part.square().sum() for part in moved) / 2 - (factor * seen.log_prob(y)).sum()
        lost.backward()
        return lost

    with torch.enable_grad():
        optimizer.step(loss)
    optimizer.zero_grad()
    shift, slope = change.detach()[0].flatten(), change.detach()[1].exp().flatten()
    coef, intercept = map(torch.from_numpy, linear[:2])
    spread = (response - left_out.flatten(1)).square().mean(0).sqrt()
    return slope[:, None] * coef, numbers.flatten() + shift + slope * intercept, spread
