"""Law: each member of a stack is the model that a fit alone gives."""

import linecache

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold
from skorch.callbacks import Callback
from torch.fx import graph_module

from skcvae import (
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    HybridStructuredPredictorCV,
    NNRegressor,
    Training,
)
from skcvae.architectures import MLP, Conv, Temporal
from skcvae.estimators import _together
from skcvae.estimators._together import Job, Together
from skcvae.likelihoods import (
    Bernoulli,
    Categorical,
    Columns,
    CorrelatedLogits,
    Gaussian,
    MultivariateGaussian,
    StudentT,
)
from skcvae.objectives import ELBO
from skcvae.training import stack, stack_training, together

TOLERANCE = 1e-4  # of single precision, after some steps


@pytest.fixture(params=[0, 1000], ids=["recorded", "not recorded"])
def recorded_after(request, monkeypatch):
    monkeypatch.setattr(stack, "RECORDED_AFTER", request.param)


def fit_all(members, *data, weight=None, rows=None):
    """Fit members in place, each to its own rows; return how they ended."""
    rows = rows or [slice(None)] * len(members)
    weights = [None if weight is None else weight[r] for r in rows]
    arrays = [tuple(array[r] for array in data) for r in rows]
    return list(Together(map(Job, members, arrays, weights)))


def weights(est):
    return torch.cat([p.detach().flatten() for p in est.net_.module.parameters()])


def assert_same_fit(one, other, tolerance=TOLERANCE):
    torch.testing.assert_close(weights(one), weights(other), rtol=tolerance, atol=tolerance)
    assert len(one.history_) == len(other.history_)
    for row, expected in zip(one.history_, other.history_, strict=True):
        assert row.keys() == expected.keys()
        for name in row.keys() - {"dur", "batches"}:
            # Noise of small scale multiplies differences of the weights.
            near = pytest.approx(expected[name], rel=3 * tolerance, abs=3 * tolerance)
            assert row[name] == near, name


def assert_as_alone(members, *data, weight=None, rows=None):
    alone = list(map(clone, members))
    ended = fit_all(members, *data, weight=weight, rows=rows)
    assert not any(fit.error or fit.way.startswith("alone") for fit in ended)
    for member, single, r in zip(members, alone, rows or [slice(None)] * 9, strict=False):
        single.fit(data[0][r], data[1][r], sample_weight=None if weight is None else weight[r])
        assert_same_fit(member, single)


def varied(kind, *changes, **params):
    given = {"max_epochs": 3} | params
    return [kind(random_state=i, **given | change) for i, change in enumerate(changes)]


MEMBERS = {
    "cvae": (CVAERegressor, {}),
    "gsnn": (GSNNRegressor, {}),
    "nn": (NNRegressor, {}),
    "hybrid": (HybridStructuredPredictor, {}),
    "guess": (CVAERegressor, {"initial_guess": True}),
    "several draws": (CVAERegressor, {"n_train_samples": 3}),
    "iwae": (CVAERegressor, {"n_train_samples": 3, "objective": "iwae"}),
    "partial": (CVAERegressor, {"partial_y": True}),
    "bins": (NNRegressor, {"architecture": MLP(bins=4)}),
    "elu": (NNRegressor, {"architecture": MLP(activation="elu")}),
    "heteroscedastic": (NNRegressor, {"likelihood": Gaussian(heteroscedastic=True)}),
    "multivariate": (NNRegressor, {"likelihood": MultivariateGaussian()}),
    "gaussian mixture": (NNRegressor, {"likelihood": "gaussian_mixture"}),
    "student": (NNRegressor, {"likelihood": StudentT()}),
    "poisson": (NNRegressor, {"likelihood": "poisson"}),
    "negative binomial": (NNRegressor, {"likelihood": "negative_binomial"}),
    "gamma": (NNRegressor, {"likelihood": "gamma"}),
    "log normal": (NNRegressor, {"likelihood": "log_normal"}),
    "logit normal": (NNRegressor, {"likelihood": "logit_normal"}),
    "hurdle": (NNRegressor, {"likelihood": "hurdle"}),
    "bernoulli": (NNRegressor, {"likelihood": "bernoulli"}),
    "table": (
        NNRegressor,
        {"likelihood": Columns([("a", Gaussian(), [0, 1]), ("b", Categorical(), [2])])},
    ),
    "temporal": (
        CVAERegressor,
        {"architecture": Temporal(4), "x_shape": (2, 2), "y_shape": (3, 1)},
    ),
    "standard": (CVAERegressor, {"prior": "standard"}),
    "mixture": (CVAERegressor, {"prior": "mixture"}),
    "no average": (NNRegressor, {"training": Training(ema_decay=0.0, max_grad_norm=None)}),
    "adam": (NNRegressor, {"training": Training(optimizer="Adam", weight_decay=0.1)}),
    "sgd": (NNRegressor, {"training": Training(optimizer="SGD")}),
}
MEANS = {"bernoulli", "table", "poisson", "negative binomial", "gamma", "log normal", "hurdle"}


def targets(name, y):
    """Return y such that the likelihood of a family accepts it."""
    if name == "partial":
        return np.where(np.arange(y.size).reshape(y.shape) % 7, y, np.nan)
    if name == "table":
        return np.c_[y[:, :2], y[:, 2] > np.median(y[:, 2])]
    if name == "logit normal":
        return 1 / (1 + np.exp(5 - y))
    if name == "bernoulli":
        return (y > y.mean(0)).astype(float)
    return np.round(np.abs(y)) + (name in {"gamma", "log normal"}) if name in MEANS else y


@pytest.mark.parametrize("name", MEMBERS)
def test_members_are_fits_alone(name, data):
    kind, params = MEMBERS[name]
    members = varied(kind, {}, {}, max_epochs=2, **params)
    assert_as_alone(members, data[0], targets(name, data[1]))


def test_parameters_that_change_no_shape_differ_between_members(data, recorded_after):
    members = varied(
        HybridStructuredPredictor,
        {"alpha": 0.3, "lr": 0.01},
        {"alpha": 0.9, "beta": 1.0, "kl_warmup": 2},
        {"omission": 0.3, "training": Training(weight_decay=0.5)},
    )
    assert len({together.kind(*begun(member, data)) for member in members}) == 1
    assert_as_alone(members, *data)


def begun(member, data):
    """Return the net and the rows of a fit that is not trained."""
    return next(member._trainings(data, None, (None, None)))


def test_members_have_rows_and_weights_of_their_own(data, recorded_after):
    rows = [np.arange(60) % 3 != fold for fold in range(3)]
    rows[1][0] = False  # one row less, in the last batch
    # Neither clipping nor Adam, which would hide the scale of a gradient.
    training = Training(optimizer="SGD", max_grad_norm=None)
    members = varied(CVAERegressor, {}, {}, {}, batch_size=16, training=training)
    X, y = data
    y = y + np.random.default_rng(0).normal(size=y.shape)  # else such steps are large
    assert_as_alone(members, X, y, weight=np.linspace(0, 2, 60), rows=rows)


def test_members_that_stop_leave_the_stack(data, monkeypatch):
    monkeypatch.setattr(stack, "RECORDED_AFTER", 50)
    left, keep = [], stack.StackedNets.keep

    def noted(self, kept):
        left.append(len(kept))
        keep(self, kept)

    monkeypatch.setattr(stack.StackedNets, "keep", noted)
    members = [
        NNRegressor(lr=0.05, random_state=i, training=Training(patience=patience))
        for i, patience in enumerate((2, 4, 8, 12))
    ]
    alone = [clone(member).fit(*data) for member in members]
    fit_all(members, *data)
    assert left and len({len(member.history_) for member in members}) > 2
    for member, single in zip(members, alone, strict=True):
        assert len(member.history_) == len(single.history_)
        torch.testing.assert_close(weights(member), weights(single), rtol=0.01, atol=0.01)


def test_members_may_have_epochs_of_their_own(data):
    assert_as_alone([NNRegressor(max_epochs=n, random_state=n) for n in (1, 4, 2)], *data)


def test_weights_of_a_member_hold_no_others(data):
    members = varied(NNRegressor, {}, {})
    fit_all(members, *data)
    for member in members:
        for parameter in member.net_.module.parameters():
            assert parameter.untyped_storage().nbytes() == parameter.nbytes


def test_one_that_diverges_harms_no_other(data):
    members = varied(NNRegressor, {}, {"lr": 1e30}, {})
    alone = clone(members[2]).fit(*data)
    errors = [fit.error for fit in fit_all(members, *data)]
    assert errors[0] is errors[2] is None and "diverged" in str(errors[1])
    assert not hasattr(members[1], "net_")
    assert_same_fit(members[2], alone)
    with pytest.raises(ValueError, match="diverged"):
        EnsembleRegressor(members[1], random_state=0).fit(*data)


@pytest.mark.parametrize("event", ["on_epoch_begin", "on_epoch_end"])
def test_an_interrupt_keeps_the_epochs_that_had_ended(data, monkeypatch, event):
    epoch, count = stack_training.StackTraining.tell, [0]

    def interrupted(self, name):
        count[0] += name == event
        if count[0] == 3:
            raise KeyboardInterrupt
        epoch(self, name)

    training = Training(temperature=None)
    member = NNRegressor(max_epochs=2, architecture=MLP(shortcut=False), training=training)
    est = EnsembleRegressor(member, n_estimators=3, random_state=0)
    shorter = clone(est).fit(*data)
    monkeypatch.setattr(stack_training.StackTraining, "tell", interrupted)
    with pytest.warns(ConvergenceWarning, match="keeps 3 of 3 members"):
        est.set_params(estimator__max_epochs=9).fit(*data)
    for member, expected in zip(est.estimators_, shorter.estimators_, strict=True):
        assert_same_fit(member, expected)
    count[0] = 2
    with pytest.raises(KeyboardInterrupt):
        est.fit(*data)
    assert len(est.estimators_) == 3


# What is fitted one after another, and what says so.


GROUPS = {"param_groups": [("*output*", {"lr": 0.2})]}


class Silent(Callback):
    pass


class OwnNN(torch.optim.AdamW):
    pass


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"architecture": MLP(dropout=0.1)}, "layers Dropout"),
        ({"objective": "monte_carlo"}, "the objective MonteCarloLikelihood"),
        ({"prior": "flow"}, "layers LazyComposedTransform"),
        ({"training": Training(callbacks=[Silent()])}, "callbacks Silent"),
        ({"training": Training(lr_schedule="one_cycle")}, "callbacks LRScheduler"),
        ({"training": Training(precision="bfloat16")}, "precision='bfloat16'"),
        ({"training": Training(optimizer=OwnNN)}, "the optimizer OwnNN"),
        ({"architecture": MLP((1000, 1000))}, "large products"),
        ({"objective": ELBO(free_nats=1.0)}, "free nats"),
        ({"training": Training(optimizer_params=GROUPS)}, "groups of parameters"),
    ],
)
def test_others_are_fitted_one_after_another(data, params, reason):
    est = EnsembleRegressor(CVAERegressor(max_epochs=1, **params), n_estimators=2, random_state=0)
    est.fit(*data)
    assert est.training_.startswith(f"2 alone: {reason}") and est.training_ in est.summary()
    for member in est.estimators_:
        assert torch.equal(weights(member), weights(clone(member).fit(*data)))


def test_likelihoods_that_draw_in_training_are_fitted_one_after_another(data):
    likelihood = CorrelatedLogits(Bernoulli(), rank=2, n_draws=4)
    est = EnsembleRegressor(NNRegressor(likelihood=likelihood, max_epochs=2), n_estimators=2)
    X, y = data[0], targets("bernoulli", data[1])
    assert est.set_params(random_state=0).fit(X, y).training_ == "2 alone: layers CorrelatedLogits"
    for member in est.estimators_:
        assert torch.equal(weights(member), weights(clone(member).fit(X, y)))


class OwnFit(NNRegressor):
    def fit(self, X, y=None, sample_weight=None, **params):
        return super().fit(X, 10 * y, sample_weight, **params)


@pytest.mark.parametrize("kind", [OwnFit, HybridStructuredPredictorCV])
def test_an_estimator_with_a_fit_of_its_own_is_fitted_by_it(data, kind):
    own = {"alphas": (0, 1), "cv": GroupKFold(2)} if kind is HybridStructuredPredictorCV else {}
    est = EnsembleRegressor(kind(max_epochs=1, **own), n_estimators=2, random_state=0)
    given = {"sample_weight": np.linspace(0, 2, 60), "groups": np.arange(60) // 3}
    est.fit(*data, **given)
    assert est.training_ == f"2 alone: the estimator {kind.__name__}"
    assert est.training_ in est.summary()
    for member in est.estimators_:
        alone = clone(member).fit(*data, **given)
        assert torch.equal(weights(member), weights(alone))
        assert member.summary() == alone.summary()


def test_convolutions_are_fitted_one_after_another():
    X = np.random.default_rng(0).random((40, 8, 8))
    est = EnsembleRegressor(NNRegressor(architecture=Conv(), max_epochs=1), n_estimators=2)
    est.set_params(random_state=0).fit(X, X)
    assert "2 alone: layers" in est.training_ and "Conv2d" in est.training_


def test_a_checkpoint_is_of_one_fit(data, tmp_path):
    training = Training(checkpoint=tmp_path / "state")
    est = EnsembleRegressor(NNRegressor(max_epochs=1, training=training), random_state=0)
    assert "5 alone: callbacks Checkpoint" in est.fit(*data).training_


def test_members_of_other_shapes_are_of_another_stack(data):
    layers = [{"architecture": MLP((n,))} for n in (4, 5, 4, 6)]
    ended = fit_all(varied(NNRegressor, *layers), *data)
    expected = "2 in a stack of 2, 2 alone: no other of its kind"
    assert _together.how_trained(ended) == expected


def test_a_stack_is_cut_where_memory_has_no_room(data, monkeypatch):
    members = [NNRegressor(max_epochs=1, random_state=i) for i in range(6)]
    sizes, train = [], _together.train_stack

    def noted(nets, rows):
        sizes.append(len(nets))
        return train(nets, rows)

    monkeypatch.setattr(_together, "train_stack", noted)
    n_bytes = _together.Begun(_together.Job(members[0], data)).n_bytes
    monkeypatch.setattr(_together, "resident_bytes", lambda device: 2.5 * n_bytes)
    assert_as_alone(members, *data)
    assert sizes == [3, 3]


def test_a_matrix_of_one_member_that_has_no_factor_ends_no_other_fit(data):
    X, y = data[0], np.where(data[1] > data[1].max(0) - 0.3, np.nan, data[1])
    members = varied(CVAERegressor, *({"lr": lr, "partial_y": True} for lr in (0.003, 1e6, 0.01)))
    alone = list(map(clone, members))
    ended = fit_all(members, X, y)
    assert [fit.error is None for fit in ended] == [True, False, True]
    assert {fit.way for fit in ended} == {"alone: a matrix of a stack had no factor"}
    for i in (0, 2):
        assert torch.equal(weights(members[i]), weights(alone[i].fit(X, y)))
    assert not hasattr(members[1], "net_")


def test_a_batch_size_above_the_rows_is_stacked(data):
    members = varied(CVAERegressor, *({"batch_size": 10**6, "max_epochs": n} for n in (2, 3)))
    assert_as_alone(members, *data, rows=[slice(None), slice(20)])


def test_the_summary_says_how_members_were_trained(data):
    est = EnsembleRegressor(NNRegressor(max_epochs=1), n_estimators=3, random_state=0).fit(*data)
    assert "trained       3 in a stack of 3" in est.summary()


def test_recordings_leave_nothing_in_the_process(data, monkeypatch):
    def sources():
        kept = {*graph_module._loader.eval_cache, *linecache.cache}
        return {name for name in kept if name.startswith("<eval_with_key>")}

    monkeypatch.setattr(stack, "RECORDED_AFTER", 1)
    before = sources()
    ensemble = EnsembleRegressor(NNRegressor(max_epochs=3, random_state=0), n_estimators=2)
    assert "stack of 2" in ensemble.fit(*data).training_
    assert sources() == before
