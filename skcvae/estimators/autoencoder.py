"""The autoencoder: codes of the rows of X, without a density."""

from copy import copy
from functools import partial

from sklearn.metrics import mean_squared_error
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skcvae.data.weights import weights_of_rows
from skcvae.estimators import _checks
from skcvae.estimators._codes import Encoder
from skcvae.estimators._parameters import LATENT
from skcvae.estimators._summarised import network_entries
from skcvae.objectives.reconstruction import Reconstruction
from skcvae.training.pretraining import pretrain

OPTIONS = (
    "architecture", "x_shape", "max_epochs", "lr", "batch_size", "early_stopping",
    "validation", "validation_fraction", "training", "warm_start", "device", "random_state",
    "verbose",
)  # fmt: skip


class Autoencoder(Encoder):
    r"""An autoencoder: a code of each row from which the row is reconstructed.

    An encoder f and a decoder g are trained to reconstruct rows, which the encoder may read
    with noise, under penalties of the code. Training minimises the mean over rows of

    .. math::

        \| x - g(f(\tilde x)) \|^2
            + \lambda \left\| \frac{\partial f(\tilde x)}{\partial \tilde x} \right\|_F^2
            + \beta \sum_j KL(\rho \,\|\, \hat\rho_j)

    in standardised units, with x̃ the row with noise and :math:`\hat\rho_j` the mean of code j
    over the rows of a batch. All of these are off by default, and each combination is
    possible: a denoising, a contractive, a sparse and a stacked autoencoder.

    Parameters
    ----------
    n_components : "auto" or int, default="auto"
        Length of the code. "auto" takes the number of columns, but at most twice its square
        root, and at most 64.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise on the rows that the encoder reads in
        training, in standardised units: a denoising autoencoder.
    masking : float, default=0.0
        Probability with which an entry that the encoder reads in training is set to zero,
        after scaling and noise; where `normalize_X` scales X that is its mean.
    sparsity : float, default=0.0
        Weight β of the divergence between the mean activations of the code and
        `target_activation`, both read as probabilities, summed over the code: a sparse
        autoencoder. The means are over a batch.
    target_activation : float, default=0.05
        Target :math:`\rho` of the mean activation of each component of the code.
    contraction : float, default=0.0
        Weight λ of the squared Frobenius norm of the encoder's Jacobian, which is computed
        exactly, at the cost of a backward pass per component: a contractive autoencoder. Weights
        are not tied: with an "identity" code the decoder may undo a small code.
    pretraining : {"stacked"} or None, default=None
        "stacked" first trains each layer of the encoder with its mirror image in the decoder,
        from the data to the code, with `noise` and `masking` on the inputs of each layer and
        the options of `fit` for each; then all together. It needs hidden layers.
    code_activation : {"auto", "identity", "sigmoid"}, default="auto"
        Activation of the code. "auto" is "sigmoid" if `sparsity` is above zero, whose activations
        must lie between 0 and 1, and else "identity".
    architecture : {"mlp", "conv", "temporal"} or object, default="mlp"
        Builds encoder and decoder, the decoder with layers in the reverse order; by name
        or as a parameter object: :class:`skcvae.architectures.MLP`,
        :class:`skcvae.architectures.Conv` for images, or
        :class:`skcvae.architectures.Temporal` for sequences. ``MLP(())`` is linear and, without
        penalties, finds the subspace of principal component analysis.
    x_shape : tuple of int or None, default=None
        Shape of one row where images come flat, such as (3, 32, 32).
    normalize_X : bool, default=True
        Whether to standardise the columns of X, or the channels of images, inside. The
        error then weighs them by the inverse of their variance.
    max_epochs, lr, batch_size, early_stopping, validation, validation_fraction, training
        As of :class:`CVAERegressor`.
    warm_start, device, random_state, verbose
        As of :class:`CVAERegressor`.

    Attributes
    ----------
    latent_shape_ : tuple of int
        (n_components,).
    history_ : skorch.history.History
        For each epoch, of the training and of the validation rows: loss, reconstruction
        (minus the squared error, summed over the columns) and penalty, in standardised
        units. Validation rows are read with noise too; early stopping takes their lowest loss.
    x_shape_ : tuple of int
        Shape of one row of X.
    architecture_, net_, n_features_in_, feature_names_in_, seed_
        As of :class:`CVAERegressor`.
    best_validation_score_ : float or None
        Minus the lowest loss of the rows held out, standardised.

    See Also
    --------
    VAE : A density of X, with codes whose distribution is known.
    sklearn.decomposition.PCA : The linear case, in closed form.

    References
    ----------
    Vincent, Larochelle, Lajoie, Bengio and Manzagol (2010), *Stacked Denoising Autoencoders*,
    JMLR, for `noise`, `masking` and `pretraining`.

    Ng (2011), *Sparse Autoencoder*, CS294A lecture notes, for `sparsity`.

    Rifai, Vincent, Muller, Glorot and Bengio (2011), *Contractive Auto-Encoders*, ICML,
    for `contraction`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skcvae import Autoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> est = Autoencoder(16, masking=0.2, normalize_X=False, max_epochs=5, random_state=0)
    >>> Z = est.fit_transform(X / 16)
    >>> Z.shape, est.inverse_transform(Z).shape
    ((1797, 16), (1797, 64))
    """

    # Real numbers: the squared error is their Gaussian log-likelihood at a fixed scale.
    likelihood = "gaussian"
    partial_X = False  # noqa: N815
    _has_density = False

    _parameter_constraints = {
        **{name: LATENT[name] for name in OPTIONS},
        **Reconstruction._parameter_constraints,
        "n_components": LATENT["latent_dim"],
        "normalize_X": ["boolean"],
        "pretraining": [StrOptions({"stacked"}), None],
        "code_activation": [StrOptions({"auto", "identity", "sigmoid"})],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        noise=0.0,
        masking=0.0,
        sparsity=0.0,
        target_activation=0.05,
        contraction=0.0,
        pretraining=None,
        code_activation="auto",
        architecture="mlp",
        x_shape=None,
        normalize_X=True,
        max_epochs="auto",
        lr=0.003,
        batch_size="auto",
        early_stopping=True,
        validation="random",
        validation_fraction=0.1,
        training=None,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.noise = noise
        self.masking = masking
        self.sparsity = sparsity
        self.target_activation = target_activation
        self.contraction = contraction
        self.pretraining = pretraining
        self.code_activation = code_activation
        self.architecture = architecture
        self.x_shape = x_shape
        self.normalize_X = normalize_X
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.training = training
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_checks.named_keywords
    def score(self, X, y=None, sample_weight=None):
        """Return the negative mean squared error of the reconstruction of rows without noise.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or (n_rows, ...)
            Rows, as in `fit`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Minus the mean over rows and columns of (x - x̂)², in the squared units of X; higher
            is better. It is ``-mean_squared_error(X, est.reconstruct(X))``.
        """
        check_is_fitted(self)
        (X,) = self._check_rows(X)
        rows, found = (part.reshape(len(X), -1) for part in (X, self.reconstruct(X)))
        weight = None if sample_weight is None else weights_of_rows(sample_weight, len(X))
        return -float(mean_squared_error(rows, found, sample_weight=weight))

    @property
    def objective(self):
        """The objective that the parameters describe."""
        names = Reconstruction._get_param_names()
        return Reconstruction(**{name: getattr(self, name) for name in names})

    def _specify(self, arrays, weight, n_rows, parts):
        activation = self.code_activation
        if activation == "auto":
            activation = "sigmoid" if self.sparsity else "identity"
        if self.sparsity and activation != "sigmoid":
            raise ValueError(
                f"sparsity={self.sparsity} reads mean activations as probabilities and expects "
                f"code_activation='sigmoid' or 'auto', got {activation!r}."
            )
        if parts.continues and self.specification_.code_activation != activation:
            raise ValueError(
                "warm_start=True continues a fit with code_activation="
                f"{self.specification_.code_activation!r}, got {activation!r}. Expected the same "
                "value, or warm_start=False."
            )
        super()._specify(arrays, weight, n_rows, parts)
        self.specification_ = self.specification_._replace(code_activation=activation)

    def _net(self, training, module, device, rows=None, validation=None):
        if rows is None:
            return super()._net(training, module, device)
        self._check_combinations(training, rows)
        if self.pretraining and not (self.warm_start and hasattr(self, "net_")):
            alone = copy(training)
            alone.callbacks = alone.checkpoint = None  # of the last stage, with all layers
            net = partial(super()._net, alone)
            pretrain(module, rows, validation, lambda *stage: net(stage[0], device, *stage[1:]))
        return super()._net(training, module, device, rows, validation)

    def _check_combinations(self, training, rows):
        if self.sparsity and rows.weight is not None:
            raise ValueError(
                f"sparsity={self.sparsity} takes mean activations of batches, in which all rows "
                "count alike, and expects equal weights, got a sample_weight that differs."
            )
        if self.contraction and training.compile is not False:
            raise ValueError(
                f"contraction={self.contraction} differentiates twice, which the compiler cannot: "
                f"expected training__compile=False, got {training.compile!r}."
            )

        if training.accelerator is not None and (self.sparsity or self.pretraining):
            raise ValueError(
                f"sparsity={self.sparsity} and pretraining={self.pretraining!r} train in one "
                f"process: expected accelerator=None, got {training.accelerator!r}."
            )

    def _summary_entries(self):
        return {
            "code": f"{self.latent_shape_[0]}, {self.specification_.code_activation}",
            **network_entries(self),
        }
