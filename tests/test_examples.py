"""Every `>>>` in the package's docstrings is run, module by module, and says what comes out."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import medvision

ROOT = Path(medvision.__file__).parent
PROMPT = re.compile(r"^\s*>>> ", re.MULTILINE)


def modules_with_examples():
    """Name of each module that holds a prompt → how many it holds."""
    counts = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        counts[name] = len(PROMPT.findall(path.read_text(encoding="utf-8")))
    return {name: count for name, count in counts.items() if count}


N_PROMPTS = modules_with_examples()


@pytest.mark.parametrize("name", N_PROMPTS)
def test_examples_hold(name, tmp_path, monkeypatch):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        library = str(missing.name).partition(".")[0]
        if library == "medvision":
            raise
        pytest.skip(f"needs {library}, an optional library that is not installed")
    monkeypatch.chdir(tmp_path)  # for examples that write
    runner, report = doctest.DocTestRunner(), []
    for example in doctest.DocTestFinder().find(module, name):
        runner.run(example, out=report.append)
    result = runner.summarize(verbose=False)
    assert not result.failed, "".join(report)
    # doctest reads docstrings of modules, classes and functions, and no others.
    assert result.attempted == N_PROMPTS[name], "a prompt stands where doctest does not look"


def test_modules_that_measure_have_examples():
    assert {"medvision.frames", "medvision.geometry", "medvision.annotate.shape"} <= set(N_PROMPTS)
