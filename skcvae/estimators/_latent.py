"""What the estimators with latent variables share."""

from numbers import Integral, Real

from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skcvae import priors
from skcvae.estimators._base import StructuredPredictor
from skcvae.model import latent_model


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

    def _reads_no_baseline(self):
        return not self.initial_guess

    def _resolve(self, X, y, weight):
        super()._resolve(X, y, weight)
        self.prior_ = clone(self._chosen("prior"))
        self.recognition_ = self._uses_recognition()

    def _latent_shape(self):
        return self.latent_shape_

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
