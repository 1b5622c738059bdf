"""Every example runs, in a folder of its own, without a warning.

Fits and completions are cut short here; the documentation is built of the whole fits.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CUT_SHORT = """
import runpy, sys
import joblib, skorch
from skcvae.inference import completion

fit_loop, complete = skorch.NeuralNet.fit_loop, completion.complete


def short(self, X, y=None, epochs=None, **kwargs):
    return fit_loop(self, X, y, min(epochs or self.max_epochs, 2), **kwargs)


def short_complete(*args, n_steps, **kwargs):
    return complete(*args, n_steps=1, **kwargs)


skorch.NeuralNet.fit_loop, completion.complete = short, short_complete
with joblib.parallel_config("sequential"):
    runpy.run_path(sys.argv[1], run_name="__main__")
"""
EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", CUT_SHORT, path],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "template", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout
