"""Optional libraries: one error for all of them, and none of its extras is made up."""

import ast
import doctest
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from medvision import extras
from medvision.errors import ItemError, MissingExtraError, UsageError
from medvision.extras import require

ROOT = Path(__file__).parent.parent
SOURCES = {path: path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")}
OPTIONAL = ("SimpleITK", "highdicom", "torch", "transformers", "peft", "trl", "bitsandbytes")


def test_a_library_that_is_there_is_handed_over():
    assert require("math", "formats", item="a.dcm").sqrt(9) == 3
    assert doctest.testmod(extras).failed == 0


def test_a_library_that_is_not_there_is_an_error_that_says_how_to_install_it():
    message = r"a\.dcm: needs no_such, not installed; run: pip install 'medvision\[formats\]'"
    with pytest.raises(MissingExtraError, match=message):
        require("no_such", "formats", item="a.dcm")


def test_the_error_is_one_of_an_item_in_a_loop_and_one_of_usage_outside():
    assert issubclass(MissingExtraError, ItemError)
    assert issubclass(MissingExtraError, UsageError)
    assert MissingExtraError.reason == "missing_extra"


def constants():
    """Texts that stand under a name in any module: `EXTRA` is one of these."""
    found = {}
    for text in SOURCES.values():
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(value))):
                    found.setdefault(name, set()).add(value)
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(values=values)):
                    texts = [v.value for v in values if isinstance(v, ast.Constant)]
                    found.setdefault(name, set()).update(texts)
    return found


def extras_asked_for():
    """(file, extra) of every call of `require`, and of every `medvision[...]` in a text."""
    named = constants()
    for path, text in SOURCES.items():
        if path == Path(extras.__file__):
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Call(func=ast.Name(id="require"), args=[_, ast.Constant(value=extra)]):
                    yield path, extra
                case ast.Call(func=ast.Name(id="require"), args=[_, ast.Name(id=name)]):
                    yield from ((path, extra) for extra in named[name])
                case ast.Call(
                    func=ast.Name(id="require"), args=[_, ast.Subscript(value=ast.Name(id=name))]
                ):
                    yield from ((path, extra) for extra in named[name])
                case ast.Call(func=ast.Name(id="require")):
                    pytest.fail(f"{path}: {ast.unparse(node)}: name the extra plainly")
        for extra in re.findall(r"medvision\[([\w,]+)\]", text):
            yield path, extra


def test_every_extra_that_an_error_names_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = dict.fromkeys(extras_asked_for())
    assert {extra for _, extra in asked} >= {"formats", "dicom", "hf", "qlora"}
    unknown = [(path.name, e) for path, e in asked if e not in project["optional-dependencies"]]
    assert unknown == []


def test_there_is_one_class_for_a_missing_extra():
    named = [
        (path.name, node.name)
        for path, text in SOURCES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and re.search(r"Missing\w*Extra", node.name)
    ]
    assert named == [("errors.py", "MissingExtraError")]


def test_modules_of_all_stages_are_imported_without_any_extra():
    """As of a user who installed none: importing one of these libraries fails."""
    heavy = {"train"}  # of its modules, those that touch a model need the extra of its name
    modules = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in SOURCES
        if path.relative_to(ROOT / "src" / "medvision").parts[0] not in heavy
        and path.name != "__main__.py"
    ]
    # A finder that fails, not None in `sys.modules`: libraries look there for what is in use.
    code = "import importlib, sys\nclass Absent:\n  def find_spec(self, name, *_):\n"
    code += f"    if name.partition('.')[0] in {OPTIONAL}: raise ModuleNotFoundError(name)\n"
    code += "sys.meta_path.insert(0, Absent())\n"
    code += f"for name in {sorted(modules)}: importlib.import_module(name)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def test_training_without_its_extra_is_refused_before_tables_are_read(tmp_path, monkeypatch):
    from medvision.api import fine_tune

    monkeypatch.setitem(sys.modules, "torch", None)
    config = tmp_path / "sft.toml"
    config.write_text(
        f'output = "{tmp_path / "out"}"\nmodel = {{ base = "b", family = "56x56" }}\n'
        '[data]\ntables = ["none"]\ntasks = [{ task = "tl" }]\n'
    )
    with pytest.raises(MissingExtraError, match=r"training: needs torch, .*medvision\[train\]"):
        fine_tune(config)
    assert not (tmp_path / "out").exists()
