"""A fitted estimator says what it learned; diagrams link to pages that there are."""

import inspect
import pickle
import re
from pathlib import Path

import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

import skcvae
from skcvae import (
    CVAERegressor,
    EnsembleRegressor,
    NNRegressor,
    StackedGridSearchCV,
    Training,
    architectures,
    likelihoods,
    priors,
)
from skcvae.architectures import MLP

DOCS = Path(__file__).parent.parent / "docs"
API = (DOCS / "api.rst").read_text() + (DOCS / "api_parts.rst").read_text()
LINKED = [
    getattr(module, name)
    for module in (skcvae, architectures, likelihoods, priors)
    for name in module.__all__
    if isinstance(getattr(module, name), type)
    and issubclass(getattr(module, name), BaseEstimator)
    and not inspect.isabstract(getattr(module, name))
]


def made(kind):
    if kind is likelihoods.Columns:
        return kind([("real", "gaussian", [0])])
    if kind in (likelihoods.Autoregressive, likelihoods.MaskedImage):
        return kind(likelihoods.Gaussian())
    if kind is StackedGridSearchCV:
        return kind(CVAERegressor(), {})
    return kind()


@pytest.mark.parametrize("kind", LINKED, ids=lambda kind: kind.__name__)
def test_the_diagram_links_to_a_page_of_the_documentation(kind):
    obj = made(kind)
    page = re.fullmatch(
        r"https://skcvae.readthedocs.io/en/stable/generated/skcvae\.(.*)\.html",
        obj._get_doc_link(),
    )[1]
    assert re.search(rf"^   {re.escape(page)}$", API, re.M)
    assert obj._get_doc_link() in obj._repr_html_()


def test_a_class_of_the_user_has_no_page():
    class Mine(CVAERegressor):
        pass

    assert Mine()._get_doc_link() == ""


def test_the_summary_is_of_what_was_learned(estimator_class, data):
    networks = MLP(shortcut=False)  # others start at least squares
    est = estimator_class(
        architecture=networks,
        max_epochs=6,
        lr=0.1,
        random_state=0,
        training=Training(patience=2, temperature=None),
    )
    with pytest.raises(NotFittedError):
        est.summary()
    text = est.fit(*data).summary()
    model = est.net_.module_.model
    n_parameters = sum(weight.numel() for weight in model.parameters())
    clls = est.history_[:, "valid_cll"]
    assert text.startswith(f"{estimator_class.__name__}\n")
    assert re.search(rf"^parameters +{n_parameters:,}: output ", text, re.M)
    assert re.search(rf"^device +{next(model.parameters()).device}$", text, re.M)
    assert re.search(
        rf"^epochs +{len(clls)}, the best {clls.index(max(clls)) + 1}$", text, re.M
    ), text
    assert re.search(rf"^validation +CLL {max(clls):.3f} nats$", text, re.M)
    assert pickle.loads(pickle.dumps(est)).summary() == text
    assert str(est).startswith(estimator_class.__name__) and "CLL" not in repr(est)


def test_the_summary_says_that_no_epoch_was_better_than_the_start(estimator_class, data):
    est = estimator_class(max_epochs=3, lr=1e-30, random_state=0).fit(*data)
    text, score = est.summary(), est.best_validation_score_
    assert re.search("^epochs +3, the start is kept$", text, re.M), text
    assert re.search(f"^validation +CLL {score:.3f} nats$", text, re.M), text


def test_without_validation_rows_the_summary_names_no_best(data):
    text = NNRegressor(max_epochs=2, early_stopping=False).fit(*data).summary()
    assert re.search("^epochs +2$", text, re.M) and "CLL" not in text and "latent" not in text


def test_the_summary_of_an_ensemble_has_every_member(data):
    est = EnsembleRegressor(CVAERegressor(max_epochs=2), n_estimators=2, random_state=0)
    text = est.fit(*data).summary()
    for i, member in enumerate(est.estimators_):
        assert re.search(rf"^latent {i} .*{member.n_active_units_} in use$", text, re.M)
        assert re.search(rf"^epochs {i} ", text, re.M)
    assert "members       2 of CVAERegressor" in text and text.count("parameters") == 1


def test_a_notebook_shows_the_summary_below_the_diagram(any_class, data):
    est = any_class(max_epochs=1)
    assert "nats" not in est._repr_html_()
    est.fit(*data)
    summary = est.summary()
    assert est._repr_html_().endswith(f"<pre>{summary}</pre>")
    assert est._repr_mimebundle_()["text/html"].endswith(f"<pre>{summary}</pre>")
    assert est._repr_mimebundle_()["text/plain"] == repr(est)
    with config_context(display="text"):
        assert "text/html" not in est._repr_mimebundle_() and not hasattr(est, "_repr_html_")


def test_showing_an_estimator_draws_no_global_numbers(data):
    pytest.importorskip("zuko")
    for est in (CVAERegressor(prior="flow"), skcvae.VAE(prior="flow")):
        est = est.set_params(max_epochs=1).fit(*data)
        before = torch.random.get_rng_state()
        assert est._repr_html_() and repr(est.net_) and est._repr_mimebundle_()
        assert torch.equal(before, torch.random.get_rng_state())
