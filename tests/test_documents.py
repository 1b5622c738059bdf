"""What the documents say is true: code blocks run, docstrings are complete."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from conftest import ESTIMATORS, UNSUPERVISED
from docutils.core import publish_doctree
from numpydoc.validate import validate
from shortcuts import cut_short

from skcvae import CVAERegressor, EnsembleRegressor, HybridStructuredPredictorCV, Training

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.rst",
    *sorted((ROOT / "docs").glob("*.rst")),
    *sorted((ROOT / "docs" / "guide").glob("*.rst")),
]
MODULES = [
    "skcvae",
    "skcvae.architectures",
    "skcvae.autoencoder",
    "skcvae.datasets",
    "skcvae.displays",
    "skcvae.distributions",
    "skcvae.inference.completion",
    "skcvae.inference.conditional_likelihood",
    "skcvae.inference.moments",
    "skcvae.inference.partial",
    "skcvae.inference.posterior_collapse",
    "skcvae.likelihoods",
    "skcvae.likelihoods.base",
    "skcvae.metrics",
    "skcvae.model",
    "skcvae.objectives",
    "skcvae.objectives.reconstruction",
    "skcvae.pipelines",
    "skcvae.priors",
    "skcvae.serving",
]
# Not asked for: extended summaries, See Also and Examples in every docstring, and
# sections for what a type hint or the numbered shape already says.
NOT_ASKED = {"ES01", "EX01", "SA01", "GL08", "RT02", "RT03", "YD01", "PR01"}
# Of what estimators are made of, a docstring without sections says in words what is returned.
PARTS = (
    "autoencoder",
    "distributions",
    "inference",
    "likelihoods",
    "model",
    "serving",
    "training",
)
# Parameters and attributes that are those of another class are listed together, without types.
ELSEWHERE = re.compile(r"^(\w+(?:, \w+)*)\n    As of :class:`CVAERegressor`\.$", re.M)


def code_blocks(path):
    found = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", path.read_text(), re.M)
    return "\n".join(inspect.cleandoc(block) for block in found)


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if code_blocks(path)], ids=lambda path: path.name
)
def test_code_blocks_run(path, monkeypatch):
    names = {}
    cut_short(monkeypatch.setattr, n_epochs=2)
    exec(compile(code_blocks(path), path, "exec"), names)
    assert "est" in names


def test_the_readme_is_rendered_without_a_message():
    # What a package registry renders, with docutils alone: a table out of line is left out.
    text = (ROOT / "README.rst").read_text()
    publish_doctree(text, settings_overrides={"report_level": 1, "halt_level": 1})


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.rst").read_text()
    assert len(text.splitlines()) <= 110
    links = re.findall(r"<(?!http)([^ <>`]+)>`__|^\.\. (?:image|figure):: (\S+)$", text, re.M)
    assert len(links) > 5
    assert not [link for link in map("".join, links) if not (ROOT / link).exists()]


def public_objects():
    for module in map(importlib.import_module, MODULES):
        for name, obj in vars(module).items():
            inside = getattr(obj, "__module__", "").startswith(module.__name__)
            if not name.startswith("_") and inside and callable(obj):
                yield f"{obj.__module__}.{name}"
                if inspect.isclass(obj):
                    methods = [m for m in vars(obj) if not m.startswith(("_", "set_"))]
                    yield from (
                        f"{obj.__module__}.{name}.{m}"
                        for m in methods
                        if callable(getattr(obj, m))
                    )
    from skcvae.estimators._base import StructuredPredictor

    methods = (
        "fit",
        "predict",
        "sample",
        "complete",
        "log_prob",
        "score",
        "predict_quantiles",
        "probability",
    )
    for method in (*methods, "summary", "encode", "decode", "reconstruct", "save", "to_torch"):
        yield f"{StructuredPredictor.__module__}.{StructuredPredictor.__name__}.{method}"


@pytest.mark.parametrize("name", sorted(set(public_objects())))
def test_docstrings_are_numpydoc(name):
    found = validate(name)
    not_asked = set(NOT_ASKED)
    if name.split(".")[1] in PARTS and "\n---" not in found["docstring"]:
        not_asked.add("RT01")
    if ELSEWHERE.search(found["docstring"]):
        not_asked |= {"PR03", "PR04"}  # see the test of parameters
    errors = [f"{code} {text}" for code, text in found["errors"] if code not in not_asked]
    assert not errors


@pytest.mark.parametrize(
    "estimator_class",
    [*ESTIMATORS, *UNSUPERVISED, EnsembleRegressor, HybridStructuredPredictorCV, Training],
)
def test_every_parameter_is_documented_with_its_default(estimator_class):
    text = inspect.getdoc(estimator_class)
    elsewhere = {name for names in ELSEWHERE.findall(text) for name in names.split(", ")}
    common = inspect.signature(CVAERegressor).parameters
    for name, parameter in inspect.signature(estimator_class).parameters.items():
        if name in elsewhere:
            assert parameter.default == common[name].default, name
            continue
        default = re.escape(str(parameter.default))
        line = rf'^(\w+, )*{name}(, \w+)* : .*, default="?{default}"?$'
        assert re.search(line, text, re.M), name


def test_examples_compile_and_open_with_a_title():
    examples = sorted((ROOT / "examples").rglob("plot_*.py"))
    assert len(examples) >= 4
    for path in examples:
        tree = compile(path.read_text(), path, "exec", flags=0x400)  # an ast, not run
        lines = tree.body[0].value.value.strip().splitlines()
        assert set(lines[0]) == {"="} and len(lines[0]) >= len(lines[1]), path
