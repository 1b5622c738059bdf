"""A misspelt parameter is answered with the one that was meant."""

import re

import numpy as np
import pytest
from conftest import ESTIMATORS, UNSUPERVISED

from skcvae import CVAERegressor, Training
from skcvae.architectures import MLP
from skcvae.estimators._parameters import NAMED, OBJECTS
from skcvae.suggestions import _ALIASES, _SYNONYMS, suggestion

KNOWN = ["architecture", "batch_size", "latent_dim", "lr", "max_epochs", "normalize_X"]
NESTED = ["training__lr", "training__max_epochs", "likelihood__min_scale", "architecture__dropout"]
MEMBERS = ["estimator__latent_dim", "estimator__architecture"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("laten_dim", "latent_dim"),
        ("latentdim", "latent_dim"),
        ("max_epoch", "max_epochs"),
        ("MAX_EPOCHS", "max_epochs"),
        ("architectures", "architecture"),
        ("normalize_x", "normalize_X"),
        ("epochs", "max_epochs"),
        ("learning_rate", "lr"),
        ("n_components", "latent_dim"),
        ("batchsize", "batch_size"),
        ("hidden_layer_sizes", "architecture=MLP(hidden_layer_sizes=...)"),
        ("hidden_layers_sizes", "architecture=MLP(hidden_layer_sizes=...)"),
    ],
)
def test_what_was_meant(name, meant):
    assert suggestion(name, KNOWN) == f"Did you mean '{meant}'?"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", "training=Training(lr=...)"),
        ("learning_rate", "training=Training(lr=...)"),
        ("training__max_epoch", "training=Training(max_epochs=...)"),
        ("dropout", "architecture=MLP(dropout=...)"),
        ("min_scal", "likelihood__min_scale"),
        ("n_components", "estimator=CVAERegressor(latent_dim=...)"),
    ],
)
def test_parameters_of_parameter_objects(name, meant):
    assert suggestion(name, [*NESTED, *MEMBERS]) == f"Did you mean '{meant}'?"


def test_an_estimators_own_parameters_come_first():
    for known in (["training__lr", "lr"], ["lr", "training__lr"]):
        assert suggestion("learning_rate", known) == "Did you mean 'lr'?"


@pytest.mark.parametrize("name", ["quantum", "x", "", "foo__bar", "kl_weight", "seed"])
def test_what_is_not_close_is_not_guessed(name):
    assert suggestion(name, KNOWN) == ""


def test_only_parameters_that_are_there_are_suggested():
    assert suggestion("n_components", ["lr", "max_epochs"]) == ""
    for known in (["lr"], MEMBERS):
        assert suggestion("hidden_layer_sizes", known) == ""
    assert suggestion("epochs", iter(["lr"])) == ""


@pytest.mark.parametrize("alias", _ALIASES)
def test_every_alias_is_answered(alias):
    assert suggestion(alias, [_ALIASES[alias]]) == f"Did you mean '{_ALIASES[alias]}'?"


@pytest.mark.parametrize(
    ("params", "meant"),
    [
        ({"prior": "mixtures"}, "mixture"),
        ({"likelihood": "normal"}, "gaussian"),
        ({"likelihood": "Gauss"}, "gaussian"),
        ({"architecture": "cnn"}, "conv"),
        ({"objective": "elbow"}, "elbo"),
        ({"architecture": MLP(activation="rellu")}, "relu"),
        ({"training": Training(lr_schedule="one-cycle")}, "one_cycle"),
        ({"max_epochs": "aut"}, "auto"),
    ],
    ids=str,
)
def test_a_misspelt_choice_is_answered_with_the_closest_of_sorted_ones(params, meant):
    with pytest.raises(ValueError, match=f"instead. Did you mean '{meant}'") as caught:
        CVAERegressor(**params).fit([[0.0]], [[0.0]])
    names = re.search(r"among \{(.*?)\}", str(caught.value))[1].split(", ")
    assert names == sorted(names)


def test_a_choice_that_is_not_close_is_not_guessed():
    with pytest.raises(ValueError, match="'standard'}.* Got 'quantum' instead.$"):
        CVAERegressor(prior="quantum").fit([[0.0]], [[0.0]])


@pytest.mark.parametrize("synonym", _SYNONYMS)
def test_every_synonym_is_of_a_choice(synonym):
    meant = {choice for kind in OBJECTS for choice in NAMED[kind]}
    assert _SYNONYMS[synonym] in meant
    assert suggestion(synonym, meant - {synonym}) == f"Did you mean '{_SYNONYMS[synonym]}'?"


def test_aliases_stand_for_parameters_and_are_none():
    names = {name.rpartition("__")[-1] for name in CVAERegressor().get_params()}
    assert not set(_ALIASES) & names and set(_ALIASES.values()) <= names
    assert "hidden_layer_sizes" in MLP().get_params()


ROWS = np.random.default_rng(0).normal(size=(20, 8, 8))
CHOSEN = [
    (cls, name)
    for cls in (*ESTIMATORS, *UNSUPERVISED)
    for name in ("architecture", "objective", "prior")
    if name in cls._get_param_names()
]


@pytest.mark.parametrize(("cls", "name"), CHOSEN)
def test_the_choices_that_an_error_lists_are_those_that_fit_accepts(cls, name):
    if name == "prior":
        pytest.importorskip("zuko")
    y = ROWS if name == "architecture" else ROWS[:, 0]  # images, sequences, or tables
    rows = (y,) if cls in UNSUPERVISED else (ROWS[:, 0], y)
    given = {"alpha": 1} if "alpha" in cls._get_param_names() else {}
    with pytest.raises(ValueError, match="must be a str among") as error:
        cls(**{name: "junk"}).fit(*rows)
    braces = re.search(r"among \{(.*?)\}", str(error.value))[1]
    listed = set(re.findall(r"'(\w+)'", braces))
    for choice in listed:
        cls(**{name: choice}, **given, max_epochs=1, random_state=0).fit(*rows)
    for choice in NAMED[name].keys() - listed:
        with pytest.raises(ValueError, match=r"expects an|trains") as error:  # not "must be a str"
            cls(**{name: choice}, **given).fit(*rows)
