"""Every public object of the package is in the API reference."""

import importlib.util
import inspect
import pkgutil
import re
from operator import attrgetter
from pathlib import Path

import pytest

import skcvae

DOCS = Path(__file__).parent.parent / "docs"
# Of users, and of authors of parts.
REFERENCE = "".join((DOCS / name).read_text() for name in ("api.rst", "api_parts.rst"))
ENTRIES = re.findall(r"^   (\w+(?:\.\w+)*)$", REFERENCE, re.M)
# Modules that estimators use inside; of these only what `skcvae` exports is public.
INTERNAL = (
    "data",
    "documented",
    "fitted",
    "io",
    "random",
    "specification",
    "suggestions",
    "threads",
    "training",
    "version",
    "whole_numbers",
)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(skcvae.__path__, "skcvae.")
    if not re.search(r"\._", module.name) and module.name.split(".")[1] not in INTERNAL
)


def is_defined_in(obj, module):
    return (inspect.isclass(obj) or inspect.isfunction(obj)) and obj.__module__ == module.__name__


@pytest.mark.parametrize("name", ["skcvae", *MODULES])
def test_public_objects_are_listed(name):
    module = importlib.import_module(name)
    exported = map(module.__dict__.get, getattr(module, "__all__", []))
    exported = [obj for obj in exported if callable(obj)]  # neither modules nor constants
    defined = [
        obj
        for public, obj in vars(module).items()
        if not public.startswith("_") and is_defined_in(obj, module)
    ]
    listed = [attrgetter(entry)(skcvae) for entry in ENTRIES]
    missing = [obj for obj in exported + defined if not any(obj is one for one in listed)]
    assert not missing


def test_internal_modules_exist_and_are_not_listed():
    assert all(importlib.util.find_spec(f"skcvae.{name}") for name in INTERNAL)
    assert not [entry for entry in ENTRIES if entry.split(".")[0] in INTERNAL]
    named = re.findall(r"skcvae\.(\w+)", REFERENCE)
    assert not set(named) & set(INTERNAL)


def test_no_object_is_listed_twice():
    assert len(ENTRIES) == len(set(ENTRIES))
