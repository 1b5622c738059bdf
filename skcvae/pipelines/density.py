"""Predictions, draws, quantiles, probabilities and densities of the last step of a pipeline."""

from skcvae.pipelines.steps import of_last_step


@of_last_step
def predict(estimator, X, **params):
    """Predict y, with the parameters that a pipeline or a search does not pass on.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    **params
        Passed to `predict`, such as `return_std` and `as_frame`.

    Returns
    -------
    ndarray of shape (n_rows, ...)
        As of `predict` of the last step.
    """


@of_last_step
def sample(estimator, X, n_samples=1, random_state=None, **params):
    """Draw joint outputs y ~ p(y|x).

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    n_samples : int, default=1
        Draws per row.
    random_state : int, RandomState or None, default=None
        None makes new draws at each call.
    **params
        Passed to `sample`, such as `observation_noise`.

    Returns
    -------
    ndarray of shape (n_samples, n_rows, ...)
        Draws first, never squeezed.
    """


@of_last_step
def predict_modes(estimator, X, n_modes=None, **params):
    """Predict y at each component of a mixture prior, in the order of their weights.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    n_modes : int, default=None
        The number of components, from the heaviest; None is all of them.
    **params
        Passed to `predict_modes`, such as `return_weights`.

    Returns
    -------
    ndarray of shape (n_modes, n_rows, ...)
        With ``return_weights=True`` the weights too.
    """


@of_last_step
def predict_quantiles(estimator, X, quantiles=(0.05, 0.5, 0.95), **params):
    """Estimate quantiles of each output from draws.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    quantiles : float or sequence of float, default=(0.05, 0.5, 0.95)
        Levels in [0, 1].
    **params
        Passed to `predict_quantiles`, such as `n_samples`.

    Returns
    -------
    ndarray of shape (n_rows, ..., n_quantiles)
        Marginal quantiles: each output by itself.
    """


@of_last_step
def predict_interval(estimator, X, coverage=0.9, **params):
    """Estimate the central interval of each output from draws.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    coverage : float or sequence of float, default=0.9
        The probability that the interval holds the output, in (0, 1).
    **params
        Passed to `predict_interval`, such as `n_samples`.

    Returns
    -------
    ndarray of shape (n_rows, ..., 2)
        Lower and upper end, marginal for each output.
    """


@of_last_step
def predict_region(estimator, X, coverage=0.9, **params):
    """Estimate the region of a single output, in pieces where y has branches.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    coverage : float, default=0.9
        The probability that the region holds the output, in (0, 1).
    **params
        Passed to `predict_region`, such as `n_samples`.

    Returns
    -------
    ndarray of shape (n_rows, n_pieces, 2)
        Lower and upper ends of the pieces, from the lowest; rows with fewer end in NaN.
    """


@of_last_step
def complete(estimator, X, y_partial, n_samples=1, mask=None, **params):
    """Sample the missing entries of y given X and the observed ones.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    y_partial : array-like
        Outputs, NaN where missing.
    n_samples : int, default=1
        Joint completions per row.
    mask : array-like of bool of the shape of `y_partial`, default=None
        True where missing.
    **params
        Passed to `complete`, such as `n_steps` or `random_state`.

    Returns
    -------
    ndarray of shape (n_samples, n_rows, ...)
        Complete y; observed entries are unchanged.
    """


@of_last_step
def log_prob(estimator, X, y, **params):
    """Estimate log p(y|x) of each row, in nats.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X, y : array-like
        Inputs and outputs.
    **params
        Passed to `log_prob`, such as `n_samples` or `method`.

    Returns
    -------
    ndarray of shape (n_rows,)
        With ``return_ess=True`` the effective sample sizes too.
    """


@of_last_step
def probability(estimator, X, event, **params):
    """Estimate the probability of a statement on y from draws.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    event : callable
        Takes draws of shape (n_draws, n_rows, ...), returns bool of shape (n_draws, n_rows).
    **params
        Passed to `probability`, such as `n_samples`.

    Returns
    -------
    probability, standard_error : ndarray of shape (n_rows,)
        The share of the draws for which the statement holds, and its standard error.
    """
