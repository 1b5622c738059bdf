"""Pipelines of tables with categories and missing values."""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skcvae.data.frames import MissingMarker, select_columns

MOST_CATEGORIES = 30  # of one column; rarer ones share a column


def tabular_pipeline(estimator):
    """Return a pipeline that reads a DataFrame with categories and missing values.

    Numbers that are missing are replaced by the mean, and a column beside them says where, so
    that the networks can tell a fill from a number. Texts, booleans and categories are one-hot
    encoded; missing ones are a category, rare ones share one, and those that were not seen in fit
    are zeros or with the rare ones. Columns are told apart by their types at fit. Where a column
    without gaps in fit has one later, a warning names it.

    Parameters
    ----------
    estimator : estimator
        The last step; not fitted.

    Returns
    -------
    Pipeline
        Not fitted. Its steps are "columntransformer" and the estimator's name in lower case.
        Imputer and encoder are scikit-learn's own, with parameters to set or to search over:
        ``columntransformer__numbers__simpleimputer__strategy`` and
        ``columntransformer__categories__onehotencoder__max_categories``, for example.

    Warns
    -----
    UserWarning
        In predictions, if there are gaps in columns that had none in fit.

    See Also
    --------
    save : Write a fitted pipeline to a file.

    Notes
    -----
    ``skrub.TableVectorizer()`` before the estimator does more, such as dates and texts of many
    words; the functions for pipelines take it as well, files do not.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import skcvae
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"km": rng.normal(size=100), "by": rng.choice(["car", "foot"], 100)})
    >>> X.loc[::9, "km"] = np.nan
    >>> y = rng.normal(size=(100, 2))
    >>> est = skcvae.tabular_pipeline(skcvae.CVAERegressor(max_epochs=5, random_state=0))
    >>> skcvae.predict_interval(est.fit(X, y), X).shape
    (100, 2, 2)
    """
    numbers = SimpleImputer(add_indicator=True, keep_empty_features=True)
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False
    )
    steps = {"numbers": numbers, "categories": one_hot}
    encode = ColumnTransformer(
        [
            (kind, make_pipeline(MissingMarker(kind), step), select_columns(kind))
            for kind, step in steps.items()
        ]
    )
    return make_pipeline(encode, estimator)
