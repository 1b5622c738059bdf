"""Methods of an estimator at the end of a pipeline, or inside a fitted search.

scikit-learn's `Pipeline` and `GridSearchCV` pass on `predict` and `score`, but not `sample`,
`predict_modes`, `complete`, `log_prob`, `encode` and `decode`. These functions transform X with
the first steps and call the method of the last. Each takes a fitted pipeline, search or
estimator, inputs X as the first step takes them, and the other arguments of the method; it
raises TypeError if the last step has no such method.

>>> import skcvae
>>> from sklearn.decomposition import PCA
>>> from sklearn.pipeline import make_pipeline
>>> from skcvae.datasets import make_linear_gaussian
>>> data = make_linear_gaussian(n_samples=200, random_state=0)
>>> est = make_pipeline(PCA(2), skcvae.CVAERegressor(max_epochs=5, random_state=0))
>>> est = est.fit(data.X, data.y)
>>> skcvae.sample(est, data.X, n_samples=4).shape
(4, 200, 3)
>>> skcvae.decode(est, data.X, skcvae.encode(est, data.X, data.y)).shape
(200, 3)
"""

from sklearn.base import is_regressor
from sklearn.frozen import FrozenEstimator


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
    last, X = last_step(estimator, X, "sample")
    return last.sample(X, n_samples=n_samples, random_state=random_state, **params)


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
    last, X = last_step(estimator, X, "predict_modes")
    return last.predict_modes(X, n_modes=n_modes, **params)


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
    last, X = last_step(estimator, X, "complete")
    return last.complete(X, y_partial, n_samples, mask, **params)


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
    last, X = last_step(estimator, X, "log_prob")
    return last.log_prob(X, y, **params)


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
    last, X = last_step(estimator, X, "probability")
    return last.probability(X, event, **params)


def encode(estimator, X, y=None, **params):
    """Return E[z|x,y], or E[z|x] without y.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X, y : array-like
        Inputs and outputs; y may be left out.
    **params
        Passed to `encode`, such as `return_std`.

    Returns
    -------
    ndarray of shape (n_rows, ...)
        The posterior mean of the latent variables.
    """
    last, X = last_step(estimator, X, "encode")
    return last.encode(X, y, **params)


def decode(estimator, X, z, **params):
    """Return E[y|x,z], or the most likely labels.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    z : array-like of shape (n_rows, ...) or (n_draws, n_rows, ...)
        Latent variables.
    **params
        Passed to `decode`, such as `return_proba`.

    Returns
    -------
    ndarray of shape (n_rows, ...) or (n_draws, n_rows, ...)
        In the units of y in `fit`.
    """
    last, X = last_step(estimator, X, "decode")
    return last.decode(X, z, **params)


def decode_layers(estimator, X, z):
    """Return foreground, background and gate of E[y|x,z], of a layered architecture.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X : array-like
        Inputs.
    z : array-like of shape (n_rows, latent_dim) or (n_draws, n_rows, latent_dim)
        Latent variables.

    Returns
    -------
    foreground, background : ndarray of shape (n_rows, ...) or (n_draws, n_rows, ...)
        The image with the gate at one, and at zero.
    gate : ndarray of shape (n_rows, height, width) or (n_draws, n_rows, height, width)
        The share of the foreground.
    """
    last, X = last_step(estimator, X, "decode_layers")
    return last.decode_layers(X, z)


def reconstruct(estimator, X, y, **params):
    """Return E[y|x,z] at z = E[z|x,y].

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.
    X, y : array-like
        Inputs and outputs.
    **params
        Passed to `reconstruct`, such as `return_proba`.

    Returns
    -------
    ndarray of the shape of y
        In the units of y in `fit`.
    """
    last, X = last_step(estimator, X, "reconstruct")
    return last.reconstruct(X, y, **params)


def last_step(estimator, X, method):
    """Return the estimator that has a method, and X as it takes it.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted; frozen ones too.
    X : array-like
        Inputs, which the steps before it transform; None where only the estimator is wanted.
    method : str
        The method.

    Returns
    -------
    estimator : estimator
        The last step, the best estimator of a search, or the estimator itself.
    X : array-like
        Transformed.

    Raises
    ------
    TypeError
        If the last step has no such method, or nothing to condition on.
    """
    while isinstance(estimator, FrozenEstimator) or not hasattr(estimator, method):
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            X = estimator[:-1].transform(X) if len(estimator) > 1 and X is not None else X
            estimator = estimator[-1]
        else:
            raise TypeError(
                f"estimator must be, or end in, a fitted estimator with a method {method!r}, "
                f"got {type(estimator).__name__}."
            )
    if not is_regressor(estimator):
        raise TypeError(
            f"{type(estimator).__name__} has nothing to condition on: use its own {method}, after "
            "the first steps of a pipeline, pipeline[:-1].transform(X)."
        )
    return estimator, X
