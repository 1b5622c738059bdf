"""What a notebook shows of an object: scikit-learn's diagram, a link, a summary."""

import html

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import skcvae

PAGES = "https://skcvae.readthedocs.io/en/stable/generated/"


class Documented(BaseEstimator):
    """An object with parameters, whose diagram links to its page in the documentation."""

    _doc_link_module = "skcvae"

    @property
    def _doc_link_template(self):
        name, module = type(self).__name__, type(self).__module__
        is_top = hasattr(skcvae, name)
        package = "skcvae" if is_top else ".".join(module.split(".")[:2])
        return f"{PAGES}{package}.{name}.html"


class Summarised(Documented):
    """An estimator that says what it has learned; a subclass says the facts by name."""

    def summary(self):
        """Say in a few lines what was learned.

        Returns
        -------
        str
            The networks and their numbers of parameters, the device, epochs, and the
            CLL of the validation rows, in nats. A notebook shows it below the diagram.

        Examples
        --------
        >>> from skcvae import NNRegressor
        >>> from skcvae.datasets import make_linear_gaussian
        >>> data = make_linear_gaussian(n_samples=200, random_state=0)
        >>> est = NNRegressor(max_epochs=5, device="cpu", random_state=0)
        >>> print(est.fit(data.X, data.y).summary())
        NNRegressor
        architecture  MLP(hidden_layer_sizes=(32, 32))
        likelihood    Gaussian()
        parameters    1,542: output 102, baseline 1,440
        device        cpu
        epochs        5, the best 5
        validation    CLL ... nats
        """
        check_is_fitted(self)
        facts = self._facts()
        width = max(map(len, facts))
        lines = [f"{name:{width}}  {fact}" for name, fact in facts.items()]
        return "\n".join([type(self).__name__, *lines])

    def _repr_html_inner(self):
        return self._with_summary(super()._repr_html_inner())

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] = self._with_summary(bundle["text/html"])
        return bundle

    def _with_summary(self, diagram):
        try:
            return f"{diagram}<pre>{html.escape(self.summary())}</pre>"
        except NotFittedError:
            return diagram
