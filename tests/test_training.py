import pickle

import numpy as np
import pytest
import torch
from conftest import ESTIMATORS
from scipy.stats import bernoulli, norm, poisson
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping, LRScheduler

from skcvae import (
    VAE,
    CVAERegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
    Training,
)
from skcvae.architectures import MLP, Conv
from skcvae.data.batches import OrderedBatches, Rows, ShuffledBatches
from skcvae.data.coding import FORWARD_NUMBERS
from skcvae.documented import described
from skcvae.estimators._checks import DEFAULT_TRAINING
from skcvae.likelihoods import Categorical
from skcvae.random import drawing_from, generator
from skcvae.training.precision import tensor_float_32
from skcvae.training.weights import WeightAverage


class Watching(Callback):
    """Keep the weights and the predictions at the end of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.weights_ = []

    def on_epoch_end(self, net, **kwargs):
        state = net.module_.state_dict()
        self.weights_.append({k: v.clone() for k, v in state.items()})


def watched(est):
    return next(c for _, c in est.net_.callbacks_ if isinstance(c, Watching)).weights_


def same(one, other):
    return all(torch.equal(one[k], other[k]) for k in one)


# Of an autoencoder: test_autoencoder.py.
@pytest.mark.parametrize("any_class", [*ESTIMATORS, VAE], ids=lambda e: e.__name__)
def test_the_weights_of_the_best_epoch_are_restored(any_class, data):
    est = any_class(
        architecture=MLP(shortcut=False),  # does not start at least squares
        max_epochs=60,
        lr=0.02,
        random_state=0,
        training=Training(patience=5, temperature=None, callbacks=[Watching()]),
    )
    est.fit(*data)
    cll = est.history_[:, "valid_cll"]
    best = int(np.argmax(cll))
    assert best < len(cll) - 1, "the test needs a fit that gets worse"
    assert same(est.net_.module_.state_dict(), watched(est)[best])
    assert len(cll) == best + 1 + 5
    assert [row["valid_cll_best"] for row in est.history_][best]


def test_automatic_patience_is_as_many_epochs_as_led_to_the_best_one(data):
    def waited(cls=NNRegressor, **params):
        est = cls(architecture=MLP(shortcut=False), batch_size=64, random_state=0, **params)
        est.fit(*data)
        best = np.flatnonzero(est.history_[:, "valid_cll_best"])[-1] + 1
        return len(est.history_) - best, best

    for lr, (fewest, most) in {0.05: (1, 14), 0.007: (16, 49), 0.0015: (51, 450)}.items():
        n_waited, best = waited(lr=lr)
        assert fewest <= best <= most, "the test needs fits of three paces"
        assert n_waited == min(max(best, 15), 50)
    assert waited(CVAERegressor, lr=0.1, kl_warmup=1)[0] == 50
    assert waited(lr=0.1, training=Training(lr_schedule="one_cycle"))[0] == 50
    assert waited(lr=0.1, training=Training(patience=3))[0] == 3


def test_without_early_stopping_the_last_weights_are_kept(any_class, data):
    est = any_class(
        max_epochs=7,
        early_stopping=False,
        random_state=0,
        training=Training(callbacks=[Watching()]),
    )
    est.fit(*data)
    assert len(est.history_) == 7
    assert same(est.net_.module_.state_dict(), watched(est)[-1])


def test_callbacks_of_the_user_are_used_and_not_changed(data):
    watching = Watching()
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=1e9, threshold_mode="abs")
    callbacks = [
        watching,
        ("stop", stopping),
        ("rate", LRScheduler("StepLR", step_size=1, gamma=0.5)),
    ]
    est = NNRegressor(max_epochs=50, training=Training(callbacks=callbacks)).fit(*data)
    assert len(est.history_) < 10
    assert not hasattr(watching, "weights_") and watched(est)
    assert est.net_.optimizer_.param_groups[0]["lr"] < 1e-3


def test_parameters_of_the_optimizer_reach_it(data):
    est = NNRegressor(
        max_epochs=1, training=Training(weight_decay=0.3, optimizer_params={"betas": (0.5, 0.6)})
    ).fit(*data)
    group = est.net_.optimizer_.param_groups[0]
    assert group["betas"] == (0.5, 0.6) and group["weight_decay"] == 0.3


def test_gradients_are_clipped(data):
    class Largest(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            norms = [p.grad.norm() for _, p in named_parameters]
            net.history.record("norm", float(torch.stack(norms).norm()))

    for limit in (0.01, None):
        est = NNRegressor(
            max_epochs=2, training=Training(max_grad_norm=limit, callbacks=[Largest()])
        ).fit(*data)
        assert (est.history_[-1]["norm"] <= 0.0101) == (limit is not None)


class Weight(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("kl_weight", net.criterion_.kl_weight)


@pytest.mark.parametrize("params, starts_lower", [({}, True), ({"objective": "iwae"}, False)])
def test_the_weight_of_the_kl_grows_by_default_with_a_latent_map(params, starts_lower):
    X = np.random.default_rng(0).normal(size=(20, 4, 4))
    training = Training(callbacks=[Weight()])
    for architecture in (Conv((2, 2)), MLP((2,))):
        est = CVAERegressor(architecture=architecture, max_epochs=9, training=training, **params)
        weights = est.fit(X, X).history_[:, "kl_weight"]
        assert (weights[0] < 1) == (starts_lower and isinstance(architecture, Conv))
        assert weights[1:] == [1] * 8


def test_warmup_moves_the_weight_of_the_kl(data):
    est = CVAERegressor(
        max_epochs=4, kl_warmup=1, beta=1.0, training=Training(callbacks=[Weight()])
    ).fit(*data)
    assert est.history_[:, "kl_weight"] == [1.0, 2.0, 2.0, 2.0]


def test_one_cycle_ends_near_zero(data):
    class Rate(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("lr", net.optimizer_.param_groups[0]["lr"])

    est = NNRegressor(
        max_epochs=20,
        lr=0.01,
        early_stopping=False,
        training=Training(lr_schedule="one_cycle", callbacks=[Rate()]),
    ).fit(*data)
    rates = est.history_[:, "lr"]
    assert max(rates) == pytest.approx(0.01, rel=0.05) and rates[-1] < 1e-4


@pytest.mark.parametrize(
    ("optimizer", "params"),
    [
        ("AdamW", {"betas": (0.5, 0.6)}),
        ("AdamW", {}),
        ("SGD", {"momentum": 0.7}),
        ("SGD", {}),
        (torch.optim.RMSprop, {"momentum": 0.3}),
        (torch.optim.RMSprop, {}),
    ],
)
def test_one_cycle_leaves_the_momentum_of_the_optimizer(data, optimizer, params):
    class Groups(Callback):
        def on_train_begin(self, net, **kwargs):
            self.seen_ = []

        def on_batch_end(self, net, **kwargs):
            group = net.optimizer_.param_groups[0]
            self.seen_.append({name: group.get(name) for name in ("betas", "momentum")})

    training = Training(
        optimizer=optimizer,
        optimizer_params=params,
        lr_schedule="one_cycle",
        callbacks=[Groups()],
    )
    est = NNRegressor(max_epochs=3, random_state=0, training=training).fit(*data)
    (group,) = {tuple(seen.items()) for seen in dict(est.net_.callbacks_)["Groups"].seen_}
    assert {**dict(group), **params} == dict(group)
    assert np.isfinite(est.score(*data))


@pytest.mark.parametrize("kernel", ["foreach", "fused"])
def test_a_kernel_of_the_optimizer_may_be_chosen(data, kernel):
    training = Training(optimizer_params={kernel: True})
    est = NNRegressor(max_epochs=1, training=training).fit(*data)
    assert est.net_.optimizer_.param_groups[0][kernel]


# What torch imports to compile warns of its own.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer_params": {"foo": 1}}, "AdamW .*optimizer_params={'foo': 1}.*among .*'betas'"),
        ({"optimizer_params": {"betas": (1.5, 0.9)}}, "optimizer_params=.*Invalid beta parameter"),
        ({"optimizer_params": {"betas": 0.5}}, "optimizer_params={'betas': 0.5}"),
        ({"optimizer_params": {1: 2}}, "optimizer_params={1: 2}"),
        ({"optimizer": "SGD", "optimizer_params": {"betas": (0.5, 0.9)}}, "SGD .*'betas'.*among"),
        ({"optimizer": torch.optim.LBFGS, "weight_decay": 0.1}, "LBFGS .*weight_decay=0.1"),
        (
            {"compile": {"mode": "foo"}},
            "compile={'mode': 'foo'} .*Unrecognized mode.*Expected a bool",
        ),
        ({"compile": {"foo": 1}}, "compile={'foo': 1} cannot be used"),
        ({"compile": {"options": 3}}, "compile={'options': 3} cannot be used"),
        ({"compile": {"backend": "foo"}}, "compile={'backend': 'foo'} cannot be used"),
    ],
)
def test_what_torch_does_not_take_is_refused_before_training(no_training, data, options, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        NNRegressor(training=Training(**options)).fit(*data)


def test_groups_of_weights_have_parameters_of_their_own(data):
    groups = [("*bias", {"weight_decay": 0.0})]
    training = Training(weight_decay=0.1, optimizer_params={"param_groups": groups})
    schedule = LRScheduler("LambdaLR", lr_lambda=[lambda epoch: 0.5] * 2)
    est = NNRegressor(max_epochs=1, training=training.set_params(callbacks=[schedule]))
    found = est.fit(*data).net_.optimizer_.param_groups
    assert [group["weight_decay"] for group in found] == [0.0, 0.1]


@pytest.mark.parametrize("name", ["mps", "mps:0", "cuda:99", "cpu:1", "tpu"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(data, name):
    if name.startswith("mps") and torch.backends.mps.is_available():
        pytest.skip("needs a machine without mps")
    message = f"'mps', and be available: got '{name}' on a machine with .* CUDA .* MPS devices"
    with pytest.raises(ValueError, match=message):
        NNRegressor(device=name).fit(*data)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 40])
def test_batches_cover_every_row_once_in_a_new_order(n):
    rows = Rows((torch.arange(n)[:, None].float(), torch.zeros(n, 1)), torch.ones(n))
    source = torch.Generator().manual_seed(0)
    batches = ShuffledBatches(rows, 16, shape=(3, 2), source=source)
    epochs = []
    for _ in range(2):
        parts = list(batches)
        xs = [batch["arrays"][0] for batch, _ in parts]
        for x, (batch, _) in zip(xs, parts, strict=True):
            assert len(x) <= 16 and batch["noise"].shape == (3, len(x), 2)
        epochs.append(torch.cat(xs)[:, 0])
        assert sorted(epochs[-1].tolist()) == list(range(n))
    assert n < 15 or not torch.equal(*epochs)


@pytest.mark.parametrize("n_rows", [1, 2, 5, 7])
def test_validation_noise_is_the_same_each_time_and_differs_between_rows(n_rows):
    rows = Rows((torch.arange(5.0)[:, None], torch.zeros(5, 1)))
    row_size = FORWARD_NUMBERS // n_rows
    batches = OrderedBatches(rows, 999, shape=(1, 2), seed=0, row_size=row_size)
    first, second = list(batches), list(batches)
    for (one, _), (other, _) in zip(first, second, strict=True):
        assert torch.equal(one["noise"], other["noise"])
    xs = [batch["arrays"][0] for batch, _ in first]
    assert max(map(len, xs)) == min(n_rows, 5)
    assert torch.cat(xs)[:, 0].tolist() == list(range(5))
    assert len(torch.cat([batch["noise"] for batch, _ in first], dim=1)[0].unique()) == 10


def test_fits_leave_the_default_options_which_they_share(data):
    before = described(DEFAULT_TRAINING)
    for kind in (NNRegressor, CVAERegressor):
        kind(max_epochs=2, random_state=0, verbose=1).fit(*data)
    CVAERegressor(max_epochs=2, prior="gaussian_process", random_state=0).fit(*data)
    assert described(DEFAULT_TRAINING) == before == described(Training())


def test_average_forgets_the_start_and_swaps():
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(-1e6)
    average = WeightAverage(decay=0.9)
    average.start(list(layer.parameters()))
    for step in range(200):
        layer.weight.data.fill_(float(step % 2))
        average.update()
    average.swap()
    assert layer.weight.item() == pytest.approx(0.5, abs=0.1)
    average.swap()
    assert layer.weight.item() == 1.0


class Idle(Callback):
    """A callback of the user, which could treat weights one by one."""


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "Adam", "weight_decay": 0.1, "max_grad_norm": 0.01},
        {"optimizer": "SGD", "optimizer_params": {"momentum": 0.9}, "ema_decay": 0.0},
    ],
    ids=["AdamW", "clipped Adam", "SGD"],
)
def test_weights_in_one_vector_are_trained_as_single_ones(data, options):
    joined, apart = (
        CVAERegressor(max_epochs=3, random_state=0, training=Training(**options, callbacks=own))
        for own in (None, [Idle()])
    )
    joined.fit(*data), apart.fit(*data)
    sizes = [len(est.net_.optimizer_.param_groups[0]["params"]) for est in (joined, apart)]
    assert sizes[0] == 1 < sizes[1]
    states = [est.net_.module_.state_dict() for est in (joined, apart)]
    torch.testing.assert_close(*states, rtol=1e-3, atol=1e-4)
    for part in states[0].values():  # each weight has memory of its own
        assert part.untyped_storage().nbytes() == part.nbytes


def test_a_decay_of_zero_keeps_the_last_weights():
    layer = torch.nn.Linear(1, 1)
    average = WeightAverage(decay=0.0)
    average.start(list(layer.parameters()))
    layer.weight.data.fill_(7.0)
    average.update()
    average.swap()
    assert layer.weight.item() == 7.0


def test_a_fit_in_float64_data_trains_in_float32_and_leaves_the_default(data):
    before = torch.get_default_dtype(), torch.get_num_threads()
    est = CVAERegressor(max_epochs=1).fit(*data)
    assert {p.dtype for p in est.net_.module_.parameters()} == {torch.float32}
    assert (torch.get_default_dtype(), torch.get_num_threads()) == before


@pytest.mark.parametrize("max_grad_norm", [1e-3, None])
def test_a_step_is_no_longer_than_the_gradients_may_be(data, max_grad_norm):
    settings = {"lr": 1.0, "batch_size": 60, "early_stopping": False}
    options = {"optimizer": "SGD", "ema_decay": 0.0, "callbacks": [Watching()]}
    training = Training(max_grad_norm=max_grad_norm, **options)
    est = NNRegressor(max_epochs=2, random_state=0, training=training, **settings).fit(*data)
    before, after = watched(est)
    moved = sum((after[k] - before[k]).square().sum() for k in after).sqrt()
    assert (moved < 1.001e-3) == (max_grad_norm is not None)


def test_bfloat16_is_for_products_in_training_alone(estimator_class, data):
    found = {}
    for precision in ("float32", "bfloat16"):
        est = estimator_class(
            architecture=MLP(shortcut=False),
            max_epochs=3,
            random_state=0,
            training=Training(precision=precision),
        ).fit(*data)
        assert {w.dtype for w in est.net_.module_.parameters()} == {torch.float32}
        assert est.predict(data[0]).dtype == float
        found[precision] = np.array(est.history_[:, "train_loss"])
    assert (found["float32"] != found["bfloat16"]).all()
    np.testing.assert_allclose(found["bfloat16"], found["float32"], rtol=0.03)


def test_log_probabilities_of_many_outputs_are_summed_in_float32():
    model = NNRegressor(
        likelihood="bernoulli", max_epochs=1, training=Training(precision="bfloat16")
    )
    y = np.random.default_rng(0).random((40, 3000))
    est = model.fit(y[:, :2], y)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        p = est.net_.module_.model.condition(torch.zeros(1, 2)).likelihood()
    assert p.mean.dtype == torch.float32


# What torch imports to compile warns of its own.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_training_is_the_same_training(data):
    est = CVAERegressor(max_epochs=2, early_stopping=False, random_state=0)
    eager = est.fit(*data).history_[:, "train_loss"]
    est.set_params(training__compile={"backend": "eager"}).fit(*data)
    np.testing.assert_allclose(est.history_[:, "train_loss"], eager, rtol=1e-4)
    again = pickle.loads(pickle.dumps(est))
    assert again.score(*data) == est.score(*data)


# Of those that a network treats in another way in validation than in training.
@pytest.mark.parametrize(
    "params", [{"architecture": MLP((8,), dropout=0.5)}, {"prior": "gaussian_process"}], ids=str
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute")
def test_compiled_training_validates_the_same_model(params, data):
    found, columns = [], ("train_loss", "valid_loss", "valid_cll")
    for compiled in (False, {"backend": "eager"}):
        options = Training(compile=compiled)
        est = CVAERegressor(**params, max_epochs=2, batch_size=27, random_state=0)
        est.set_params(training=options).fit(*data)
        found.append([*est.history_[:, columns], est.score(*data)])
    np.testing.assert_allclose(np.hstack(found[1]), np.hstack(found[0]), rtol=1e-3)


def test_too_little_memory_is_told_and_leaves_the_estimator_as_it_was(data, monkeypatch):
    est = NNRegressor(max_epochs=1, random_state=0).fit(*data)
    before = est.predict(data[0])

    def exhausted(*args):
        raise torch.cuda.OutOfMemoryError("Tried to allocate 20.00 MiB.")

    monkeypatch.setattr("skcvae.training.net.train", exhausted)
    with pytest.raises(MemoryError, match="smaller batch_size .* Tried to allocate 20.00 MiB"):
        est.fit(*data)
    assert np.array_equal(est.predict(data[0]), before)


class Switch(Callback):
    """Note torch's switch at the start of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = []

    def on_epoch_begin(self, net, **kwargs):
        self.seen_.append(torch.get_float32_matmul_precision())


@pytest.mark.parametrize(("precision", "inside"), [("tf32", "high"), ("float32", "highest")])
def test_tf32_is_switched_on_for_a_fit_and_off_again(data, precision, inside):
    assert torch.get_float32_matmul_precision() == "highest"
    est = NNRegressor(
        max_epochs=2, training=Training(precision=precision, callbacks=[("switch", Switch())])
    )
    est.fit(*data)
    assert dict(est.net_.callbacks_)["switch"].seen_ == [inside] * 2
    assert torch.get_float32_matmul_precision() == "highest"
    with pytest.raises(ValueError, match="diverged"):
        est.set_params(lr=1e30, training__max_grad_norm=None, training__optimizer="SGD").fit(*data)
    assert torch.get_float32_matmul_precision() == "highest"


def test_tf32_lasts_as_long_as_the_last_fit_that_wants_it():
    with tensor_float_32:
        with tensor_float_32:
            pass
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == "highest"


# Warm starts.


def test_a_warm_start_without_the_recognition_network_scores_with_the_prior(data):
    X, y = data
    est = HybridStructuredPredictor(0.5, latent_dim=1, max_epochs=5, random_state=0)
    est.set_params(architecture=MLP(shortcut=False))
    est.fit(X, y).set_params(alpha=0, warm_start=True, max_epochs=2).fit(X, y)
    model = est.net_.module.model
    assert not est.specification_.recognition and model.recognition is None
    assert est._fitted.model is model and not hasattr(est, "n_active_units_")
    x, code = (
        c.to_tensor(a, torch.float32, "cpu")
        for c, a in zip(est.specification_.codings, data, strict=True)
    )
    n_draws = 4000
    with torch.no_grad(), drawing_from(generator(1)):
        given = model.condition(x)
        log_p = given.likelihood(given.prior.sample((n_draws,))).log_prob(code).double()
    drawn = log_p.logsumexp(0) - np.log(n_draws)
    error = (log_p - drawn).exp().std(0) / n_draws**0.5  # of drawn, by the delta method
    scored = est.log_prob(X, y, n_samples=n_draws) - est.y_coding_.log_jacobian(y)
    assert (np.abs(scored - drawn.numpy()) < 6 * error.numpy() + 1e-3).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latent_dim", 3),
        ("prior", "standard"),
        ("likelihood", "student_t"),
        ("partial_y", True),
        ("architecture", MLP((7,))),
    ],
)
def test_a_warm_start_with_other_networks_is_refused_by_name(latent_class, data, name, value):
    est = latent_class(max_epochs=1, random_state=0).fit(*data)
    score, fitted = est.score(*data), {k: v for k, v in vars(est).items() if k.endswith("_")}
    before = getattr(est, name)
    est.set_params(warm_start=True, **{name: value})
    message = rf"warm_start=True continues a fit with {name}={before!r}, got {name}="
    with pytest.raises(ValueError, match=message):
        est.fit(*data)
    assert all(vars(est)[k] is v for k, v in fitted.items())
    assert est.set_params(**{name: before}).score(*data) == score
    assert est.fit(*data).net_ is not fitted["net_"]


def test_a_warm_start_sees_the_end_of_a_long_parameter(data):
    classes = list(range(60))
    labels = np.random.default_rng(0).integers(3, size=(60, 2))
    est = CVAERegressor(likelihood=Categorical(classes), max_epochs=1, warm_start=True)
    est.fit(data[0], labels).fit(data[0], labels)
    est.set_params(likelihood__classes=[*classes[:-1], 77])
    with pytest.raises(ValueError, match=r"continues a fit with likelihood=.*59\].*77\]"):
        est.fit(data[0], labels)


@pytest.mark.parametrize("y_scale", [1e-3, 1e3])
def test_a_validation_score_below_that_of_a_constant_gaussian_warns(y_scale):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), y_scale * rng.normal(size=(80, 2))
    X_val, y_val = rng.normal(size=(40, 3)), y_scale * rng.normal(size=(40, 2))
    constant = norm(y.mean(0), y.std(0)).logpdf(y_val).sum(axis=1).mean()
    est = NNRegressor(architecture=MLP(shortcut=False), max_epochs=80, random_state=0, lr=0.01)
    est.set_params(early_stopping=False)  # the last epoch, which has learned rows by heart
    with pytest.warns(UserWarning, match=f"below the {constant:.4g} of a Gaussian") as seen:
        est.fit(X, y, X_val=X_val, y_val=y_val)
    assert f"score is {est.best_validation_score_:.4g} nats" in str(seen[0].message)
    assert seen[0].filename == __file__
    est.set_params(max_epochs=10, lr=1e-30, architecture=MLP())
    est.fit(X, y, X_val=X_val, y_val=y_val)  # the start: warnings are errors
    y[:, 0] = y_val[:, 0] = y_scale
    est.fit(X, y, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("kind", ["poisson", "bernoulli", "categorical"])
def test_a_validation_score_below_that_of_constant_counts_or_labels_warns(kind):
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(80, 3)), rng.normal(size=(40, 3))
    draw = (
        (lambda n: rng.poisson(3, (n, 4)))
        if kind == "poisson"
        else lambda n: rng.integers(2, size=(n, 4))
    )
    y, y_val = draw(80), draw(40)
    share = (y.sum(0) + 0.5) / 81
    frozen = poisson(y.mean(0)) if kind == "poisson" else bernoulli(share)
    constant = frozen.logpmf(y_val).sum(axis=1).mean()
    est = NNRegressor(likelihood=kind, max_epochs=80, random_state=0, lr=0.01)
    est.set_params(early_stopping=False, architecture=MLP(shortcut=False))
    message = f"below the {constant:.4g} of a distribution that ignores X"
    with pytest.warns(UserWarning, match=message):
        est.fit(X, y, X_val=X_val, y_val=y_val)
    est.set_params(max_epochs=10, lr=1e-30, architecture=MLP())
    est.fit(X, y, X_val=X_val, y_val=y_val)  # the start: warnings are errors


@pytest.mark.filterwarnings("ignore:No latent variable is used", "ignore:Training diverged after")
@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        *((NNRegressor, kind) for kind in ("gaussian", "poisson", "categorical")),
        *((CVAERegressor, kind) for kind in ("gaussian", "categorical")),
        (GSNNRegressor, "poisson"),
    ],
)
def test_training_that_diverged_warns_where_the_last_epoch_is_kept(cls, kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    y = {"gaussian": X + 0.3 * rng.normal(size=X.shape), "poisson": rng.poisson(np.exp(X)),
         "categorical": (X + rng.logistic(size=X.shape) > 0).astype(int)}[kind]  # fmt: skip
    est = cls(likelihood=kind, early_stopping=False, max_epochs=15, random_state=0)
    est.fit(X, y)  # warnings are errors
    with pytest.warns(ConvergenceWarning, match="smaller learning rate than lr=1,"):
        est.set_params(lr=1).fit(X, y)


@pytest.mark.parametrize("noise", [0.1, 0.003])
def test_independent_outputs_that_are_tied_warn_of_what_ignores_x(noise):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = 0.5 * X[:, :2] + rng.normal(size=(200, 2))
    y = np.c_[y, y.sum(1) + noise * rng.normal(size=200)]
    with pytest.warns(UserWarning, match="has the covariance of the outputs"):
        NNRegressor(random_state=0, max_epochs=20).fit(X, y)
    CVAERegressor(random_state=0, max_epochs=20).fit(X, y)  # warnings are errors
    factors = rng.normal(size=(150, 2)) @ rng.normal(size=(2, 30))
    y = factors + noise / 2 * rng.normal(size=(150, 30))
    CVAERegressor(random_state=0, max_epochs=20).fit(X[:150], y)


def test_the_best_validation_score_is_that_of_the_weights_kept(data):
    X, y = data
    est = NNRegressor(architecture=MLP(shortcut=False), max_epochs=8, random_state=0)
    given = {"X_val": X[:20], "y_val": y[:20]}
    assert est.fit(X, y, **given).best_validation_score_ == pytest.approx(
        est.score(X[:20], y[:20]), rel=1e-4
    )
    start = clone(est).set_params(architecture=MLP(), lr=1e-30).fit(X, y, **given)
    assert start.best_validation_score_ == pytest.approx(start.score(X[:20], y[:20]), rel=1e-4)
    est.set_params(early_stopping=False, max_epochs=3).fit(X, y)
    assert est.best_validation_score_ is None
