"""Modules import downwards only: no module imports a higher layer, and there are no circles."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From low to high, as in docs/contributing.rst. Those in one line do not import each other.
LAYERS = [
    ["version", "random", "suggestions", "threads", "whole_numbers"],
    ["documented"],
    ["data", "distributions", "factors", "missing_outputs"],
    ["ridge"],
    ["networks"],
    ["architectures", "likelihoods", "priors"],
    ["model"],
    ["autoencoder"],
    ["objectives"],
    ["inference"],
    ["least_squares", "far_outputs"],
    ["generalised_linear"],
    ["initial_weights"],
    ["specification"],
    ["io"],
    ["training"],
    ["fitted"],
    ["serving"],
    ["pipelines"],
    ["estimators"],
    ["datasets"],
    ["progressions"],
    ["metrics"],
    ["displays"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "skcvae").rglob("*.py"))
}


def imported(name, path):
    """Return the skcvae modules that a module imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} has a relative import in line {node.lineno}"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in FILES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


IMPORTS = {
    name: {other for other in imported(name, path) if other.split(".")[0] == "skcvae"}
    for name, path in FILES.items()
}


def layer(name):
    return name.split(".")[1]


def upward(imports):
    """Return the imports between packages that do not lead to a lower layer."""
    return [
        f"{name} imports {other}"
        for name, others in imports.items()
        for other in others
        if layer(name) != layer(other) and LEVEL[layer(name)] <= LEVEL[layer(other)]
    ]


def test_every_module_has_a_layer():
    assert {layer(name) for name in IMPORTS if name != "skcvae"} == set(LEVEL)


def test_no_module_imports_a_higher_layer():
    inside = {name: others for name, others in IMPORTS.items() if name != "skcvae"}
    assert not upward(inside)
    assert not [name for name, others in inside.items() if "skcvae" in others]


def test_no_modules_import_each_other_in_a_circle():
    TopologicalSorter(IMPORTS).prepare()


def test_violations_are_found():
    above = {"skcvae.data.coding": {"skcvae.model"}, "skcvae.model": {"skcvae.data.coding"}}
    assert upward(above) == ["skcvae.data.coding imports skcvae.model"]
    beside = {"skcvae.priors.flow": {"skcvae.likelihoods.base"}}
    assert upward(beside) == ["skcvae.priors.flow imports skcvae.likelihoods.base"]
    with pytest.raises(CycleError):
        TopologicalSorter(above).prepare()


def test_the_documentation_has_the_same_order():
    text = (ROOT / "docs" / "contributing.rst").read_text()
    positions = [[text.index(f"   * - ``{names[0]}``")] for names in LAYERS]
    assert positions == sorted(positions)
    for names in LAYERS:
        assert "   * - " + ", ".join(f"``{name}``" for name in names) + "\n" in text
