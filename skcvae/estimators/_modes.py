"""Predictions at the modes of a mixture prior."""

from sklearn.utils.validation import check_is_fitted

from skcvae import whole_numbers
from skcvae.estimators import _checks, _inputs
from skcvae.priors import Mixture


class Modes:
    """Distinct predictions of an estimator with a mixture prior."""

    @_checks.named_keywords
    def predict_modes(self, X, n_modes=None, *, return_weights=False):
        """Predict y at each component of a mixture prior, in the order of their weights.

        Components that lie apart, as those of ``Mixture(scale=0.1)`` do, are near the modes
        of p(z|x): these are the distinct answers for a row, the most probable first.
        Nothing is drawn: the first is ``predict(X, method="latent_mean")``.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Inputs.
        n_modes : int, default=None
            The number of components, from the heaviest; None is all of them.
        return_weights : bool, default=False
            Whether to return the weights of the components as well.

        Returns
        -------
        y : ndarray of shape (n_modes, n_rows, ...)
            E[y|x,z] at z = the mean of a component: float64, or the most likely labels.
        weights : ndarray of shape (n_modes, n_rows)
            Only if `return_weights`: in decreasing order for each row.

        Raises
        ------
        ValueError
            If the prior is not a mixture, or has fewer components than `n_modes`.

        References
        ----------
        Deshpande, Lu, Yeh, Chong and Forsyth (2017), *Learning Diverse Image Colorization*,
        CVPR, section 4.

        Examples
        --------
        >>> from skcvae import CVAERegressor
        >>> from skcvae.datasets import make_two_branches
        >>> from skcvae.priors import Mixture
        >>> data = make_two_branches(n_samples=200, random_state=0)
        >>> est = CVAERegressor(prior=Mixture(3), max_epochs=5, random_state=0)
        >>> y, weights = est.fit(data.X, data.y).predict_modes(data.X, return_weights=True)
        >>> y.shape, weights.shape
        ((3, 200), (3, 200))
        """
        check_is_fitted(self)
        n_components = self._n_components()
        if n_modes is not None:
            n_components = whole_numbers.checked(n_modes, "n_modes", most=n_components)
        X = _inputs.checked(self, X)
        y, weights = self._shown_fitted().modes(X, n_components, self.y_coding_.to_array)
        y = self._like_y(y.swapaxes(0, 1))
        return (y, weights.T) if return_weights else y

    def _n_components(self):
        """Return the number of components of the prior; refuse one that has none."""
        name, prior = type(self).__name__, self.specification_.prior
        if self._fitted.model.is_deterministic:
            raise ValueError(f"{name} has no latent variables, and so no modes: use predict.")
        if not isinstance(prior, Mixture):
            raise ValueError(
                "predict_modes expects a mixture prior, such as prior='mixture', got "
                f"prior={prior!r}, which has no components. Use predict or sample."
            )
        return prior.n_components
