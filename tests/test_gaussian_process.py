"""Laws of the Gaussian process prior, against scikit-learn's regressor and closed forms."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process import kernels as k
from torch.distributions import Independent, Normal

import skcvae
from skcvae import VAE, CVAERegressor, EnsembleRegressor, GSNNRegressor, Training
from skcvae.architectures import MLP
from skcvae.data.neighborhoods import neighborhoods
from skcvae.estimators import _ended
from skcvae.priors import GaussianProcess
from skcvae.priors.kernels import covariance, gram, variance
from skcvae.priors.process import JITTER, Others
from skcvae.random import generator
from skcvae.training.net import Net
from skcvae.training.temperature import choose_temperature

KERNELS = [
    k.RBF(0.7),
    k.RBF([0.7, 1.3]),
    k.Matern(0.8, nu=0.5),
    k.Matern([0.8, 2.0], nu=1.5),
    k.Matern(0.8, nu=2.5),
    k.Matern(0.8, nu=np.inf),
    k.RationalQuadratic(0.9, alpha=0.6),
    1.7 * k.RBF(0.7) + k.WhiteKernel(0.2),
    k.RBF(0.7) * k.Matern(1.2) + 0.3,
    k.DotProduct(0.5) ** 2 + k.WhiteKernel(0.1),
    k.RBF(2.0) * k.WhiteKernel(0.3) + k.ConstantKernel(0.5),
]
FUNCTIONS = [kernel for kernel in KERNELS if "White" not in str(kernel)]
PERIODIC = k.ExpSineSquared(1.1, periodicity=2.3)  # a covariance of one column only

each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=str)
both_scales = pytest.mark.parametrize("encoder_scale", [False, True])


def rows(n, seed=0, d=2):
    return torch.randn(n, d, generator=generator(seed), dtype=torch.float64)


def codes(n, n_latents=3, seed=5):
    """Return means and scales."""
    mean, raw = rows(n, seed, n_latents), rows(n, seed + 1, n_latents)
    return mean, 0.3 * raw.sigmoid() + 0.05


def conditioned(kernel, x, mean, scale, *, encoder_scale=False, n_neighbors="auto"):
    prior = GaussianProcess(kernel, encoder_scale=encoder_scale, n_neighbors=n_neighbors)
    process = prior.build(mean.shape[1:]).eval()
    process.condition(x, mean, scale)
    return process


@pytest.mark.parametrize("kernel", [*KERNELS, PERIODIC], ids=str)
def test_kernels_are_scikit_learns(kernel):
    a, b = rows(5), rows(4, seed=1)
    for found, expected in (
        (covariance(kernel, a, b), kernel(a.numpy(), b.numpy())),
        (variance(kernel, a), kernel.diag(a.numpy())),
        (gram(kernel, a, 0.0), kernel(a.numpy())),
        (covariance(kernel, a.expand(3, 5, 2), b)[2], kernel(a.numpy(), b.numpy())),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12)


@each_kernel
def test_known_codes_give_scikit_learns_regression(kernel):
    x, new = rows(12), 1.5 * rows(7, seed=1)
    mean, scale = codes(12)
    p = conditioned(kernel, x, mean, 1e-9 * scale)(new)
    peer = GaussianProcessRegressor(kernel, alpha=JITTER, optimizer=None)
    expected = peer.fit(x.numpy(), mean.numpy()).predict(new.numpy(), return_std=True)
    for found, wanted in zip((p.mean, p.stddev), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


@each_kernel
def test_codes_of_equal_scales_are_observations_with_these_errors(kernel):
    """scikit-learn's regressor has them as alpha, one for each row."""
    x, new = rows(12), 1.5 * rows(7, seed=1)
    mean, scale = codes(12)
    p = conditioned(kernel, x, mean, scale[:, :1].expand(12, 3))(new)
    peer = GaussianProcessRegressor(kernel, alpha=scale[:, 0].square().numpy(), optimizer=None)
    expected = peer.fit(x.numpy(), mean.numpy()).predict(new.numpy(), return_std=True)
    for found, wanted in zip((p.mean, p.stddev), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


@both_scales
@pytest.mark.parametrize("kernel", FUNCTIONS, ids=str)
def test_without_noise_certain_codes_are_the_processes_at_the_rows(kernel, encoder_scale):
    x, (mean, scale) = rows(8), codes(8)
    scale = scale * (1e-4 if encoder_scale else 0.02)
    if isinstance(kernel, k.RBF):
        x = 3 * x  # otherwise singular
    p = conditioned(kernel, x, mean, scale, encoder_scale=encoder_scale)(x)
    np.testing.assert_allclose(p.mean, mean, atol=5e-3)
    np.testing.assert_allclose(p.stddev, scale, rtol=0.02)


@both_scales
@each_kernel
@pytest.mark.parametrize("n_neighbors", ["auto", 7])
def test_variance_is_at_most_the_kernels(kernel, encoder_scale, n_neighbors):
    """However dense the rows, and whatever the scales of the codes, which are below 1 here."""
    x, new, (mean, scale) = 0.3 * rows(40), 2 * rows(60, seed=1), codes(40)
    scale = scale.where(rows(40, seed=3, d=3) < 1.5, 0.9)
    kind = {"encoder_scale": encoder_scale, "n_neighbors": n_neighbors}
    process = conditioned(kernel, x, mean, scale, **kind)
    own = recognised(mean.float(), scale.float())
    left_out = Others(process).prior(torch.arange(40), own)
    for at, p in ((new, process(new)), (x, process(x)), (x, left_out)):
        limit = variance(kernel, at)[:, None]
        assert (p.variance <= limit * (1 + 1e-5)).all() and (p.variance > 0).all()


@both_scales
@pytest.mark.parametrize("kernel", [k.Matern(0.7), 1.7 * k.RBF(0.7) + k.WhiteKernel(0.2)], ids=str)
def test_variance_grows_away_from_the_rows_to_the_kernels(kernel, encoder_scale):
    x, (mean, scale) = torch.linspace(-2, 0, 9, dtype=torch.float64)[:, None], codes(9)
    new = torch.linspace(0.3, 12, 40, dtype=torch.float64)[:, None]
    p = conditioned(kernel, x, mean, scale, encoder_scale=encoder_scale)(new)
    assert (p.variance[:10].diff(dim=0) > 0).all()
    limit = variance(kernel, new[-1:]).expand(3)
    np.testing.assert_allclose(p.variance[-1], limit, rtol=1e-4)
    np.testing.assert_allclose(p.mean[-1], 0, atol=1e-4)


def test_encoder_scale_is_the_references_kernel():
    r"""sqrt(s_i s_j) exp(-|x_i - x_j|^2 / 2), given codes with errors of variances s_i^2."""
    x, new, (mean, scale) = 2 * rows(10), rows(4, seed=1), codes(10)
    scale = scale[:, :1].expand(10, 3)
    p = conditioned(k.RBF(1.0, "fixed"), x, mean, scale, encoder_scale=True)(new)
    s, e, e_new = scale[:, 0].numpy(), k.RBF(1.0)(x.numpy()), k.RBF(1.0)(new.numpy(), x.numpy())
    own = np.exp(e_new @ np.linalg.solve(e + np.diag(s), np.log(s)))
    k_new = np.sqrt(np.outer(own, s)) * e_new
    share = k_new @ np.linalg.inv(np.sqrt(np.outer(s, s)) * e + np.diag(s**2))
    left = own - (share * k_new).sum(1)
    np.testing.assert_allclose(p.mean, share @ mean.numpy(), rtol=1e-5)
    np.testing.assert_allclose(p.variance, np.repeat(left[:, None], 3, 1), rtol=1e-5)


@pytest.mark.parametrize("kernel", [k.Matern(0.5), k.Matern(0.3) + k.WhiteKernel(0.1)], ids=str)
def test_nearest_neighbours_agree_with_exact_on_small_data(kernel):
    x, (mean, scale), new = rows(80, d=1), codes(80), rows(20, seed=1, d=1)
    exact, near = (conditioned(kernel, x, mean, scale, n_neighbors=n)(new) for n in ("auto", 40))
    np.testing.assert_allclose(near.mean, exact.mean, atol=0.01)
    np.testing.assert_allclose(near.stddev, exact.stddev, rtol=0.01)


def recognised(mean, scale):
    return Independent(Normal(mean, scale), 1)


@both_scales
@each_kernel
def test_leaving_one_row_out_is_the_process_given_the_others(kernel, encoder_scale):
    x, (mean, scale) = rows(9), codes(9)
    process = conditioned(kernel, x, mean, scale, encoder_scale=encoder_scale)
    found = Others(process).prior(torch.arange(9), recognised(mean.float(), scale.float()))
    for i in range(9):
        others = torch.arange(9) != i
        left = conditioned(
            kernel, x[others], mean[others], scale[others], encoder_scale=encoder_scale
        )(x[i : i + 1])
        np.testing.assert_allclose(found.mean[i], left.mean[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.stddev[i], left.stddev[0], rtol=1e-3, atol=1e-4)


def test_leaving_one_row_out_of_the_nearest():
    x, (mean, scale) = rows(30, d=1), codes(30)
    near, exact = (
        Others(conditioned(k.Matern(0.5), x, mean, scale, n_neighbors=n)).prior(
            torch.arange(30), recognised(mean.float(), scale.float())
        )
        for n in (20, "auto")
    )
    np.testing.assert_allclose(near.mean, exact.mean, atol=0.01)
    np.testing.assert_allclose(near.stddev, exact.stddev, rtol=0.01)


@pytest.mark.parametrize("n_neighbors", ["auto", 5])
def test_gradients_reach_the_codes_of_other_rows_of_the_batch(n_neighbors):
    x, (mean, scale) = rows(6), codes(6)
    others = Others(conditioned(k.RBF(1.0), x, mean, scale, n_neighbors=n_neighbors))
    mean, scale = (part[:4].float().requires_grad_() for part in (mean, scale))
    p = others.prior(torch.arange(4), recognised(mean, scale))
    (p.mean[0] + p.variance[0]).sum().backward()
    assert (mean.grad[1:] != 0).all() and (scale.grad[1:] != 0).all()
    assert not mean.grad[0].any() and not scale.grad[0].any()


def test_codes_of_other_batches_are_those_of_their_last():
    x, (mean, scale) = rows(6), codes(6)
    others = Others(conditioned(k.RBF(1.0), x, mean, scale))
    others.prior(torch.tensor([5]), recognised(mean[5:].float() + 1, scale[5:].float()))
    mean[5] += 1
    expected = Others(conditioned(k.RBF(1.0), x, mean, scale))
    some = torch.tensor([0, 2]), recognised(mean[[0, 2]].float(), scale[[0, 2]].float())
    np.testing.assert_allclose(others.prior(*some).mean, expected.prior(*some).mean, rtol=1e-5)


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("size", [1, 8, 200])
def test_neighborhoods_hold_every_row_once(d, size):
    x = rows(100, d=d).float()
    parts = neighborhoods(x, torch.arange(100), size, generator(0))
    assert torch.cat(parts).sort().values.tolist() == list(range(100))
    assert max(map(len, parts)) <= size and len(parts) == -(-100 // size)
    spread = sum((x[part] - x[part].mean(0)).square().sum() for part in parts)
    assert size > 100 or spread < 0.5 * (x - x.mean(0)).square().sum()


def test_hyperparameters_are_the_most_likely():
    """They are those of scikit-learn's regressor; columns that do not vary have no say."""
    x = np.linspace(-2, 2, 60)[:, None]
    kernel = k.RBF(0.7) + k.WhiteKernel(0.01)
    peer = GaussianProcessRegressor(kernel, optimizer=None)
    z = peer.sample_y(x, 4, random_state=0)
    start = clone(kernel).set_params(k1__length_scale=1.0, k2__noise_level=0.1)
    expected = GaussianProcessRegressor(start, alpha=JITTER).fit(x, z).kernel_
    found = GaussianProcess(start).resolve(x, np.c_[z, 0.001 * z], seed=0).kernel
    np.testing.assert_allclose(found.theta, expected.theta, atol=1e-3)
    fixed = k.RBF(0.3, "fixed")
    assert GaussianProcess(fixed).resolve(x, z, seed=0).kernel == fixed


# Estimators.


def curve(n=90, seed=0):
    """Return a curve in five dimensions over one input."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 6, n))
    y = np.c_[np.sin(2 * x), np.cos(x), x / 3] @ rng.normal(size=(3, 5))
    return x[:, None], y + 0.05 * rng.normal(size=y.shape)


LINEAR = {
    "architecture": MLP(()),
    "prior": "gaussian_process",
    "latent_dim": 3,
    "max_epochs": 40,
    "lr": 0.02,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def fitted():
    return CVAERegressor(**LINEAR, likelihood="gaussian").fit(*curve())


def test_a_linear_decoder_gives_gaussian_process_regression(fitted):
    """Of the decoded codes, by the same kernel, where the codes are known."""
    X, y = curve()
    known = pickle.loads(pickle.dumps(fitted))
    process = known.net_.module.model.prior.family
    process.condition(process.x, process.mean, 1e-4 * process.scale)
    new = np.linspace(-1, 7, 50)[:, None]
    coding, kernel = fitted.specification_.x_coding, fitted.prior_.kernel
    peer = GaussianProcessRegressor(kernel, alpha=1e-10, optimizer=None)
    x, x_new = ((part - coding.loc) / coding.scale for part in (X, new))
    centre = fitted.decode(X[:1], np.zeros((1, 3)))
    expected = peer.fit(x, fitted.reconstruct(X, y) - centre).predict(x_new) + centre
    np.testing.assert_allclose(known.predict(new), expected, atol=0.01 * y.std())
    assert np.abs(fitted.reconstruct(X, y) - y).mean() < 0.3 * y.std()


def test_standard_deviations_are_those_of_the_linear_map(fitted):
    new = np.linspace(-1, 7, 20)[:, None]
    mean, std = fitted.encode(new, return_std=True)
    centre = fitted.decode(new[:1], np.zeros((1, 3)))
    slope = fitted.decode(np.repeat(new[:1], 3, 0), np.eye(3)) - centre
    _, spread = fitted.predict(new, return_std=True)
    # The scale of the likelihood is what is left where z is known.
    noise = fitted.predict(new, return_std=True)[1] ** 2 - std**2 @ slope**2
    within = np.median(noise, axis=0)
    np.testing.assert_allclose(spread, np.sqrt(std**2 @ slope**2 + within), rtol=0.05)
    np.testing.assert_allclose(fitted.predict(new), centre + mean @ slope, atol=1e-6)


def test_uncertainty_grows_away_from_the_data(fitted):
    _, std = fitted.predict([[3.0], [8.0], [12.0]], return_std=True)
    assert (std[1] > std[0]).all() and (std[2] > std[1]).all()


@pytest.mark.filterwarnings("ignore:The best validation score")  # after few epochs
def test_uncertainty_without_noise_grows_to_the_kernels():
    """A smooth kernel, dense rows, and y a function of x: weights of codes would be large."""
    t = np.linspace(0, 6, 90)[:, None]
    kernel = 1.0 * k.RBF(0.5) + k.WhiteKernel(0.01)
    est = CVAERegressor(
        prior=GaussianProcess(kernel), latent_dim=2, max_epochs=5, random_state=0
    ).fit(t, np.sin(t + np.linspace(0, 3, 20)))
    _, std = est.encode([[3.05], [6.5], [7], [9], [20], [100]], return_std=True)
    limit = est.prior_.kernel.diag(t[:1]) ** 0.5
    assert (np.diff(std, axis=0) > -1e-6).all() and (std <= limit * (1 + 1e-6)).all()
    np.testing.assert_allclose(std[-1], limit[0], rtol=1e-4)


def test_interpolation_beats_a_prior_network(fitted):
    X, y = curve()
    held_out = np.arange(len(X)) % 3 == 1
    errors = []
    for prior in ("gaussian_process", "gaussian"):
        est = clone(fitted).set_params(prior=prior, architecture=MLP((16,)), max_epochs=30)
        est.fit(X[~held_out], y[~held_out])
        errors.append(np.mean((est.predict(X[held_out]) - y[held_out]) ** 2))
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_that_tell_each_other_nothing_are_fitted(seed):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 2)), rng.normal(size=(100, 3))
    prior = GaussianProcess(1.0 * k.RBF(0.05, "fixed") + k.WhiteKernel(0.1))
    est = CVAERegressor(prior=prior, max_epochs=5, random_state=seed).fit(X, y)
    assert np.isfinite(est.log_prob(X, y)).all()


def test_rows_held_out_have_a_temperature_given_the_others(monkeypatch):
    known = []

    def noted(net, rows, held_out):
        known.append((len(net.module.model.prior.family.x), len(rows)))
        return choose_temperature(net, rows, held_out)

    monkeypatch.setattr(_ended, "choose_temperature", noted)
    est = CVAERegressor(**LINEAR | {"max_epochs": 2}).fit(*curve())
    (n_known, n_rows) = known[0]
    assert n_known == n_rows < len(curve()[0])
    assert len(est.net_.module.model.prior.family.x) == len(curve()[0])


def test_both_stages_are_in_the_history(fitted):
    epochs = [row["epoch"] for row in fitted.history_]
    assert epochs == list(range(1, len(epochs) + 1)) and len(epochs) > 40
    best = [row["valid_cll"] for row in fitted.history_ if row["valid_cll_best"]]
    first, second = fitted.history_[0]["valid_cll"], best[-1]
    assert second > first
    assert fitted.specification_.n_context == len(curve()[0])
    assert "90 rows, all, exact" in fitted.summary()


def test_it_survives_a_file_a_pickle_and_export(fitted, tmp_path):
    X, y = curve()
    fitted.save(tmp_path / "a.skcvae")
    new = np.linspace(-1, 7, 6)[:, None]
    for again in (skcvae.load(tmp_path / "a.skcvae"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.predict(new), fitted.predict(new))
        assert again.score(X, y) == fitted.score(X, y)
        assert again.prior_.kernel == fitted.prior_.kernel
        assert again.summary() == fitted.summary()
    np.testing.assert_allclose(fitted.to_torch()(torch.tensor(new)), fitted.predict(new))


def test_a_file_with_another_number_of_rows_is_refused(fitted, tmp_path):
    changed = pickle.loads(pickle.dumps(fitted))
    for n_context in (0, 89, 10**9):
        changed.specification_ = fitted.specification_._replace(n_context=n_context)
        changed.save(tmp_path / "b.skcvae")
        with pytest.raises(ValueError, match="cannot be loaded"):
            skcvae.load(tmp_path / "b.skcvae")


SMALL = {"architecture": MLP((8,)), "max_epochs": 2, "latent_dim": 2, "random_state": 0}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": False},
        {"objective": "hybrid"},
        {"objective": "iwae", "n_train_samples": 3},
        {"prior": GaussianProcess(k.RBF(1.0, "fixed"), encoder_scale=True)},
        {"prior": GaussianProcess(n_neighbors=10)},
        {"partial_y": True},
        {"likelihood": "student_t"},
    ],
    ids=str,
)
def test_fits_are_reproducible_and_independent_of_the_batch(params):
    X, y = curve(40)
    est = CVAERegressor(prior="gaussian_process", **SMALL).set_params(**params).fit(X, y)
    again = clone(est).fit(X, y)
    np.testing.assert_array_equal(est.predict(X), again.predict(X))
    assert est.score(X, y) == again.score(X, y)
    np.testing.assert_allclose(est.predict(X[:3]), est.predict(X)[:3], atol=1e-10)
    assert np.isfinite(est.sample(X[:5], n_samples=3, random_state=0)).all()


def test_images_take_latent_maps():
    X = np.linspace(0, 1, 24)[:, None]
    y = np.sin(6 * X[:, :, None] + np.arange(64).reshape(8, 8) / 9)
    est = CVAERegressor(
        architecture="conv", prior="gaussian_process", max_epochs=1, random_state=0
    ).fit(X, y)
    assert est.predict(X[:2]).shape == (2, 8, 8) and len(est.latent_shape_) == 3
    assert est.encode(X[:2], y[:2]).shape == (2, *est.latent_shape_)


def test_members_of_an_ensemble_may_have_it():
    X, y = curve(40)
    est = CVAERegressor(prior="gaussian_process", **SMALL)
    assert (
        EnsembleRegressor(est, n_estimators=2, random_state=0).fit(X, y).predict(X).shape
        == y.shape
    )


@pytest.mark.parametrize(
    "est, text",
    [
        (CVAERegressor(initial_guess=True), "initial_guess=False, got initial_guess=True"),
        (CVAERegressor(omission=0.2), "omission=0, got omission=0.2"),
        (CVAERegressor(warm_start=True), "warm_start=False, got"),
        (CVAERegressor(objective="gsnn"), "recognition network, .* got objective=GSNN"),
        (GSNNRegressor(), "recognition network, .* got objective=GSNN"),
        (
            CVAERegressor(architecture=MLP((8,), bins=4)),
            "bins=None, .* got architecture=MLP.*bins=4",
        ),
        (
            CVAERegressor(architecture=MLP((), bins=[[0, 1, 2]])),
            "bins=None, .* got architecture=MLP.*bins=",
        ),
        (VAE(), "an estimator with inputs to condition on, got VAE"),
    ],
    ids=str,
)
def test_what_it_does_not_go_with_is_refused(est, text):
    X, y = curve(20)
    est = clone(est).set_params(prior="gaussian_process")
    with pytest.raises(ValueError, match=f"prior=GaussianProcess.* expects .*{text}"):
        est.fit(X) if isinstance(est, VAE) else est.fit(X, y)
    assert not hasattr(est, "net_")


def test_a_periodic_process():
    x = torch.linspace(0, 2, 9, dtype=torch.float64)[:, None]
    p = conditioned(PERIODIC, x, *codes(9))
    np.testing.assert_allclose(p(x + 3 * 2.3).mean, p(x).mean, atol=1e-6)


def test_singular_covariances_are_refused():
    with pytest.raises(ValueError, match="ExpSine.* is singular, expected .* WhiteKernel"):
        conditioned(PERIODIC, rows(12), *codes(12))
    x = np.linspace(0, 6, 60)[:, None]
    with pytest.raises(ValueError, match="RBF.* is singular, expected .* WhiteKernel"):
        GaussianProcess(1e9 * k.RBF()).resolve(x, np.sin(x), seed=0)


@pytest.mark.parametrize(
    "prior, text",
    [
        (GaussianProcess(1.0 * k.RBF(-1.0)), "'kernel' .* must have hyperparameters above zero"),
        (GaussianProcess(k.RBF(np.nan)), "'kernel' .* must have hyperparameters above zero"),
        (GaussianProcess(k.PairwiseKernel()), "'kernel' .* must be made of .*RBF.* got Pairwise"),
        (GaussianProcess(1.0 + k.Matern(nu=0.7)), "nu in .* got Matern"),
        (GaussianProcess(k.RBF([1.0, 2.0])), "2 length scales, expected one, .* the 1 numbers"),
        (GaussianProcess("rbf"), "'kernel' parameter of GaussianProcess must be"),
        (GaussianProcess(n_neighbors=0), "'n_neighbors' parameter"),
        (GaussianProcess(n_neighbors=10**6), "'n_neighbors' parameter"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(prior, text):
    est = CVAERegressor(prior=prior, **SMALL)
    with pytest.raises(ValueError, match=text):
        est.fit(*curve(20))
    assert not hasattr(est, "net_")


@pytest.fixture
def interrupt_after(monkeypatch):
    """Do what Ctrl-C does in the epoch after so many, of both stages together."""
    run, count = Net.run_single_epoch, [0, 0]

    def counted(self, iterator, training, **kwargs):
        count[0] += training
        if count[0] == count[1]:
            raise KeyboardInterrupt
        return run(self, iterator, training=training, **kwargs)

    def after(n_epochs):
        count[:] = 0, n_epochs + 1
        monkeypatch.setattr(Net, "run_single_epoch", counted)

    return after


@pytest.mark.parametrize("n_epochs", [1, 3])
def test_an_interrupted_fit_predicts(n_epochs, interrupt_after):
    X, y = curve(40)
    interrupt_after(n_epochs)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        est = CVAERegressor(prior="gaussian_process", **SMALL).fit(X, y)
    assert len(est.history_) == n_epochs
    assert est.predict(X).shape == y.shape and est.specification_.n_context == 40


@pytest.mark.parametrize("n_epochs", [1, 3])
def test_a_checkpoint_resumes_in_either_stage(n_epochs, interrupt_after, tmp_path):
    X, y = curve(40)
    est = CVAERegressor(prior="gaussian_process", **SMALL)
    whole = clone(est).fit(X, y)
    est.set_params(training=Training(checkpoint=tmp_path / "fit"))
    interrupt_after(n_epochs)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        est.fit(X, y)
    est.fit(X, y)
    np.testing.assert_array_equal(est.predict(X), whole.predict(X))
    assert est.history_[:, "train_loss"] == whole.history_[:, "train_loss"]
    assert not list(tmp_path.iterdir())
