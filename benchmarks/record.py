"""How the benchmarks write down what they measured."""

import json
import platform

import numpy as np
import sklearn
import skorch
import torch

import skcvae


def write(path, record, text):
    """Write a record, with the versions it is of, as JSON, and its table beside it; print that.

    The record goes into `path`, a file NAME.json, and the table, `text`, into NAME.txt.
    """
    versions = {m.__name__: m.__version__ for m in (skcvae, torch, sklearn, skorch)}
    record = {**record, "versions": versions, "machine": platform.machine()}
    path.write_text(json.dumps(record, indent=2) + "\n")
    path.with_suffix(".txt").write_text(text)
    print(text)


def write_by_seed(path, cases, n_seeds, measured, table):
    """Measure cases for all seeds, and write after each; other cases of the record stay."""
    found = json.loads(path.read_text())["cases"] if path.exists() else {}
    for case in cases:
        found[case] = {}
        for seed in range(n_seeds):
            found[case][str(seed)] = measured(case, seed)
            print(case, seed, found[case][str(seed)], flush=True)
            write(path, {"cases": found}, table(found))


def standard_error(values):
    """Return the standard error of a mean, NaN for a single value."""
    return np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
