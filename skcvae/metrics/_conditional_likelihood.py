"""Conditional log-likelihood per output."""

import numpy as np

from skcvae.data.label_names import array_of, known
from skcvae.pipelines import log_prob as log_prob_of
from skcvae.pipelines._frames import check_alike
from skcvae.pipelines._labels import codes_of


def negative_cll_per_pixel(log_prob, y):
    r"""Negative conditional log-likelihood (CLL) per output.

    .. math::

        -\frac{\sum_i \log p(y_i \mid x_i)}{\sum_i D_i},

    where row i has :math:`D_i` observed outputs.

    Parameters
    ----------
    log_prob : array-like of shape (n_rows,)
        Values of log p(y|x) in nats, as returned by `log_prob` of an estimator.
    y : array-like of shape (n_rows,) or (n_rows, ...)
        The outputs that were scored; NaN or None if missing.

    Returns
    -------
    float
        Nats per output; lower is better.

    Raises
    ------
    ValueError
        If the numbers of rows differ, or no output is observed.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import negative_cll_per_pixel
    >>> negative_cll_per_pixel([-2.0, -6.0], np.zeros((2, 2, 2)))
    1.0
    """
    check_alike(y, log_prob, "log_prob", outputs=[])
    log_prob, y = np.asarray(log_prob), array_of(y)
    if log_prob.shape != y.shape[:1]:
        raise ValueError(
            f"log_prob must have shape (n_rows,), {y.shape[:1]} for y of shape {y.shape}, "
            f"got {log_prob.shape}."
        )
    n_observed = np.count_nonzero(known(y))
    if not n_observed:
        raise ValueError(f"y must have an observed output, got only NaN in shape {y.shape}.")
    return float(-log_prob.sum() / n_observed)


def cll_per_pixel(estimator, X, y):
    """Scorer: conditional log-likelihood (CLL) per output.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        A fitted estimator with a method `log_prob`, or a pipeline or search of one.
    X : array-like of shape (n_rows, ...)
        Inputs.
    y : array-like of shape (n_rows,) or (n_rows, ...)
        True outputs; NaN, or the `ignore_label` of the estimator's likelihood, if missing. With
        `annotations`, (n_rows, n_annotations, ...): those that are present are scored.

    Returns
    -------
    float
        Nats per output, the negative of :func:`negative_cll_per_pixel`; higher is better.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from skcvae import NNRegressor
    >>> from skcvae.datasets import make_ring
    >>> from skcvae.metrics import cll_per_pixel
    >>> ring = make_ring(n_samples=60, random_state=0)
    >>> est = NNRegressor(max_epochs=2, random_state=0)
    >>> cross_val_score(est, ring.X, ring.y, scoring=cll_per_pixel, cv=3).shape
    (3,)
    """
    log_prob, y = log_prob_of(estimator, X, y), array_of(y)
    if log_prob.ndim > 1:
        present = ~np.isnan(log_prob)
        log_prob, y = log_prob[present], y[present]
    return -negative_cll_per_pixel(log_prob, codes_of(estimator, y))
