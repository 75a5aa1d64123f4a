"""The figures of the source tree are what they say, on sources small enough to count by hand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.structure import (
    CLONE_TOKENS,
    Module,
    broken_bounds,
    cloned_lines,
    count_task_tables,
    measure,
    once_used_helpers,
    read_modules,
)

ROOT = Path(__file__).parent.parent


def module(text, name="a.py"):
    return Module(name=name, text=text)


def once_used(*texts):
    modules = [module(text, f"{letter}.py") for letter, text in zip("abc", texts, strict=False)]
    return {function.name: use for function, use in once_used_helpers(modules).items()}


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("", {}),
        ("x = _helper()", {"_helper": "called"}),
        ("x = _helper() + _helper()", {}),
        ("TABLE = {'name': _helper}", {"_helper": "named"}),
        ("TABLE = {'name': _helper}\nx = _helper()", {}),
        ("x = map(_helper, [])", {"_helper": "named"}),
        ("x = '_helper()'  # _helper()", {}),
    ],
)
def test_a_reference_is_a_call_or_a_name_in_a_table(use, expected):
    assert once_used(f"def _helper():\n    return 1\n\n{use}\n") == expected


def test_decorators_count_for_the_function_they_name_alone():
    source = "def _register(f):\n    return f\n\n@_register\ndef _helper():\n    return 1\n"
    assert once_used(source) == {"_register": "named"}
    assert once_used(source + "\nx = _helper()\n") == {"_register": "named", "_helper": "called"}


def test_public_dunder_and_nested_functions_are_no_private_helpers():
    source = """
def public():
    def _nested():
        return 1
    return _nested()

class Thing:
    def __len__(self):
        return self._size()
    def _size(self):
        return public()
"""
    assert once_used(source) == {"_size": "called"}


def test_references_from_other_modules_count_unless_these_define_the_name():
    helper = "def _helper():\n    return 1\n"
    assert once_used(helper + "x = _helper()\n", "from a import _helper\n") == {}
    own = helper + "x = _helper()\n"
    assert len(once_used_helpers([module(own), module(own, "b.py")])) == 2


def test_body_lines_leave_out_signature_docstring_and_decorator():
    source = '''
@property
def long(
    first,
):
    """One.

    Two.
    """
    # a comment before the first statement is not counted
    a = 1

    async def inner():
        return a
    return inner

def documented():
    """Nothing more."""
'''
    found = {f.name: (f.place, f.body_lines) for f in module(source).functions}
    assert found == {
        "long": ("a.py:3", 5),
        "inner": ("a.py:13", 1),
        "documented": ("a.py:17", 0),
    }


def block(n_tokens, name="x"):
    """Lines of `x = 1`, four tokens each with the line's end."""
    assert n_tokens % 4 == 0
    return "".join(f"{name} = {index}\n" for index in range(n_tokens // 4))


def test_clones_are_the_lines_of_runs_of_equal_tokens():
    n_lines = CLONE_TOKENS // 4 + 1
    long, short = block(4 * n_lines), block(4 * (n_lines - 1))
    assert cloned_lines([module(long), module(short, "b.py")]) == set()
    twice = cloned_lines([module("import a\n" + long), module("# noted\n\n" + long, "b.py")])
    assert twice == {("a.py", 2 + index) for index in range(n_lines)} | {
        ("b.py", 3 + index) for index in range(n_lines)
    }


def test_clones_keep_names_and_pass_over_indentation_and_comments():
    text = block(4 * CLONE_TOKENS)
    other_names = block(4 * CLONE_TOKENS, name="y")
    assert cloned_lines([module(text), module(other_names, "b.py")]) == set()
    indented = "if x:\n" + "".join(f"    {line}  # why\n" for line in text.splitlines())
    assert len(cloned_lines([module(text), module(indented, "b.py")])) == 2 * CLONE_TOKENS


def test_clones_within_one_module_are_found():
    text = block(4 * CLONE_TOKENS)
    assert len(cloned_lines([module(text + "pass\n" + text)])) == 2 * CLONE_TOKENS


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("T = {Task.A: 1, Task.B: 2}", 1),
        ("T = {samples.Task.A: {Task.B: 1}}", 2),
        ("T = {}", 0),
        ("T = {Task.A: 1, **more}", 0),
        ("T = {'a': Task.A}", 0),
        ("T = {Kind.A: 1, Task.A.value: 2}", 0),
    ],
)
def test_tables_keyed_by_task(source, count):
    assert count_task_tables(module(source)) == count


def test_figures_of_a_folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("from a import _f\n_f()\n")
    (tmp_path / "a.py").write_text("# why\ndef _f():\n    return Task.A\n\n\nx = _f()\n")
    (tmp_path / "inner" / "b.py").write_text("T = {Task.A: 1}  # noted '#'\ny = '# no comment'\n")
    figures = measure(read_modules(tmp_path))
    assert [m.name for m in figures.modules] == ["a.py", "inner/b.py"]
    assert (figures.n_lines, figures.n_comments, figures.n_cloned_lines) == (8, 2, 0)
    assert (figures.once_used_frac, figures.short_frac) == (1, 1)
    assert figures.task_tables == {"inner/b.py": 1}
    assert figures.n_naming_tasks == 2


def body(n_lines):
    return "".join(f"    x{index} = {index}\n" for index in range(n_lines))


def test_each_broken_bound_is_named():
    good = "".join(f"def f{index}():\n    return {index}\n" for index in range(10))
    assert broken_bounds(measure([module(good)])) == []

    def broken(text):
        return broken_bounds(measure([module(text)]))

    assert broken(good + f"def long():\n{body(60)}") == []
    assert broken(good + f"def long():\n{body(61)}") == [
        "function a.py:21 long: 61 lines, at most 60"
    ]
    assert broken(f"def long():\n{body(26)}") == [
        "functions of 25 lines or less: 0.0%, at least 90%"
    ]
    assert broken(good + "\n" * 430) == []
    assert broken(good + "\n" * 431) == ["module a.py: 451 lines, at most 450"]
    assert broken("def _f():\n    return 1\n\nx = _f()\n") == [
        "private helpers used once: 100.0%, at most 20%"
    ]
    text = block(4 * CLONE_TOKENS)
    assert broken(good + text + "pass\n" + text) == ["clones: 82.64%, below 1%"]


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks.structure", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_check_exits_1_only_where_a_bound_is_broken(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    return 1\n")
    good = run(tmp_path, "--check")
    assert (good.returncode, good.stderr) == (0, "")
    assert re.search(r"^modules 1, lines 2, functions 1$", good.stdout, flags=re.MULTILINE)
    (tmp_path / "b.py").write_text("\n" * 451)
    bad = run(tmp_path, "--check")
    assert bad.returncode == 1
    assert "broken: module b.py: 451 lines, at most 450" in bad.stdout
    assert run(tmp_path).returncode == 0


@pytest.mark.parametrize("package", ["inner", "pkg.inner", "src/pkg/inner/", "inner.b"])
def test_list_names_place_and_length(tmp_path, package):
    folder = tmp_path / "pkg"
    (folder / "inner").mkdir(parents=True)
    source = "def _f():\n    x = 1\n    return x\n\n\ny = _f()\n"
    (folder / "inner" / "b.py").write_text(source)
    (folder / "inner_too.py").write_text(source)
    listed = run(folder, "--list", package)
    assert listed.stdout.splitlines() == ["pkg/inner/b.py:1  _f  2 lines, called"]


def test_a_folder_without_modules_is_refused(tmp_path):
    refused = run(tmp_path)
    assert refused.returncode == 2
    assert "no Python module in" in refused.stderr


def test_our_tree_keeps_the_bounds():
    assert broken_bounds(measure(read_modules(ROOT / "src" / "medvision"))) == []
