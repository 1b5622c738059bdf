"""Every public object of the package is in the API reference."""

import importlib
import inspect
import pkgutil
import re
from operator import attrgetter
from pathlib import Path

import pytest

import skcvae

REFERENCE = Path(__file__).parent.parent / "docs" / "api.rst"
ENTRIES = re.findall(r"^   (\w+(?:\.\w+)*)$", REFERENCE.read_text(), re.M)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(skcvae.__path__, "skcvae.")
    if not re.search(r"\._", module.name)
)


def is_defined_in(obj, module):
    return (inspect.isclass(obj) or inspect.isfunction(obj)) and obj.__module__ == module.__name__


@pytest.mark.parametrize("name", ["skcvae", *MODULES])
def test_public_objects_are_listed(name):
    module = importlib.import_module(name)
    exported = [getattr(module, public) for public in getattr(module, "__all__", [])]
    defined = [
        obj
        for public, obj in vars(module).items()
        if not public.startswith("_") and is_defined_in(obj, module)
    ]
    listed = [attrgetter(entry)(skcvae) for entry in ENTRIES]
    missing = [obj for obj in exported + defined if not any(obj is one for one in listed)]
    assert not missing


def test_no_object_is_listed_twice():
    assert len(ENTRIES) == len(set(ENTRIES))
