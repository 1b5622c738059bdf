"""A fitted estimator outside of its process: pickled, saved, or as a torch module."""

import torch
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from skcvae.estimators import _checks
from skcvae.estimators._fitting import Fitting
from skcvae.estimators._restoring import Bounded, check_state, check_weights
from skcvae.serving import Served


class Saving(Fitting):
    """Pickles, files and torch modules of what was fitted."""

    def save(self, path):
        """Write the fitted estimator to a file, for :func:`skcvae.load`.

        It is one safetensors file: weights and other arrays, and a JSON document with
        parameters, history and versions. There is no pickle in it, so that a file from a
        stranger cannot run code.

        Parameters
        ----------
        path : str or path-like
            Where to. A file that is there is replaced, once the new one is whole.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If a parameter is not plain data, such as an architecture of your own, a
            callback or an accelerator. Pickle and joblib write those.
        OSError
            If the file cannot be written. One that was there is then untouched.
        """
        from skcvae.saving import save  # knows every estimator

        save(self, path)

    def to_torch(self):
        """Take the fitted networks out, as one torch module in the user's units.

        Returns
        -------
        skcvae.serving.Served
            A copy on the CPU, for serving: ``module(x)`` is `predict` at its defaults, and
            ``module(x, noise)`` has a draw of z for each draw of the noise.
        """
        check_is_fitted(self)
        return Served(self._predictor, self._y_row, self.y_shape_).cpu()

    # A pickle holds arrays, so it loads on any device.

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_predictor", None)
        if "net_" in state:
            net = state.pop("net_")
            state["_weights"] = {k: v.cpu().numpy() for k, v in net.module.state_dict().items()}
            state["_history"] = net.history.to_list()
        return state

    def __setstate__(self, state):
        weights, history = state.pop("_weights", None), state.pop("_history", None)
        super().__setstate__(state)
        if weights is not None:
            self._set_net(self._untrained(0), weights, history)

    def _restore(self, state):
        """Take over what a file says was fitted."""
        check_state(self, state)
        weights, history = state.pop("_weights"), state.pop("_history")
        vars(self).update(state)
        with Bounded(weights):
            objective = self._untrained(0)
        check_weights(objective.state_dict(), weights)
        self._set_net(objective, weights, history)

    def _set_net(self, objective, weights, history):
        objective.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        device = "cpu" if "cuda" in self.device and not torch.cuda.is_available() else self.device
        self.net_ = self._new_net(objective, _checks.available_device(device))
        self.net_.history_ = History(history)
        self._predictor = self._new_predictor()
