"""The parameters that every estimator has, and those of skorch behind a double underscore."""

from numbers import Integral, Real
from os import PathLike

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skcvae import architectures, likelihoods
from skcvae.documented import Summarised

PASSED_TO_SKORCH = ("optimizer__", "callbacks__", "compile__")


class Parameters(Summarised):
    """Parameters by name, as parameter objects, and passed on to skorch."""

    _named = {
        "architecture": {"conv": architectures.Conv, "mlp": architectures.MLP},
        "likelihood": {
            "auto": likelihoods.Gaussian,  # `fit` has another where a row of y is one number
            "bernoulli": likelihoods.Bernoulli,
            "categorical": likelihoods.Categorical,
            "gaussian": likelihoods.Gaussian,
            "gaussian_mixture": likelihoods.GaussianMixture,
            "multivariate_gaussian": likelihoods.MultivariateGaussian,
            "negative_binomial": likelihoods.NegativeBinomial,
            "poisson": likelihoods.Poisson,
            "student_t": likelihoods.StudentT,
        },
    }

    _parameter_constraints = {
        "architecture": [
            StrOptions({"conv", "mlp"}),
            HasMethods(["resolve", "latent_shape", "encoder", "decoder", "head"]),
        ],
        "likelihood": [
            StrOptions(set(_named["likelihood"])),
            HasMethods(["build", "check_targets"]),
        ],
        "x_shape": ["array-like", None],
        "y_shape": ["array-like", None],
        "partial_y": ["boolean"],
        "omission": [Interval(Real, 0, 1, closed="left")],
        "n_scales": [Interval(Integral, 1, 3, closed="both")],
        "normalize_X": ["boolean"],
        "normalize_y": ["boolean"],
        "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"one_cycle", "constant"})],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions({"Adam", "AdamW", "SGD"}), type],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "ema_decay": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "precision": [StrOptions({"float32", "tf32", "bfloat16"})],
        "compile": ["boolean"],
        "n_score_samples": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "checkpoint": [str, PathLike, None],
        "device": [str],
        "accelerator": [HasMethods(["prepare", "backward", "gather"]), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def get_params(self, deep=True):
        """Get the parameters, with those passed to skorch.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list the parameters of parameter objects too.

        Returns
        -------
        dict
            Names to values.
        """
        passed = {k: v for k, v in vars(self).items() if is_passed_to_skorch(k)}
        return {**super().get_params(deep), **passed}

    def set_params(self, **params):
        """Set parameters; a nested one turns a name into its parameter object.

        Parameters
        ----------
        **params
            Names to values, such as ``lr=1e-3``, ``architecture__dropout=0.1``
            or ``optimizer__betas=(0.9, 0.99)``.

        Returns
        -------
        self : object
            The estimator.
        """
        for name in [k for k in params if is_passed_to_skorch(k)]:
            setattr(self, name, params.pop(name))
        for name in {k.partition("__")[0] for k in params if "__" in k} & set(self._named):
            value = params.pop(name, getattr(self, name))
            known = isinstance(value, str) and value in self._named[name]
            setattr(self, name, self._named[name][value]() if known else value)
        return super().set_params(**params)

    def _store_skorch_params(self, skorch_params):
        unknown = [k for k in skorch_params if not is_passed_to_skorch(k)]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} got unknown parameters {unknown}, expected some of "
                f"{self._get_param_names()} or skorch's optimizer__*, callbacks__* and compile__*."
            )
        vars(self).update(skorch_params)

    def _chosen(self, name):
        value = getattr(self, name)
        return self._named[name][value]() if isinstance(value, str) else value


def is_passed_to_skorch(name):
    """Return whether a parameter is one of skorch's."""
    # scikit-learn's checks set every name in the signature, the last one too.
    return name.startswith(PASSED_TO_SKORCH) or name == "skorch_params"
