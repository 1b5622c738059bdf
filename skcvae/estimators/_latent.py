"""What the estimators with latent variables share."""

import warnings
from numbers import Integral, Real

from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skcvae import priors
from skcvae.estimators._base import StructuredPredictor
from skcvae.model import latent_model
from skcvae.posterior_collapse import ACTIVE

ROWS_LOOKED_AT = 1000  # at most, in the search for active units
EPOCHS_GRANTED = 10  # before it is a warning that there is none


class LatentStructuredPredictor(StructuredPredictor):
    """The networks of p(y|x) with z; a subclass says the objective."""

    _named = {
        **StructuredPredictor._named,
        "prior": {
            "flow": priors.Flow,
            "gaussian": priors.Gaussian,
            "mixture": priors.Mixture,
            "standard": priors.Standard,
        },
    }

    _parameter_constraints = {
        **StructuredPredictor._parameter_constraints,
        "prior": [StrOptions({"flow", "gaussian", "mixture", "standard"}), HasMethods(["build"])],
        "latent_dim": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "initial_guess": ["boolean"],
        "n_train_samples": [Interval(Integral, 1, None, closed="left")],
    }

    _kl_constraints = {
        "beta": [Interval(Real, 0, None, closed="left")],
        "kl_warmup": [Interval(Integral, 0, None, closed="left")],
    }

    def _uses_recognition(self):
        """Return whether a recognition network is trained."""
        return True

    def _draws_from_prior(self):
        """Return whether the objective takes draws from the prior."""
        return False

    def _reads_no_baseline(self):
        return not self.initial_guess

    def _resolve(self, X, y, weight):
        super()._resolve(X, y, weight)
        self.prior_ = clone(self._chosen("prior"))
        self.recognition_ = self._uses_recognition()

    def _check_objective(self):
        """Refuse what the objective cannot be trained with."""
        if self._draws_from_prior() and not getattr(self.prior_, "differentiable_draws", True):
            raise ValueError(
                f"{type(self).__name__} trains with draws from the prior, which must be "
                f"differentiable; got prior={self.prior_!r}. Expected another prior, or "
                "CVAERegressor."
            )

    def _train(self, rows, validation, device):
        self._check_objective()
        vars(self).pop("n_active_units_", None)
        super()._train(rows, validation, device)
        if self.recognition_:
            self._count_active_units(rows)

    def _count_active_units(self, rows):
        some = slice(None, None, -(-rows.n_rows // ROWS_LOOKED_AT))
        kl = self._predictor.kl_by_unit(*rows.read(some))
        self.n_active_units_ = int((kl > ACTIVE).sum())
        if not self.n_active_units_ and len(self.history_) >= EPOCHS_GRANTED:
            warnings.warn(
                f"No latent variable is used: the KL term is {kl.sum():.2g} nats per row, so "
                "p(y|x) is that of a network without z. Where NNRegressor scores as well, none "
                "is needed; otherwise try kl_warmup=20, another latent_dim, or a smaller "
                "init_scale of a Gaussian likelihood.",
                UserWarning,
                stacklevel=5,
            )

    def _build_model(self):
        return latent_model(
            self.architecture_,
            self._build_likelihoods(),
            self.prior_.build(self.latent_shape_),
            x_shape=self._x_row,
            y_shape=self.y_coding_.code_shape,
            latent_shape=self.latent_shape_,
            initial_guess=self.initial_guess_,
            recognition=self.recognition_,
            partial=self.partial_y_,
        )
