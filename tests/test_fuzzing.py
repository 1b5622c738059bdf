"""A short run of the fuzzer of files; `benchmarks/fuzz_files.py` has the long one."""

import importlib.util
import warnings
from pathlib import Path

import pytest

from skcvae.training import checkpoint

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "fuzz_files.py"


@pytest.mark.skipif(not SCRIPT.exists(), reason="benchmarks are in the repository only")
def test_damaged_and_hostile_files_are_refused_or_answer(monkeypatch):
    monkeypatch.setattr(checkpoint, "MAX_WRITE_SHARE", float("inf"))
    spec = importlib.util.spec_from_file_location("fuzz_files", SCRIPT)
    fuzzer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzzer)
    with warnings.catch_warnings():
        counts, faults = fuzzer.run(150, first=10_000)
    assert not faults and sum(counts.values()) == 150
    refused = sum(count for (*_, word), count in counts.items() if word == "refused")
    assert 90 < refused < 150
