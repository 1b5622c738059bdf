"""Likelihoods around the likelihood of single outputs, which encodes y and names its labels."""

import numpy as np
from sklearn.base import clone

from skcvae.likelihoods.base import Likelihood


class Nested(Likelihood):
    """Base class of likelihoods with a parameter `likelihood`, that of single outputs."""

    accepts_means = False

    @property
    def coding(self) -> type:
        """The class of what `fit_coding` returns, that of the outputs."""
        return self._single().coding

    @property
    def ignore_label(self):
        """The label of outputs that are not known, or None."""
        return getattr(self._single(), "ignore_label", None)

    @property
    def absent_code(self):
        """What marks an absent annotation, or None."""
        return getattr(self._single(), "absent_code", None)

    def _single(self):
        """Return the likelihood of single outputs."""
        return self.likelihood

    def codes_of(self, y):
        """Return labels as numbers, as `Categorical` does; other y are unchanged.

        Parameters
        ----------
        y : array-like
            Targets.

        Returns
        -------
        array-like of the same shape
            NaN where not observed.
        """
        self._check_parameters()
        if not hasattr(self._single(), "codes_of"):
            return y
        single = clone(self._single())
        y = single.codes_of(y)
        self.set_params(likelihood=single)
        return y

    def labels_of(self, codes):
        """Return the labels that the numbers of `codes_of` stand for.

        Parameters
        ----------
        codes : ndarray
            Labels as numbers, or other numbers.

        Returns
        -------
        ndarray of the same shape
            The labels of y in `fit`.
        """
        single = self._single()
        return single.labels_of(codes) if hasattr(single, "labels_of") else codes

    def support(self, row_shape: tuple[int, ...]) -> np.ndarray:
        return self._single().support(row_shape)

    def check_targets(self, y):
        self._check_parameters()
        self._single().check_targets(y)

    def fit_coding(self, y, weight=None, *, normalize=True):
        self._check_parameters()
        single = clone(self._single())
        coding = single.fit_coding(y, weight, normalize=normalize)
        self.set_params(likelihood=single)
        return coding

    def code_shape(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._single().code_shape(row_shape)

    def _check_parameters(self):
        self._validate_params()
