"""Attributes of a fitted estimator that follow from its specification and its net."""

from sklearn.utils.validation import check_is_fitted

from skcvae.estimators._validation_score import kept_score
from skcvae.fitted import Fitted


class FittedAttributes:
    """Attributes of an estimator with `specification_` and `net_`."""

    @property
    def architecture_(self):
        """The architecture with every size a number."""
        return self.specification_.architecture

    @property
    def likelihood_(self):
        """The likelihood, with the parameters that follow from the data."""
        return self.specification_.likelihood

    @property
    def prior_(self):
        """The prior; None in a model without z."""
        return self.specification_.prior

    @property
    def latent_shape_(self):
        """Shape of z for one row; None in a model without z."""
        return self.specification_.latent_shape

    @property
    def classes_(self):
        """The labels, where labels are modelled."""
        check_is_fitted(self)
        if not hasattr(self.specification_.y_coding, "classes"):
            raise AttributeError(
                f"{type(self).__name__} with likelihood={self.likelihood_!r} has no classes_: "
                "there are some only where all outputs are labels, as of 'categorical'."
            )
        return self._labelled(self.specification_.y_coding.classes)

    @property
    def history_(self):
        """The history of the fit, a row for each epoch."""
        return self.net_.history

    @property
    def best_validation_score_(self):
        """The validation score of the weights kept, in nats; None if nothing was held out."""
        return kept_score(self.history_)

    def _set_fitted(self, module):
        coding = self.specification_.x_coding, self.specification_.y_coding
        self._fitted = Fitted(module.model, *coding)

    def _like_y(self, array):
        """Return an array with rows like those that are modelled: their shape, their labels."""
        return self._labelled(self._shaped(array))

    def _labelled(self, array):
        """Return labels as the user has them; other numbers are unchanged."""
        labels_of = getattr(self.specification_.likelihood, "labels_of", None)
        return array if labels_of is None else labels_of(array)

    def _shaped(self, array):
        """Return an array with rows of the shape of those that are modelled."""
        row_shape = self.specification_.y_coding.row_shape
        lead = array.shape[: array.ndim - len(row_shape)]
        return array.reshape(*lead, *self._row_shape)
