"""What runs an example: imported once by a server, whose forks have the imports done."""

import itertools
import os
import runpy
import sys

import joblib
import matplotlib.pyplot  # noqa: F401
import skorch
import torch
from sklearn.manifold import TSNE

from skcvae.inference import completion, conditional_likelihood

torch.compiler.reset()  # imports the compiler, which the first network of a process would do


def run(path, folder):
    """Run an example in a folder, as a script; write its output and errors to files there."""
    os.chdir(folder)
    for name, number in {"stdout": 1, "stderr": 2}.items():
        file = os.open(name, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    cut_short()
    with joblib.parallel_config("sequential"):
        runpy.run_path(str(path), run_name="__main__")
    sys.stdout.flush()


def cut_short():
    """Replace what takes the time of the examples by less of it, in this process."""
    fit_loop, complete = skorch.NeuralNet.fit_loop, completion.complete
    log_mean_exp, fit_transform = conditional_likelihood.log_mean_exp, TSNE.fit_transform

    def one_epoch(self, X, y=None, epochs=None, **kwargs):
        return fit_loop(self, X, y, min(epochs or self.max_epochs, 1), **kwargs)

    def one_step(*args, n_steps, **kwargs):
        return complete(*args, n_steps=1, **kwargs)

    def one_block(blocks):
        return log_mean_exp(itertools.islice(blocks, 1))

    def short_search(self, X, y=None):
        return fit_transform(self.set_params(max_iter=250), X, y)

    skorch.NeuralNet.fit_loop, completion.complete = one_epoch, one_step
    conditional_likelihood.log_mean_exp, TSNE.fit_transform = one_block, short_search
