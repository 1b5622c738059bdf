"""Every example runs, in a folder and a process of its own, without a warning.

What takes their time is cut short here; the documentation is built of the whole.
"""

import runpy
from pathlib import Path

import joblib
import matplotlib
import numpy as np
import pytest
from shortcuts import cut_short
from sklearn.manifold import TSNE

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").rglob("plot_*.py"))


def run(path):
    """Run an example as a script, with less of what takes its time."""
    fit_transform = TSNE.fit_transform

    def of_few_rows(self, X, y=None):
        few = fit_transform(self.set_params(max_iter=250), X[:100])
        return np.resize(few, (len(X), 2))

    cut_short(setattr)
    TSNE.fit_transform = of_few_rows
    matplotlib.use("template")
    with joblib.parallel_config("sequential"):
        runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path, server):
    code, output, errors = server.run(tmp_path, run, path)
    assert code == 0, errors[-3000:]
    assert output
