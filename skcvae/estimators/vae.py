"""The variational autoencoder: a density of X alone."""

from skcvae.estimators._codes import Encoder
from skcvae.estimators._parameters import KL, LATENT, choice
from skcvae.estimators._row_density import RowDensity

CONDITIONAL = {
    "annotations", "initial_guess", "latent_dim", "n_scales", "normalize_y", "omission",
    "partial_y", "y_shape",
}  # fmt: skip


class VAE(RowDensity, Encoder):
    r"""A variational autoencoder: the density p(x), and a code of each row.

    Latent variables z with a prior p(z) tie the columns of a row together,
    :math:`p(x) = \int p(x|z)\,p(z)\,dz`. It is the conditional VAE with nothing to condition
    on. Training maximises the lower bound

    .. math::

        -(1 + \beta)\,KL(q(z|x) \,\|\, p(z))
        + \frac1L \sum_{l=1}^L \log p(x|z_l), \quad z_l \sim q(z|x),

    with a recognition network q, which encodes rows afterwards, and is the proposal of the
    importance-sampled log-likelihood.

    Parameters
    ----------
    n_components : "auto" or int, default="auto"
        Number of latent variables. "auto" takes the number of columns, but at most twice its
        square root, and at most 64.
    architecture : {"mlp", "conv", "temporal"} or object, default="mlp"
        Builds the networks; by name or as a parameter object:
        :class:`skcvae.architectures.MLP`, :class:`skcvae.architectures.Conv` for images, or
        :class:`skcvae.architectures.Temporal` for sequences.
        ``MLP(())`` builds linear networks: probabilistic principal component analysis, or
        factor analysis where each column has a noise of its own.
    likelihood : str or object, default="auto"
        The distribution of x given z, as an object of :mod:`skcvae.likelihoods` or by its
        name: "gaussian" and others for real numbers, "bernoulli" for numbers in [0, 1],
        "poisson" for counts, "categorical" for labels. "auto" is "gaussian".
    prior : {"standard", "mixture", "flow", "gaussian"} or object, default="standard"
        The distribution of z: :class:`skcvae.priors.Standard`, N(0, I), or a learned one,
        :class:`skcvae.priors.Mixture`, :class:`skcvae.priors.Flow` or
        :class:`skcvae.priors.Gaussian`.
    objective : {"elbo", "auto", "iwae", "hybrid"} or object, default="elbo"
        What training maximises, as of :class:`CVAERegressor`; one that trains a recognition
        network.
    n_train_samples : int, default=1
        Draws L of z per row and step.
    beta : float, default=0.0
        The KL term is weighted by 1 + beta. Above -1; negative values favour reconstruction.
    kl_warmup : "auto" or int, default=0
        Number of first epochs over which the weight of the KL term grows linearly. "auto"
        is that of :class:`CVAERegressor`; here it gained nothing.
    x_shape : tuple of int or None, default=None
        Shape of one row where images come flat, such as (3, 32, 32).
    partial_X : bool, default=False
        Whether X may have NaN entries, which were not observed: they are marginalised out,
        and the recognition network reads which they are. Otherwise NaN is an error.
    normalize_X : bool, default=True
        Whether to standardise real-valued X inside. Reconstructions, draws and likelihoods are
        in the units of X all the same.
    max_epochs, lr, batch_size, early_stopping, validation, validation_fraction, training
        As of :class:`CVAERegressor`.
    n_score_samples : int, default=100
        Draws S of z per row in `score` and `score_samples`.
    warm_start, device, random_state, verbose
        As of :class:`CVAERegressor`.

    Attributes
    ----------
    latent_shape_ : tuple of int
        (n_components,).
    n_active_units_ : int
        Latent variables whose mean KL term exceeds 0.01 nats. `fit` warns if there is none
        after ten epochs or more.
    history_ : skorch.history.History
        For each epoch loss, reconstruction and KL of the training rows, and of the validation
        rows with their log-likelihood as "valid_cll"; nats, in the units of X.
    x_shape_ : tuple of int
        Shape of one row of X.
    architecture_, likelihood_, prior_, classes_, net_, n_features_in_, feature_names_in_
        As of :class:`CVAERegressor`.
    seed_, best_validation_score_
        As of :class:`CVAERegressor`.

    See Also
    --------
    CVAERegressor : The density of y given x.
    sklearn.decomposition.PCA : The linear case, in closed form.
    sklearn.neighbors.KernelDensity : A density without a model, for few columns.

    References
    ----------
    Kingma and Welling (2014), *Auto-Encoding Variational Bayes*, ICLR.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skcvae import VAE
    >>> X, _ = make_moons(200, noise=0.1, random_state=0)
    >>> est = VAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> Z = est.transform(X)
    >>> Z.shape, est.inverse_transform(Z).shape
    ((200, 2), (200, 2))
    >>> est.sample(7, random_state=0).shape
    (7, 2)
    >>> est.score_samples(X).shape
    (200,)
    """

    _encodes = True
    _without_latents = "p(x) is a density of independent columns."

    _parameter_constraints = {
        **{name: rule for name, rule in LATENT.items() if name not in CONDITIONAL},
        **KL,
        "n_components": LATENT["latent_dim"],
        "prior": choice("prior", "gaussian_process"),
        "objective": choice("objective", "gsnn", "monte_carlo"),
        "partial_X": ["boolean"],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        architecture="mlp",
        likelihood="auto",
        prior="standard",
        objective="elbo",
        n_train_samples=1,
        beta=0.0,
        kl_warmup=0,
        x_shape=None,
        partial_X=False,
        normalize_X=True,
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
        self.n_components = n_components
        self.architecture = architecture
        self.likelihood = likelihood
        self.prior = prior
        self.objective = objective
        self.n_train_samples = n_train_samples
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.x_shape = x_shape
        self.partial_X = partial_X
        self.normalize_X = normalize_X
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
