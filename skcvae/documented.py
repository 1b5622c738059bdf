"""A parameter object whose notebook diagram links to its page of the documentation."""

from sklearn.base import BaseEstimator

PAGES = "https://skcvae.readthedocs.io/en/stable/generated/"


class Documented(BaseEstimator):
    """An object with parameters, whose diagram links to its page of the documentation."""

    _doc_link_module = "skcvae"

    @property
    def _doc_link_template(self):
        package = ".".join(type(self).__module__.split(".")[:2])
        package = package.removesuffix(".estimators").removesuffix(".training")  # at top level
        return f"{PAGES}{package}.{type(self).__name__}.html"
