"""Latent variables of fitted estimators: encode, decode, reconstruct."""

from numbers import Integral

from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skcvae.estimators import _checks, _inputs
from skcvae.networks.layered import LayeredDecoder, Layers


class LatentSpace:
    """Posterior means of z, and means of y given z, of an estimator with latent variables."""

    @_checks.named_keywords
    def encode(self, X, y=None, *, return_std=False, n_steps=0):
        """Return E[z|x,y], the mean of the recognition network, or E[z|x] without y.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...), default=None
            Outputs. None returns the mean of the prior p(z|x); of a flow, over 128
            quasi-random draws.
        return_std : bool, default=False
            Whether to return the standard deviation of each latent variable as well.
        n_steps : int, default=0
            Gradient steps from that mean towards the mode of p(z|x,y), the z with the highest
            log p(y|x,z) + log p(z|x), which reconstructs a row of y more closely. Some 200 are
            enough; they need y, but no recognition network. The result is never less likely
            than the start.

        Returns
        -------
        z : ndarray of shape (n_rows, ...)
            Rows of shape `latent_shape_`, float64.
        std : ndarray of the same shape
            Only if `return_std`.

        Raises
        ------
        ValueError
            If the model has no latent variables; with y, if it has no recognition network; if
            `n_steps` is negative, or given without y or with `return_std`.

        Examples
        --------
        >>> from skcvae import CVAERegressor
        >>> from skcvae.datasets import make_linear_gaussian
        >>> data = make_linear_gaussian(n_samples=100, random_state=0)
        >>> est = CVAERegressor(max_epochs=5, random_state=0).fit(data.X, data.y)
        >>> z = est.encode(data.X, data.y)
        >>> z.shape == (100, *est.latent_shape_)
        True
        >>> est.decode(data.X, z).shape
        (100, 3)
        """
        _check_steps(n_steps, y, return_std)
        self._check_latent(recognition=y is not None and not n_steps)
        if y is None:
            X = _inputs.checked(self, X)
        else:
            X, y = self._check_rows(X, y)
        mean, *std = self._shown_fitted().encode(X, y, n_steps)
        return (mean, *std) if return_std else mean

    @_checks.named_keywords
    def decode(self, X, z, *, return_proba=False):
        """Return E[y|x,z], or the most likely labels.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        z : array-like of shape (n_rows, ...) or (n_draws, n_rows, ...)
            Latent variables, rows of shape `latent_shape_`.
        return_proba : bool, default=False
            Whether to return the probability of each class as well. For labels only.

        Returns
        -------
        y : ndarray of shape (n_rows, ...) or (n_draws, n_rows, ...)
            In the units of y in `fit`: float64, or labels.
        proba : ndarray of shape (n_rows, n_classes, ...) or (n_draws, n_rows, n_classes, ...)
            Only if `return_proba`.

        Raises
        ------
        ValueError
            If the model has no latent variables, if z has another shape, or if
            `return_proba` is asked of numbers.
        """
        self._check_latent()
        if return_proba:
            _checks.only_labels(self, "return_proba=True")
        X, draws, single = self._check_codes(X, z)
        coding = self.y_coding_
        read = coding.to_proba if hasattr(coding, "classes") else coding.to_array
        found = self._shown_fitted().decode(X, draws, read)
        found = found[0] if single else found
        return (
            self._like_y(found) if read == coding.to_array else self._labels(found, return_proba)
        )

    @_checks.named_keywords
    def decode_layers(self, X, z):
        """Return the layers of E[y|x,z], of a layered architecture.

        The image is ``gate * foreground + (1 - gate) * background`` where the likelihood's
        numbers are means, as for a Gaussian.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        z : array-like of shape (n_rows, latent_dim) or (n_draws, n_rows, latent_dim)
            Latent variables.

        Returns
        -------
        foreground, background : ndarray of shape (n_rows, ...) or (n_draws, n_rows, ...)
            The image with the gate at one, and at zero, as `decode` returns y. The elements
            of a named tuple, with the gate.
        gate : ndarray of shape (n_rows, height, width) or (n_draws, n_rows, height, width)
            The share of the foreground, in [0, 1], float64.

        Raises
        ------
        ValueError
            If the architecture has no layers, or z another shape.

        Examples
        --------
        See :class:`~skcvae.architectures.Layered`.
        """
        self._check_latent()
        if not isinstance(self._fitted.model.generation, LayeredDecoder):
            raise ValueError(
                "decode_layers expects a layered architecture, such as architecture=Layered(), "
                f"got {self.architecture_!r}."
            )
        X, draws, single = self._check_codes(X, z)
        *images, gate = self._shown_fitted().decode_layers(X, draws, self.y_coding_.to_array)
        found = Layers(*map(self._like_y, images), gate)
        return Layers(*(part[0] for part in found)) if single else found

    @_checks.named_keywords
    def reconstruct(self, X, y, *, return_proba=False):
        """Return E[y|x,z] at z = E[z|x,y]: `decode` of `encode`.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        y : array-like of shape (n_rows,), (n_rows, n_outputs) or (n_rows, ...)
            Outputs.
        return_proba : bool, default=False
            Whether to return the probability of each class as well. For labels only.

        Returns
        -------
        y : ndarray of the shape of y
            In the units of y in `fit`: float64, or labels.
        proba : ndarray of shape (n_rows, n_classes, ...)
            Only if `return_proba`.
        """
        return self.decode(X, self.encode(X, y), return_proba=return_proba)

    def _check_codes(self, X, z):
        """Return X, z of shape (n_draws, n_rows, ...), and whether it was given without draws."""
        X = _inputs.checked(self, X)
        z = check_array(z, ensure_2d=False, allow_nd=True, dtype=float, input_name="z")
        single = z.ndim == 1 + len(self.latent_shape_)
        draws = z[None] if single else z
        if draws.shape[1:] != (len(X), *self.latent_shape_):
            expected = (len(X), *self.latent_shape_)
            raise ValueError(
                f"z must be of shape {expected} or (n_draws, {str(expected)[1:-1]}), for the "
                f"{len(X)} rows of X, got shape {z.shape}."
            )
        return X, draws, single

    def _check_latent(self, *, recognition=False):
        check_is_fitted(self)
        name, model = type(self).__name__, self._fitted.model
        if model.is_deterministic:
            raise ValueError(f"{name} has no latent variables to encode or decode.")
        if recognition and model.recognition is None:
            raise ValueError(
                f"{name} was trained without a recognition network q(z|x,y): encode(X) returns "
                "E[z|x]. Use it, or train with a recognition network, as objective='elbo' does."
            )


def _check_steps(n_steps, y, return_std):
    """Refuse steps of encode that are no count, or have nothing to go by."""
    if not isinstance(n_steps, Integral) or isinstance(n_steps, bool) or n_steps < 0:
        raise ValueError(f"n_steps must be an int, 0 or more, got {n_steps!r}.")
    if n_steps and (y is None or return_std):
        raise ValueError(
            f"n_steps={n_steps} returns the mode of p(z|x,y): expected y and return_std=False, "
            f"got y={'None' if y is None else 'given'} and return_std={return_std}."
        )
