"""The classes that a file may name: those registered here, torch's optimizers, splitters."""

import torch
from sklearn import model_selection
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from skcvae.data.coding import Scaling
from skcvae.data.field import FieldStatistics
from skcvae.data.gaps import Flagged
from skcvae.data.labels import OneHot
from skcvae.data.table import Table
from skcvae.data.tails import Tails

# Filled by the packages that define the classes.
ESTIMATORS: dict[str, type] = {}
PARAMETER_OBJECTS: dict[str, type] = {}
RECORDS = {cls.__name__: cls for cls in (FieldStatistics, Flagged, OneHot, Scaling, Table, Tails)}
OPTIMIZERS = {
    name: value
    for name, value in vars(torch.optim).items()
    if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
}
SPLITTERS = {
    cls.__name__: cls
    for cls in (
        model_selection.GroupKFold,
        model_selection.GroupShuffleSplit,
        model_selection.KFold,
        model_selection.LeaveOneGroupOut,
        model_selection.PredefinedSplit,
        model_selection.ShuffleSplit,
        model_selection.StratifiedGroupKFold,
        model_selection.StratifiedKFold,
        model_selection.TimeSeriesSplit,
    )
}
# What scikit-learn's set_output and set_fit_request, set_score_request, ... leave in an estimator.
SETTINGS = {"_metadata_request": MetadataRequest, "_sklearn_output_config": dict}
CUSTOM = "custom "  # before the name of a user's class
# The compiler's other parameters may name programs to run.
COMPILER_PARAMS = {"mode", "dynamic", "fullgraph"}


def names_programs(compiler) -> bool:
    """Return whether the parameter `compile` may name programs to run."""
    return isinstance(compiler, dict) and not compiler.keys() <= COMPILER_PARAMS


def register_estimators(*classes):
    """Let estimators be saved and loaded by their names."""
    ESTIMATORS.update({cls.__name__: cls for cls in classes})


def register_modules(*modules):
    """Let the parameter objects of modules be saved and loaded."""
    for module in modules:
        package = module.__name__.removeprefix("skcvae.")
        for name in module.__all__:
            if issubclass(getattr(module, name), BaseEstimator):
                PARAMETER_OBJECTS[f"{package}.{name}"] = getattr(module, name)


def register_objects(*classes):
    """Let parameter objects and named tuples be saved and loaded by their names."""
    for cls in classes:
        table = RECORDS if issubclass(cls, tuple) else PARAMETER_OBJECTS
        table[cls.__name__] = cls
