"""Autoencoders: laws of each kind, and what holds for estimators of X alone."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch.distributions import Bernoulli, kl_divergence

import skcvae
from skcvae import Autoencoder, Training
from skcvae.architectures import MLP, Conv
from skcvae.autoencoder import encoder_decoder, layer_pairs
from skcvae.data import batches
from skcvae.displays import TrainingDisplay
from skcvae.networks.layers import ACTIVATIONS, Concatenation, Stack
from skcvae.objectives.reconstruction import (
    Reconstruction,
    sparsity_penalty,
    squared_jacobian_norm,
)
from skcvae.random import drawing_from, generator
from skcvae.training import checkpoint

rng = np.random.default_rng(0)
MIXING = rng.normal(size=(2, 5))
X = rng.normal(size=(80, 2)) @ MIXING + 0.3 * rng.normal(size=(80, 5)) + 2
IMAGES = rng.normal(size=(40, 6, 5))
QUICK = {"architecture": MLP((8, 6)), "max_epochs": 4, "random_state": 0}
KINDS = {
    "vanilla": {},
    "denoising": {"noise": 0.3, "masking": 0.2},
    "sparse": {"sparsity": 0.5},
    "contractive": {"contraction": 0.1},
    "stacked": {"pretraining": "stacked"},
    "all": {
        "noise": 0.2,
        "masking": 0.1,
        "sparsity": 0.2,
        "contraction": 0.1,
        "pretraining": "stacked",
    },
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def quick(kind="vanilla", **more):
    return Autoencoder(2, **{**QUICK, **KINDS[kind], **more})


def weights(est):
    return est.net_.module.state_dict()


def same_fit(one, other):
    def rows(est):
        return [{k: v for k, v in row.items() if k != "dur"} for row in est.history_]

    one_weights, other_weights = weights(one), weights(other)
    same = all(torch.equal(one_weights[name], other_weights[name]) for name in other_weights)
    return same and rows(one) == rows(other)


def networks(architecture, shape, activation="identity"):
    with drawing_from(generator(0)):
        resolved = architecture.resolve(100, (), shape)
        return encoder_decoder(resolved, shape, 3, activation=activation).double()


# Laws.


def correlated(n_rows, seed):
    """Return rows of three correlated Gaussian variables, and their covariance."""
    root = np.array([[1.5, 0.0, 0.0], [0.9, 0.8, 0.0], [-0.4, 0.5, 0.6]])
    return np.random.default_rng(seed).normal(size=(n_rows, 3)) @ root.T, root @ root.T


def test_a_linear_one_finds_the_principal_subspace():
    source = np.random.default_rng(3)
    scores = source.normal(size=(1000, 2)) * [3.0, 2.0]
    rows = scores @ source.normal(size=(2, 8)) + 0.5 * source.normal(size=(1000, 8)) + 4
    est = Autoencoder(
        2, architecture=MLP(()), normalize_X=False, max_epochs=80, lr=0.01, random_state=0
    ).fit(rows, X_val=rows)
    pca = PCA(2).fit(rows)
    least = mean_squared_error(rows, pca.inverse_transform(pca.transform(rows)))
    assert least < -est.score(rows) < 1.005 * least
    spanned = (est.inverse_transform(np.eye(2)) - est.inverse_transform(np.zeros((2, 2)))).T
    assert np.rad2deg(subspace_angles(spanned, pca.components_.T)).max() < 2


def test_a_linear_one_is_as_close_as_the_subspace_where_few_rows_are_far():
    rows = np.random.default_rng(0).standard_t(2.5, size=(1000, 30))
    rows = rows @ np.random.default_rng(1).normal(size=(30, 30))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    est = Autoencoder(
        5, architecture=MLP(()), normalize_X=False, max_epochs=60, lr=0.003, early_stopping=False,
        random_state=0,
    ).fit(rows)  # fmt: skip
    pca = PCA(5).fit(rows)
    least = mean_squared_error(rows, pca.inverse_transform(pca.transform(rows)))
    assert -est.score(rows) < 1.005 * least


@pytest.mark.parametrize(("noise", "masking"), [(0.7, 0.0), (0.0, 0.3), (0.5, 0.25)])
def test_a_denoiser_of_gaussian_rows_is_the_linear_estimate_in_closed_form(noise, masking):
    # With Gaussian noise alone that is the posterior mean.
    rows, covariance = correlated(4000, 0)
    est = Autoencoder(
        3,
        noise=noise,
        masking=masking,
        architecture=MLP(()),
        normalize_X=False,
        max_epochs=20,
        batch_size=128,
        random_state=0,
    ).fit(rows)
    kept, diagonal = 1 - masking, np.diag(np.diag(covariance) + noise**2)
    read = kept**2 * (covariance - np.diag(np.diag(covariance))) + kept * diagonal
    best = kept * covariance @ np.linalg.inv(read)
    found = est.reconstruct(np.eye(3)) - est.reconstruct(np.zeros((3, 3)))
    np.testing.assert_allclose(found.T, best, atol=0.06)
    assert np.abs(best - np.eye(3)).max() > 0.2
    np.testing.assert_allclose(est.reconstruct(np.zeros((1, 3))), 0, atol=0.08)


def test_the_denoiser_with_hidden_layers_is_the_posterior_mean():
    rows, covariance = correlated(4000, 0)
    est = Autoencoder(
        3, noise=1.0, architecture=MLP((16,)), normalize_X=False, max_epochs=12, random_state=0
    ).fit(rows)
    clean, _ = correlated(500, 1)
    noisy = clean + np.random.default_rng(2).normal(size=clean.shape)
    mean = noisy @ np.linalg.inv(covariance + np.eye(3)) @ covariance
    assert mean_squared_error(est.reconstruct(noisy), mean) < 0.02 * mean_squared_error(
        noisy, mean
    )
    assert mean_squared_error(est.reconstruct(noisy), clean) < 1.03 * mean_squared_error(
        mean, clean
    )


def test_corruption_adds_noise_of_its_scale_and_masks_its_share():
    x = torch.full((20_000, 2), 3.0)
    draws = torch.randn((2, *x.shape), generator=generator(0))
    both = Reconstruction(noise=0.5, masking=0.3).corrupted(x, draws)
    masked = both == 0
    assert masked.double().mean().item() == pytest.approx(0.3, abs=0.01)
    assert both[~masked].std().item() == pytest.approx(0.5, abs=0.01)
    assert both[~masked].mean().item() == pytest.approx(3, abs=0.02)
    one = Reconstruction(masking=0.3).corrupted(x, draws[:1])
    assert set(one.unique().tolist()) == {0.0, 3.0}
    assert torch.equal(Reconstruction().corrupted(x, draws[:0]), x)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_the_contraction_is_the_norm_of_the_jacobian_by_automatic_differentiation(
    kind, activation
):
    architecture, shape = {
        "mlp": (MLP((6, 4), activation=activation), (5,)),
        "conv": (Conv((3, 4), activation=activation), (4, 5)),
    }[kind]
    model = networks(architecture, shape, "sigmoid")
    x = torch.randn((3, *shape), generator=generator(1), dtype=torch.double, requires_grad=True)
    found = squared_jacobian_norm(model.encoder(x), x, create_graph=True)
    expected = []
    for row in x.detach():
        jacobian = torch.autograd.functional.jacobian(
            lambda row: model.encoder(row[None])[0], row, create_graph=True
        )
        expected.append(jacobian.square().sum())
    torch.testing.assert_close(found, torch.stack(expected))
    encoder = list(model.encoder.parameters())
    slopes = (
        torch.autograd.grad(norm.sum(), encoder, allow_unused=True)
        for norm in (found, torch.stack(expected))
    )
    for one, other in zip(*slopes, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other)


def test_the_penalty_of_the_contraction_is_weighted_and_in_the_history():
    est = quick("contractive", early_stopping=False, max_epochs=1).fit(X)
    objective = est.objective
    y = torch.randn((4, 5), generator=generator(0))
    model = est.net_.module.model
    bound = objective.bound(model, model.condition(), None, y, torch.empty(0, 4))
    doubled = objective.set_params(contraction=0.2)
    again = doubled.bound(model, model.condition(), None, y, torch.empty(0, 4))
    torch.testing.assert_close(again.kl, 2 * bound.kl)
    torch.testing.assert_close(again.reconstruction, bound.reconstruction)
    row = est.history_[-1]
    assert row["train_penalty"] > 0
    assert row["train_loss"] == pytest.approx(row["train_penalty"] - row["train_reconstruction"])


def test_a_contractive_code_changes_less():
    def norm(est):
        rows = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32, requires_grad=True)
        code = est.net_.module.model.encoder(rows)
        return squared_jacobian_norm(code, rows).mean().item()

    params = {"max_epochs": 30, "training": Training(max_grad_norm=1.0)}
    plain, contractive = (quick(kind, **params).fit(X) for kind in ("vanilla", "contractive"))
    assert norm(contractive) < 0.5 * norm(plain)


def test_the_sparsity_penalty_is_a_divergence_of_means():
    code = torch.rand((7, 3), generator=generator(0))
    expected = kl_divergence(Bernoulli(torch.full((3,), 0.1)), Bernoulli(code.mean(0))).sum()
    torch.testing.assert_close(sparsity_penalty(code, 0.1), expected)
    assert sparsity_penalty(torch.full((4, 3), 0.1), 0.1).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("target", [0.05, 0.3])
def test_mean_activations_of_a_sparse_one_reach_their_target(target):
    rows = np.random.default_rng(5).normal(size=(400, 6))
    est = Autoencoder(
        8, sparsity=10.0, target_activation=target, architecture=MLP((16,)), max_epochs=40,
        batch_size=32, lr=0.01, random_state=0,
    )  # fmt: skip
    means = est.fit(rows).transform(rows).mean(0)
    np.testing.assert_allclose(means, target, atol=0.02)
    free = clone(est).set_params(sparsity=0.0, code_activation="sigmoid", max_epochs=10).fit(rows)
    assert np.abs(free.transform(rows).mean(0) - target).max() > 0.1


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [
        (MLP((7, 4)), (5,)),
        (MLP((6,), dropout=0.2), (3, 2)),
        (Conv((3, 4)), (6, 5)),
        (Conv((2, 3, 4)), (2, 9, 8)),
    ],
    ids=repr,
)
def test_layers_in_pairs_are_the_whole_network_without_skip_connections(architecture, shape):
    model = networks(architecture, shape, "sigmoid").eval()
    for stack in model.modules():
        for linear in stack.shortcut if isinstance(stack, Stack) else ():
            linear.weight.data.zero_()
            if linear.bias is not None:
                linear.bias.data.zero_()
    x = torch.randn((4, *shape), generator=generator(0), dtype=torch.double)
    pairs = layer_pairs(model.float())
    model.double()
    code = x
    for pair in pairs:
        assert pair.noise_shape == code.shape[1:]
        code = pair.encoder(code)
    torch.testing.assert_close(code, model.encoder(x))
    back = code
    for pair in reversed(pairs):
        back = pair.decoder(back)
    assert back.shape == x.shape
    torch.testing.assert_close(back, model.decoder(code))
    held = {id(weight) for pair in pairs for weight in pair.parameters()}
    skips = {
        id(weight)
        for stack in model.modules()
        if isinstance(stack, Stack)
        for weight in stack.shortcut.parameters()
    }
    assert held | skips == {id(weight) for weight in model.parameters()} and not held & skips


class InTraining(Callback):
    """Dropout is on in all layers, also where a layer was evaluated for another one."""

    def on_batch_end(self, net, training, **kwargs):
        assert all(layer.training == training for layer in net.module.model.modules())


@pytest.mark.parametrize("architecture", [MLP((24, 8), dropout=0.1), Conv((4, 6))], ids=repr)
def test_pretraining_starts_where_layers_reconstruct(architecture):
    source = np.random.default_rng(1)
    rows = (source.normal(size=(200, 2)) @ source.normal(size=(2, 64))).reshape(200, 8, 8)
    est = Autoencoder(
        4,
        architecture=architecture,
        max_epochs=8,
        training=Training(ema_decay=0, max_grad_norm=1.0, callbacks=[InTraining()]),
        random_state=0,
    )
    plain, stacked = est.fit(rows), clone(est).set_params(pretraining="stacked").fit(rows)
    first = [one.history_[0, "valid_loss"] for one in (stacked, plain)]
    assert first[0] < 0.7 * first[1]
    assert len(stacked.history_) <= 8 and stacked.net_.module.training is False
    again = clone(stacked).fit(rows)
    assert same_fit(stacked, again)


# As of other estimators.


@each_kind
@pytest.mark.parametrize("architecture", [MLP((8, 6)), Conv((3, 4))], ids=["mlp", "conv"])
def test_what_is_loaded_pickled_copied_and_exported_is_the_same(
    kind, architecture, tmp_path, device
):
    est = quick(kind, architecture=architecture, max_epochs=1, device=device).fit(IMAGES)
    codes, rows = est.transform(IMAGES), est.reconstruct(IMAGES)
    assert codes.shape == (40, 2) and codes.dtype == float and rows.shape == IMAGES.shape
    assert np.isfinite(rows).all()
    path = tmp_path / "model.skcvae"
    est.save(path)
    for again in (skcvae.load(path), pickle.loads(pickle.dumps(est)), copy.deepcopy(est)):
        np.testing.assert_array_equal(again.transform(IMAGES), codes)
        np.testing.assert_array_equal(again.reconstruct(IMAGES), rows)
        assert again.history_.to_list() == est.history_.to_list()
        assert again.summary() == est.summary()
        assert again.get_params() == est.get_params() or architecture is not None
    module = est.to_torch()
    served = module(torch.tensor(IMAGES))
    np.testing.assert_allclose(served.numpy(), rows, atol=1e-6)
    np.testing.assert_allclose(module.transform(torch.tensor(IMAGES)).numpy(), codes, atol=1e-6)


@each_kind
def test_the_same_seed_is_the_same_fit_and_global_state_stays(kind):
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    one = quick(kind).fit(X)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert same_fit(one, quick(kind).fit(X))
    assert not same_fit(one, quick(kind, random_state=1).fit(X))
    np.testing.assert_allclose(one.transform(X[:3]), one.transform(X)[:3], atol=1e-12)


def test_the_score_is_minus_the_mean_squared_error_of_clean_rows():
    est = quick("denoising").fit(X)
    weight = np.arange(80.0)
    found = est.reconstruct(X)
    assert est.score(X) == pytest.approx(-mean_squared_error(X, found))
    expected = -mean_squared_error(X, found, sample_weight=weight)
    assert est.score(X, sample_weight=weight) == pytest.approx(expected)
    np.testing.assert_array_equal(est.inverse_transform(est.transform(X)), found)
    images = quick(architecture=Conv((2, 3)), max_epochs=1).fit(IMAGES)
    expected = -np.mean((IMAGES - images.reconstruct(IMAGES)) ** 2)
    assert images.score(IMAGES) == pytest.approx(expected)


def test_errors_of_the_history_are_sums_in_standardised_units():
    est = quick(max_epochs=3).fit(X, X_val=X)
    best = min(est.history_, key=lambda row: row["valid_loss"])
    squares = ((X - est.reconstruct(X)) / X.std(0)) ** 2
    assert best["valid_loss"] == pytest.approx(squares.sum(1).mean(), rel=1e-5)
    assert best["valid_reconstruction"] == -best["valid_loss"] and best["valid_penalty"] == 0
    assert f"validation    loss {best['valid_loss']:.3f}" in est.summary()
    assert "valid_cll" not in best and "train_kl" not in best


def test_training_stops_at_the_lowest_loss_of_noisy_validation_rows():
    # The error of clean rows would prefer the identity, with which no noise goes.
    est = quick("denoising", lr=0.05, max_epochs=60, training=Training(patience=4)).fit(X)
    losses = est.history_[:, "valid_loss"]
    assert len(losses) == min(60, int(np.argmin(losses)) + 5) < 60
    assert est.history_[int(np.argmin(losses)), "valid_loss_best"]


def test_rows_of_a_dataset_or_of_flat_images_are_the_rows_of_an_array():
    class Items(torch.utils.data.Dataset):
        def __len__(self):
            return len(IMAGES)

        def __getitem__(self, row):
            return IMAGES[row]

    est = quick("all", architecture=Conv((3, 4)), max_epochs=2)
    of_array = est.fit(IMAGES).reconstruct(IMAGES)
    np.testing.assert_array_equal(clone(est).fit(Items()).reconstruct(IMAGES), of_array)
    flat = clone(est).set_params(x_shape=(6, 5)).fit(IMAGES.reshape(40, 30))
    np.testing.assert_array_equal(
        flat.reconstruct(IMAGES.reshape(40, 30)).ravel(), of_array.ravel()
    )


def test_streamed_rows_are_pretrained_too(monkeypatch):
    est = quick("stacked")
    resident = clone(est).fit(X)
    monkeypatch.setattr(batches, "resident_bytes", lambda device: 0)
    assert same_fit(clone(est).fit(X), resident)


def test_rows_of_weight_zero_are_ignored_and_weights_count():
    weight = np.repeat([1.0, 0.0], 40)
    est = quick("contractive", early_stopping=False)
    assert same_fit(clone(est).fit(X, sample_weight=weight), clone(est).fit(X[:40]))
    heavy = clone(est).fit(X, sample_weight=np.repeat([10.0, 0.1], 40))
    assert not same_fit(heavy, clone(est).fit(X))


def test_a_pipeline_classifies_codes_and_a_search_chooses_by_the_score():
    y = X[:, 0] > 2
    pipe = make_pipeline(quick(max_epochs=20), LogisticRegression()).fit(X, y)
    assert pipe.score(X, y) > 0.8
    search = GridSearchCV(
        quick(max_epochs=20, lr=0.03), {"n_components": [1, 3], "training__ema_decay": [0.9]}, cv=2
    ).fit(X)
    assert search.best_params_["n_components"] == 3
    assert search.best_estimator_.get_feature_names_out().tolist() == [
        "autoencoder0",
        "autoencoder1",
        "autoencoder2",
    ]


class CutOffError(Exception):
    pass


class Cut(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, training, **kwargs):
        if training and len(net.history) == self.epoch:
            raise CutOffError


@pytest.mark.parametrize("kind", ["denoising", "all"])
def test_a_fit_that_was_cut_off_goes_on_to_the_same_model(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "MAX_WRITE_SHARE", math.inf)
    whole = quick(kind, training=Training(callbacks=[Cut(0)])).fit(X)
    path = tmp_path / "fit.ckpt"
    with pytest.raises(CutOffError):
        quick(kind, training=Training(callbacks=[Cut(3)], checkpoint=path)).fit(X)
    assert path.exists()
    resumed = quick(kind, training=Training(callbacks=[Cut(0)], checkpoint=path)).fit(X)
    assert same_fit(resumed, whole) and not path.exists()


class Interrupt(Callback):
    """Do what Ctrl-C does."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            batches.Rows.interrupts = True


def test_an_interrupt_keeps_the_epochs_that_had_ended(monkeypatch):
    getitem = batches.Rows.__getitem__

    def interrupted(self, rows):
        if getattr(batches.Rows, "interrupts", False):
            batches.Rows.interrupts = False
            raise KeyboardInterrupt
        return getitem(self, rows)

    monkeypatch.setattr(batches.Rows, "__getitem__", interrupted)
    monkeypatch.setattr(batches.Rows, "interrupts", False, raising=False)
    est = quick("stacked", early_stopping=False, training=Training(callbacks=[Interrupt()]))
    with pytest.warns(ConvergenceWarning, match="after 2 of 4 epochs"):
        est.fit(X)
    assert len(est.history_) == 2 and np.isfinite(est.score(X))


def test_an_interrupt_in_pretraining_leaves_the_estimator_as_it_was(monkeypatch):
    est = quick("stacked").fit(X)
    codes = est.transform(X)

    def interrupted(self, index):
        raise KeyboardInterrupt

    from skcvae.training.pretraining import Features

    monkeypatch.setattr(Features, "__getitem__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        est.fit(X)
    np.testing.assert_array_equal(est.transform(X), codes)


def test_a_warm_start_goes_on_without_pretraining_again():
    est = quick("all", warm_start=True).fit(X)
    before = est.history_[-1, "train_loss"]
    est.set_params(max_epochs=1, noise=0.0, masking=0.0).fit(X)
    assert len(est.history_) == 1 and est.history_[0, "train_loss"] < before + 0.5
    with pytest.raises(ValueError, match="code_activation='sigmoid', got 'identity'"):
        est.set_params(sparsity=0.0).fit(X)
    assert est.specification_.code_activation == "sigmoid"


def test_progress_shows_losses(capsys):
    est = quick("contractive", verbose=1).fit(X)
    row = est.history_[-1]
    err = capsys.readouterr().err
    assert f"train_penalty={row['train_penalty']:.3f}" in err
    assert f"valid_loss={row['valid_loss']:.3f}" in err


def test_learning_curves_show_penalties():
    pytest.importorskip("matplotlib").use("agg")
    display = TrainingDisplay.from_estimator(quick("contractive").fit(X))
    assert sorted(display.lines_) == [
        "train_penalty",
        "train_reconstruction",
        "valid_penalty",
        "valid_reconstruction",
    ]
    assert [axes.get_title() for axes in display.ax_] == ["reconstruction", "penalty"]
    assert "nats" not in display.ax_[0].get_ylabel()


def test_the_summary_names_both_networks():
    text = quick("sparse").fit(X).summary()
    n_parameters = 5 * 8 + 8 + 8 * 6 + 6 + 5 * 6 + 6 + 6 * 2 + 2
    assert "code          2, sigmoid" in text and f"encoder {n_parameters}" in text
    assert "decoder" in text and "CLL" not in text and "prior" not in text


# Bad input.


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"noise": -1.0}, "'noise' parameter of Autoencoder"),
        ({"masking": 1.0}, "'masking' parameter of Autoencoder"),
        ({"sparsity": -0.1}, "'sparsity' parameter"),
        ({"target_activation": 1.0}, "'target_activation' parameter"),
        ({"contraction": "much"}, "'contraction' parameter"),
        ({"pretraining": "greedy"}, "'pretraining' parameter"),
        ({"code_activation": "relu"}, "'code_activation' parameter"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"sparsity": 1.0, "code_activation": "identity"}, "expects code_activation='sigmoid'"),
        ({"pretraining": "stacked", "architecture": MLP(())}, "hidden layers, MLP or Conv"),
        ({"contraction": 1.0, "training": Training(compile=True)}, "training__compile=False"),
        ({"architecture": "conv"}, "expects images in X"),
        ({"architecture": MLP((4,), bins=5)}, "bins"),
        ({"x_shape": (2, 2)}, "x_shape must be the shape of one row"),
    ],
)
def test_bad_parameters_are_named_and_nothing_changes(params, message):
    est = quick().fit(X)
    state = est.__getstate__()
    with pytest.raises(ValueError, match=message):
        est.set_params(**params).fit(X)
    assert state["_history"] == est.__getstate__()["_history"]


def test_unequal_weights_of_a_sparse_one_are_refused():
    with pytest.raises(ValueError, match=r"sparsity=0\.5 .* equal weights, got a sample_weight"):
        quick("sparse").fit(X, sample_weight=np.arange(80.0))
    quick("sparse", max_epochs=1).fit(X, sample_weight=np.full(80, 3.0))


@pytest.mark.parametrize("kind", ["sparse", "stacked"])
def test_kinds_that_train_in_one_process_say_so(kind):
    accelerator = pytest.importorskip("accelerate").Accelerator(cpu=True)
    with pytest.raises(ValueError, match="one process: expected accelerator=None"):
        quick(kind, training=Training(accelerator=accelerator)).fit(X)


def test_bad_rows_and_codes_are_named():
    est = quick().fit(X)
    with pytest.raises(
        ValueError, match="Input X contains NaN, which Autoencoder does not accept"
    ):
        est.transform(np.where(X > X.mean(), X, np.nan))
    with pytest.raises(ValueError, match="Z must have 2 columns, got 3"):
        est.inverse_transform(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="4 features"):
        est.score(X[:, :4])
    with pytest.raises(NotFittedError):
        quick().score(X)
    with pytest.raises(TypeError, match="noise"):
        Autoencoder(nois=0.1)
    for name in ("sample", "score_samples", "predict"):
        assert not hasattr(est, name)


def test_a_linear_network_has_a_linear_code():
    assert isinstance(networks(MLP(()), (5,)).encoder[0], Concatenation)
    est = quick(architecture=MLP(())).fit(X)
    a, b = est.transform(X[:2]), est.transform(X[2:4])
    np.testing.assert_allclose(est.transform((X[:2] + X[2:4]) / 2), (a + b) / 2, atol=1e-9)
