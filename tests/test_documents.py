"""What the documents say is true: code blocks run, docstrings are complete."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from conftest import ESTIMATORS
from docutils.core import publish_doctree
from numpydoc.validate import validate
from skorch import NeuralNet

from skcvae import EnsembleRegressor

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.rst",
    *sorted((ROOT / "docs").glob("*.rst")),
    *sorted((ROOT / "docs" / "guide").glob("*.rst")),
]
MODULES = [
    "skcvae",
    "skcvae.architectures",
    "skcvae.inference.posterior_collapse",
    "skcvae.inference.completion",
    "skcvae.inference.conditional_likelihood",
    "skcvae.datasets",
    "skcvae.displays",
    "skcvae.distributions",
    "skcvae.estimators.ensemble",
    "skcvae.inference",
    "skcvae.likelihoods",
    "skcvae.likelihoods.base",
    "skcvae.metrics",
    "skcvae.model",
    "skcvae.objectives.multiscale",
    "skcvae.objectives",
    "skcvae.data.omission",
    "skcvae.inference.partial",
    "skcvae.priors",
]
# Not asked for: extended summaries, See Also and Examples in every docstring, and
# sections for what a type hint or the numbered shape already says.
NOT_ASKED = {"ES01", "EX01", "SA01", "GL08", "RT02", "RT03", "YD01", "PR01"}


def code_blocks(path):
    found = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", path.read_text(), re.M)
    return "\n".join(inspect.cleandoc(block) for block in found)


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if code_blocks(path)], ids=lambda path: path.name
)
def test_code_blocks_run(path, monkeypatch):
    names, fit_loop = {}, NeuralNet.fit_loop

    def short(self, X, y=None, epochs=None, **kwargs):
        return fit_loop(self, X, y, min(epochs or self.max_epochs, 3), **kwargs)

    monkeypatch.setattr(NeuralNet, "fit_loop", short)
    exec(compile(code_blocks(path), path, "exec"), names)
    assert "est" in names


def test_the_readme_is_rendered_without_a_message():
    # What a package registry renders, with docutils alone: a table out of line is left out.
    text = (ROOT / "README.rst").read_text()
    publish_doctree(text, settings_overrides={"report_level": 1, "halt_level": 1})


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

    methods = ("fit", "predict", "sample", "complete", "log_prob", "score", "predict_quantiles")
    for method in (*methods, "summary"):
        yield f"{StructuredPredictor.__module__}.{StructuredPredictor.__name__}.{method}"


@pytest.mark.parametrize("name", sorted(set(public_objects())))
def test_docstrings_are_numpydoc(name):
    errors = [f"{code} {text}" for code, text in validate(name)["errors"] if code not in NOT_ASKED]
    assert not errors


@pytest.mark.parametrize("estimator_class", [*ESTIMATORS, EnsembleRegressor])
def test_every_parameter_is_documented_with_its_default(estimator_class):
    text = inspect.getdoc(estimator_class)
    for name, parameter in inspect.signature(estimator_class).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            default = str(parameter.default).replace("'", '"')
            assert re.search(
                rf"^(\w+, )*{name}(, \w+)* : .*, default=\"?{re.escape(default)}\"?$".replace(
                    '"', '"'
                ),
                text,
                re.M,
            ), name


def test_examples_compile_and_open_with_a_title():
    examples = sorted((ROOT / "examples").glob("plot_*.py"))
    assert len(examples) >= 4
    for path in examples:
        tree = compile(path.read_text(), path, "exec", flags=0x400)  # an ast, not run
        lines = tree.body[0].value.value.strip().splitlines()
        assert set(lines[0]) == {"="} and len(lines[0]) >= len(lines[1]), path
