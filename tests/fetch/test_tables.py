"""From archives at hand to tables, and what the tables say of where they are from."""

import json
from importlib import resources

import nibabel as nib
import numpy as np
import pytest

from medvision.cli import main
from medvision.fetch import FetchError
from medvision.table import catalogue
from medvision.table.read import read_cases
from tests.fetch.archive_files import write_archive
from tests.raw_trees import acdc


@pytest.fixture
def copies(tmp_path):
    """The archives of a copy of ACDC, two patients, and what is in them."""
    mask = np.zeros((24, 20, 6), np.uint8)
    mask[4:18, 3:15, 1:5] = 3
    files = {"Images": {}, "Masks": {}}
    for case in ("patient001_frame01", "patient101_frame01"):
        for folder, array, end in (("Images", mask.astype(np.int16), ""), ("Masks", mask, "_gt")):
            image = nib.Nifti1Image(array, np.diag([1.5, 1.5, 5, 1]))
            name = f"{folder}/{case}{end}.nii.gz"
            nib.save(image, tmp_path / "one.nii.gz")
            files[folder][name] = (tmp_path / "one.nii.gz").read_bytes()
    for folder, members in files.items():
        write_archive(tmp_path / "mine" / f"{folder}.zip", members)
    return tmp_path / "mine"


def notes(root):
    manifest = json.loads((root / "tables" / "ACDC" / "manifest.json").read_text("utf-8"))
    return {note["kind"]: note["items"] for note in manifest["notes"]}


def test_archives_become_tables(copies, tmp_path, capsys):
    root = tmp_path / "root"
    where = ["ACDC", "--root", str(root)]
    assert main(["fetch", *where, "--from", str(copies), "--accept-licence"]) == 0
    assert main(["build", *where]) == 0
    assert read_cases(root / "tables" / "ACDC").num_rows == 2
    assert set(notes(root)) == {"label_absent"}
    assert main(["catalog", "status", *where]) == 0
    assert "ACDC  fetched  built" in capsys.readouterr().out


def test_tables_say_which_archives_are_not_proven_to_be_the_pinned_ones(tmp_path):
    root = tmp_path / "root"
    where = ["ACDC", "--root", str(root)]
    archives = acdc.members()
    write_archive(tmp_path / "original" / "ACDC.zip", archives["ACDC.zip"])
    given = ["--from", str(tmp_path / "original"), "--accept-licence"]
    assert main(["fetch", *where, *given]) == 1
    assert main(["fetch", *where, *given, "--unverified"]) == 0
    assert main(["build", *where]) == 0
    assert notes(root)["file_unverified"] == ["ACDC.zip"]


def test_a_build_does_not_take_a_part_of_the_archives_for_all(
    copies, tmp_path, capsys, monkeypatch
):
    root = tmp_path / "root"
    where = ["ACDC", "--root", str(root)]
    (copies / "Masks.zip").rename(copies / "later.zip")
    given = ["--from", str(copies), "--accept-licence"]
    assert main(["fetch", *where, *given]) == 1
    assert "Masks.zip: not found" in capsys.readouterr().err

    def offline(dataset, root, **_):
        msg = f"{dataset.name}: no network"
        raise FetchError(msg)

    with monkeypatch.context() as patched:
        patched.setattr(catalogue, "fetch", offline)
        assert main(["build", *where]) == 1
    assert "ACDC: fetch_failed: ACDC: no network" in capsys.readouterr().err
    (copies / "later.zip").rename(copies / "Masks.zip")
    assert main(["fetch", *where, *given]) == 0
    assert main(["build", *where]) == 0


def test_a_dataset_declared_outside_the_package_is_fetched_and_built(copies, tmp_path, capsys):
    declared = tmp_path / "declared"
    declared.mkdir()
    built_in = resources.files("medvision.catalog") / "datasets" / "ACDC.toml"
    text = built_in.read_text("utf-8").replace('name = "ACDC"', 'name = "mine"')
    (declared / "mine.toml").write_text(text, "utf-8")
    where = ["mine", "--root", str(tmp_path / "root"), "--catalog", str(declared)]
    assert main(["build", *where]) == 1
    assert "licence_not_accepted" in capsys.readouterr().err
    assert main(["fetch", *where, "--from", str(copies), "--accept-licence"]) == 0
    assert main(["build", *where]) == 0
    assert read_cases(tmp_path / "root" / "tables" / "mine").num_rows == 2
