"""The deterministic baseline network."""

from skcvae.estimators._base import StructuredPredictor
from skcvae.estimators._parameters import SHARED
from skcvae.objectives import Deterministic


class NNRegressor(StructuredPredictor):
    r"""The paper's baseline: p(y|x) from a network without latent variables.

    Outputs are independent given x, unless the likelihood has dependent outputs. The
    log-likelihood is exact, but for correlated logits, and everything else has the
    interface of the estimators with latent variables.

    Parameters
    ----------
    likelihood : str or object, default="auto"
        The distribution of y given x, as an object of :mod:`skcvae.likelihoods` or by its
        name: "gaussian" and others for real outputs, "bernoulli" for outputs in [0, 1],
        "poisson" for counts, "categorical" for labels, such as label maps. "auto" is as of
        :class:`CVAERegressor`.
    initial_guess : bool, default=False
        Whether a prior and a generation network refine the baseline network's answer without
        noise, at z = E[z|x]: the paper's GDNN, the networks of
        ``CVAERegressor(initial_guess=True)`` made deterministic.
    latent_dim : "auto" or int, default="auto"
        Size of z where `initial_guess` is True, as of :class:`CVAERegressor`.
    architecture, x_shape, y_shape, partial_X, partial_y, annotations, omission, n_scales
        As of :class:`CVAERegressor`.
    normalize_X, normalize_y, max_epochs, lr, batch_size, early_stopping, validation
        As of :class:`CVAERegressor`.
    validation_fraction, training, n_score_samples, warm_start, device, random_state, verbose
        As of :class:`CVAERegressor`.

    Attributes
    ----------
    history_ : skorch.history.History
        For each epoch loss, reconstruction and KL of the training rows, and of the
        validation rows with their CLL; nats, in the units of y.
    architecture_, likelihood_, classes_, net_, n_features_in_, feature_names_in_, x_shape_
        As of :class:`CVAERegressor`.
    y_shape_, seed_, best_validation_score_
        As of :class:`CVAERegressor`.

    See Also
    --------
    CVAERegressor : Ties the outputs together by latent variables.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
    Deep Conditional Generative Models*, NIPS, section 5.

    Examples
    --------
    >>> from skcvae import NNRegressor
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = NNRegressor(max_epochs=5, random_state=0).fit(data.X, data.y)
    >>> est.predict(data.X).shape
    (200, 3)
    """

    objective = Deterministic()

    _parameter_constraints = SHARED

    def __init__(
        self,
        *,
        architecture="mlp",
        likelihood="auto",
        x_shape=None,
        y_shape=None,
        initial_guess=False,
        latent_dim="auto",
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
        self.x_shape = x_shape
        self.y_shape = y_shape
        self.initial_guess = initial_guess
        self.latent_dim = latent_dim
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

    _noiseless = True

    @property
    def prior(self):
        """The prior of z = E[z|x]: the network that predicts it, with an initial guess."""
        return "gaussian" if self.initial_guess else None
