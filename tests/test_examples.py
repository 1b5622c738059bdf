"""Every example runs, in a folder and a process of its own, without a warning.

Fits, completions and estimates are cut short here; the documentation is built of the whole.
"""

import itertools
import runpy
import warnings
from pathlib import Path

import joblib
import matplotlib
import pytest
import skorch
from sklearn.manifold import TSNE

from skcvae.inference import completion, conditional_likelihood

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").rglob("plot_*.py"))


def run(path):
    """Run an example as a script, with less of what takes its time."""
    fit_loop, complete = skorch.NeuralNet.fit_loop, completion.complete
    log_mean_exp, fit_transform = conditional_likelihood.log_mean_exp, TSNE.fit_transform
    initialize = skorch.NeuralNet.initialize

    def of_one_epoch(self):  # fits in a stack have a loop of their own
        self.max_epochs = 1
        return initialize(self)

    def one_epoch(self, X, y=None, epochs=None, **kwargs):
        return fit_loop(self, X, y, min(epochs or self.max_epochs, 1), **kwargs)

    def one_step(*args, n_steps, **kwargs):
        return complete(*args, n_steps=1, **kwargs)

    def one_block(blocks):
        return log_mean_exp(itertools.islice(blocks, 1))

    def short_search(self, X, y=None):
        return fit_transform(self.set_params(max_iter=250), X, y)

    skorch.NeuralNet.fit_loop, completion.complete = one_epoch, one_step
    skorch.NeuralNet.initialize = of_one_epoch
    conditional_likelihood.log_mean_exp, TSNE.fit_transform = one_block, short_search
    matplotlib.use("template")
    # That of one block of draws says nothing of all.
    warnings.filterwarnings("ignore", "The effective sample size of log_prob")
    with joblib.parallel_config("sequential"):
        runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path, server):
    code, output, errors = server.run(tmp_path, run, path)
    assert code == 0, errors[-3000:]
    assert output
