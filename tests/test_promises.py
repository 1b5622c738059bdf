"""The page of promises names tests that exist, and has no line without one."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "guide" / "promises.rst").read_text()


def test_every_promise_names_its_tests():
    rows = TEXT.split("\n   * - ")[1:]
    promises = [row for row in rows if not row.startswith("Promise\n")]
    assert len(promises) > 20
    assert all(re.search(r"``test_\w+::test_\w+``", row) for row in promises)


def test_the_tests_exist():
    named = re.findall(r"``(test_\w+)::(test_\w+)``", TEXT)
    for file, function in named:
        module = ast.parse((ROOT / "tests" / f"{file}.py").read_text())
        assert function in {node.name for node in module.body if hasattr(node, "name")}, function
