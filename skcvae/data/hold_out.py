"""Which rows to hold out for validation: a random share, the last ones, or a splitter's.

Copies of a row, and rows of a group, stay on one side of a random split, and labels are on both
sides where they can be. `arrays` are those of all rows, (x, y), or (x,) alone, and `index` has
the numbers of the rows to split. There are no arrays of a Dataset, whose items are not compared.
"""

import copy
import math
from collections.abc import Iterable
from hashlib import blake2b
from numbers import Integral

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_random_state

from skcvae.data.label_names import array_of
from skcvae.data.reading import is_missing

FEW = 10  # so many different rows cannot tell copies from coincidences
MOST_LABELS = 30  # each of which is held out: more would leave no room for what is frequent
NOTABLE = 0.25  # a share of rows above what tables of rounded numbers and categories have

Parts = tuple[np.ndarray, np.ndarray]


def split(
    arrays, index, groups, validation, fraction: float, seed: int, *, has_labels=False, row=None
) -> Parts:
    """Return the positions in `index` to train on, and those to validate on.

    `validation` is "random", an int or a splitter; `groups` has a label for each row to split.
    With annotations, `row` numbers the user's rows: an int and a splitter are of these.
    """
    if isinstance(validation, str):
        label = labels(arrays, index) if has_labels else None
        parts = random_split(blocks(arrays, index, groups), fraction, seed, label)
    else:
        first = np.arange(len(index)) if row is None else first_of_each(row)
        if isinstance(validation, Integral):
            parts = last_rows(len(first), validation)
        else:
            group = None if groups is row else groups[first]  # rows are the groups by default
            parts = first_split(validation, arrays, index[first], seed, group)
        if row is not None:
            parts = [np.flatnonzero(np.isin(row, row[first[part]])) for part in parts]
    if groups is not None:
        check_groups(validation, groups, *parts)
    return parts


# Three rules.


def random_split(
    block: np.ndarray, fraction: float, seed: int, label: np.ndarray | None = None
) -> Parts:
    """Hold out blocks of rows in random order, up to a share of the rows.

    A block that would exceed the share, or has the last rows of a label, is passed over; if all
    are, the smallest is held out. If each row is a block of its own, this is scikit-learn's
    ``train_test_split``; with the number of the label of each row, labels take turns.
    """
    order = check_random_state(seed).permutation(len(block))
    if label is None:
        label = np.zeros(len(block), int)
    else:
        order = order[in_turn(label[order])]
    n_rows = np.zeros((block.max() + 1, label.max() + 1), int)
    np.add.at(n_rows, (block, label), 1)
    sizes, left, room, taken = n_rows.sum(1), n_rows.sum(0), math.ceil(fraction * len(block)), []
    for one in dict.fromkeys(block[order].tolist()):
        if not room:
            break
        if sizes[one] <= room and (n_rows[one] < left).all():
            taken.append(one)
            room -= sizes[one]
            left -= n_rows[one]
    is_held_out = np.isin(block[order], taken or [sizes.argmin()])
    return order[~is_held_out], order[is_held_out]


def in_turn(label: np.ndarray) -> np.ndarray:
    """Return an order in which each label comes first once, and then in proportion."""
    counts, by_label = np.bincount(label), np.argsort(label, kind="stable")
    number = np.empty(len(label), int)
    number[by_label] = np.arange(len(label)) - (counts.cumsum() - counts)[label[by_label]]
    return np.argsort(number / counts[label], kind="stable")


def last_rows(n_rows: int, n_held_out: int) -> Parts:
    """Hold out the last rows."""
    if n_held_out >= n_rows:
        raise ValueError(
            "validation as an int is the number of last rows to validate on and must be below "
            f"the number of rows, {n_rows}, got {n_held_out}."
        )
    return tuple(np.split(np.arange(n_rows), [n_rows - n_held_out]))


def first_split(splitter, arrays, index, seed: int, groups) -> Parts:
    """Return the first split of a splitter; `seed` is for one without a seed of its own."""
    if getattr(splitter, "random_state", seed) is None:
        splitter = copy.copy(splitter)  # else it draws from numpy's global generator
        splitter.random_state = seed
    given = [array[index] for array in arrays] or [index]
    x, y = (*given, None)[:2]
    kept, held_out = map(np.asarray, next(iter(splitter.split(x, y, groups)), ([], [])))
    if kept.dtype == held_out.dtype == bool and len(kept) == len(held_out) == len(index):
        kept, held_out = map(np.flatnonzero, (kept, held_out))
    for name, part in (("train", kept), ("validate", held_out)):
        if not part.size:
            raise ValueError(
                f"validation={splitter!r} must have rows to {name} on in its first split, got "
                f"none of the {len(index)} rows."
            )
        if part.dtype.kind not in "iu":
            raise ValueError(
                f"validation={splitter!r} must give row numbers, or masks of {len(index)} bools, "
                f"in its first split, got {part.size} of {part.dtype} for the rows to {name} on."
            )
        if not 0 <= part.min() <= part.max() < len(index):
            raise ValueError(
                f"validation={splitter!r} must split the {len(index)} rows to fit, got row "
                f"{part.max()}. Rows of weight zero, and without an annotation, are left out."
            )
    if np.intersect1d(kept, held_out).size:
        raise ValueError(
            f"validation={splitter!r} must not validate on rows to train on, got a first split "
            "with rows that are on both sides."
        )
    return kept, held_out


# Which rows are alike, or belong together.


def labels(arrays, index) -> np.ndarray | None:
    """Number the labels of rows if y is one of few, else return None."""
    if len(arrays) < 2 or arrays[1][0].size != 1:
        return None
    number = numbered(arrays[1][index].ravel().tolist())
    return number if number.max() < MOST_LABELS else None


def group_labels(groups, n_rows: int) -> np.ndarray:
    """Return the group of each row as an array."""
    labels = array_of(groups)
    if labels.shape != (n_rows,):
        raise ValueError(
            f"groups must have one label for each of the {n_rows} rows, got shape {labels.shape}."
        )
    for row, label in enumerate(labels.tolist()):
        if is_missing(label):
            raise ValueError(f"groups must not be missing, got {label} for row {row}.")
    return labels


def check_groups(validation, groups: np.ndarray, kept: np.ndarray, held_out: np.ndarray) -> None:
    """Raise an error if rows of a group are on both sides."""
    number = numbered(groups.tolist())
    both = np.intersect1d(number[kept], number[held_out])
    if both.size:
        example = groups[number == both[0]].tolist()[0]
        raise ValueError(
            f"validation={validation!r} must keep the rows of a group on one side, got groups "
            f"with rows on both: {both.size}, such as {example!r}. Expected 'random', or a "
            "splitter that heeds groups, such as GroupKFold."
        )


def blocks(arrays, index, groups=None) -> np.ndarray:
    """Return the number of the block of each row: those with copies or a group in common."""
    own = np.arange(len(index))
    block = copies(arrays, index) if arrays else own
    if groups is None:
        return block if block.any() else own  # of one row, some copies are held out
    group = numbered(groups.tolist())
    n_groups = group.max() + 1
    edges, size = (group, n_groups + block), n_groups + block.max() + 1
    graph = coo_array((np.ones(len(block)), edges), shape=(size, size))
    n_blocks, number = connected_components(graph, directed=False)
    if n_blocks == 1:
        raise ValueError(
            "groups must be at least 2 without identical rows in common, so that one of them can "
            f"be held out, got {n_groups}."
        )
    return number[group]


def copies(arrays, index) -> np.ndarray:
    """Number the rows so that copies have the same number.

    Identical rows are copies, except in a table of few values, where they coincide by chance:
    most rows are repeated, most x occur with several y, and y does not tell rows apart. There,
    holding out all rows of one y given x would bias what is learned. Of x alone, every second
    column counts as y.
    """
    x, y = arrays if len(arrays) == 2 else every_second_column(arrays[0])
    number_of_x, number_of_y = numbered(rows(x, index)), numbered(rows(y, index))
    number = numbered(zip(number_of_x.tolist(), number_of_y.tolist(), strict=True))
    n_distinct = number.max() + 1
    if n_distinct == 1 or 2 * n_distinct >= len(index) or tells_rows_apart(y, index, number_of_y):
        return number
    n_answers = np.bincount(number_of_x[first_of_each(number)])
    return np.arange(len(index)) if (n_answers[number_of_x] > 1).mean() > 0.5 else number


def tells_rows_apart(array: np.ndarray, index, number: np.ndarray) -> bool:
    """Return whether equal rows can hardly coincide by chance; `number` is the same for these.

    That is so if two halves of the columns each tell many of the different rows apart, unlike
    those of a table of categories; or if a single column does, its values lie on no grid, as
    rounded numbers and codes would, and unusual rows are repeated as well as usual ones.
    """
    first = first_of_each(number)
    if len(first) <= FEW:
        return False
    different = array[index[first]].reshape(len(first), -1)
    halves = [occur_once(half) for half in every_second_column(different)]
    if np.all(halves, axis=0).mean() > NOTABLE:
        return True
    if (np.bincount(number) == 1).mean() > NOTABLE:
        return False
    return any(2 * len(np.unique(c)) > len(c) and off_grid(c) for c in different.T)


def every_second_column(array: np.ndarray) -> list[np.ndarray]:
    """Return two halves of the columns of rows."""
    flat = array.reshape(len(array), -1)
    return [flat[:, 1::2], flat[:, ::2]]


def occur_once(array: np.ndarray) -> np.ndarray:
    """Return which rows of an array are equal to no other."""
    number = numbered(rows(array, np.arange(len(array))))
    return np.bincount(number)[number] == 1


def off_grid(values: np.ndarray) -> bool:
    """Return whether most gaps between values are no multiples of the smallest."""
    gaps = np.diff(np.unique(values))
    with np.errstate(all="ignore"):  # of values near the limits of floats
        steps = gaps / gaps.min()
        return bool((abs(steps - steps.round()) > 0.05).mean() > 0.5)


def rows(array: np.ndarray, index) -> Iterable[bytes]:
    """Yield a digest of each row."""
    for row in index:
        yield blake2b(array[row].tobytes(), digest_size=16).digest()


def groups_of(arrays, group: np.ndarray | None = None) -> np.ndarray:
    """Number the rows so that those that tell little more than one have the same number.

    That are rows of a group; without groups, those of one x, and in a table of few values of x,
    copies of x and y.
    """
    if group is not None:
        return numbered(group.tolist())
    x, index = arrays[0], np.arange(len(arrays[0]))
    number = numbered(rows(x, index))
    return number if tells_rows_apart(x, index, number) else copies(arrays, index)


def numbered(values: Iterable) -> np.ndarray:
    """Number values in the order of their first occurrence."""
    seen: dict = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values])


def first_of_each(number: np.ndarray) -> np.ndarray:
    """Return the position at which each number occurs first."""
    return np.unique(number, return_index=True)[1]
