"""How the benchmarks write down what they measured."""

import json
import platform

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
