"""Digests of inputs, and cases whose files are links to blobs of other names."""

import os
import shutil

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.storage import sha256_file
from medvision.table import build as build_module
from medvision.table import derived
from medvision.table.inputs import input_digest
from medvision.table.read import image_path
from tests.table.conftest import phantom

METAIMAGE = """ObjectType = Image
NDims = 3
BinaryData = True
ElementSpacing = 1 2 3
DimSize = 20 30 12
ElementType = MET_UCHAR
ElementDataFile = {}
"""
NRRD = """NRRD0005
type: uint8
dimension: 3
space: LPS
sizes: 20 30 12
space directions: (1,0,0) (0,2,0) (0,0,3)
encoding: raw
data file: {}
"""


def detached(folder, name, header, data="v7.raw"):
    (folder / name).write_text(header.format(data))
    (folder / data).parent.mkdir(exist_ok=True)
    (folder / data).write_bytes(phantom()[1].tobytes(order="F"))
    return folder / name, folder / data


def metaimage(folder):
    return detached(folder, "c.mhd", METAIMAGE)


def metaimage_below(folder):
    return detached(folder, "c.mhd", METAIMAGE, "raw/c.raw")


def metaimage_of_slices(folder):
    header, _ = detached(folder, "c.mhd", METAIMAGE, "s%02d.raw 1 12 1")
    for k, plane in enumerate(np.moveaxis(phantom()[1], 2, 0), start=1):
        (folder / f"s{k:02d}.raw").write_bytes(plane.tobytes(order="F"))
    return header, folder / "s04.raw"


def nrrd_header(folder):
    return detached(folder, "c.nhdr", NRRD)


def nrrd_in_a_nrrd(folder):
    """A detached header under the name of an attached one."""
    return detached(folder, "c.nrrd", NRRD)


def pair(folder):
    nib.save(nib.Nifti1Pair(phantom()[1], np.diag([1, 2, 3, 1])), folder / "c.img")
    return folder / "c.hdr", folder / "c.img"


def other_half(folder):
    header, data = pair(folder)
    return data, header


FORMS = [
    metaimage,
    metaimage_below,
    metaimage_of_slices,
    nrrd_header,
    nrrd_in_a_nrrd,
    pair,
    other_half,
]


@pytest.mark.parametrize("write", FORMS)
def test_a_digest_sees_the_files_that_a_header_names(tmp_path, write):
    header, data = write(tmp_path)
    former = input_digest(header)
    (tmp_path / "c.txt").write_text("no part of it")
    assert input_digest(header) == former
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    assert input_digest(header) != former


def test_a_digest_is_that_of_the_bytes_wherever_they_lie(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        metaimage(tmp_path / name)
    assert input_digest(tmp_path / "a" / "c.mhd") == input_digest(tmp_path / "b" / "c.mhd")


def test_a_header_that_cannot_be_followed_is_digested_alone(tmp_path):
    (tmp_path / "c.mhd").write_text(METAIMAGE.format("/etc/passwd"))
    assert input_digest(tmp_path / "c.mhd") == sha256_file(tmp_path / "c.mhd")
    (tmp_path / "c.mhd").write_bytes(b"no header")
    assert input_digest(tmp_path / "c.mhd") == sha256_file(tmp_path / "c.mhd")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "c.nii")
    with pytest.raises(OSError, match="a pipe or a device"):
        input_digest(tmp_path / "c.nii")


@pytest.mark.parametrize(
    "write", [metaimage, metaimage_of_slices, nrrd_header, nrrd_in_a_nrrd, pair]
)
def test_changed_data_are_measured_again(study, write, capsys):
    shutil.rmtree(study / "masks")
    (study / "masks").mkdir()
    header, data = write(study / "masks")
    header.rename(header.with_stem("a"))
    if write is pair:
        data = data.rename(data.with_stem("a"))
    image = study / "images" / "a.nii.gz"
    nib.save(nib.Nifti1Image(phantom()[0], nib.load(image).affine * [[-1], [-1], [1], [1]]), image)
    if write is pair:
        nib.save(nib.Nifti1Image(phantom()[0], np.diag([1, 2, 3, 1])), image)
    for other in ("b", "c"):
        (study / "images" / f"{other}.nii.gz").unlink()
    assert build(study) == 0
    rows = pq.read_table(study / "tables" / "structures.parquet").to_pylist()
    content = np.frombuffer(data.read_bytes(), np.uint8).copy()
    content[content == 2] = 1
    data.write_bytes(content.tobytes())
    capsys.readouterr()
    assert build(study) == 0
    assert "up to date" not in capsys.readouterr().out
    assert pq.read_table(study / "tables" / "structures.parquet").to_pylist() != rows
    assert build(study) == 0
    assert "up to date" in capsys.readouterr().out


def build(folder, *more):
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", folder / "labels.json", "--name", "x", "--modality", "CT"]
    return main([str(word) for word in (*words, "--out", folder / "tables", *more)])


def to_blobs(study, how):
    """Replace every image and mask by a link, as git-annex, DVC or a hub's cache do."""
    store = study / {"annex": ".git/annex/objects", "dvc": ".dvc/cache", "hub": "blobs"}[how]
    for number, path in enumerate(sorted([*study.glob("images/*"), *study.glob("masks/*")])):
        digest = sha256_file(path) + f"{number}"  # three cases hold the same bytes
        blob = {
            "annex": store / digest[:3] / f"SHA256E-s9--{digest}.gz" / f"SHA256E-s9--{digest}.gz",
            "dvc": store / digest[:2] / digest[2:],
            "hub": store / digest,
        }[how]
        blob.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blob)
        path.symlink_to(os.path.relpath(blob.resolve(), path.parent.resolve()))


@pytest.mark.parametrize("how", ["annex", "dvc", "hub"])
def test_linked_files_are_built_drawn_and_asked_about(study, how, capsys):
    to_blobs(study, how)
    assert build(study, "--target-labels", "2") == 0
    tables = study / "tables"
    (case, *_) = pq.read_table(tables / "cases.parquet").to_pylist()
    uri = case["images"][0]["uri"]
    assert image_path(uri, tables) == study / "images" / "a.nii.gz"
    assert case["images"][0]["sha256"] == sha256_file(study / "images" / "a.nii.gz")
    words = ["render", "--tables", tables, "--case", "a", "--plane", "axial", "--slice", "5"]
    words += ["--overlay", "--out", study / "slice.png"]
    assert main([str(word) for word in words]) == 0
    words = ["eval", "--tables", tables, "--task", "detection", "--model", "baseline/oracle"]
    words += ["--split", "all", "--limit", "5", "--run", study / "run"]
    assert main([str(word) for word in words]) == 0
    assert build(study, "--target-labels", "2") == 0
    assert "up to date" in capsys.readouterr().out


def test_tables_move_with_images_that_are_links(study):
    """Images below the table folder have relative URIs, also through links to files elsewhere."""
    (study / "tables").mkdir()
    for kind in ("images", "masks"):
        (study / kind).rename(study / "tables" / kind)
        (study / kind).symlink_to(f"tables/{kind}")
    to_blobs(study, "hub")
    assert build(study) == 0
    (case, *_) = pq.read_table(study / "tables" / "cases.parquet").to_pylist()
    assert case["images"][0]["uri"] == "images/a.nii.gz"
    assert case["mask_uri"] == "masks/a.nii.gz"


def test_a_table_folder_reached_through_a_link_keeps_relative_uris(study):
    (study / "real").mkdir()
    (study / "tables").symlink_to("real")
    (study / "images").rename(study / "real" / "images")
    (study / "images").symlink_to("real/images")
    assert build(study) == 0
    (case, *_) = pq.read_table(study / "tables" / "cases.parquet").to_pylist()
    assert case["images"][0]["uri"] == "images/a.nii.gz"


def test_a_header_that_leaves_its_folder_costs_its_case(study, capsys, monkeypatch):
    (study / "masks" / "a.nii.gz").unlink()
    (study / "raw").mkdir()
    (study / "masks" / "a.mhd").write_text(METAIMAGE.format("../raw/a.raw"))
    (study / "raw" / "a.raw").write_bytes(phantom()[1][::-1, ::-1].tobytes(order="F"))
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[:2, 3] = -19, -58
    nib.save(nib.Nifti1Image(phantom()[0], affine), study / "images" / "a.nii.gz")
    assert build(study) == 1
    assert "1 outside_folder" in capsys.readouterr().out
    monkeypatch.setenv("MEDVISION_DATA_FOLDERS", str(study / "raw"))
    assert build(study) == 0
    assert "3 of 3 cases" in capsys.readouterr().out


def rename(path, name):
    path.rename(path.with_name(os.fsdecode(name)))


def test_a_name_that_is_not_utf8_costs_its_case(study, capsys):
    for kind in ("images", "masks"):
        rename(study / kind / "b.nii.gz", b"M\xfcller.nii.gz")
    assert build(study) == 1
    shown = capsys.readouterr()
    assert "2 of 3 cases" in shown.out
    assert "1 unsafe_name" in shown.out
    assert "expected a name in UTF-8, found other bytes; rename it" in shown.err
    assert build(study) == 1
    assert "up to date" in capsys.readouterr().out


def test_an_unpaired_name_that_is_not_utf8_is_told(study, capsys):
    rename(study / "masks" / "b.nii.gz", b"M\xfcller.nii.gz")
    assert build(study) == 1
    assert "2 unpaired" in capsys.readouterr().out


def test_pipes_dead_links_and_links_in_circles_cost_their_cases(study, capsys):
    os.mkfifo(study / "images" / "pipe.nii.gz")
    (study / "images" / "dead.nii.gz").symlink_to("/nowhere")
    (study / "images" / "circle.nii.gz").symlink_to("circle.nii.gz")
    for case in ("pipe", "dead", "circle"):
        shutil.copy(study / "masks" / "a.nii.gz", study / "masks" / f"{case}.nii.gz")
    assert build(study) == 1
    shown = capsys.readouterr()
    assert "3 of 6 cases" in shown.out
    assert "pipe.nii.gz: expected a readable file, found: a pipe or a device" in shown.err


def test_a_reader_that_stops_costs_its_case_and_shows_where_to_those_who_ask(
    study, capsys, monkeypatch
):
    from medvision.volumes import read

    opener = read.OPENERS[".nii.gz"]

    def stops(path, options):
        if path.parent.name == "masks" and path.name.startswith("b"):
            hash([])  # raises TypeError
        return opener(path, options)

    monkeypatch.setitem(read.OPENERS, ".nii.gz", stops)
    # in this process, where the reader is another one
    monkeypatch.setattr(build_module, "annotate_case", derived.annotate_any)
    assert build(study) == 1
    shown = capsys.readouterr()
    assert "2 of 3 cases" in shown.out
    assert "b.nii.gz: expected a readable file, its reader stopped with TypeError" in shown.err
    assert "Traceback" not in shown.err
    assert build(study, "-v") == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_second_run_tries_only_what_the_machine_could_not_do(study, monkeypatch):
    from medvision.table import build as building

    asked = []
    annotate = building.annotate_case

    def counted(case, *rest):
        asked.append(case.case_id)
        return annotate(case, *rest)

    monkeypatch.setattr(building, "annotate_case", counted)
    mask = study / "masks" / "b.nii.gz"
    mask.rename(study / "b.nii.gz")
    mask.symlink_to("nowhere")
    assert build(study) == 1
    assert build(study) == 1
    assert asked == ["a", "c"]
    mask.unlink()
    (study / "b.nii.gz").rename(mask)
    assert build(study) == 0
    assert asked == ["a", "c", "b"]
    assert not (study / "tables" / ".build").exists()


DEEP = '{"A": ' + "[" * 100_000 + "]" * 100_000 + "}"
WIDE = "name,x,y,z\n" + "A" * 200_000 + ",1,2,3\n"
BIOMETRICS = """{
    "landmarks": {"A": "a", "B": "b"},
    "lines": {"L": {"name": "l", "landmarks": ["A", "B"]}},
    "measure": [{"kind": "distance", "key": "L", "plane": "axial"}]
}"""


@pytest.mark.parametrize("content", [DEEP, WIDE], ids=["deep", "wide"])
def test_landmarks_beyond_what_a_parser_takes_cost_their_case(study, content, capsys):
    (study / "biometrics.json").write_text(BIOMETRICS)
    (study / "landmarks").mkdir()
    for case in ("a", "b", "c"):
        (study / "landmarks" / f"{case}.json").write_text('{"A": [5, 20, 8], "B": [5, 4, 8]}')
    (study / "landmarks" / "b.json").unlink()
    (study / "landmarks" / f"b.{'json' if content[0] == '{' else 'csv'}").write_text(content)
    words = ["--landmarks", study / "landmarks", "--biometrics", study / "biometrics.json"]
    assert build(study, *words) == 1
    shown = capsys.readouterr()
    assert "2 of 3 cases" in shown.out
    assert "landmarks/b." in shown.err


def test_a_digest_of_a_folder_sees_data_that_lie_elsewhere(tmp_path, monkeypatch):
    """One file per structure, their voxels beside the folder, which the user allowed."""
    for folder in ("case", "raw"):
        (tmp_path / folder).mkdir()
    detached(tmp_path / "case", "liver.mhd", METAIMAGE, "../raw/liver.raw")
    refused = input_digest(tmp_path / "case")
    monkeypatch.setenv("MEDVISION_DATA_FOLDERS", str(tmp_path / "raw"))
    former = input_digest(tmp_path / "case")
    (tmp_path / "raw" / "liver.raw").write_bytes(bytes(7200))
    assert len({refused, former, input_digest(tmp_path / "case")}) == 3
