r"""Tables with columns of several types: real numbers, counts, labels.

.. math:: p(y \mid x, z) = \prod_g p_g(y_g \mid x, z)

Each group of columns has its own likelihood. The groups are dependent through z.
"""

from numbers import Integral

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.metaestimators import _BaseComposition
from torch import nn

from skcvae.data.reading import column_names, numbers
from skcvae.data.table import Table
from skcvae.likelihoods.base import LIKELIHOOD, Likelihood
from skcvae.likelihoods.groups import Groups


class Columns(Likelihood, _BaseComposition):
    """Columns of several kinds, each group with its own likelihood.

    Every column of y belongs to exactly one group. Real columns are standardised, labels
    are one-hot encoded and counts are left unchanged. The log-likelihood of a row is the
    sum of the log densities of real columns and the log probabilities of the others.
    `predict` and `sample` return float64 arrays; label columns contain the most likely or
    the sampled label as a number. Labels have no standard deviation and no quantiles:
    these are NaN. Labels that are texts are refused: ``y["kind"].astype("category").cat.codes``
    are integers.

    Parameters
    ----------
    groups : list of (name, likelihood, columns)
        As in :class:`sklearn.compose.ColumnTransformer`: a name, a likelihood object
        of this module, and a list of columns or a slice, as indices or, where y is a
        DataFrame, as names; slices of names include both ends. Parameters are set by
        name, as in ``likelihood__name__init_scale``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import Categorical, Columns, Gaussian, Poisson
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> y = np.column_stack([X[:, 0], rng.poisson(np.exp(X[:, 1])), X[:, 0] > 0])
    >>> likelihood = Columns(
    ...     [("size", Gaussian(), [0]), ("visits", Poisson(), [1]), ("kind", Categorical(), [2])]
    ... )
    >>> est = CVAERegressor(likelihood=likelihood, max_epochs=5, random_state=0).fit(X, y)
    >>> est.sample(X, n_samples=4).shape
    (4, 100, 3)
    """

    coding = Table

    _parameter_constraints = {"groups": [list, tuple]}

    def __init__(self, groups):
        self.groups = groups

    @property
    def accepts_missing(self) -> bool:
        """Whether entries of y may be missing: where all groups allow it."""
        return all(getattr(part, "accepts_missing", True) for _, part, _ in self.groups)

    @property
    def absent_code(self):
        """What marks an absent annotation: -1 where no column may have it."""
        codes = {getattr(part, "absent_code", None) for _, part, _ in self.groups}
        return -1 if codes == {-1} else None

    @property
    def _named_likelihoods(self):
        """The groups without their columns, as scikit-learn's compositions expect."""
        if not (isinstance(self.groups, list | tuple) and all(map(_is_group, self.groups))):
            return []  # invalid groups raise an error in fit
        return [(name, likelihood) for name, likelihood, _ in self.groups]

    @_named_likelihoods.setter
    def _named_likelihoods(self, named):
        pairs = zip(named, self.groups, strict=True)
        self.groups = [(*pair, columns) for pair, (*_, columns) in pairs]

    def get_params(self, deep=True):
        """Get the parameters, with those of the groups' likelihoods.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parameters of the likelihoods too.

        Returns
        -------
        dict
            Parameter names mapped to values.
        """
        return self._get_params("_named_likelihoods", deep=deep)

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params
            Parameters, such as ``groups=[...]`` or ``size__init_scale=0.1``.

        Returns
        -------
        self : object
            The likelihood.
        """
        return self._set_params("_named_likelihoods", **params)

    def codes_of(self, y):
        """Return y with NaN for the labels that its likelihoods ignore.

        Parameters
        ----------
        y : array-like of shape (n_rows, n_columns)
            Targets.

        Returns
        -------
        array-like of shape (n_rows, n_columns)
            Of y itself if there is nothing to ignore.
        """
        self._check_groups()
        labels = [getattr(likelihood, "ignore_label", None) for _, likelihood, _ in self.groups]
        if set(labels) == {None}:
            return y
        names = column_names(y) or []
        y = check_array(numbers(y, "y"), dtype=float, ensure_all_finite=False, copy=True)
        for (*_, columns), label in zip(self.groups, labels, strict=True):
            part = _indices(columns, names, y.shape[1])
            y[:, part] = np.where(y[:, part] == label, np.nan, y[:, part])
        return y

    def name_columns(self, y, names):
        """Set the columns of each group to indices.

        Parameters
        ----------
        y : ndarray of shape (n_rows, n_columns)
            The targets.
        names : sequence of str
            Names of the columns, empty if y has none.

        Raises
        ------
        ValueError
            If a group names a column that y does not have, or a column is not in one group.
        """
        self._check_groups()
        _check_table(y)
        names, n_columns = list(names), y.shape[1]
        groups = [(*pair, _indices(columns, names, n_columns)) for *pair, columns in self.groups]
        _check_each_in_one(groups, names or range(n_columns))
        self.groups = groups

    def support(self, row_shape: tuple[int, ...]) -> np.ndarray:
        ends = np.empty((2, *row_shape))
        for _, likelihood, columns in self.groups:
            ends[:, list(columns)] = likelihood.support((len(columns),))
        return ends

    def check_targets(self, y):
        for (name, likelihood, _), part in zip(self.groups, self.split(y), strict=True):
            try:
                if not np.isnan(part).all():
                    likelihood.check_targets(part)
            except ValueError as error:
                raise ValueError(f"Columns, group {name!r}: {error}") from error

    def split(self, y):
        """Return the columns of each group."""
        self._check_groups()
        _check_table(y)
        if not all(_is_resolved(columns) for *_, columns in self.groups):
            self.name_columns(y, [])
        _check_each_in_one(self.groups, range(y.shape[1]))
        return [y[:, list(columns)] for *_, columns in self.groups]

    def fit_coding(self, y, weight=None, *, normalize=True):
        parts = zip(self.groups, self.split(y), strict=True)
        codings = [
            likelihood.fit_coding(part, weight, normalize=normalize)
            for (_, likelihood, _), part in parts
        ]
        return Table(codings, [list(columns) for *_, columns in self.groups])

    def code_shape(self, row_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (sum(self._sizes()),)

    def _sizes(self) -> list[int]:
        """Return the size of the code of each group."""
        return [likelihood.code_shape((len(c),))[0] for _, likelihood, c in self.groups]

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._check_groups()
        sizes = self._sizes()
        pairs = zip(self.groups, sizes, strict=True)
        return Groups([likelihood.build((size,)) for (_, likelihood, _), size in pairs], sizes)

    def _check_groups(self):
        self._validate_params()
        for group in self.groups or [self.groups]:
            if not _is_group(group):
                raise ValueError(
                    "The 'groups' parameter of Columns must be a non-empty list of (name, "
                    "likelihood, list of columns), with likelihoods other than Columns. "
                    f"Got {group!r} instead{_meant(group)}."
                )
        self._validate_names([name for name, *_ in self.groups])


def _is_group(group) -> bool:
    if not isinstance(group, tuple | list) or len(group) != 3:
        return False
    name, likelihood, columns = group
    return (
        isinstance(name, str)
        and LIKELIHOOD.is_satisfied_by(likelihood)
        and not isinstance(likelihood, type | Columns)
        and (isinstance(columns, slice) or _is_list(columns))
    )


def _meant(group) -> str:
    """Return what was probably meant, where a list or an object has only its name."""
    if not isinstance(group, tuple | list) or len(group) != 3:
        return ""
    _, likelihood, columns = group
    if isinstance(likelihood, str):
        return f": expected an object, such as Gaussian(), not the name {likelihood!r}"
    if isinstance(likelihood, type):
        return f": expected an object, {likelihood.__name__}(), not the class"
    if isinstance(columns, Integral | str):
        return f": expected a list of columns, such as [{columns!r}]"
    return ""


def _check_table(y) -> None:
    if y.ndim != 2:
        raise ValueError(f"Columns expects y of shape (n_rows, n_columns), got {y.shape}.")


def _check_each_in_one(groups, names) -> None:
    """Refuse groups that lack a column, or have one twice; names are those of all columns."""
    taken = sorted(column for *_, columns in groups for column in columns)
    if taken != list(range(len(names))):
        found = [names[c] if 0 <= c < len(names) else c for c in taken]
        raise ValueError(
            f"Columns expects each of the {len(names)} columns of y, {[*names]}, in exactly one "
            f"group, got {found}. Integers are positions, from 0."
        )


def _is_list(columns) -> bool:
    return (
        isinstance(columns, list | tuple | np.ndarray)
        and len(columns) > 0
        and all(isinstance(c, Integral | str) and not isinstance(c, bool) for c in columns)
    )


def _is_resolved(columns) -> bool:
    return not isinstance(columns, slice) and all(isinstance(c, Integral) for c in columns)


def _indices(columns, names: list, n_columns: int) -> list[int]:
    """Return columns, given by indices or names, as indices; slices of names include both ends."""
    if isinstance(columns, slice):
        ends = [_index(end, names) for end in (columns.start, columns.stop)]
        if isinstance(columns.stop, str):
            ends[1] += 1
        return list(range(n_columns)[slice(*ends, columns.step)])
    return [_index(column, names) for column in columns]


def _index(column, names):
    if not isinstance(column, str):
        return column
    if column not in names:
        known = f"the columns of y are {names}" if names else "the columns of y have no names"
        raise ValueError(f"Columns names a column {column!r}, but {known}.")
    return names.index(column)
