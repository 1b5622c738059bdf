"""Processes that begin with the imports done, and in which nothing else has run.

A server imports this module, once; each process is a fork of it.
"""

import multiprocessing
import os
import sys

import joblib  # noqa: F401
import torch

import skcvae  # noqa: F401

torch.compiler.reset()  # imports the compiler, which the first network of a process would do

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class Server:
    """Runs functions in processes; warnings are errors there, and there is one thread."""

    def __init__(self):
        self.context = multiprocessing.get_context(METHOD)
        self.context.set_forkserver_preload([__name__, "matplotlib.pyplot"])

    def start(self):
        """Start with the environment as it is now."""
        process = self.context.Process(target=int)
        process.start()
        process.join()

    def run(self, folder, function, *args):
        """Run a function in a folder; return its exit code, output and errors."""
        (found,) = self.run_together([(folder, function, *args)])
        return found

    def run_together(self, calls):
        """Run functions in processes at the same time; return what `run` does of each."""
        together = [self.context.Process(target=_run, args=call) for call in calls]
        for process in together:
            process.start()
        for process in together:
            process.join(300)
            process.kill()  # if it has not ended
        return [
            (process.exitcode, *((call[0] / name).read_text() for name in ("stdout", "stderr")))
            for process, call in zip(together, calls, strict=True)
        ]


def _run(folder, function, *args):
    os.chdir(folder)
    for name, number in {"stdout": 1, "stderr": 2}.items():
        file = os.open(name, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    torch.set_num_threads(1)
    function(*args)
    sys.stdout.flush()
