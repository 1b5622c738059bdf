"""How the networks see y, which follows from the likelihood and from the data."""

from skcvae._arrays import OneHot, Scaling, Table
from skcvae.estimators import _checks


def fit_coding(likelihood, y, weight, *, normalize):
    """Return the coding of y; tell the likelihood the classes or rates of the data."""
    kind = likelihood.targets
    if kind == "columns":
        parts = zip(likelihood.groups, likelihood.split(y), strict=True)
        return Table(
            [
                fit_coding(group, part, weight, normalize=normalize)
                for (_, group, _), part in parts
            ],
            [list(columns) for *_, columns in likelihood.groups],
        )
    if kind == "label":
        likelihood.set_params(classes=likelihood.classes_of(y))
        coding = OneHot(likelihood.classes, y.shape[1:])
        check_labels(coding, y, "y")
        return coding
    if kind == "count":
        likelihood.set_params(init_rate=likelihood.rate_of(y))
    if kind == "real" and normalize:
        return Scaling.standardizing(y, weight, "y")
    return Scaling.identity(y.shape[1:])


def check_labels(coding, y, name):
    """Refuse labels that are not among those of the fit."""
    if isinstance(coding, OneHot):
        _checks.known_labels(y, coding.classes, name)
    if isinstance(coding, Table):
        for part, columns in zip(coding.codings, coding.columns, strict=True):
            check_labels(part, y[:, columns], f"{name}[:, {columns}]")
