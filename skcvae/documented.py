"""A parameter object whose notebook diagram links to its page of the documentation."""

import numpy as np
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


def described(value) -> str:
    """Return a parameter as text that leaves nothing out, unlike the repr of objects."""
    if hasattr(value, "get_params"):
        params = value.get_params(deep=False)
        listed = ", ".join(f"{name}={described(param)}" for name, param in params.items())
        return f"{type(value).__qualname__}({listed})"
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{', '.join(map(described, value))}]"
    return repr(value.item() if isinstance(value, np.generic) else value)
