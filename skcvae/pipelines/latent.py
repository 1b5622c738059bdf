"""Latent variables of the last step of a pipeline."""

from skcvae.pipelines.steps import of_last_step


@of_last_step
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


@of_last_step
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


@of_last_step
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


@of_last_step
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
