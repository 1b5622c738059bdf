"""The parameters of the estimators: choices by name, nested parameters, misspelt names."""

from functools import partial
from numbers import Integral, Real

from sklearn.utils._param_validation import HasMethods, Hidden, Interval, StrOptions

from skcvae import architectures, likelihoods, objectives, priors
from skcvae.architectures.base import ARCHITECTURE
from skcvae.documented import Documented
from skcvae.likelihoods.base import LIKELIHOOD
from skcvae.priors.base import PRIOR
from skcvae.training.options import Training

# Choices by name: parameter objects, as an instance or by their name.
NAMED = {
    "architecture": {
        "conv": architectures.Conv,
        "mlp": architectures.MLP,
        "temporal": architectures.Temporal,
    },
    "likelihood": {
        "auto": partial(likelihoods.StudentT, heteroscedastic=True),  # else Gaussian()
        "bernoulli": likelihoods.Bernoulli,
        "categorical": likelihoods.Categorical,
        "color_field": likelihoods.ColorField,
        "correlated_logits": likelihoods.CorrelatedLogits,
        "gamma": likelihoods.Gamma,
        "gaussian": likelihoods.Gaussian,
        "gaussian_mixture": likelihoods.GaussianMixture,
        "hurdle": likelihoods.Hurdle,
        "log_normal": likelihoods.LogNormal,
        "logit_normal": likelihoods.LogitNormal,
        "multivariate_gaussian": likelihoods.MultivariateGaussian,
        "negative_binomial": likelihoods.NegativeBinomial,
        "poisson": likelihoods.Poisson,
        "student_t": likelihoods.StudentT,
    },
    "objective": {
        "auto": objectives.ELBO,  # and then IWAE()
        "elbo": objectives.ELBO,
        "gsnn": objectives.GSNN,
        "hybrid": objectives.Hybrid,
        "iwae": objectives.IWAE,
        "monte_carlo": objectives.MonteCarloLikelihood,
    },
    "prior": {
        "flow": priors.Flow,
        "gaussian": priors.Gaussian,
        "gaussian_process": priors.GaussianProcess,
        "mixture": priors.Mixture,
        "standard": priors.Standard,
    },
    "training": {None: Training},
}
OBJECTS = {
    "architecture": ARCHITECTURE,
    "likelihood": LIKELIHOOD,
    "objective": objectives.Objective,
    "prior": PRIOR,
}


def choice(name, *refused):
    """Return what is accepted; names that `fit` refuses, and says why, are not listed."""
    listed = StrOptions(set(NAMED[name]) - {*refused})
    return [listed, OBJECTS[name], Hidden(StrOptions({*refused}))]


CHOICES = {name: choice(name) for name in OBJECTS}
COUNT = [Interval(Integral, 1, None, closed="left")]

SHARED = {
    "architecture": CHOICES["architecture"],
    "likelihood": CHOICES["likelihood"],
    "x_shape": ["array-like", None],
    "y_shape": ["array-like", None],
    "partial_X": ["boolean"],
    "partial_y": ["boolean"],
    "annotations": ["boolean"],
    "omission": [Interval(Real, 0, 1, closed="left")],
    "n_scales": [Interval(Integral, 1, 3, closed="both")],
    "normalize_X": ["boolean"],
    "normalize_y": ["boolean"],
    "max_epochs": [StrOptions({"auto"}), *COUNT],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [StrOptions({"auto"}), *COUNT],
    "early_stopping": ["boolean"],
    "validation": [StrOptions({"random"}), *COUNT, HasMethods(["split", "get_n_splits"])],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "training": [Training, None],
    "n_score_samples": COUNT,
    "warm_start": ["boolean"],
    "device": [str],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "initial_guess": ["boolean"],
    "latent_dim": [StrOptions({"auto"}), *COUNT],
}
LATENT = {**SHARED, "prior": CHOICES["prior"], "n_train_samples": COUNT}
KL = {
    "beta": [Interval(Real, -1, None, closed="neither")],
    "kl_warmup": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
}


class Parameters(Documented):
    """Parameters that are objects, by name or as instances."""

    _named = NAMED
    _terms: dict[str, str] = {}  # what the user calls y and its parameters, where not so

    def __new__(cls, *args, **kwargs):
        cls._check_names(kwargs, TypeError)
        return super().__new__(cls)

    @classmethod
    def _nested_params(cls):
        """Return the parameters of `training`, for error messages."""
        return [f"training__{name}" for name in Training._get_param_names()]

    def set_params(self, **params):
        """Set parameters; a nested one turns a name into its parameter object.

        Parameters
        ----------
        **params
            Names to values, such as ``lr=1e-3``, ``architecture__dropout=0.1``
            or ``training__weight_decay=0.1``.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no parameter of a name.
        """
        self._check_names([name.partition("__")[0] for name in params], ValueError)
        for name in {k.partition("__")[0] for k in params if "__" in k} & set(self._named):
            value = params.pop(name, getattr(self, name))
            is_name = value is None or isinstance(value, str)
            made = self._named[name].get(value) if is_name else None
            setattr(self, name, made() if made else value)
        return super().set_params(**params)
