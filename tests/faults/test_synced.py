"""A file's bytes are on the disk before its name is: after a power cut no name is without them."""

import os
import shutil
from pathlib import Path

import pytest

from medvision.cli import main
from tests.faults.harness import COMMANDS, begun

OTHERS = {
    "sheet": ["--sheet", "2"],
    "slice": ["--case", "c0", "--plane", "axial", "--slice", "5"],
}


@pytest.fixture
def published(monkeypatch):
    """Files that took their names, or the names of folders above them, without being synced."""
    synced, unsynced = set(), []
    fsync, replace, rename = os.fsync, Path.replace, Path.rename

    def noted(handle):
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def checked(move):
        def moved(path, target):
            files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
            # What is removed needs no bytes; a staged case is looked at again before it is used.
            if ".removed" not in str(target) and path.parent.name != ".build":
                unsynced.extend(one for one in files if one.stat().st_ino not in synced)
            return move(path, target)

        return moved

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", checked(replace))
    monkeypatch.setattr(Path, "rename", checked(rename))
    return unsynced


@pytest.mark.parametrize("name", COMMANDS)
def test_data_is_synced_before_it_is_published(study, tmp_path, published, name):
    copy = begun(study, tmp_path / "study", COMMANDS[name])
    assert main(COMMANDS[name].words(copy)) == 0
    assert published == []


@pytest.mark.parametrize("form", OTHERS)
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_pictures_are_written_whole_or_not_at_all(
    study, tmp_path, published, monkeypatch, form, suffix
):
    out = tmp_path / f"drawn.{suffix}"
    words = ["render", "--tables", str(study.tables), *OTHERS[form], "--out", str(out)]
    assert main(words) == 0
    assert published == []
    out.write_bytes(b"the picture before")

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(words) == 1
    assert out.read_bytes() == b"the picture before"
    assert list(tmp_path.iterdir()) == [out]


def test_the_check_sees_what_is_not_synced(tmp_path, published):
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "a").write_text("x", encoding="utf-8")
    (tmp_path / "draft").rename(tmp_path / "whole")
    assert [path.name for path in published] == ["a"]
    shutil.rmtree(tmp_path / "whole")
