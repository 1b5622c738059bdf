"""Signs that rows held out depend on rows to train on: repeated x, near copies, windows of y.

Early stopping then rewards networks that remember rows. They are warned of; which rows belong
together is for the user to say. Exact copies of whole rows are dealt with in
:mod:`skcvae.data.hold_out`.
"""

import warnings

import numpy as np
from sklearn.neighbors import NearestNeighbors

from skcvae.data.batches import Selection
from skcvae.data.hold_out import FEW, numbered, rows, tells_rows_apart
from skcvae.data.items import Items

MOST_NUMBERS = 4_000_000  # of x: the search then takes about a second
N_QUERIES = 200
FEWEST_ROWS = 50
N_NEIGHBORS = 64
JUMP = 0.25  # of one column without groups, distances have 0.5, or 0.35 by chance
N_PAIRS = 50
STACK_LEVEL = 8  # from `_warn` to the call of `fit`


def warn_of_dependence(kept: Selection, held_out: Selection) -> None:
    """Warn if most rows to validate on are like rows to train on as they would not be by chance.

    Rows of another source, which the user gave to validate on, are not compared, nor are items
    of a Dataset. Of rows with groups, only repeated x are warned of.
    """
    if held_out.source is not kept.source or isinstance(kept.source, Items):
        return
    x, y = kept.source[0], kept.source[-1]
    share = share_of_repeats(x, kept.index, held_out.index) if len(kept.source) > 1 else 0
    if share > 0.5:
        _warn(
            f"{share:.0%} of the rows held out to validate on have the same x as rows to train "
            "on, with other y",
            "If rows of one x belong together, such as the visits of one subject, pass their "
            "groups to fit, so that whole groups are held out.",
        )
    if kept.group is not None:
        return
    columns = [] if share > 0.5 else repeated_columns(x)
    share = share_of_repeats(x[:, columns], kept.index, held_out.index) if columns else 0
    if share > 0.5:
        _warn(
            f"{share:.0%} of the rows held out to validate on have the same numbers as rows to "
            f"train on in the columns {columns} of X, such as those of one subject",
            "If such rows belong together, pass their groups to fit, so that whole groups are "
            "held out.",
        )
    if are_near_copies(x, kept.index, held_out.index):
        _warn(
            "Most rows held out to validate on are nearly the x of rows to train on, much nearer "
            "than rows are elsewhere",
            "If rows belong together, such as repeated measurements or augmented images, pass "
            "their groups to fit, so that whole groups are held out.",
        )
    next_to_kept = [np.isin(held_out.index + i, kept.index) for i in (-1, 1)]
    if np.any(next_to_kept, axis=0).mean() > 0.5 and are_windows(y):
        _warn(
            "Most rows held out to validate on are windows of a series that overlap with windows "
            "to train on",
            "Hold out the last windows, in the order of time, by validation=<number of rows>.",
        )


def _warn(what: str, advice: str) -> None:
    warnings.warn(
        f"{what}. Early stopping then rewards networks that remember rows. {advice}",
        UserWarning,
        stacklevel=STACK_LEVEL,
    )


def share_of_repeats(x: np.ndarray, kept: np.ndarray, held_out: np.ndarray) -> float:
    """Return how many rows held out have an x of rows kept, zero if these coincide by chance."""
    index = np.r_[kept, held_out]
    number = numbered(rows(x, index))
    repeated = np.isin(number[len(kept) :], number[: len(kept)])
    return repeated.mean() if tells_rows_apart(x, index, number) else 0.0


def repeated_columns(x: np.ndarray) -> list[int]:
    """Return columns of a table, if not all, of more than a few values, most of them repeated."""
    if x.ndim != 2 or x.size > MOST_NUMBERS:
        return []
    counts = [len(np.unique(column)) for column in x.T]
    columns = [i for i, n in enumerate(counts) if 2 * FEW < n <= len(x) / 2]
    return columns if len(columns) < len(counts) else []


def are_near_copies(x: np.ndarray, kept: np.ndarray, held_out: np.ndarray) -> bool:
    """Return whether rows lie in narrow clusters, with rows of most clusters on both sides.

    From the k-th nearest row to the 2k-th, the distance grows by a factor of ``2 ** (1 / d)`` in
    d dimensions, and much more where a cluster of k rows ends.
    """
    index = np.r_[held_out, kept]
    if not FEWEST_ROWS <= len(index) <= MOST_NUMBERS / x[0].size:
        return False
    rows, n_queries = standardised(x[index]), min(N_QUERIES, len(index))
    queries = rows[np.linspace(0, len(rows) - 1, n_queries).astype(int)]
    # A tree subtracts rows; the faster products of rows would round small distances to zero.
    near = NearestNeighbors(n_neighbors=min(N_NEIGHBORS, len(rows)), algorithm="kd_tree")
    distances = near.fit(rows).kneighbors(queries)[0][:, 1:]  # the first is the row itself
    distances = distances[distances[:, 0] > 0]
    if len(distances) < FEWEST_ROWS:
        return False
    k = 2 ** np.arange(np.log2(distances.shape[1]).astype(int))
    jumps = np.median(distances[:, k - 1] / distances[:, 2 * k - 1], axis=0)
    end = k[jumps.argmin()]
    between = np.sqrt(distances[:, end - 1] * distances[:, 2 * end - 1])
    near.fit(rows[len(held_out) :])
    to_kept, _ = near.kneighbors(rows[: len(held_out)][:N_QUERIES], n_neighbors=1)
    return bool(jumps.min() < JUMP and np.median(to_kept) < np.median(between))


def standardised(x: np.ndarray) -> np.ndarray:
    """Return rows as vectors of mean zero and variance one, and zero where that is no number."""
    rows = np.nan_to_num(x.reshape(len(x), -1).astype(float))
    with np.errstate(all="ignore"):  # of constant columns, and of numbers near the limits
        rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return np.nan_to_num(rows, posinf=0, neginf=0)


def are_windows(y: np.ndarray) -> bool:
    """Return whether rows have the numbers of the row before, moved by some columns."""
    first = np.linspace(0, len(y) - 2, min(N_PAIRS, len(y) - 1)).astype(int)
    before, after = (y[rows].reshape(len(rows), -1) for rows in (first, first + 1))
    differ = before != after
    for moved in range(1, before.shape[1] // 2 + 1):
        left, right = slice(None, -moved), slice(moved, None)
        for one, other in ((left, right), (right, left)):
            is_same = before[:, one] == after[:, other]
            if is_same.mean() > 0.95 and differ[:, one].mean() > 0.5:
                return True
    return False
