"""Serialisation: pickle, files and torch modules."""

import torch
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from skcvae.estimators import _checks
from skcvae.estimators._summarised import Summarised, summary_entries
from skcvae.io import document
from skcvae.io.restoring import Bounded, check_state, check_weights
from skcvae.serving import Served
from skcvae.training.devices import available_device


class Savable(Summarised):
    """An estimator that can be saved to a file."""

    @_checks.named_keywords
    def save(self, path):
        """Write the fitted estimator to a file, for :func:`skcvae.load`.

        It is one safetensors file: weights and other arrays, and a JSON document with
        parameters, history and versions. There is no pickle in it, so that a file from a
        stranger cannot run code.

        Parameters
        ----------
        path : str or path-like
            The file. An existing one is replaced, once the new one is complete.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If a parameter is not plain data, such as a callback, an accelerator, or an
            object without `get_params`. Pickle and joblib write those.
        OSError
            If the file cannot be written. An existing one is then unchanged.
        """
        document.save(self, path)


class Persistent(Savable):
    """Pickles, files and torch modules of single estimators."""

    @_checks.named_keywords
    def to_torch(self):
        """Return the fitted networks as one torch module in the user's units.

        Returns
        -------
        skcvae.serving.Served
            A copy on the CPU, for serving: ``module(x)`` is `predict` at its defaults, and
            ``module(x, noise)`` has a draw of z for each draw of the noise. Its methods
            `encode`, `decode` and `reconstruct` are those of the estimator. Labels that are texts
            or booleans are their positions in `classes_`.
        """
        check_is_fitted(self)
        return Served(self._fitted, self._row_shape).cpu()

    def _summary_entries(self):
        return summary_entries(self)

    # A pickle holds arrays, so that it loads on any device.

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_fitted", None)
        if "net_" in state:
            net = state.pop("net_")
            state["_weights"] = {k: v.cpu().numpy() for k, v in net.module.state_dict().items()}
            state["_history"] = net.history.to_list()
        return state

    def __setstate__(self, state):
        weights, history = state.pop("_weights", None), state.pop("_history", None)
        super().__setstate__(state)
        if weights is not None:
            self._set_net(
                self._module(**_checks.chosen(self, "objective"), seed=0), weights, history
            )

    def _restore(self, state):
        """Set the fitted attributes that a file holds, once they are checked."""
        check_state(self, state)
        weights, history = state.pop("_weights"), state.pop("_history")
        vars(self).update(state)
        with Bounded(weights):
            module = self._module(**_checks.chosen(self, "objective"), seed=0)
        check_weights(module.state_dict(), weights)
        self._set_net(module, weights, history)

    def _set_net(self, module, weights, history):
        # Copies: arrays of other processes may be read-only.
        module.load_state_dict({k: torch.tensor(v) for k, v in weights.items()})
        training = self.training or _checks.DEFAULT_TRAINING
        self.net_ = self._net(training, module, device_or_cpu(self.device))
        self.net_.history_ = History(history)
        self._set_fitted(module)


def device_or_cpu(name):
    """Return the device of a restored estimator: the CPU where its own is not available."""
    lacks_cuda = "cuda" in name and not torch.cuda.is_available()
    lacks_mps = name.startswith("mps") and not torch.backends.mps.is_available()
    return available_device("cpu" if lacks_cuda or lacks_mps else name)
