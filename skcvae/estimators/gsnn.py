"""The Gaussian stochastic neural network."""

from skcvae.estimators._base import StructuredPredictor
from skcvae.estimators._parameters import LATENT, choice
from skcvae.objectives import GSNN


class GSNNRegressor(StructuredPredictor):
    r"""A Gaussian stochastic neural network: trained from the prior alone.

    With the recognition network set equal to the prior the KL term of
    :class:`CVAERegressor` vanishes and training maximises

    .. math::

        \frac1L \sum_{l=1}^L \log p(y|x,z_l), \quad z_l \sim p(z|x),

    the mean of logs, not the log of the mean. There is no recognition network,
    so the log-likelihood is estimated by Monte Carlo.

    Parameters
    ----------
    prior : {"gaussian", "standard", "flow"} or object, default="gaussian"
        The distribution of z given x: :class:`skcvae.priors.Gaussian`, a network, or
        :class:`skcvae.priors.Standard`, N(0, I) for every x; with several modes
        :class:`skcvae.priors.Flow`.
    architecture, likelihood, latent_dim, initial_guess, n_train_samples, x_shape, y_shape
        As of :class:`CVAERegressor`.
    partial_X, partial_y, annotations, omission, n_scales, normalize_X, normalize_y, max_epochs
        As of :class:`CVAERegressor`.
    lr, batch_size
        As of :class:`CVAERegressor`.
    early_stopping, validation, validation_fraction, training, n_score_samples, warm_start
        As of :class:`CVAERegressor`.
    device, random_state, verbose
        As of :class:`CVAERegressor`.

    Attributes
    ----------
    history_ : skorch.history.History
        For each epoch loss, reconstruction and KL of the training rows, and of the
        validation rows with their CLL; nats, in the units of y.
    architecture_, likelihood_, prior_, latent_shape_, classes_, net_, n_features_in_
        As of :class:`CVAERegressor`.
    feature_names_in_, x_shape_, y_shape_, seed_, best_validation_score_
        As of :class:`CVAERegressor`.

    See Also
    --------
    CVAERegressor : Trains with a recognition network.
    HybridStructuredPredictor : Mixes both objectives.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
    Deep Conditional Generative Models*, NIPS, section 4.2.

    Examples
    --------
    >>> from skcvae import GSNNRegressor
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = GSNNRegressor(max_epochs=5, random_state=0).fit(data.X, data.y)
    >>> est.sample(data.X[:4], n_samples=2, random_state=0).shape
    (2, 4, 3)
    """

    objective = GSNN()

    _parameter_constraints = {
        **LATENT,
        "prior": choice("prior", "gaussian_process", "mixture"),
    }

    def __init__(
        self,
        *,
        architecture="mlp",
        likelihood="auto",
        prior="gaussian",
        latent_dim="auto",
        initial_guess=False,
        n_train_samples=1,
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
        self.architecture = architecture
        self.likelihood = likelihood
        self.prior = prior
        self.latent_dim = latent_dim
        self.initial_guess = initial_guess
        self.n_train_samples = n_train_samples
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
