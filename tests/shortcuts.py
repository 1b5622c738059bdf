"""Less of what takes the time of code that is to run, whatever it finds."""

import itertools
import warnings

import numpy as np
from skorch import NeuralNet

from skcvae import initial_weights
from skcvae.data.batches import ShuffledBatches
from skcvae.data.stacked import StackedBatches
from skcvae.fitted import Fitted
from skcvae.inference import completion, moments

FEW, FEW_ROWS = 10, 500  # draws, rows of which the density is estimated
FEW_OPERATIONS = 1e7


def cut_short(patch, n_epochs=1):
    """Cut starts, fits, predictions, completions and estimates short.

    `patch` sets an attribute, as ``setattr`` does.
    """
    initialize = NeuralNet.initialize
    complete, log_prob, sample = completion.complete, Fitted.log_prob, Fitted.sample

    def of_few_epochs(self):
        self.max_epochs = min(self.max_epochs, n_epochs)
        return initialize(self)

    def one_step(*args, n_steps, **kwargs):
        return complete(*args, n_steps=1, **kwargs)

    def few_rows_and_draws(self, X, y, *, n_samples, **kwargs):
        few = None if X is None else X[:FEW_ROWS]
        found = log_prob(self, few, y[:FEW_ROWS], n_samples=min(n_samples, FEW), **kwargs)
        return [np.resize(part, len(y)) for part in found]

    def few_draws(self, X, n_samples, seed, **kwargs):
        found = sample(self, X, min(n_samples, FEW), seed, **kwargs)
        return np.resize(found, (n_samples, *found.shape[1:]))

    def one_batch(batches):
        return lambda self: itertools.islice(batches(self), 1)

    patch(NeuralNet, "initialize", of_few_epochs)
    patch(completion, "complete", one_step)
    patch(Fitted, "log_prob", few_rows_and_draws)
    patch(Fitted, "sample", few_draws)
    for kind in (ShuffledBatches, StackedBatches):
        patch(kind, "__iter__", one_batch(kind.__iter__))
    patch(initial_weights, "MOST_OPERATIONS", FEW_OPERATIONS)
    patch(moments, "N_POINTS", FEW)
    # That of few draws says nothing of all.
    warnings.filterwarnings("ignore", "The effective sample size of log_prob")
