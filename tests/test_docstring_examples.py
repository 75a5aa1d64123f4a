"""Every example of a docstring gives what it says."""

import doctest
import importlib
from pathlib import Path

import pytest

import medvision

ROOT = Path(medvision.__file__).parent
MODULES = [
    ".".join(("medvision", *path.relative_to(ROOT).with_suffix("").parts))
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert failed == 0
