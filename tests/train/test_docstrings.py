"""Examples in docstrings of training run. Needs the extra `train`."""

import doctest
import importlib
import pkgutil

import pytest

pytest.importorskip("trl")

import medvision.train

pytestmark = pytest.mark.train

MODULES = [module.name for module in pkgutil.iter_modules(medvision.train.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name):
    module = importlib.import_module(f"medvision.train.{name}")
    assert doctest.testmod(module).failed == 0


def test_there_are_examples():
    found = doctest.DocTestFinder().find(importlib.import_module("medvision.train.mixing"))
    assert sum(len(one.examples) for one in found) >= 2
