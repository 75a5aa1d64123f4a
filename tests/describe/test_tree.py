"""A folder as names: what is listed, what is left out, links."""

import pytest

from medvision.describe.tree import read_tree
from medvision.errors import UsageError


def fill(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("x")


def test_hidden_files_and_what_systems_leave_are_not_listed(tmp_path):
    fill(tmp_path, "a/b.nii.gz", "a/._b.nii.gz", "__MACOSX/a/b.nii.gz", ".git/x", "Thumbs.db")
    assert read_tree(tmp_path).files == ("a/b.nii.gz",)


def test_names_are_those_of_links_and_circles_end(tmp_path):
    fill(tmp_path, "store/blob.nii.gz", "data/own.nii.gz")
    (tmp_path / "data" / "case.nii.gz").symlink_to(tmp_path / "store" / "blob.nii.gz")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "store")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    found = read_tree(tmp_path / "data")
    assert found.files == ("case.nii.gz", "more/blob.nii.gz", "own.nii.gz")
    assert found.folders["more"] == ("blob.nii.gz",)


def test_images_are_known_by_their_suffix(tmp_path):
    fill(tmp_path, "a/p1_0000.nii.gz", "a/p1.json", "b.PNG")
    tree = read_tree(tmp_path)
    assert tree.images == {"a/p1_0000.nii.gz": ("a", "p1_0000"), "b.PNG": ("", "b")}


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="expected a folder"):
        read_tree(tmp_path / "nothing")
