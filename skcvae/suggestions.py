"""Suggestions for misspelt names of parameters and of their choices."""

import re
from difflib import get_close_matches

# Names that users of scikit-learn and Keras know, and the parameters in their place.
_ALIASES = {
    "batchsize": "batch_size",
    "epochs": "max_epochs",
    "kl_weight": "beta",
    "latent_size": "latent_dim",
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "n_components": "latent_dim",
    "n_epochs": "max_epochs",
    "n_latent": "latent_dim",
    "seed": "random_state",
    "z_dim": "latent_dim",
}
# Other names of choices, such as of likelihoods.
_SYNONYMS = {
    "binary": "bernoulli",
    "cnn": "conv",
    "gmm": "gaussian_mixture",
    "gp": "gaussian_process",
    "mixture": "gaussian_mixture",
    "normal": "gaussian",
    "student": "student_t",
}
# The classes of parameter objects, as a constructor is given them.
_OBJECTS = {"architecture": "MLP", "estimator": "CVAERegressor", "training": "Training"}


def suggestion(name, known):
    """Return "Did you mean ...?" for the closest known name, or ""."""
    spelt = _by_leaf(known)
    alias = {**_ALIASES, **_SYNONYMS}.get(name.lower())
    leaf = name.lower().rpartition("__")[-1]
    close = [alias] if alias in spelt else get_close_matches(leaf, spelt, n=1, cutoff=0.7)
    return f"Did you mean '{spelt[close[0]]}'?" if close else ""


def _by_leaf(known):
    """Map leaf names to how the constructor accepts them."""
    spelt = {}
    # An estimator's own parameters come before those of its objects.
    for full in sorted(known, key=lambda name: "__" in name):
        parent, _, leaf = full.rpartition("__")
        nested = f"{parent}={_OBJECTS[parent]}({leaf}=...)" if parent in _OBJECTS else full
        spelt.setdefault(leaf, nested)
    if spelt.get("architecture") == "architecture":  # its name in a string has no parameters
        spelt.setdefault("hidden_layer_sizes", "architecture=MLP(hidden_layer_sizes=...)")
    return spelt


def unknown_parameter(cls, given, nested=()):
    """Return the message for the first of the given names that is no parameter of a class."""
    known = cls._get_param_names()
    name = next(name for name in given if name not in known)
    expected = suggestion(name, [*known, *nested]) or f"Expected some of {known}."
    return f"{cls.__name__} has no parameter {name!r}. {expected}"


def unknown_name(message):
    """Return scikit-learn's message with its choices sorted, and with the closest of them."""
    given = re.search(r"Got '(.*)' instead", message)
    choices = re.search(r"a str among \{(.*?)\}", message)
    if choices is None:
        return message
    names = sorted(choices[1].split(", "))
    hint = suggestion(given[1], [name.strip("'") for name in names]) if given else ""
    return f"{message.replace(choices[1], ', '.join(names))} {hint}".rstrip()
