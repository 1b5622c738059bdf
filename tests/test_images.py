"""Laws of every estimator on images, sequences, label maps, and rows that are observed in part."""

import functools
import pickle

import numpy as np
import pytest
import torch
from conftest import each_kind
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcvae import CVAERegressor, GSNNRegressor, NNRegressor
from skcvae.architectures import MLP, Conv, Layered, Temporal
from skcvae.likelihoods import Categorical, Gaussian

N = 12
LABELS = np.array([-3, 7, 100])
# Few draws, so that networks that have hardly learned anything give no warning.
QUICK = {"max_epochs": 1, "random_state": 0, "n_score_samples": 5}
ARCHITECTURES = {
    "conv": Conv((4, 6), activation="tanh"),
    "layered": Layered((4, 6), activation="tanh"),
    "scales": Conv((4, 6, 8), n_latent_scales=2, activation="tanh"),
    "mlp": MLP((8,)),
    "temporal": Temporal(4, activation="tanh"),
}
LIKELIHOODS = ["gaussian", "bernoulli", "categorical"]
SHAPES = {
    "image to image": ((2, 8, 6), (8, 6)),
    "image to larger image": ((4, 3), (2, 8, 6)),
    "image to vector": ((8, 6), (4,)),
    "image to number": ((8, 6), ()),
    "vector to image": ((5,), (8, 6)),
    "vector to vector": ((5,), (4,)),
    "vector to number": ((5,), ()),
    "sequence to sequence": ((8, 2), (8, 3)),
    "sequence to shorter sequence": ((8, 2), (3, 2)),
    "sequence to vector": ((8, 2), (4,)),
    "vector to sequence": ((5,), (7, 1)),
}

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
EXPECTED = {
    "conv": "image",
    "layered": "image",
    "mlp": "",
    "scales": "image",
    "temporal": "sequence",
}
OF_IMAGES_Y = ("layered", "scales")
CASES = [
    (a, s)
    for a, part in EXPECTED.items()
    for s in SHAPES
    if part in (s.split(" to ")[1] if a in OF_IMAGES_Y else s)
]
OF_IMAGES = [a for a in EXPECTED if a != "temporal"]
each_architecture = pytest.mark.parametrize("architecture", OF_IMAGES)


def data(likelihood="gaussian", shapes="image to image", n=N):
    x_shape, y_shape = SHAPES[shapes]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, *x_shape))
    if likelihood == "categorical":
        return X, rng.choice(LABELS, (n, *y_shape))
    if likelihood == "bernoulli":
        return X, rng.random((n, *y_shape))
    return X, 5 + 3 * rng.normal(size=(n, *y_shape))


def hide(y, share=0.4):
    """Return y as floats with NaN at random, and the first row without."""
    hidden = np.random.default_rng(1).random(y.shape) < share
    hidden[0] = False
    return np.where(hidden, np.nan, y)


def skip_without_z(estimator_class, architecture):
    if architecture == "layered" and estimator_class is NNRegressor:
        pytest.skip("layers expect latent variables")


@functools.cache
def fitted(estimator_class, architecture="conv", likelihood="gaussian", shapes="image to image"):
    """Return an estimator that tests share and leave as it is."""
    skip_without_z(estimator_class, architecture)
    est = estimator_class(
        architecture=clone(ARCHITECTURES[architecture]), likelihood=likelihood, **QUICK
    )
    return est.fit(*data(likelihood, shapes))


def weights(est):
    return {k: v.numpy() for k, v in est.net_.module_.state_dict().items()}


def assert_same(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, **tolerance)


def answers(est, X, y, *, row_shape=None):
    """Return everything an estimator says of rows, y as rows of `row_shape`."""
    labels = est.likelihood == "categorical"
    like_y = [
        est.predict(X),
        est.predict(X, method="latent_mean"),
        est.sample(X, 2, random_state=0),
        est.complete(X, hide(y), 2, n_steps=3, random_state=0),
    ]
    if labels:
        like_y.append(est.predict(X, return_proba=True)[1])
    else:
        like_y.append(est.predict(X, return_std=True)[1])
    if row_shape is not None:
        n_lead = [array.ndim - y.ndim + 1 for array in like_y]
        like_y = [
            array.reshape(*array.shape[:n], *row_shape)
            for array, n in zip(like_y, n_lead, strict=True)
        ]
    return [*like_y, est.log_prob(X, y)]


# Shapes and kinds.


@each_kind("case likelihood", CASES, LIKELIHOODS)
def test_answers_have_the_shape_and_kind_of_y(estimator_class, case, likelihood):
    architecture, shapes = case
    est, (X, y) = (
        fitted(estimator_class, architecture, likelihood, shapes),
        data(likelihood, shapes),
    )
    kind = y.dtype
    assert est.predict(X).shape == est.predict(X, method="latent_mean").shape == y.shape
    assert est.sample(X).shape == (1, *y.shape) and est.sample(X[:1], 3).shape[:2] == (3, 1)
    assert est.sample(X, 2, observation_noise=False).shape == (2, *y.shape)
    completed = est.complete(X, hide(y), 2)
    assert completed.shape == (2, *y.shape)
    assert {a.dtype for a in (est.predict(X), est.sample(X), completed)} == {kind}
    log_p, ess = est.log_prob(X, y, return_ess=True)
    assert log_p.shape == ess.shape == (N,) and log_p.dtype == np.float64
    assert np.isfinite(log_p).all() and est.score(X, y) == log_p.mean()
    assert est.x_shape_ == X.shape[1:] and est.y_shape_ == y.shape[1:]
    if likelihood == "categorical":
        return
    mean, std = est.predict(X, return_std=True)
    assert mean.shape == std.shape == y.shape and (std > 0).all()
    assert est.predict_quantiles(X, (0.2, 0.5, 0.7), n_samples=4).shape == (*y.shape, 3)
    assert est.predict_interval(X, n_samples=4).shape == (*y.shape, 2)


@each_kind("case method", CASES, ["mean", "latent_mean"])
def test_labels_are_the_most_probable_classes(estimator_class, case, method):
    architecture, shapes = case
    est = fitted(estimator_class, architecture, "categorical", shapes)
    X, y = data("categorical", shapes)
    found, proba = est.predict(X, return_proba=True, method=method)
    assert proba.shape == (N, 3, *y.shape[1:]) and proba.dtype == np.float64
    assert (proba > 0).all()
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(est.classes_, LABELS)
    np.testing.assert_array_equal(found, est.classes_[proba.argmax(1)])
    np.testing.assert_array_equal(found, est.predict(X, method=method))
    assert set(np.unique(est.sample(X, 5, 0))) <= set(LABELS)


def test_drawn_labels_are_as_frequent_as_probable(estimator_class):
    est, (X, _) = fitted(estimator_class, "conv", "categorical"), data("categorical")
    proba = est.predict(X, return_proba=True)[1]
    draws = est.sample(X, 2000, random_state=0)
    frequent = np.stack([(draws == label).mean(0) for label in LABELS], axis=1)
    np.testing.assert_allclose(frequent, proba, atol=0.06)


def test_labels_of_one_output_have_a_mass_that_sums_to_one(estimator_class):
    est = fitted(estimator_class, "conv", "categorical", "image to number")
    X, _ = data("categorical", "image to number")
    log_p = [
        est.log_prob(X, np.full(N, label), n_samples=2000, method="monte_carlo")
        for label in LABELS
    ]
    np.testing.assert_allclose(np.exp(log_p).sum(0), 1, atol=0.05)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, float, bool])
def test_labels_come_back_as_integers_or_booleans(estimator_class, dtype):
    X, y = data("categorical")
    y = (y == 7).astype(dtype)
    est = estimator_class(architecture="conv", likelihood="categorical", **QUICK).fit(X, y)
    kind = dtype if np.dtype(dtype).kind in "iub" else np.int64
    assert est.classes_.tolist() == [0, 1]
    for found in (est.predict(X), est.sample(X), est.complete(X, hide(y)), est.classes_):
        assert found.dtype == kind
    assert est.score(X, y) == est.score(X, y.astype(np.int64))


def test_named_classes_may_be_absent_from_the_training_rows(estimator_class):
    X, y = data("categorical")
    likelihood = Categorical(classes=[-3, 7, 8, 100])
    est = estimator_class(architecture="conv", likelihood=likelihood, **QUICK).fit(X, y)
    y_other = np.full_like(y, 8)
    assert est.classes_.tolist() == [-3, 7, 8, 100] and likelihood.classes == [-3, 7, 8, 100]
    assert np.isfinite(est.score(X, y_other))
    assert (est.complete(X, y_other) == 8).all()


# Flat rows.


@each_kind("architecture likelihood", OF_IMAGES, LIKELIHOODS)
def test_flat_rows_are_the_same_images(estimator_class, architecture, likelihood):
    X, y = data(likelihood)
    shaped = fitted(estimator_class, architecture, likelihood)
    flat = estimator_class(
        architecture=ARCHITECTURES[architecture], likelihood=likelihood,
        x_shape=(2, 8, 6), y_shape=(8, 6), **QUICK,
    ).fit(X.reshape(N, -1), y.reshape(N, -1))  # fmt: skip
    assert flat.x_shape_ == (96,) and flat.y_shape_ == (48,) and flat.n_features_in_ == 96
    assert flat.predict(X.reshape(N, -1)).shape == (N, 48)
    found = answers(flat, X.reshape(N, -1), y.reshape(N, -1), row_shape=(8, 6))
    assert_same(found, answers(shaped, X, y), rtol=1e-12)


def test_images_may_be_given_another_shape(estimator_class):
    X, y = data()
    est = estimator_class(architecture="conv", x_shape=(8, 12), y_shape=[1, 4, 12], **QUICK)
    est.fit(X, y)
    assert est.predict(X).shape == y.shape and est.architecture_.image_size == (4, 12)


def test_flat_images_go_through_a_pipeline(estimator_class):
    X, y = data()
    X = X.reshape(N, -1)
    last = estimator_class(architecture="conv", x_shape=(2, 8, 6), **QUICK)
    pipeline = make_pipeline(StandardScaler(), last).fit(X, y)
    inside = pipeline[0].transform(X)
    assert pipeline.predict(X).shape == y.shape
    assert pipeline.score(X, y) == clone(last).fit(inside, y).score(inside, y)


# What a row says does not depend on its neighbours, nor on how it is worked on.


@each_likelihood
def test_order_and_subset_do_not_matter(estimator_class, likelihood):
    est, (X, y) = fitted(estimator_class, "conv", likelihood), data(likelihood)
    some = np.array([7, 2, 9])
    for ask in (
        lambda X, y: est.predict(X),
        lambda X, y: est.predict(X, method="latent_mean"),
        lambda X, y: est.log_prob(X, y),
    ):
        whole = ask(X, y)
        np.testing.assert_allclose(ask(X[some], y[some]), whole[some], rtol=1e-5)


@each_likelihood
def test_chunks_do_not_matter(estimator_class, likelihood, monkeypatch):
    est, (X, y) = fitted(estimator_class, "conv", likelihood), data(likelihood)

    def ask():
        return est.predict(X), est.predict(X, method="latent_mean"), est.log_prob(X, y)

    before = ask()
    monkeypatch.setattr("skcvae.data.coding.FORWARD_NUMBERS", 5 * est.net_.module_.model.row_size)
    assert_same(ask(), before, rtol=1e-5)
    assert est.sample(X, 7).shape == (7, *y.shape)
    completed = est.complete(X, hide(y), 7, n_steps=2)
    known = ~np.isnan(hide(y))
    assert (completed[:, known] == y[known]).all()


ASKS = {
    "predict": lambda est, X, y: est.predict(X),
    "latent mean": lambda est, X, y: est.predict(X, method="latent_mean"),
    "sample": lambda est, X, y: est.sample(X, 10),
    "log_prob": lambda est, X, y: est.log_prob(X, y),
    "complete": lambda est, X, y: est.complete(X, hide(y), 10, n_steps=2),
}


@pytest.mark.parametrize("ask", ASKS)
def test_no_tensor_outgrows_the_budget(estimator_class, ask, monkeypatch):
    est, (X, y) = fitted(estimator_class, "conv", "categorical"), data("categorical")
    budget = 8 * est.net_.module_.model.row_size
    monkeypatch.setattr("skcvae.data.coding.FORWARD_NUMBERS", budget)
    sizes = []

    def watch(module, inputs, output):
        sizes.extend(t.numel() for t in [output] if isinstance(t, torch.Tensor))

    hook = torch.nn.modules.module.register_module_forward_hook(watch)
    try:
        ASKS[ask](est, np.concatenate([X] * 3), np.concatenate([y] * 3))
    finally:
        hook.remove()
    assert budget / 8 <= max(sizes) <= budget


def test_a_fit_does_not_depend_on_how_y_lies_in_memory(estimator_class):
    X, y = data("categorical")
    expected = fitted(estimator_class, "conv", "categorical")
    frozen = y.copy()
    frozen.flags.writeable = False
    for other in (np.asfortranarray(y), y[::-1].copy()[::-1], frozen):
        est = clone(expected).fit(X, other)
        assert est.score(X, other) == expected.score(X, y)


# Copies, searches, warm starts.


VARIANTS = {
    "plain": {},
    "labels": {"likelihood": "categorical"},
    "flat": {"x_shape": (2, 8, 6), "y_shape": (1, 8, 6)},
    "in part": {"partial_y": True},
    "scales": {"n_scales": 2, "initial_guess": True},
    "latent scales": {"architecture": Conv((4, 6, 8), n_latent_scales=2), "initial_guess": True},
    "omission, resized": {
        "omission": 0.4,
        "architecture": Conv((4, 6, 8), image_size=(5, 5)),
    },
}


@each_kind("variant", VARIANTS)
def test_copies_say_the_same(estimator_class, variant):
    params = {"architecture": Conv((4, 6)), **VARIANTS[variant]}
    X, y = data(params.get("likelihood", "gaussian"))
    est = estimator_class(**params, **QUICK).fit(X, y)
    other = pickle.loads(pickle.dumps(est))
    assert_same(answers(other, X, y), answers(est, X, y), rtol=0)
    assert other.history_[:, "train_loss"] == est.history_[:, "train_loss"]
    again = clone(est).fit(X, y)
    assert_same(answers(again, X, y), answers(est, X, y), rtol=0)


def test_grid_search_over_channels(estimator_class):
    grid = {"architecture__channels": [(4, 6), (4, 6, 8)], "architecture__shortcut": [True]}
    est = estimator_class(architecture="conv", **QUICK)
    search = GridSearchCV(est, grid, cv=2, error_score="raise").fit(*data())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    assert best.architecture_.channels == search.best_params_["architecture__channels"]
    assert est.architecture == "conv"


@each_likelihood
def test_warm_start_goes_on_from_the_weights_and_the_scaling(estimator_class, likelihood):
    X, y = data(likelihood)
    est = clone(fitted(estimator_class, "conv", likelihood)).fit(X, y)
    before, history = est.predict(X), est.history_
    est.set_params(warm_start=True, lr=1e-12).fit(X[::-1] + 3, y[::-1].copy())
    np.testing.assert_allclose(est.predict(X), before, rtol=1e-5)
    assert est.history_ is not history
    est.set_params(lr=0.01).fit(X, y)
    assert (est.predict(X) != before).any()


# Partial observation.


@each_kind("architecture likelihood", OF_IMAGES, LIKELIHOODS)
def test_a_fit_takes_rows_that_are_observed_in_part(estimator_class, architecture, likelihood):
    skip_without_z(estimator_class, architecture)
    X, y = data(likelihood)
    est = estimator_class(
        architecture=ARCHITECTURES[architecture], likelihood=likelihood, partial_y=True, **QUICK
    ).fit(X, hide(y))
    assert all(
        np.isfinite(est.history_[:, f"{part}_{name}"]).all()
        for part in ("train", "valid")
        for name in ("loss", "reconstruction", "kl")
    )
    assert np.isfinite(est.history_[:, "valid_cll"]).all()
    assert all(np.isfinite(weight).all() for weight in weights(est).values())
    assert np.isfinite(est.predict(X)).all() and np.isfinite(est.score(X, hide(y)))
    log_p = est.log_prob(X, hide(y))
    np.testing.assert_allclose(est.log_prob(X, y)[0], log_p[0], rtol=1e-5)
    nothing = est.log_prob(X, np.full(y.shape, np.nan), method="monte_carlo")
    np.testing.assert_array_equal(nothing, 0)


@each_likelihood
@pytest.mark.parametrize("other", [NNRegressor, GSNNRegressor])
def test_whole_rows_count_as_without_partial_observation(likelihood, other):
    X, y = data(likelihood)
    plain = fitted(other, "conv", likelihood)
    in_part = clone(plain).set_params(partial_y=True).fit(X, y)
    assert_same(answers(in_part, X, y), answers(plain, X, y), rtol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "shapes"), [case for case in CASES if case[0] != "layered"]
)
@each_likelihood
def test_without_z_the_observed_and_the_rest_add_up(architecture, likelihood, shapes):
    X, y = data(likelihood, shapes)
    y = 1000 * y - 7 if likelihood == "gaussian" else y
    est = NNRegressor(
        architecture=ARCHITECTURES[architecture], likelihood=likelihood, partial_y=True, **QUICK
    ).fit(X, y)
    some = hide(y)
    rest = np.where(np.isnan(some), y, np.nan)
    parts = est.log_prob(X, some) + est.log_prob(X, rest)
    np.testing.assert_allclose(parts, est.log_prob(X, y), rtol=1e-5)
    whole = clone(est).set_params(partial_y=False).fit(X, y)
    np.testing.assert_allclose(parts, whole.log_prob(X, y), rtol=1e-5)


@each_kind("architecture", OF_IMAGES)
def test_the_density_of_what_is_observed_is_in_its_own_units(estimator_class, architecture):
    skip_without_z(estimator_class, architecture)
    X, y = data()
    y = hide(y)
    plain = estimator_class(architecture=ARCHITECTURES[architecture], partial_y=True, **QUICK)
    plain.fit(X, y)
    scaled = clone(plain).fit(X, 1000 * y - 7)
    n_observed = (~np.isnan(y)).sum(axis=(1, 2))
    expected = plain.log_prob(X, y) - n_observed * np.log(1000)
    np.testing.assert_allclose(scaled.log_prob(X, 1000 * y - 7), expected, atol=0.05)


def test_many_rows_may_lack_an_output_in_turn(estimator_class):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2100, 1)), rng.normal(size=(2100, 2))
    y[:2050, 0] = np.nan
    est = estimator_class(architecture=MLP((4,)), partial_y=True, batch_size=1000, **QUICK)
    est.fit(X, y)
    assert np.isfinite(est.predict(X[:5])).all() and np.isfinite(est.score(X[-5:], y[-5:]))


# Completion.


@each_kind(
    "case likelihood",
    [
        *((*case, False) for case in CASES),
        *((a, "image to image", True) for a in OF_IMAGES),
        ("temporal", "sequence to sequence", True),
    ],
    LIKELIHOODS,
)
def test_completions_keep_what_is_known(estimator_class, case, likelihood):
    architecture, shapes, partial_y = case
    X, y = data(likelihood, shapes)
    est = fitted(estimator_class, architecture, likelihood, shapes)
    if partial_y:
        est = clone(est).set_params(partial_y=True).fit(X, y)
    hidden = np.isnan(hide(y))
    found = est.complete(X, hide(y), 4, n_steps=2, random_state=0)
    assert found.shape == (4, *y.shape) and found.dtype == y.dtype
    assert (found[:, ~hidden] == y[~hidden]).all()
    drawn = found[:, hidden]
    assert np.isfinite(drawn).all() and (np.ptp(drawn, axis=0) > 0).any()
    if likelihood != "gaussian":
        outcomes = LABELS if likelihood == "categorical" else [0, 1]
        assert np.isin(drawn, outcomes).all()
    masked = est.complete(X, y, 4, hidden, n_steps=2, random_state=0)
    np.testing.assert_array_equal(masked, found)
    mixed = est.complete(X, hide(y), 4, np.zeros(y.shape, bool), n_steps=2, random_state=0)
    np.testing.assert_array_equal(mixed, found)


@each_likelihood
def test_what_is_masked_is_not_looked_at(estimator_class, likelihood):
    est, (X, y) = fitted(estimator_class, "conv", likelihood), data(likelihood)
    hidden = np.isnan(hide(y))
    strange = np.where(hidden, 12345, y)
    found = est.complete(X, strange, 2, hidden, random_state=0)
    np.testing.assert_array_equal(found, est.complete(X, hide(y), 2, random_state=0))


@each_likelihood
def test_what_is_known_whole_is_returned(estimator_class, likelihood):
    est, (X, y) = fitted(estimator_class, "conv", likelihood), data(likelihood)
    for observation_noise in (True, False):
        found = est.complete(X, y, 3, observation_noise=observation_noise)
        np.testing.assert_array_equal(found, np.broadcast_to(y, found.shape))


def test_with_z_completions_follow_what_is_known_and_the_steps(estimator_class):
    X, y = data()
    y = y + 9 * np.random.default_rng(0).normal(size=(len(y), 1, 1))  # shared, so that z is used
    est = estimator_class(architecture=clone(ARCHITECTURES["conv"]), **QUICK).fit(X, y)
    hidden = np.isnan(hide(y))

    def ask(y, n_steps):
        return est.complete(X, y, 4, hidden, n_steps=n_steps, random_state=0)[:, hidden]

    has_z = not isinstance(est, NNRegressor)
    assert (ask(y, 5) != ask(y + 3, 5)).any() == has_z
    assert (ask(y, 5) != ask(y, 6)).any() == has_z


@each_likelihood
def test_completions_without_observation_noise_are_means_or_labels(estimator_class, likelihood):
    est, (X, y) = fitted(estimator_class, "conv", likelihood), data(likelihood)
    hidden = np.isnan(hide(y))
    found = est.complete(X, hide(y), 5, observation_noise=False, random_state=0)[:, hidden]
    if likelihood == "bernoulli":
        assert ((found > 0) & (found < 1)).all()
    if isinstance(est, NNRegressor):
        np.testing.assert_allclose(found, np.broadcast_to(est.predict(X)[hidden], found.shape))


# Options of training.


@each_kind(
    "architecture n_scales likelihood",
    [Conv((4, 5, 6), activation="tanh"), MLP((8,))],
    [2, 3],
    ["gaussian", "categorical"],
)
def test_every_scale_is_trained(estimator_class, architecture, likelihood, n_scales):
    X, y = data(likelihood)
    est = estimator_class(
        architecture=architecture, likelihood=likelihood, n_scales=n_scales, initial_guess=True,
        partial_y=True, early_stopping=False, **QUICK | {"max_epochs": 3},
    ).fit(X, hide(y))  # fmt: skip
    start = weights(clone(est).set_params(lr=1e-12).fit(X, hide(y)))
    coarse = [k for k in start if "coarse" in k]
    assert len({k.split("coarse.")[1].split(".")[0] for k in coarse}) == n_scales - 1
    for name, found in weights(est).items():
        assert "temperature" in name or (np.abs(found - start[name]) > 1e-6).any(), name
    assert est.predict(X).shape == y.shape and est.sample(X).shape == (1, *y.shape)


@each_architecture
def test_omission_changes_the_fit_and_not_what_is_asked_of_it(estimator_class, architecture):
    X, y = data()
    plain = clone(fitted(estimator_class, architecture)).set_params(early_stopping=False)
    est = clone(plain.fit(X, y)).set_params(omission=0.9).fit(X, y)
    found, expected = weights(est), weights(plain)
    assert any((found[name] != expected[name]).any() for name in expected)
    assert est.predict(X).shape == y.shape and (est.predict(X) != plain.predict(X)).any()


@each_architecture
@each_likelihood
def test_a_deterministic_guess_is_refined_without_noise(architecture, likelihood):
    X, y = data(likelihood)
    plain = fitted(NNRegressor, architecture, likelihood)
    est = clone(plain).set_params(initial_guess=True, latent_dim=2, early_stopping=False)
    est.set_params(max_epochs=3).fit(X, y)  # the first step may be needed for z to be read
    model = est.net_.module_.model
    assert model.is_deterministic and model.generation is not None
    assert len(weights(est)) > len(weights(plain)) and est.latent_shape_[0] == 2
    np.testing.assert_array_equal(est.log_prob(X, y), est.log_prob(X, y, n_samples=1))
    smooth = est.sample(X, 2, observation_noise=False)
    np.testing.assert_array_equal(smooth[0], smooth[1])
    assert (est.predict(X) != plain.predict(X)).any()
    start = weights(clone(est).set_params(lr=1e-12).fit(X, y))
    moved = [k for k, v in weights(est).items() if (np.abs(v - start[k]) > 1e-6).any()]
    assert {k.split(".")[1] for k in moved} == {"baseline", "generation", "output", "prior"}


def test_the_noise_of_an_image_is_one_number_per_pixel_or_predicted():
    X, y = data()
    for heteroscedastic in (False, True):
        likelihood = Gaussian(heteroscedastic=heteroscedastic)
        params = {**QUICK, "max_epochs": 10}
        architecture = Conv(linear_features=False)  # as least squares has one number per pixel
        est = CVAERegressor(architecture=architecture, likelihood=likelihood, **params).fit(X, y)
        draws = est.sample(X, 200, 0) - est.sample(X, 200, 0, observation_noise=False)
        assert draws.shape == (200, *y.shape)
        std = draws.std(0)
        spread = np.abs(np.log(std / std.mean(0))).mean()
        assert (spread > 0.08) == heteroscedastic
