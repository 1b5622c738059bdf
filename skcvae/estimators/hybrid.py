"""The hybrid of the CVAE's and the GSNN's objective."""

from skcvae.estimators._base import StructuredPredictor
from skcvae.estimators._parameters import KL, LATENT
from skcvae.objectives import Hybrid


class HybridStructuredPredictor(StructuredPredictor):
    r"""A conditional model trained for reconstruction and for prediction at once.

    The CVAE trains with draws from the recognition network and predicts with
    draws from the prior. The hybrid objective closes the gap:

    .. math::

        \alpha\,\mathcal L_{\mathrm{CVAE}} + (1 - \alpha)\,\mathcal L_{\mathrm{GSNN}}.

    Parameters
    ----------
    alpha : float, default=0.5
        Weight of the CVAE's objective, in [0, 1]; the GSNN's has the rest. 1 trains as
        ``CVAERegressor(objective="elbo")`` does, 0 as `GSNNRegressor`.
    prior : str or object, default="gaussian"
        As of :class:`CVAERegressor`; "mixture" with `alpha` 1 alone, "gaussian_process" with
        `alpha` above 0.
    architecture, likelihood, latent_dim, initial_guess, n_train_samples, beta, kl_warmup
        As of :class:`CVAERegressor`.
    x_shape, y_shape, partial_X, partial_y, annotations, omission, n_scales, normalize_X
        As of :class:`CVAERegressor`.
    normalize_y, max_epochs, lr, batch_size, early_stopping, validation, validation_fraction
        As of :class:`CVAERegressor`.
    training, n_score_samples, warm_start, device, random_state, verbose
        As of :class:`CVAERegressor`.

    Attributes
    ----------
    n_active_units_ : int
        Latent variables whose mean KL term exceeds 0.01 nats:
        :mod:`skcvae.inference.posterior_collapse`.
        `fit` warns if there is none after ten epochs or more.
        Only if `alpha` is above 0.
    history_ : skorch.history.History
        For each epoch loss, reconstruction and KL of the training rows, and of the
        validation rows with their CLL; nats, in the units of y. Where the prior is a
        Gaussian, "valid_active_units" counts as `n_active_units_` does, by validation rows.
    architecture_, likelihood_, prior_, latent_shape_, classes_, net_, n_features_in_
        As of :class:`CVAERegressor`.
    feature_names_in_, x_shape_, y_shape_, seed_, best_validation_score_
        As of :class:`CVAERegressor`.

    See Also
    --------
    CVAERegressor : The same with alpha = 1, and ``objective="elbo"``.
    GSNNRegressor : The same with alpha = 0.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
    Deep Conditional Generative Models*, NIPS, section 4.2.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skcvae import HybridStructuredPredictor
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = HybridStructuredPredictor(max_epochs=2, random_state=0)
    >>> search = GridSearchCV(est, {"alpha": [0.1, 0.9]}, cv=2).fit(data.X, data.y)
    >>> sorted(search.best_params_)
    ['alpha']
    """

    _parameter_constraints = {**LATENT, **KL, **Hybrid._parameter_constraints}

    def __init__(
        self,
        alpha=0.5,
        *,
        architecture="mlp",
        likelihood="auto",
        prior="gaussian",
        latent_dim="auto",
        initial_guess=False,
        n_train_samples=1,
        beta=0.0,
        kl_warmup="auto",
        x_shape=None,
        y_shape=None,
        partial_X=False,
        partial_y=False,
        annotations=False,
        omission=0.0,
        n_scales=1,
        normalize_X=True,
        normalize_y=True,
        max_epochs="auto",
        lr=0.003,
        batch_size="auto",
        early_stopping=True,
        validation="random",
        validation_fraction=0.1,
        training=None,
        n_score_samples=100,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.alpha = alpha
        self.architecture = architecture
        self.likelihood = likelihood
        self.prior = prior
        self.latent_dim = latent_dim
        self.initial_guess = initial_guess
        self.n_train_samples = n_train_samples
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.x_shape = x_shape
        self.y_shape = y_shape
        self.partial_X = partial_X
        self.partial_y = partial_y
        self.annotations = annotations
        self.omission = omission
        self.n_scales = n_scales
        self.normalize_X = normalize_X
        self.normalize_y = normalize_y
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.training = training
        self.n_score_samples = n_score_samples
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @property
    def objective(self):
        """What training maximises."""
        return Hybrid(self.alpha)
