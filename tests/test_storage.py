"""Folders of ours: names stay inside, one process at a time, removals that a kill cannot halve."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.storage import (
    FolderInUseError,
    UnsafeNameError,
    absolute,
    checked_name,
    only_process,
    remove_tree,
    write_text,
)

HOSTILE = (
    *("", ".", "..", "../x", "a/b", "a\\b", "x/../../victim", "/etc", "C:x", "a\nb", "a\0b", "-rf"),
    *(".hidden", " x", "x" * 300, "é" * 150, "a|b", "a*b"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_are_no_part_of_a_path_are_refused(name):
    with pytest.raises(
        UnsafeNameError, match="task_ID: expected a name that can be part of a path"
    ):
        checked_name(name, "task_ID")


@given(st.text(max_size=30))
def test_a_name_that_passes_stays_in_its_folder(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp() / "inside"
    try:
        passed = checked_name(name, "case")
    except UnsafeNameError:
        return
    assert (folder / passed).parent == folder
    assert "\n" not in passed


HOLDER = """
import sys
from pathlib import Path
from medvision.storage import only_process
with only_process(Path(sys.argv[1]), "holding"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_and_a_killed_one_lets_go(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as holder:
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(FolderInUseError, match="another process is building here"),
            only_process(tmp_path, "building"),
        ):
            pass
        holder.kill()
        holder.wait()
    with only_process(tmp_path, "building"):
        write_text(tmp_path / "x", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_a_killed_removal_left_goes_with_the_next(tmp_path):
    left = tmp_path / ".removed-123-.build"
    left.mkdir()
    (left / "half").touch()
    remove_tree(tmp_path / ".build")
    assert list(tmp_path.iterdir()) == []


def test_removing_one_folder_leaves_its_neighbours(tmp_path):
    for name in ("regions", "regions-old"):
        (tmp_path / name).mkdir()
    remove_tree(tmp_path / "regions")
    assert [path.name for path in tmp_path.iterdir()] == ["regions-old"]


def test_an_absolute_path_keeps_links_and_follows_what_stands_before_two_dots(
    tmp_path, monkeypatch
):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "a.nii").touch()
    (tmp_path / "link").symlink_to("real/deep")
    (tmp_path / "b.nii").symlink_to("real/a.nii")
    monkeypatch.chdir(tmp_path)
    assert absolute(Path("b.nii")) == tmp_path / "b.nii"
    assert absolute(Path("link")) == tmp_path / "link"
    assert absolute(Path("real/../b.nii")) == tmp_path / "b.nii"
    assert absolute(Path("link/../a.nii")) == tmp_path / "real" / "a.nii"  # as the system opens it
    assert absolute(tmp_path / "new" / "x") == tmp_path / "new" / "x"
