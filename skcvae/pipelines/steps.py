"""The last step of a pipeline, or of the best pipeline of a search."""

import functools

import numpy as np
from sklearn.base import is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

ALONE = {"encode": "transform", "decode": "inverse_transform", "log_prob": "score_samples"}


def of_last_step(function):
    """Return a function that calls the method of its name of the last step.

    Parameters
    ----------
    function : callable
        Its name, its signature and its documentation are those of the result.

    Returns
    -------
    callable
        Takes a fitted pipeline, search or estimator, X, and the method's other arguments.
    """
    method = function.__name__

    @functools.wraps(function)
    def call(estimator, X, *args, **params):
        last, inside = last_step(estimator, X, method)
        if not is_regressor(last):
            raise TypeError(
                f"{type(last).__name__} has nothing to condition on: use its own {method}, after "
                "the first steps of a pipeline, pipeline[:-1].transform(X)."
            )
        is_flag = isinstance(params.get("as_frame"), bool | np.bool_)
        if is_flag and params["as_frame"] and hasattr(X, "iloc"):
            params["as_frame"] = X.index
        return getattr(last, method)(inside, *args, **params)

    return call


def to_torch(estimator):
    """Return the networks of the last step as one torch module.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted.

    Returns
    -------
    torch.nn.Module
        As `to_torch` of the last step: its x are what the first steps of a pipeline return,
        ``pipeline[:-1].transform(X)``.
    """
    last, _ = last_step(estimator, None, "to_torch")
    return last.to_torch()


def last_step(estimator, X, method):
    """Return the estimator that has a method, and X as it takes it.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted; frozen ones too.
    X : array-like or None
        Inputs as the first step takes them; None where only the estimator is wanted.
    method : str
        The method's name.

    Returns
    -------
    estimator : estimator
        The last step.
    X : array-like or None
        Transformed by the first steps.

    Raises
    ------
    TypeError
        If the last step has no such method.
    """
    while True:
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "steps"):
            first, estimator = estimator[:-1], estimator[-1]
            X = first.transform(X) if X is not None and len(first) else X
        elif hasattr(estimator, "best_estimator_") and not hasattr(estimator, "log_prob"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "conformalize") and not hasattr(estimator, method):
            check_is_fitted(estimator)
            estimator = estimator.estimator_
        elif isinstance(estimator, TransformedTargetRegressor):
            raise TypeError(
                f"{method} expects an estimator of skcvae in place of TransformedTargetRegressor: "
                "y is standardised inside. For positive y take likelihood='log_normal' rather "
                "than a logarithm."
            )
        elif hasattr(estimator, method):
            return estimator, X
        else:
            raise TypeError(
                f"estimator must be, or end in, a fitted estimator with a method {method!r}, "
                f"got {type(estimator).__name__}.{_instead(estimator, method)}"
            )


def _instead(estimator, method):
    """Return what to do with a search without a fit, or with a model of X alone."""
    if hasattr(estimator, "refit"):
        return " Fit the search first, with refit=True."
    if not hasattr(estimator, "reconstruct") or is_regressor(estimator):
        return ""
    own = ALONE.get(method)
    instead = f"use the method {own!r}" if hasattr(estimator, own or "") else "it predicts no y"
    return f" {type(estimator).__name__} models X alone: {instead}."
