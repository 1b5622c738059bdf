"""What the estimators with latent variables share."""

from numbers import Integral, Real

from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skcvae import priors
from skcvae.estimators._base import StructuredPredictor
from skcvae.model import latent_model, latent_size


class LatentStructuredPredictor(StructuredPredictor):
    """The networks of p(y|x) with z; a subclass says the objective."""

    _named = {
        **StructuredPredictor._named,
        "prior": {"gaussian": priors.Gaussian, "standard": priors.Standard},
    }

    _parameter_constraints = {
        **StructuredPredictor._parameter_constraints,
        "prior": [StrOptions({"gaussian", "standard"}), HasMethods(["build"])],
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

    def _resolve(self, n_rows):
        super()._resolve(n_rows)
        self.prior_ = clone(self._chosen("prior"))
        self.latent_dim_ = (
            latent_size(self._y_row) if self.latent_dim == "auto" else self.latent_dim
        )
        self.initial_guess_ = self.initial_guess
        self.recognition_ = self._uses_recognition()

    def _latent_shape(self):
        return (self.latent_dim_,)

    def _build_model(self):
        return latent_model(
            self.architecture_,
            self.likelihood_.build(self._y_row),
            self.prior_.build(self._latent_shape()),
            x_shape=self.x_shape_,
            y_shape=self._y_row,
            latent_shape=self._latent_shape(),
            initial_guess=self.initial_guess_,
            recognition=self.recognition_,
        )
