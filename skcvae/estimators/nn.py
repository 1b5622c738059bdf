"""The deterministic baseline network."""

from skcvae.estimators._base import StructuredPredictor
from skcvae.estimators._parameters import SHARED
from skcvae.objectives import Deterministic


class NNRegressor(StructuredPredictor):
    r"""The paper's baseline: p(y|x) from a network without latent variables.

    Outputs are independent given x. The log-likelihood is exact, and everything
    else has the interface of the estimators with latent variables.

    Parameters
    ----------
    architecture : {"mlp", "conv"} or object, default="mlp"
        Builds the networks; by name or as a parameter object:
        :class:`skcvae.architectures.MLP`, or :class:`skcvae.architectures.Conv` for
        images among X and y.
    likelihood : str or object, default="auto"
        The distribution of y given x, as an object of :mod:`skcvae.likelihoods` or by its
        name: "gaussian" and others for real outputs, "bernoulli" for outputs in [0, 1],
        "poisson" for counts, "categorical" for labels, such as label maps. "auto" is
        "gaussian", and where a row of y is one number Student's t with a scale that is
        predicted for each row.
    x_shape, y_shape : tuple of int or None, default=None
        Shape of one row where images come flat, such as (3, 32, 32). Predictions
        and draws have the shape of y in `fit` all the same. None takes rows as
        they are.
    initial_guess : bool, default=False
        Whether a prior and a generation network refine the baseline network's answer
        without noise, at z = E[z|x]: the paper's GDNN, the networks of
        ``CVAERegressor(initial_guess=True)`` made deterministic.
    latent_dim : "auto" or int, default="auto"
        Size of z where `initial_guess` is True, as of :class:`CVAERegressor`.
    partial_y : bool, default=False
        Whether y may have NaN entries, which were not observed: they are marginalised
        out, and the recognition network reads which they are. Otherwise NaN is an error.
    omission : float, default=0.0
        Input omission noise, against overfitting: in training this share of the
        numbers of each x is set to zero, or of an image one square of a side up to
        this share of its own. The paper takes squares of 0.4.
    n_scales : {1, 2, 3}, default=1
        Number of resolutions at which images y are predicted in training: full, a half, a
        quarter. The paper takes 3. The coarser ones are predicted from the baseline
        network.
    normalize_X : bool, default=True
        Whether to standardise the columns of X inside, or the channels of images.
    normalize_y : bool, default=True
        Whether to standardise real-valued y inside. Predictions, draws and
        likelihoods are in the units of y all the same.
    max_epochs : "auto" or int, default="auto"
        Passes over the training rows, at most. "auto" makes about 15,000 steps, in 30
        to 500 epochs.
    lr : float, default=0.003
        Learning rate, the highest one of the schedule.
    batch_size : "auto" or int, default="auto"
        Rows per step. "auto" grows with the rows, from 16 to 256.
    early_stopping : bool, default=True
        Whether to hold out a share of the rows, watch its conditional
        log-likelihood, stop `patience` epochs after its best, and restore the
        weights of the best epoch.
    validation_fraction : float, default=0.1
        The share held out, in (0, 1). Not used where `fit` is given X_val.
    training : Training or None, default=None
        Optimizer, schedule, averaging, patience, precision, callbacks, checkpoint and
        accelerator: :class:`skcvae.Training`. None is ``Training()``.
    n_score_samples : int, default=100
        Draws S per row in `score`, and in `log_prob` and `predict` where not given.
    warm_start : bool, default=False
        Whether `fit` continues from the weights, sizes and scaling of the last call, with
        a new optimizer. The parameters that these follow from must not change.
    device : str, default="auto"
        "cpu", "cuda", "cuda:1", "mps", or "auto": CUDA if available.
    random_state : int, RandomState or None, default=None
        Seed of the split, the weights, the order of rows and all noise. None draws
        a new one; no global random state is read or written.
    verbose : int, default=0
        1 shows one live line during `fit`, and during other work where it is long; in a
        log, one plain line after `fit`.

    Attributes
    ----------
    architecture_ : object
        The architecture with every size a number.
    likelihood_ : object
        The likelihood.
    classes_ : ndarray of int
        The labels, where y are labels.
    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_.model`` has the networks.
    history_ : skorch.history.History
        For each epoch loss, reconstruction and KL of the training rows, and of the
        validation rows with their CLL; nats, in the units of y.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.
    x_shape_ : tuple of int
        Shape of one row of X.
    y_shape_ : tuple of int
        Shape of one row of y; () for 1-d y.
    seed_ : int
        The seed that followed from `random_state`.

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
        partial_y=False,
        omission=0.0,
        n_scales=1,
        normalize_X=True,
        normalize_y=True,
        max_epochs="auto",
        lr=0.003,
        batch_size="auto",
        early_stopping=True,
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
        self.partial_y = partial_y
        self.omission = omission
        self.n_scales = n_scales
        self.normalize_X = normalize_X
        self.normalize_y = normalize_y
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.early_stopping = early_stopping
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
