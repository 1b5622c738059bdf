"""The conditional variational autoencoder."""

from skcvae.estimators._base import StructuredPredictor
from skcvae.estimators._parameters import CHOICES, KL, LATENT


class CVAERegressor(StructuredPredictor):
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
    architecture : {"mlp", "conv", "temporal"} or object, default="mlp"
        Builds the networks; by name or as a parameter object:
        :class:`skcvae.architectures.MLP`, or :class:`skcvae.architectures.Conv` for
        images among X and y, :class:`skcvae.architectures.Temporal` for sequences of shape
        (length, channels).
    likelihood : str or object, default="auto"
        The distribution of y given x and z, as an object of :mod:`skcvae.likelihoods` or by its
        name: "gaussian" and others for real outputs, "bernoulli" for outputs in [0, 1],
        "poisson" for counts, "categorical" for labels, such as label maps. "auto" is
        Student's t with scales that are predicted for each row, and for images and
        sequences "gaussian".
    prior : str or object, default="gaussian"
        The distribution of z given x, as an object of :mod:`skcvae.priors` or by its name,
        "gaussian", "standard", "mixture", "flow" or "gaussian_process":
        :class:`skcvae.priors.Gaussian`, a network, or
        :class:`skcvae.priors.Standard`, N(0, I) for every x; with several modes
        :class:`skcvae.priors.Mixture` or :class:`skcvae.priors.Flow`; to interpolate between
        rows :class:`skcvae.priors.GaussianProcess`, of which y is a function of z alone.
    latent_dim : "auto" or int, default="auto"
        Number of latent variables, or channels of the latent map where the
        architecture is convolutional and y an image. "auto" takes the number of
        outputs, less one if these are more than four, but at most 64, and without skip
        connections at most twice its square root; or 4 channels.
    initial_guess : bool, default=False
        Whether a baseline network makes a first guess of y that the prior network
        reads and whose features add to the generation network's: the paper's
        recurrent connection, trained jointly.
    objective : {"auto", "elbo", "iwae", "gsnn", "monte_carlo", "hybrid"} or object, default="auto"
        What training maximises, as an object of :mod:`skcvae.objectives` or by its name:
        "elbo" is the bound above; "iwae" the importance-weighted one of `n_train_samples`
        draws together, which is tighter and has no KL term to weight, so that `beta` and
        `kl_warmup` must be 0. "auto" is "elbo", and where rows of y are numbers, and 50 rows
        or more are held out, then "iwae" of at least five draws, which is kept if they gain
        by more than two standard errors; copies, rows of a group and annotations of a row
        count as one there. Where z is hardly used, one output is left as it is, and of several
        the weight of the KL term first grows once more. Of a number of `max_epochs`, this has
        those that early stopping left.
    n_train_samples : int, default=1
        Draws L of z per example and step.
    beta : float, default=0.0
        The KL term is weighted by 1 + beta. Above -1; negative values favour reconstruction.
    kl_warmup : "auto" or int, default="auto"
        Number of first epochs over which the weight of the KL term grows linearly.
        0 is the paper's setting. "auto" takes 20, at most a fifth of `max_epochs`, where
        the latent variables are a map, as with "conv", and otherwise 0.
    x_shape, y_shape : tuple of int or None, default=None
        Shape of one row where images come flat, such as (3, 32, 32). Predictions
        and draws have the shape of y in `fit` all the same. None takes rows as
        they are.
    partial_X : bool, default=False
        Whether X may have NaN entries, which were not observed. The networks read the mean in
        their place, and beside each number a flag that says whether it is a fill. Gaps in
        columns without any in `fit` are read as the mean, with a warning. Otherwise NaN is an
        error.
    partial_y : bool, default=False
        Whether y may have NaN entries, which were not observed: they are marginalised
        out, and the recognition network reads which they are. Otherwise NaN is an error.
    annotations : bool, default=False
        Whether y has several annotations of each row, of shape (n_rows, n_annotations, ...),
        such as the label maps of several experts, or repeated measurements. Each is a y of its
        x, and those of one x are all to train on, or all to validate on. An absent one is NaN
        all over; of labels, binary outputs and counts also -1, unless that is one of the
        `classes`, or `ignore_label`. `predict` and `sample` return one annotation.
    omission : float, default=0.0
        Input omission noise, against overfitting: in training this share of the
        numbers of each x is set to zero, or of an image one square of a side up to
        this share of its own. The paper takes squares of 0.4.
    n_scales : {1, 2, 3}, default=1
        Number of resolutions at which images y are predicted in training: full, a half, a
        quarter. The paper takes 3. The coarser ones are predicted from the baseline
        network, so that `initial_guess` must be True.
    normalize_X : bool, default=True
        Whether to standardise the columns of X inside, or the channels of images.
    normalize_y : bool, default=True
        Whether to standardise real-valued y inside. Predictions, draws and
        likelihoods are in the units of y all the same.
    max_epochs : "auto" or int, default="auto"
        Passes over the training rows, at most. "auto" makes about 15,000 steps, in 30
        to 500 epochs, in each of the trainings of `objective` "auto".
    lr : float, default=0.003
        Learning rate, the highest one of the schedule.
    batch_size : "auto" or int, default="auto"
        Rows per step. "auto" grows with the rows, from 16 to 256.
    early_stopping : bool, default=True
        Whether to hold out a share of the rows, watch its conditional
        log-likelihood, stop `patience` epochs after its best, and restore the
        weights of the best epoch.
    validation : "random", int or splitter, default="random"
        Which rows are held out: a random share, of which copies of a row and rows of one of
        the `groups` of `fit` stay together, and labels are held out in proportion; so many
        last rows, for rows in the order of time; or the first split of a splitter of
        :mod:`sklearn.model_selection`. Not used where `fit` is given X_val.
    validation_fraction : float, default=0.1
        The share of a random split, in (0, 1).
    training : Training or None, default=None
        Optimizer, schedule, averaging, patience, precision, callbacks, checkpoint and
        accelerator: :class:`skcvae.Training`. None is ``Training()``.
    n_score_samples : int, default=100
        Draws S of z per row in `score`, and in `log_prob` where not given.
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
    prior_ : object
        The prior.
    latent_shape_ : tuple of int
        Shape of z for one row.
    n_active_units_ : int
        Latent variables whose mean KL term exceeds 0.01 nats:
        :mod:`skcvae.inference.posterior_collapse`.
        `fit` warns if there is none after ten epochs or more. Not of a Gaussian process,
        which knows the codes of the rows.
    classes_ : ndarray of shape (n_classes,)
        The labels, where y are labels: integers, texts or booleans, as in y of `fit`.
    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_.model`` has the networks.
    history_ : skorch.history.History
        For each epoch loss, reconstruction and KL of the training rows, and of the
        validation rows with their CLL; nats, in the units of y. Where the prior is a
        Gaussian, "valid_active_units" counts as `n_active_units_` does, by validation rows.
    best_validation_score_ : float or None
        The CLL of the rows held out, with the weights that are kept, in nats per row.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.
    target_names_in_ : ndarray of str
        Names of the outputs, where y was a DataFrame or had a name.
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

    _parameter_constraints = {**LATENT, **KL, "objective": CHOICES["objective"]}

    def __init__(
        self,
        *,
        architecture="mlp",
        likelihood="auto",
        prior="gaussian",
        latent_dim="auto",
        initial_guess=False,
        objective="auto",
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
