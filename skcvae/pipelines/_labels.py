"""Labels among the outputs of the last step of a pipeline or a search."""

from skcvae.data.label_names import without_label
from skcvae.data.reading import numbers
from skcvae.pipelines._frames import names_in_fit
from skcvae.pipelines.steps import last_step


def columns_of_labels(estimator):
    """Return the columns of y that hold labels, a list or slice; none of another package."""
    last, _ = last_step(estimator, None, "sample")
    return getattr(getattr(last, "y_coding_", None), "labels", [])


def check_numbers_only(estimator, what, output=None):
    """Refuse labels, which have no distances and no order, in y or in one column of it."""
    labels = columns_of_labels(estimator)
    if output is not None and not isinstance(labels, slice):
        labels = [column for column in labels if column == output]
    if labels == []:
        return
    names = names_in_fit(estimator)
    found = "y" if isinstance(labels, slice) else [names[i] if names else i for i in labels]
    raise ValueError(
        f"{what} expects outputs that are numbers, got labels in {found}. For labels, see "
        "pixel_accuracy_scorer and score; for other columns, select these from y and "
        "from skcvae.sample(estimator, X)."
    )


def without_ignored(estimator, y):
    """Return y, with NaN, or None beside texts, for labels that an estimator ignores."""
    try:
        likelihood = likelihood_of(estimator)
    except TypeError:  # not of this package
        return y
    ignored = getattr(likelihood, "ignore_label", None)
    return y if ignored is None or y is None else without_label(y, ignored)


def likelihood_of(estimator):
    """Return the fitted likelihood of the last step; None of another package."""
    last, _ = last_step(estimator, None, "sample")
    return getattr(last, "likelihood_", None)


def codes_of(estimator, y):
    """Return outputs as numbers, NaN where an estimator takes them as not observed."""
    likelihood = likelihood_of(estimator)
    y = likelihood.codes_of(y) if hasattr(likelihood, "codes_of") else y
    return numbers(y, "y")
