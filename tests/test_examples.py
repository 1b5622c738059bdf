"""Every example runs, in a folder and a process of its own, without a warning.

Fits, completions and estimates are cut short here; the documentation is built of the whole.
"""

import multiprocessing
import os
import sys
from pathlib import Path

import example_process
import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))
# A fork has the imports done, in an interpreter that has run nothing else.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context(METHOD)
    context.set_forkserver_preload([example_process.__name__])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "template")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("PYTHONWARNINGS", "error")
        yield context


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path, processes):
    process = processes.Process(target=example_process.run, args=(path, tmp_path))
    process.start()
    process.join(600)
    process.kill()  # if it has not ended
    assert process.exitcode == 0, (tmp_path / "stderr").read_text()[-3000:]
    assert (tmp_path / "stdout").read_text()
