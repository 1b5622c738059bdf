"""After the bound of one draw a fit trains on with a tighter one, if rows held out gain by it."""

import re
from contextlib import nullcontext, redirect_stderr
from io import StringIO

import numpy as np
import pytest
from _pytest.outcomes import Failed
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from test_interrupts import ctrl_c

from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor, Training, load
from skcvae.architectures import MLP, Conv
from skcvae.estimators import _second_training, _together
from skcvae.objectives import ELBO, IWAE
from skcvae.training.stack_training import StackTraining, train_stack
from skcvae.training.temperature import temperatures

QUICK = {
    "architecture": MLP((16,)),
    "batch_size": 64,
    "lr": 0.02,
    "max_epochs": 400,
    "random_state": 0,
    "validation_fraction": 0.2,
    "training": Training(ema_decay=0.98, patience=10),
}
# The first bound soon stops.
SHORT = QUICK | {
    "lr": 0.05, "random_state": 4, "training": Training(ema_decay=0.9, patience=3),
}  # fmt: skip
VARYING = {"dur", "batches", "temperature_cll"}


def wide_or_narrow(n_rows, seed=0):
    """Return rows whose two outputs have wide noise or narrow noise, by chance."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 2))
    scale = rng.choice([0.03, 1.0], size=(n_rows, 1))
    return X, X + scale * rng.normal(size=(n_rows, 2))


def weights(est):
    return {k: v.numpy() for k, v in est.net_.module.model.state_dict().items()}


def epochs(est):
    return [{k: v for k, v in row.items() if k not in VARYING} for row in est.history_.to_list()]


def assert_same_fit(one, other):
    assert epochs(one) == epochs(other)
    for name, found in weights(one).items():
        assert_array_equal(found, weights(other)[name])


@pytest.fixture(scope="module")
def fits():
    """Return fits by one draw, and those that go on, to rows that gain by it, and their bars."""
    rows = wide_or_narrow(400)
    est, bars = CVAERegressor(**QUICK, verbose=1), StringIO()
    one = clone(est).set_params(objective="elbo", verbose=0).fit(*rows)
    with redirect_stderr(bars):
        return one, est.fit(*rows), bars.getvalue()


def test_rows_gain_whose_posterior_is_no_gaussian(fits):
    one, tighter, _ = fits
    new = wide_or_narrow(2000, seed=1)
    assert isinstance(tighter.net_.module.objective, IWAE)
    assert tighter.score(*new) > one.score(*new) + 0.1
    assert tighter.best_validation_score_ > one.best_validation_score_


def test_its_epochs_follow_those_of_the_first_bound(fits):
    one, tighter, _ = fits
    first, found = epochs(one), epochs(tighter)
    assert len(first) < len(found) <= QUICK["max_epochs"] and found[: len(first)] == first
    assert [row["epoch"] for row in found] == [*range(1, len(found) + 1)]
    # A bound of more draws is tighter.
    assert found[-1]["valid_loss"] < first[-1]["valid_loss"]
    best = max(row["epoch"] for row in found if row["valid_cll_best"])
    assert f"{len(found)}, the best {best}" in tighter.summary()


def test_a_file_has_what_was_learned(fits, tmp_path):
    X, y = wide_or_narrow(20, seed=1)
    fits[1].save(tmp_path / "fit")
    again = load(tmp_path / "fit")
    assert_array_equal(again.log_prob(X, y), fits[1].log_prob(X, y))
    assert again.summary() == fits[1].summary()


def test_its_progress_has_a_line_of_its_own(fits):
    first, second = fits[2].strip().splitlines()
    assert first.startswith("CVAERegressor: ") and "CVAERegressor, tighter bound: " in second


def test_the_best_epochs_are_those_of_all_trainings(fits):
    history = fits[1].history_
    for name, sign in {"train_loss": -1, "valid_loss": -1, "valid_cll": 1}.items():
        best = np.maximum.accumulate(sign * np.array(history[:, name]))
        expected = sign * np.array(history[:, name]) > np.r_[-np.inf, best[:-1]]
        assert_array_equal(history[:, f"{name}_best"], expected)


class OfOthers(IWAE):
    """Learns the outputs of other rows."""

    def bound(self, model, given, x, y, noise):
        return super().bound(model, given, x, y.roll(1, 0), noise)


def test_what_rows_held_out_lose_by_is_dropped(fits, monkeypatch):
    monkeypatch.setattr(_second_training, "IWAE", OfOthers)
    assert_same_fit(CVAERegressor(**QUICK).fit(*wide_or_narrow(400)), fits[0])


class Failing(IWAE):
    """Has a loss without a value, or an error."""

    error: BaseException | None = None

    def bound(self, model, given, x, y, noise):
        found = super().bound(model, given, x, y, noise)
        if self.error is not None:
            raise self.error
        return found._replace(reconstruction=found.reconstruction * np.nan)


class WithoutMemory(Failing):
    error = MemoryError()


@pytest.mark.filterwarnings("ignore:No latent variable is used")
@pytest.mark.parametrize("objective", [Failing, WithoutMemory])
@pytest.mark.parametrize("n_members", [1, 2])
def test_what_fails_leaves_the_fit_by_one_draw(monkeypatch, objective, n_members):
    tried = []
    monkeypatch.setattr(_second_training, "IWAE", lambda: tried.append(1) or objective())
    monkeypatch.setattr(_second_training, "LEAST_KL", 0.0)  # z is in use
    monkeypatch.setattr("skcvae.training.together.OBJECTIVES", {ELBO, objective})
    fits = []
    for name in ("auto", "elbo"):
        member = CVAERegressor(**SHORT, objective=name)
        fits.append(EnsembleRegressor(member, n_estimators=n_members, random_state=0))
        fits[-1].fit(*wide_or_narrow(400))
    assert len(tried) == n_members
    for pair in zip(*(fit.estimators_ for fit in fits), strict=True):
        assert_same_fit(*pair)


def test_a_typing_error_that_one_draw_stands_is_no_error():
    X, y = wide_or_narrow(400)
    y[5] = 1e7
    with pytest.warns(UserWarning, match="Column 0 of y has 1e") as caught:
        est = CVAERegressor(**QUICK).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert all("Column" in str(warning.message) for warning in caught)
    assert np.isfinite(est.score(X[300:], y[300:]))


@pytest.mark.filterwarnings("ignore:No latent variable is used")
def test_annotations_of_one_row_tell_as_much_as_one(monkeypatch):
    monkeypatch.setattr(_second_training, "ObjectiveModule", refused)
    X, y = wide_or_narrow(400)
    rows = X[:300], np.stack([y[:300]] * 2, axis=1)
    for last, expected in (340, nullcontext()), (360, pytest.raises(Failed, match="tighter")):
        held = X[300:last], np.stack([y[300:last]] * 2, axis=1)  # 80 annotations, or 120
        with expected:
            CVAERegressor(**SHORT, annotations=True).fit(*rows, X_val=held[0], y_val=held[1])


class CutOffError(Exception):
    pass


class Cut(Callback):
    """Stop a fit in an epoch of the second training, with an error."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if isinstance(net.module.objective, IWAE) and len(net.history) == self.epoch:
            raise CutOffError


def test_a_checkpoint_of_the_second_training_is_gone_on_from(tmp_path, monkeypatch):
    monkeypatch.setattr("skcvae.training.checkpoint.MAX_WRITE_SHARE", 1e9)  # each epoch
    monkeypatch.setattr(_second_training, "LEAST_KL", 0.0)  # z is in use
    seen, rows = [], wide_or_narrow(400)

    def note(self, net, **kwargs):
        seen.append((type(net.module.objective), len(net.history)))

    whole, est = (
        clone(CVAERegressor(**SHORT)).set_params(training__callbacks=[Cut(n)]) for n in (0, 4)
    )
    whole.fit(*rows)
    est.set_params(training__checkpoint=tmp_path / "fit")
    with pytest.raises(CutOffError):
        est.fit(*rows)
    assert len(list(tmp_path.iterdir())) == 2
    est.set_params(training__callbacks=[Cut(0)])
    monkeypatch.setattr(Cut, "on_epoch_begin", note)
    assert_same_fit(est.fit(*rows), whole)
    assert min(epoch for objective, epoch in seen if objective is IWAE) >= 3
    assert not list(tmp_path.iterdir())


def refused(*args):
    pytest.fail("a tighter bound")


LEFT = {
    "a bound of the user": {"objective": "elbo"},
    "another weight of the KL term": {"beta": 0.1},
    "a warm-up of the KL term": {"kl_warmup": 5},
    "no early stopping": {"early_stopping": False, "max_epochs": 3},
    "no epochs left": {**QUICK, "max_epochs": 20},
    "a schedule": {"training__lr_schedule": "one_cycle", "training__patience": 10, "lr": 0.3},
    "images": {"architecture": Conv((4, 4)), "x_shape": (1, 2), "y_shape": (1, 2)},
    "one output, with z of no use": {"y_shape": (1,)},
    "few rows held out": {"validation_fraction": 0.12},
}


@pytest.mark.filterwarnings("ignore:No latent variable is used")  # of one output
@pytest.mark.parametrize("kind", [*LEFT, "as it is"])
def test_other_fits_are_left_as_they_are(kind, monkeypatch):
    monkeypatch.setattr(_second_training, "ObjectiveModule", refused)
    est = clone(CVAERegressor(**SHORT)).set_params(**LEFT.get(kind, {}))
    rows = wide_or_narrow(400)
    if kind == "one output, with z of no use":
        rows = rows[0], rows[1][:, :1]
    with nullcontext() if kind in LEFT else pytest.raises(Failed, match="a tighter bound"):
        est.fit(*rows)
        if kind not in ("no early stopping", "no epochs left"):
            assert len(est.history_) < est.max_epochs


def branches(n_rows, seed=0):
    """Return rows of one output with two branches."""
    rng = np.random.default_rng(seed)
    X, sign = rng.normal(size=(n_rows, 1)), rng.choice([-1, 1], n_rows, p=[0.3, 0.7])
    return X, sign * (1 + abs(X[:, 0])) + 0.2 * rng.normal(size=n_rows)


def test_branches_of_one_output_are_narrower():
    est, new = CVAERegressor(**QUICK | {"random_state": 2}), branches(2000, seed=1)
    one = clone(est).set_params(objective="elbo").fit(*branches(500))
    assert est.fit(*branches(500)).score(*new) > one.score(*new) + 0.1


def test_members_of_a_stack_train_on_together(monkeypatch):
    stacks, rows = [], wide_or_narrow(400)

    def noted(nets, rows):
        stacks.append([type(net.module.objective) for net in nets])
        return train_stack(nets, rows)

    monkeypatch.setattr(_together, "train_stack", noted)
    monkeypatch.setattr(_second_training, "LEAST_KL", 0.0)  # z is in use
    member = CVAERegressor(**SHORT | {"max_epochs": 40})
    est = EnsembleRegressor(member, n_estimators=2, random_state=0).fit(*rows)
    assert stacks == [[ELBO] * 2, [IWAE] * 2]
    assert est.training_ == "2 in a stack of 2"


@pytest.fixture(scope="module")
def members_by_one_draw():
    member = clone(CVAERegressor(**SHORT, objective="elbo")).set_params(training__temperature=None)
    return EnsembleRegressor(member, n_estimators=2, random_state=0).fit(*wide_or_narrow(400))


@pytest.mark.filterwarnings("ignore:No latent variable is used")
@pytest.mark.parametrize("n_epochs", [0, 2])
def test_an_interrupt_of_a_stack_keeps_what_each_member_had(
    members_by_one_draw, monkeypatch, n_epochs
):
    monkeypatch.setattr(_second_training, "LEAST_KL", 0.0)  # z is in use
    est, tell = clone(members_by_one_draw), StackTraining.tell
    est.set_params(estimator__objective="auto")

    def interrupted(self, event):
        tell(self, event)
        net = self.fits[0].net
        if isinstance(net.module.objective, IWAE) and len(net.history) > n_epochs:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StackTraining, "tell", interrupted)
        with pytest.warns(ConvergenceWarning, match="keeps 2 of 2 members"):
            est.fit(*wide_or_narrow(400))
    for member, one in zip(est.estimators_, members_by_one_draw.estimators_, strict=True):
        assert len(member.history_) - len(one.history_) in {0, n_epochs}
        assert member.best_validation_score_ >= one.best_validation_score_ - 0.01


@pytest.mark.filterwarnings("ignore:No latent variable is used")
def test_after_an_interrupt_of_a_stack_no_member_goes_on(monkeypatch):
    """Neither those that had ended, whose second training would be next, nor other kinds."""
    stacks, epoch = [], StackTraining._epoch

    def interrupted(self):
        if self not in stacks:
            stacks.append(self)
        if len(self.going) < len(self.fits):
            raise KeyboardInterrupt
        epoch(self)

    monkeypatch.setattr(StackTraining, "_epoch", interrupted)
    monkeypatch.setattr(_together, "train", refused)
    members = [CVAERegressor(**SHORT | {"random_state": i}) for i in range(4)]
    members += [clone(members[0]).set_params(architecture=MLP((8,)))]
    ended = list(_together.Together(_together.Job(m, wide_or_narrow(400)) for m in members))
    assert {id(fit.estimator) for fit in ended} == {id(member) for member in members[:4]}
    assert any(fit.is_interrupted for fit in ended) and [fit.error for fit in ended] == [None] * 4
    assert len(stacks) == 1 and not hasattr(members[4], "net_")


def test_a_start_that_was_kept_is_there_after_an_interrupt(monkeypatch):
    """Where smaller steps would have come next."""
    monkeypatch.setattr(_together, "train", refused)
    rng, epoch = np.random.default_rng(0), StackTraining._epoch
    X, noise = rng.normal(size=(60, 4)), rng.normal(size=(60, 2))
    y = X @ rng.normal(size=(4, 2)) + 0.1 * noise

    def interrupted(self):
        epoch(self)
        if len(self.going) < len(self.fits):
            raise KeyboardInterrupt

    monkeypatch.setattr(StackTraining, "_epoch", interrupted)
    training = Training(patience=2, temperature=None)
    members = [NNRegressor(lr=0.05, training=training, random_state=i) for i in range(4)]
    jobs = [_together.Job(m, (X[:40], y[:40]), validation=(X[40:], y[40:])) for m in members]
    ended = list(_together.Together(jobs))
    assert len(ended) == 4 and not any(fit.error for fit in ended)
    for fit in ended:
        expected = fit.estimator.history_[0]["start_cll"]
        assert fit.estimator.score(X[40:], y[40:]) == pytest.approx(expected, abs=1e-4)


def shared(n_rows, seed=0):
    """Return inputs, and a curve with noise that two outputs share."""
    rng = np.random.default_rng(seed)
    X, noise = rng.normal(size=(2, n_rows, 2))
    return X, 2 * X**2 + rng.normal(size=(n_rows, 1)) + 0.1 * noise


class Collapse(Callback):
    """Let the first training do without z."""

    def on_epoch_begin(self, net, **kwargs):
        if isinstance(net.module.objective, ELBO) and not net.criterion_.warmup:
            net.criterion_.kl_weight = 100.0


@pytest.mark.filterwarnings("ignore:No latent variable is used")
def test_latent_variables_that_were_lost_come_into_use():
    est = clone(CVAERegressor(**QUICK | {"max_epochs": 150}))
    est.set_params(training__callbacks=[Collapse()]).fit(*shared(400))
    one, new = clone(est).set_params(objective="elbo").fit(*shared(400)), shared(2000, seed=1)
    assert one.n_active_units_ == 0 < est.n_active_units_
    assert est.score(*new) > one.score(*new) + 0.5


@pytest.mark.filterwarnings("ignore:No latent variable is used")
def test_latent_variables_of_no_use_are_soon_given_up(capfd):
    X, noise = np.random.default_rng(0).normal(size=(2, 600, 2))
    est = CVAERegressor(**SHORT, verbose=1).fit(X, X**2 + 0.3 * noise)
    (n_epochs,) = re.findall(r"z in use: (\d+) epochs", capfd.readouterr().err)
    assert int(n_epochs) < 20 + 10  # after the warm-up
    assert_same_fit(est, clone(est).set_params(objective="elbo").fit(X, X**2 + 0.3 * noise))


class Interrupting(Callback):
    """Interrupt the second training, in its first epoch or after some."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_batch_end(self, net, **kwargs):
        if isinstance(net.module.objective, IWAE) and len(net.history) > self.n_epochs:
            ctrl_c()


@pytest.fixture(scope="module")
def by_one_draw():
    # Of each batch alone, as where there are callbacks.
    params = {"training__temperature": None, "training__callbacks": [Interrupting(0)]}
    est = clone(CVAERegressor(**SHORT, objective="elbo")).set_params(**params)
    return est.fit(*wide_or_narrow(400))


@pytest.mark.parametrize("n_epochs", [0, 2])
def test_an_interrupt_keeps_what_rows_held_out_find_best(by_one_draw, monkeypatch, n_epochs):
    monkeypatch.setattr(_second_training, "LEAST_KL", 0.0)  # z is in use
    one = by_one_draw
    est = clone(one).set_params(objective="auto", training__callbacks=[Interrupting(n_epochs)])
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        est.fit(*wide_or_narrow(400))
    assert est.net_.interrupted and len(est.history_) - len(one.history_) in {0, n_epochs}
    assert est.best_validation_score_ >= one.best_validation_score_
    if n_epochs == 0:
        assert_same_fit(est, one)


class Declining(Callback):
    """Stop a second training before it begins, as planned."""

    def on_train_begin(self, net, **kwargs):
        if isinstance(net.module.objective, IWAE):
            raise KeyboardInterrupt


def test_a_callback_may_do_without_the_second_training(by_one_draw, monkeypatch):
    monkeypatch.setattr(_second_training, "LEAST_KL", 0.0)  # z is in use
    est = clone(by_one_draw).set_params(
        objective="auto", training__callbacks=[Declining(), Interrupting(0)]
    )
    assert_same_fit(est.fit(*wide_or_narrow(400)), by_one_draw)
    assert not est.net_.interrupted


def test_after_an_interrupt_the_temperature_is_chosen_too(monkeypatch):
    monkeypatch.setattr("skcvae.training.temperature.N_ERRORS", -1e9)  # any is better
    monkeypatch.setattr(_second_training, "LEAST_KL", 0.0)  # z is in use
    est = clone(CVAERegressor(**SHORT)).set_params(training__callbacks=[Interrupting(0)])
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        est.fit(*wide_or_narrow(400))
    assert temperatures(est.net_.module.model) == [0.5]
