"""The conditional variational autoencoder."""

from sklearn.utils._param_validation import StrOptions

from skcvae.estimators._latent import LatentStructuredPredictor
from skcvae.objectives import CVAE, IWAE


class CVAERegressor(LatentStructuredPredictor):
    r"""A conditional VAE: the whole distribution p(y|x) of a structured output.

    Latent variables z tie the outputs of a row together,
    :math:`p(y|x) = \int p(y|x,z)\,p(z|x)\,dz`. Training maximises the lower bound

    .. math::

        -(1 + \beta)\,KL(q(z|x,y) \,\|\, p(z|x))
        + \frac1L \sum_{l=1}^L \log p(y|x,z_l), \quad z_l \sim q(z|x,y),

    with a recognition network q that serves as the proposal of the
    importance-sampled log-likelihood afterwards.

    Parameters
    ----------
    architecture : {"mlp", "conv"} or object, default="mlp"
        What the networks are built of, by name or as a parameter object:
        :class:`skcvae.architectures.MLP`, or :class:`skcvae.architectures.Conv` for
        images among X and y.
    likelihood : str or object, default="auto"
        What is assumed of y given z, as an object of :mod:`skcvae.likelihoods` or by its
        name: "gaussian" and others for real outputs, "bernoulli" for outputs in [0, 1],
        "poisson" for counts, "categorical" for labels, such as label maps. "auto" is
        "gaussian", and where a row of y is one number Student's t with a scale that is
        predicted for each row.
    prior : {"gaussian", "standard", "mixture", "flow"} or object, default="gaussian"
        What is assumed of z given x: :class:`skcvae.priors.Gaussian`, a network, or
        :class:`skcvae.priors.Standard`, N(0, I) for every x; with several modes
        :class:`skcvae.priors.Mixture` or :class:`skcvae.priors.Flow`.
    latent_dim : "auto" or int, default="auto"
        Number of latent variables, or channels of the latent map where the
        architecture is convolutional and y an image. "auto" takes the number of
        outputs, but at most twice its square root, and at most 64; or 4 channels.
    initial_guess : bool, default=False
        Whether a baseline network makes a first guess of y that the prior network
        reads and whose features add to the generation network's: the paper's
        recurrent connection, trained jointly.
    objective : {"elbo", "iwae"}, default="elbo"
        The bound above, or the importance-weighted one of `n_train_samples` draws
        together, which is nearer to log p(y|x) and has the same value at one draw:
        :class:`skcvae.objectives.IWAE`. Its KL term has no weight of its own:
        `beta` and `kl_warmup` must be 0.
    n_train_samples : int, default=1
        Draws L of z per example and step.
    beta : float, default=0.0
        The KL term counts 1 + beta times.
    kl_warmup : int, default=0
        Number of first epochs over which the weight of the KL term grows linearly.
        0 is the paper's setting.
    x_shape, y_shape : tuple of int or None, default=None
        Shape of one row where images come flat, such as (3, 32, 32). Predictions
        and draws have the shape of y in `fit` all the same. None takes rows as
        they are.
    partial_y : bool, default=False
        Whether y may hold NaN, for what was not observed: it does not count, and
        the recognition network is told. Otherwise NaN is an error.
    omission : float, default=0.0
        Input omission noise, against overfitting: in training this share of the
        numbers of each x is set to zero, or of an image one square of a side up to
        this share of its own. The paper takes squares of 0.4.
    n_scales : {1, 2, 3}, default=1
        At how many resolutions of images y is predicted in training: full, a half, a
        quarter. The paper takes 3. The coarser ones are predicted from the baseline
        network,
        so that `initial_guess` must be True.
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
    lr_schedule : {"constant", "one_cycle"}, default="constant"
        Whether the learning rate stays, or goes up and then down to zero over
        `max_epochs`.
    batch_size : "auto" or int, default="auto"
        Rows per step. "auto" grows with the rows, from 16 to 256.
    optimizer : {"AdamW", "Adam", "SGD"} or type, default="AdamW"
        Name or class of a torch optimizer.
    weight_decay : float, default=0.0
        L2 penalty of the optimizer.
    max_grad_norm : float or None, default=1.0
        Gradients are scaled down to this norm. None leaves them.
    ema_decay : float, default=0.995
        Decay per step of the exponential moving average of the weights, which is what
        is validated and kept. 0 keeps the last weights.
    early_stopping : bool, default=True
        Whether to hold out a share of the rows, watch its conditional
        log-likelihood, stop `patience` epochs after its best, and restore the
        weights of the best epoch.
    validation_fraction : float, default=0.1
        The share held out, in (0, 1). Not used where `fit` is given X_val.
    patience : "auto" or int, default="auto"
        Epochs without a new best before training stops. "auto" waits about 1,500
        steps, in 5 to 50 epochs.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        Of the matrix products in training. "bfloat16" pays for wide layers on processors
        made for it; weights, densities and everything after `fit` stay in float32.
        "tf32" is for GPUs: while `fit` runs it turns torch's switch, which is the whole
        process's, and then turns it back.
    compile : bool, default=False
        Whether to train through `torch.compile`, which needs a compiler and some ten
        seconds at first. Its own parameters are ``compile__mode`` and so on.
    n_score_samples : int, default=100
        Draws S per row in `score`, and in `log_prob` and `predict` where not given.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights, sizes and scaling of the last call,
        with a new optimizer.
    callbacks : list of skorch callbacks or None, default=None
        More callbacks for the net; they are copied.
    checkpoint : str, PathLike or None, default=None
        Path of a file in which the state of training is kept between epochs. `fit` with
        the same parameters and data goes on from it, to the same model as if it had
        not been cut off, and deletes it at its end. A fit of its own needs a path of
        its own, and `warm_start` and `accelerator` go without.
    device : str, default="auto"
        "cpu", "cuda", "cuda:1", or "auto": CUDA where there is one.
    accelerator : accelerate.Accelerator or None, default=None
        To train on several GPUs: in a script that `accelerate launch` or `torchrun`
        starts once for each, every process calls `fit` with the same rows and gets
        the same model. It chooses the device.
    random_state : int, RandomState or None, default=None
        Seed of the split, the weights, the order of rows and all noise. None draws
        a new one; no global random state is read or written.
    verbose : int, default=0
        1 shows one live line during `fit`, and during other work where it is long; in a
        log, one plain line after `fit`.
    **skorch_params
        Parameters of skorch's net such as ``optimizer__betas``.

    Attributes
    ----------
    architecture_ : object
        The architecture with every size a number.
    likelihood_ : object
        The likelihood.
    prior_ : object
        The prior.
    latent_shape_ : tuple of int
        Shape of z for one row.
    n_active_units_ : int
        Latent variables whose mean KL term exceeds 0.01 nats: :mod:`skcvae.collapse`.
        `fit` warns where there is none after ten epochs or more.
    classes_ : ndarray of int
        The labels, where y are labels.
    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_.model`` has the networks.
    history_ : skorch.history.History
        For each epoch loss, reconstruction and KL of the training rows, and of the
        validation rows with their CLL; nats, in the units of y. Where the prior is a
        Gaussian, "valid_active_units" counts as `n_active_units_` does, by validation rows.
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
    HybridStructuredPredictor : Adds the GSNN's objective.
    GSNNRegressor : Trains from the prior alone.
    NNRegressor : No latent variables.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
    Deep Conditional Generative Models*, NIPS, section 4.1.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.datasets import make_two_branches
    >>> data = make_two_branches(n_samples=200, random_state=0)
    >>> est = CVAERegressor(max_epochs=5, random_state=0).fit(data.X, data.y)
    >>> est.predict(data.X).shape
    (200,)
    >>> est.sample(data.X[:3], n_samples=7, random_state=0).shape
    (7, 3)
    >>> est.log_prob(data.X[:3], data.y[:3]).shape
    (3,)
    """

    _parameter_constraints = {
        **LatentStructuredPredictor._parameter_constraints,
        **LatentStructuredPredictor._kl_constraints,
        "objective": [StrOptions({"elbo", "iwae"})],
    }

    def __init__(
        self,
        *,
        architecture="mlp",
        likelihood="auto",
        prior="gaussian",
        latent_dim="auto",
        initial_guess=False,
        objective="elbo",
        n_train_samples=1,
        beta=0.0,
        kl_warmup=0,
        x_shape=None,
        y_shape=None,
        partial_y=False,
        omission=0.0,
        n_scales=1,
        normalize_X=True,
        normalize_y=True,
        max_epochs="auto",
        lr=0.003,
        lr_schedule="constant",
        batch_size="auto",
        optimizer="AdamW",
        weight_decay=0.0,
        max_grad_norm=1.0,
        ema_decay=0.995,
        early_stopping=True,
        validation_fraction=0.1,
        patience="auto",
        precision="float32",
        compile=False,
        n_score_samples=100,
        warm_start=False,
        callbacks=None,
        checkpoint=None,
        device="auto",
        accelerator=None,
        random_state=None,
        verbose=0,
        **skorch_params,
    ):
        self.architecture = architecture
        self.likelihood = likelihood
        self.prior = prior
        self.latent_dim = latent_dim
        self.initial_guess = initial_guess
        self.objective = objective
        self.n_train_samples = n_train_samples
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.x_shape = x_shape
        self.y_shape = y_shape
        self.partial_y = partial_y
        self.omission = omission
        self.n_scales = n_scales
        self.normalize_X = normalize_X
        self.normalize_y = normalize_y
        self.max_epochs = max_epochs
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.ema_decay = ema_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.precision = precision
        self.compile = compile
        self.n_score_samples = n_score_samples
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.accelerator = accelerator
        self.random_state = random_state
        self.verbose = verbose
        self._store_skorch_params(skorch_params)

    def _build_objective(self, model):
        bound = {"elbo": CVAE, "iwae": IWAE}[self.objective]
        return bound(model, self.n_train_samples)

    def _check_objective(self):
        super()._check_objective()
        if self.objective == "iwae" and (self.beta or self.kl_warmup):
            raise ValueError(
                "objective='iwae' has no KL term to weigh and expects beta=0 and kl_warmup=0, got "
                f"beta={self.beta} and kl_warmup={self.kl_warmup}."
            )

    def _loss_parameters(self):
        return {"beta": self.beta, "warmup": self.kl_warmup}
