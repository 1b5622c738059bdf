"""Draws, completions and log-likelihoods through a pipeline or a fitted search.

scikit-learn's `Pipeline` and `GridSearchCV` hand on `predict` and `score`, but
know nothing of `sample`, `complete` and `log_prob`. These functions transform X with the
first steps and ask the last.
"""


def sample(estimator, X, n_samples=1, random_state=None, **params):
    """Draw joint outputs y ~ p(y|x).

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted; its last step, or its best estimator's, has a method `sample`.
    X : array-like
        Inputs, as the first step takes them.
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

    Raises
    ------
    TypeError
        If the last step cannot sample.

    Examples
    --------
    >>> import skcvae
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = make_pipeline(PCA(2), skcvae.CVAERegressor(max_epochs=5, random_state=0))
    >>> skcvae.sample(est.fit(data.X, data.y), data.X, n_samples=4).shape
    (4, 200, 3)
    """
    last, X = _last_step(estimator, X, "sample")
    return last.sample(X, n_samples=n_samples, random_state=random_state, **params)


def complete(estimator, X, y_partial, n_samples=1, mask=None, **params):
    """Draw what is not known of y, given x and what is known.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted; its last step, or its best estimator's, has a method `complete`.
    X : array-like
        Inputs, as the first step takes them.
    y_partial : array-like
        Outputs, NaN where not known.
    n_samples : int, default=1
        Joint completions per row.
    mask : array-like of bool of the shape of `y_partial`, default=None
        True where not known.
    **params
        Passed to `complete`, such as `n_steps` or `random_state`.

    Returns
    -------
    ndarray of shape (n_samples, n_rows, ...)
        Whole y: what is known is untouched.

    Raises
    ------
    TypeError
        If the last step cannot complete.

    Examples
    --------
    >>> import numpy as np
    >>> import skcvae
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = make_pipeline(PCA(2), skcvae.CVAERegressor(max_epochs=5, random_state=0))
    >>> est = est.fit(data.X, data.y)
    >>> data.y[:, 1] = np.nan
    >>> skcvae.complete(est, data.X, data.y, n_samples=4).shape
    (4, 200, 3)
    """
    last, X = _last_step(estimator, X, "complete")
    return last.complete(X, y_partial, n_samples, mask, **params)


def log_prob(estimator, X, y, **params):
    """Estimate log p(y|x) of each row, in nats.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted; its last step, or its best estimator's, has a method `log_prob`.
    X : array-like
        Inputs, as the first step takes them.
    y : array-like
        Outputs.
    **params
        Passed to `log_prob`, such as `n_samples` or `method`.

    Returns
    -------
    ndarray of shape (n_rows,)
        And what else `params` ask for.

    Raises
    ------
    TypeError
        If the last step has no `log_prob`.

    Examples
    --------
    >>> import skcvae
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = make_pipeline(PCA(2), skcvae.CVAERegressor(max_epochs=5, random_state=0))
    >>> skcvae.log_prob(est.fit(data.X, data.y), data.X, data.y).shape
    (200,)
    """
    last, X = _last_step(estimator, X, "log_prob")
    return last.log_prob(X, y, **params)


def _last_step(estimator, X, method):
    """Return the estimator that has `method`, and X as it wants it."""
    while not hasattr(estimator, method):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            raise TypeError(
                f"estimator must be, or end in, a fitted estimator with a method {method!r}, "
                f"got {type(estimator).__name__}."
            )
    return estimator, X
