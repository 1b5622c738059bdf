"""Ctrl-C keeps the best weights of the epochs that had ended, and a usable estimator."""

import numpy as np
import pytest
import torch
from conftest import answer
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skcvae import CVAERegressor, EnsembleRegressor, GSNNRegressor, NNRegressor, Training
from skcvae.architectures import MLP
from skcvae.data import batches
from skcvae.training.callbacks import BestWeights, FiniteLoss
from skcvae.training.net import Net


@pytest.fixture
def interrupt_at(monkeypatch):
    """Do what Ctrl-C does when so many batches, of any kind, have been read."""
    getitem, count = batches.Rows.__getitem__, [0]

    def at(n_batches):
        def counted(self, rows):
            count[0] += 1
            if count[0] == n_batches:
                raise KeyboardInterrupt
            return getitem(self, rows)

        count[0] = 0
        monkeypatch.setattr(batches.Rows, "__getitem__", counted)

    return at


def same_weights(one, other):
    one, other = (est.net_.module_.state_dict() for est in (one, other))
    return all(torch.equal(one[name], other[name]) for name in one)


# Four batches of training rows each epoch, and one of validation rows where there are some.
@pytest.mark.parametrize("n_batches", [5, 7, 8, 9])
def test_what_an_interrupt_leaves_is_the_fit_of_the_epochs_that_had_ended(
    any_class, data, interrupt_at, n_batches
):
    est = any_class(max_epochs=40, early_stopping=False, random_state=0)
    interrupt_at(n_batches)
    with pytest.warns(ConvergenceWarning, match=r"after \d of 40 epochs; .* best weights so far"):
        est.fit(*data)
    n_epochs = (n_batches - 1) // 4
    shorter = clone(est).set_params(max_epochs=n_epochs).fit(*data)
    assert same_weights(est, shorter)
    assert est.history_[:, "train_loss"] == shorter.history_[:, "train_loss"]
    assert np.isfinite(est.score(*data)) and len(answer(est, data[0])) == 60


def test_the_best_epoch_that_had_ended_is_kept(data, interrupt_at):
    est = NNRegressor(max_epochs=40, lr=0.3, random_state=0, training=Training(patience=30))
    whole = clone(est).fit(*data)
    n_epochs = int(np.argmax(whole.history_[:, "valid_cll"])) + 4
    interrupt_at(n_epochs * 5 - 2)
    with pytest.warns(ConvergenceWarning, match=f"after {n_epochs - 1} of 40 epochs"):
        est.fit(*data)
    assert len(est.history_) == n_epochs - 1 and same_weights(est, whole)


@pytest.mark.parametrize("callback", [BestWeights, FiniteLoss])
def test_an_interrupt_while_an_epoch_is_noted_is_one(data, monkeypatch, callback):
    noted = callback.on_epoch_end

    def interrupted(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt
        noted(self, net, **kwargs)

    monkeypatch.setattr(callback, "on_epoch_end", interrupted)
    est = CVAERegressor(max_epochs=9, random_state=0)
    with pytest.warns(ConvergenceWarning, match="after 2 of 9 epochs"):
        est.fit(*data)
    assert len(est.history_) == 2


def test_the_warning_points_to_the_call_of_fit(any_class, data, interrupt_at):
    interrupt_at(12)
    with pytest.warns(ConvergenceWarning) as caught:
        any_class(max_epochs=9, random_state=0).fit(*data)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(("n_batches", "n_members"), [(12, 1), (32, 1), (52, 2), (56, 2)])
def test_an_ensemble_keeps_the_members_that_had_ended(data, interrupt_at, n_batches, n_members):
    dropout = MLP(dropout=0.1)  # for which members are fitted one after another
    member = GSNNRegressor(max_epochs=5, training=Training(patience=9), architecture=dropout)
    est = EnsembleRegressor(member, n_estimators=4, random_state=0)
    whole = clone(est).fit(*data)
    interrupt_at(n_batches)  # 25 of each member
    with pytest.warns(ConvergenceWarning, match=f"keeps {n_members} of 4 members") as caught:
        est.fit(*data)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert len(est.estimators_) == n_members and np.isfinite(est.score(*data))
    if n_batches > 25:
        pairs = zip(est.estimators_, whole.estimators_, strict=False)
        assert all(same_weights(*pair) for pair in pairs)


def test_an_ensemble_without_an_epoch_passes_the_interrupt_on(data, interrupt_at):
    est = EnsembleRegressor(NNRegressor(max_epochs=2), n_estimators=2, random_state=0).fit(*data)
    before = est.estimators_
    interrupt_at(2)
    with pytest.raises(KeyboardInterrupt):
        est.fit(*data)
    assert est.estimators_ is before


def test_a_likelihood_of_zero_is_no_obstacle(data, monkeypatch):
    """Neither stopping early nor its best weights need a finite CLL."""
    record = Net._record

    def without(self, prefix, gain, reconstruction, kl, cll=None):
        record(self, prefix, gain, reconstruction, kl, cll and cll * np.inf)

    monkeypatch.setattr(Net, "_record", without)
    est = NNRegressor(max_epochs=9, random_state=0, training=Training(patience=3)).fit(*data)
    assert est.history_[:, "valid_cll"] == [-np.inf] * 4
    assert np.isfinite(est.score(*data))
