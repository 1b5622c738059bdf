"""A parameter object whose notebook diagram links to its page of the documentation."""

from sklearn.base import BaseEstimator

from skcvae.suggestions import unknown_parameter

PAGES = "https://skcvae.readthedocs.io/en/stable/generated/"


class Documented(BaseEstimator):
    """An object with parameters, whose diagram links to its page of the documentation."""

    _doc_link_module = "skcvae"

    def set_params(self, **params):
        heads = {name.partition("__")[0]: name for name in params}
        if not heads.keys() <= set(self.get_params(deep=False)):
            raise ValueError(unknown_parameter(type(self), heads))
        return super().set_params(**params)

    @property
    def _doc_link_template(self):
        package = ".".join(type(self).__module__.split(".")[:2])
        package = package.removesuffix(".estimators").removesuffix(".training")  # at top level
        return f"{PAGES}{package}.{type(self).__name__}.html"
