"""A parameter object whose notebook diagram links to its page of the documentation."""

import re

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from skcvae.suggestions import unknown_name, unknown_parameter

PAGES = "https://skcvae.readthedocs.io/en/stable/generated/"


class Documented(BaseEstimator):
    """An object with parameters, whose diagram links to its page of the documentation."""

    _doc_link_module = "skcvae"

    @classmethod
    def _check_names(cls, names, error):
        """Raise an error for the first name that is no parameter."""
        if not set(names) <= set(cls._get_param_names()):
            raise error(unknown_parameter(cls, names, cls._nested_params()))

    @classmethod
    def _nested_params(cls):
        """Return names of parameters of parameters, for suggestions."""
        return []

    def set_params(self, **params):
        self._check_names([name.partition("__")[0] for name in params], ValueError)
        return super().set_params(**params)

    def _validate_params(self):
        """Check parameters by their constraints, of which a bool needs one for bools.

        scikit-learn takes a bool for a number, which torch does not, but none of NumPy.
        """
        params = {
            name: np.bool_(value) if isinstance(value, bool) else value
            for name, value in self.get_params(deep=False).items()
        }
        try:
            validate_parameter_constraints(
                self._parameter_constraints, params, type(self).__name__
            )
        except InvalidParameterError as error:
            message = re.sub(r"(?<=Got )np\.(True|False)_", r"\1", str(error))
            error.args = (unknown_name(message),)
            raise

    def _check_odd(self, name: str) -> None:
        """Refuse an even number, of a kernel without a middle."""
        value = getattr(self, name)
        if value % 2 == 0:
            raise ValueError(
                f"The {name!r} parameter of {type(self).__name__} must be odd. "
                f"Got {value} instead."
            )

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
