"""Data that training does not keep on the device: memory-mapped, streamed, a Dataset."""

import resource

import numpy as np
import pytest
import sklearn
import torch
from torch.utils.data import Dataset, TensorDataset

from skcvae import CVAERegressor, GSNNRegressor, NNRegressor
from skcvae.architectures import MLP
from skcvae.data.batches import Rows, Selection, StreamedRows
from skcvae.data.coding import Scaling
from skcvae.data.items import Items

SETTINGS = {
    "table": {},
    "weighted": {},
    "partial": {"partial_y": True},
    "labels": {"likelihood": "categorical"},
    "images": {"architecture": "conv", "likelihood": "bernoulli", "omission": 0.5},
}


@pytest.fixture(params=SETTINGS)
def task(request):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 4)), rng.normal(size=(90, 3))
    weight = rng.uniform(0.5, 2, size=90) if request.param == "weighted" else None
    if request.param == "partial":
        y[rng.random(y.shape) < 0.2] = np.nan
    if request.param == "labels":
        y = rng.integers(0, 3, size=(90, 2))
    if request.param == "images":
        X, y = rng.random((90, 8, 8)), rng.random((90, 8, 8))
    return SETTINGS[request.param], X, y, weight


def fitted(settings, X, y, weight):
    est = CVAERegressor(max_epochs=3, batch_size=16, random_state=0, **settings)
    return est.fit(X, y, weight)


def trained_alike(one, other):
    return all(
        np.array_equal(one.history_[:, name], other.history_[:, name])
        for name in ("train_loss", "valid_cll")
    )


def read_only(folder, name, array):
    path = folder / f"{name}.npy"
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def test_streamed_rows_make_the_model_of_resident_ones(task):
    resident = fitted(*task)
    with sklearn.config_context(working_memory=0):
        streamed = fitted(*task)
    assert trained_alike(resident, streamed)


def test_memory_mapped_arrays_make_the_model_of_arrays(task, tmp_path):
    settings, X, y, weight = task
    mapped = (read_only(tmp_path, name, array) for name, array in (("X", X), ("y", y)))
    with sklearn.config_context(working_memory=0):
        assert trained_alike(fitted(settings, X, y, weight), fitted(settings, *mapped, weight))


def test_more_than_the_working_memory_stays_where_it_is(monkeypatch):
    asked = []
    read = StreamedRows.__getitem__

    def counted(self, rows):
        asked.append(len(self))
        return read(self, rows)

    monkeypatch.setattr(StreamedRows, "__getitem__", counted)
    X = np.random.default_rng(0).normal(size=(3000, 200))
    for megabytes, streamed in ((3, False), (2, True)):
        with sklearn.config_context(working_memory=megabytes):
            NNRegressor(max_epochs=1, early_stopping=False).fit(X, X[:, 0])
        assert bool(asked) == streamed


def test_streamed_rows_read_what_is_asked_and_nothing_else():
    seen, weight = [], np.arange(1.0, 11.0)

    class Counted(Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, row):
            seen.append(row)
            return np.full(2, row), np.array([row])

    codings = [Scaling.identity((size,)) for size in (2, 1)]
    selection = Selection.select(Items(Counted()), weight)
    rows = StreamedRows(selection, codings, "cpu", lambda selection: (0.0, 0.0))
    (x, y), found = rows[torch.tensor([7, 2])]
    np.testing.assert_allclose(found, weight[[7, 2]] / weight.mean(), rtol=1e-6)
    assert x.tolist() == [[7, 7], [2, 2]] and y.tolist() == [[7], [2]] and seen == [7, 2]


@pytest.mark.parametrize("as_item", [lambda x, y: (x, y), lambda x, y: [torch.tensor(x), y]])
def test_a_dataset_makes_the_model_of_its_rows(task, as_item):
    settings, X, y, weight = task

    class Pairs(Dataset):
        def __len__(self):
            return len(X)

        def __getitem__(self, i):
            return as_item(X[i], y[i])

    assert trained_alike(fitted(settings, X, y, weight), fitted(settings, Pairs(), None, weight))


@pytest.mark.parametrize(("working_memory", "in_every_epoch"), [(1024, False), (0, True)])
def test_items_that_do_not_fit_into_memory_are_read_in_every_epoch(working_memory, in_every_epoch):
    """And so may be augmented at random."""
    read = []

    class Counted(Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, i):
            read.append(i)
            return np.array([np.cos(i), np.sin(i)]), np.array([i % 7.0])

    n_reads = []
    for max_epochs in (1, 6):
        read.clear()
        with sklearn.config_context(working_memory=working_memory):
            NNRegressor(max_epochs=max_epochs, early_stopping=False).fit(Counted())
        n_reads.append(len(read))
    assert n_reads[1] - n_reads[0] == (5 * 40 if in_every_epoch else 0)


def test_a_dataset_validates_too():
    X, y = torch.randn(50, 3), torch.randn(50)
    data = TensorDataset(X, y)
    est = NNRegressor(max_epochs=2, random_state=0).fit(data, X_val=data)
    other = NNRegressor(max_epochs=2, random_state=0).fit(X, y, X_val=X, y_val=y)
    assert trained_alike(est, other)
    assert est.predict(X).shape == (50,)


def test_automatic_sizes_follow_from_all_rows_of_a_dataset():
    X, y = torch.randn(30_000, 3), torch.randn(30_000, 2)
    est = NNRegressor(max_epochs=1, batch_size=4096, early_stopping=False, random_state=0)
    sizes = [
        est.fit(*rows).architecture_.hidden_layer_sizes
        for rows in ((X, y), (TensorDataset(X, y),), (X[:5000], y[:5000]))
    ]
    assert sizes[0] == sizes[1] != sizes[2]


class Odd(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


GOOD = [(np.zeros(2), 1.0), (np.ones(2), 0.0)] * 10


@pytest.mark.parametrize(
    ("items", "y", "message"),
    [
        (GOOD, [1.0] * 20, "pass no separate y, got a list"),
        ([], None, "must have a length above zero"),
        ([np.zeros(2)] * 20, None, r"must have items \(x, y\), got a ndarray for item"),
        ([(np.full(2, np.nan), 1.0)] * 20, None, "contains NaN"),
        (
            [*GOOD, (np.zeros(3), 1.0)],
            None,
            r"items of one shape, got x (?=.*\(2,\) for item \d)(?=.*\(3,\) for item 20)",
        ),
        (
            [*GOOD, (np.zeros(2), np.ones(2))],
            None,
            r"items of one shape, got y (?=.*\(\) for item \d)(?=.*\(2,\) for item 20)",
        ),
    ],
)
def test_a_dataset_that_is_none(items, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        NNRegressor().fit(Odd(items), y)


def test_an_item_that_is_unlike_the_others_is_found_when_it_is_read():
    size = 10_001
    items = [(np.zeros(2), float(i % 2)) for i in range(size)]
    source = Items(Odd(items), check=NNRegressor(max_epochs=1).fit(Odd(GOOD))._check_rows)
    items[3] = (np.full(2, np.inf), 0.0)
    with pytest.raises(ValueError, match="contains infinity"):
        source.read(np.array([3]))


def test_a_selection_has_the_rows_of_positive_weight_and_parts_of_parts():
    X = np.arange(6)[:, None]
    selection = Selection.select((X, X), np.array([1.0, 0, 2, 3, 0, 4]))
    assert selection.index.tolist() == [0, 2, 3, 5] and len(selection.index) == 4
    part = selection.subset(np.array([3, 1]))
    assert part.read(slice(None))[0][:, 0].tolist() == [5, 2]
    assert part.weight.tolist() == [1.6, 0.8]


def test_resident_rows_are_tensors_on_the_device(device):
    rows = Rows((torch.zeros(3, 2, device=device), torch.zeros(3, 1, device=device)))
    assert rows.device == rows.index_device == rows.arrays[0].device


# Many draws for many rows.

DENSITIES = {
    "importance sampling": CVAERegressor,
    "Monte Carlo": GSNNRegressor,
    "observed entries": lambda **params: CVAERegressor(partial_y=True, **params),
}


def densities_of_many_draws():
    """Print what memory many draws take, and by how much their mean is above that of few."""

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X + rng.normal(size=(200, 1)) + 0.5 * rng.normal(size=(200, 2))
    for kind in DENSITIES.values():
        est = kind(architecture=MLP((64,)), latent_dim=2, max_epochs=20, lr=0.01, random_state=0)
        est.fit(X, y)
        part = y[:30].copy()
        if est.get_params().get("partial_y"):
            part[::2, 0] = np.nan
        few = est.log_prob(X[:30], part, n_samples=1000)
        before = peak()
        many = est.log_prob(X[:30], part, n_samples=10_000)
        print(peak() - before, np.mean(many - few))


def test_many_draws_take_no_more_memory_and_agree_with_few(tmp_path, server):
    code, output, errors = server.run(tmp_path, densities_of_many_draws)
    assert code == 0, errors
    found = np.array([line.split() for line in output.splitlines()], dtype=float)
    memory, difference = found.T
    assert len(found) == len(DENSITIES) and memory.max() < 24  # of 73 MiB for the hidden units
    assert np.abs(difference).max() < 0.05
