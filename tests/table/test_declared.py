"""Declarations of a user's own, from the file to the tables, on trees as tools lay them out."""

import json

import nibabel as nib
import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image

from medvision.catalog import ct_window
from medvision.cli import main
from medvision.pictures.render import SlicePictures, sample_slice
from medvision.pictures.view import PictureFamily
from medvision.prompts.messages import prompt_text
from medvision.replies import Style
from medvision.samples.sample import sample_from_row, sample_table
from medvision.samples.select import select_samples
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.read import read_cases, read_regions, read_structures
from medvision.tasks import Task
from tests.table.conftest import phantom, write_nifti

LIVER = """
name = "own"

[labels]
1 = "liver"
2 = { name = "liver tumor", target = true }
"""


def declare(folder, text, name="own.toml"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def build(path, out, *more):
    return main(["build", str(path), "--out", str(out), *map(str, more)])


def counts_of(out):
    """(case, label) → voxels, as the tables say."""
    rows = read_structures(out).to_pylist()
    return {(row["case_id"], row["label"]): row["voxel_count"] for row in rows}


def areas_mm2(out, case, label):
    """Axial slice → area, as the tables say."""
    where = (pc.field("case_id") == case) & (pc.field("plane") == "axial")
    rows = read_regions(out, where & (pc.field("label") == label)).to_pylist()
    areas = {}
    for row in rows:
        areas[row["slice_index"]] = areas.get(row["slice_index"], 0) + row["area_mm2"]
    return areas


def areas_by_nibabel(path, inside):
    """The same, from the file: RAS+, voxel faces from the header."""
    image = nib.as_closest_canonical(nib.load(path))
    mask = inside(np.asarray(image.dataobj))
    face_mm2 = float(np.prod(np.linalg.norm(image.affine[:3, :2], axis=0)))
    counts = mask.sum(axis=(0, 1))
    return {int(k): counts[k] * face_mm2 for k in np.flatnonzero(counts)}


def samples(out, *configs):
    suite = Suite(name="s", configs=configs, cap_per_config=None)
    return select_samples(suite, {"own": out}, split="all")


def test_one_label_map_a_case(tmp_path):
    image, labels = phantom()
    flipped = np.diag([-0.8, 1.5, 2.5, 1.0])
    for case in ("a", "b"):
        write_nifti(tmp_path / "data" / "scans" / f"{case}.nii.gz", image, affine=flipped)
        write_nifti(tmp_path / "data" / "masks" / f"{case}_seg.nii.gz", labels, affine=flipped)
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "scans/{{case}}.nii.gz" }}]
mask = "masks/{{case}}_seg.nii.gz"
"""
    path = declare(tmp_path, text.replace('name = "own"', 'name = "own"\nroot = "data"'))
    assert build(path, tmp_path / "t") == 0
    mask = tmp_path / "data" / "masks" / "a_seg.nii.gz"
    for value, label in ((1, "liver"), (2, "liver tumor")):
        found = areas_mm2(tmp_path / "t", "a", label)
        expected = areas_by_nibabel(mask, lambda array, value=value: array == value)
        assert found == pytest.approx(expected)
    rows = read_regions(tmp_path / "t").to_pylist()
    assert {r["label"] for r in rows if r["ellipse_status"] != "not_target"} == {"liver tumor"}


def test_building_again_does_nothing_and_a_changed_name_builds(tmp_path, capsys):
    image, labels = phantom()
    write_nifti(tmp_path / "a.nii.gz", image)
    write_nifti(tmp_path / "a_m.nii.gz", labels)
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "{{case}}.nii.gz" }}]
mask = "{{case}}_m.nii.gz"
"""
    path = declare(tmp_path, text)
    assert build(path, tmp_path / "t") == 0
    assert build(path, tmp_path / "t") == 0
    assert "already up to date" in capsys.readouterr().out
    declare(tmp_path, text.replace('"liver"', '"spleen"'))
    assert build(path, tmp_path / "t") == 0
    assert "written" in capsys.readouterr().out
    assert ("a", "spleen") in counts_of(tmp_path / "t")


def test_a_file_a_structure_in_a_folder_a_case(tmp_path):
    """The layout of TotalSegmentator's training data."""
    image, labels = phantom()
    for case in ("s0001", "s0002"):
        write_nifti(tmp_path / case / "ct.nii.gz", image)
        for value, name in ((1, "lung_left"), (2, "lung_right")):
            path = tmp_path / case / "segmentations" / f"{name}.nii.gz"
            write_nifti(path, (labels == value).astype(np.uint8))
    text = """
name = "own"

[labels]
1 = { name = "lungs", found_as = ["lung_left", "lung_right"] }
2 = "lung left"

[[cohorts]]
images = [{ modality = "CT", files = "{case}/ct.nii.gz" }]
mask = "{case}/segmentations/{structure}.nii.gz"
"""
    path = declare(tmp_path, text)
    assert build(path, tmp_path / "t") == 0
    numbers = {"lungs": int((labels > 0).sum()), "lung left": int((labels == 1).sum())}
    cases = ("s0001", "s0002")
    assert counts_of(tmp_path / "t") == {(c, name): n for c in cases for name, n in numbers.items()}


def write_metaimage(folder, case, array):
    """A header with its voxels in a folder below."""
    lines = ["ObjectType = Image", "NDims = 3", "ElementSpacing = 1 2 3", "TransformMatrix = "]
    lines[-1] += "1 0 0 0 1 0 0 0 1"
    lines += [f"DimSize = {' '.join(map(str, array.shape))}", "ElementType = MET_UCHAR"]
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    (folder / f"{case}.mhd").write_text(
        "\n".join([*lines, f"ElementDataFile = raw/{case}.raw", ""])
    )
    (folder / "raw" / f"{case}.raw").write_bytes(array.tobytes(order="F"))


@pytest.mark.parametrize("how", ["declared", "options"])
def test_a_folder_of_the_voxels_of_headers_is_no_case(tmp_path, capsys, how):
    image, labels = phantom()
    write_metaimage(tmp_path / "images", "a", image.clip(0, 255).astype(np.uint8))
    write_metaimage(tmp_path / "masks", "a", labels)
    if how == "declared":
        text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "images/{{case}}" }}]
mask = "masks/{{case}}"
"""
        assert build(declare(tmp_path, text), tmp_path / "t") == 0
    else:
        (tmp_path / "l.json").write_text('{"1": "liver", "2": "liver tumor"}')
        words = ["--images", tmp_path / "images", "--masks", tmp_path / "masks", "--name", "own"]
        words += ["--labels", tmp_path / "l.json", "--modality", "CT", "--out", tmp_path / "t"]
        assert main(["build", *map(str, words)]) == 0
    assert "1 of 1 cases" in capsys.readouterr().out


def test_structures_that_overlap_stay_whole_unless_one_wins(tmp_path):
    image, _ = phantom()
    liver, tumor = np.zeros_like(image, np.uint8), np.zeros_like(image, np.uint8)
    liver[2:14, 2:14, 2:8], tumor[10:18, 4:10, 3:6] = 1, 1
    write_nifti(tmp_path / "a.nii.gz", image)
    for name, mask in (("liver", liver), ("liver_tumor", tumor)):
        write_nifti(tmp_path / f"a_{name}.nii.gz", mask)
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "{{case}}.nii.gz" }}]
mask = "{{case}}_{{structure}}.nii.gz"
"""
    both = int((liver & tumor).sum())
    n_liver, n_tumor = int(liver.sum()), int(tumor.sum())
    for winner, expected in (
        ("", (n_liver, n_tumor)),
        ('winner = "first"', (n_liver, n_tumor - both)),
        ('winner = "last"', (n_liver - both, n_tumor)),
    ):
        out = tmp_path / f"t{winner[-3:-1]}"
        assert build(declare(tmp_path, text + winner), out) == 0
        found = counts_of(out)
        assert (found["a", "liver"], found["a", "liver tumor"]) == expected


def test_masks_of_one_structure_are_joined(tmp_path):
    """Pictures with masks beside them, one for each lesion, as BUSI has them."""
    picture = np.random.default_rng(0).integers(0, 255, (60, 80)).astype(np.uint8)
    folder = tmp_path / "benign"
    folder.mkdir()
    first, second = np.zeros((60, 80), np.uint8), np.zeros((60, 80), np.uint8)
    first[10:30, 20:50], second[40:55, 60:75] = 255, 255
    Image.fromarray(picture).save(folder / "benign (1).png")
    Image.fromarray(first).save(folder / "benign (1)_mask.png")
    Image.fromarray(second).save(folder / "benign (1)_mask_1.png")
    text = """
name = "own"
spacing_yx_mm = [0.2, 0.2]

[labels]
1 = { name = "breast lesion", target = true, values = [255] }

[[cohorts]]
images = [{ modality = "US", files = "benign/{case}.png" }]
mask = "benign/{case}_mask*.png"
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    rows = read_regions(tmp_path / "t").to_pylist()
    assert [row["pixel_count"] for row in rows] == [20 * 30, 15 * 15]
    assert {row["case_id"] for row in rows} == {"benign (1)"}
    [case] = read_cases(tmp_path / "t").to_pylist()
    assert not case["mask_uri"].startswith("/")  # joined below the tables, and moved with them


SEQUENCES = """
name = "own"
description = "brain MRI scan"

[labels]
1 = { name = "oedema", target = true, image = "FLAIR" }
2 = { name = "enhancing brain tumor", target = true, image = "T1c" }

[[cohorts]]
mask = "sub-{subject}/ses-{session}/seg.nii.gz"

[[cohorts.images]]
id = "T1c"
modality = "MRI"
number = 1
files = "sub-{subject}/ses-{session}/scan_{image}.nii.gz"

[[cohorts.images]]
id = "FLAIR"
modality = "MRI"
number = 3
optional = true
files = "sub-{subject}/ses-{session}/scan_{image}.nii.gz"
"""


@pytest.fixture
def sequences(tmp_path):
    """Three sessions of two subjects; one lacks the optional sequence."""
    labels = np.zeros((50, 40, 40), np.uint8)
    labels[3:23, 5:30, 4:30], labels[26:46, 8:28, 6:30] = 1, 2
    image = (labels * 100).astype(np.int16)
    for subject, session in (("1", "a"), ("1", "b"), ("2", "a")):
        folder = tmp_path / f"sub-{subject}" / f"ses-{session}"
        write_nifti(folder / "seg.nii.gz", labels)
        write_nifti(folder / "scan_0001.nii.gz", image)
        if (subject, session) != ("2", "a"):
            write_nifti(folder / "scan_0003.nii.gz", image + 7)
    declare(tmp_path, SEQUENCES)
    return tmp_path


def test_sessions_share_their_subject_and_channels_keep_their_numbers(sequences, tmp_path):
    assert build(sequences / "own.toml", tmp_path / "t") == 0
    cases = {row["case_id"]: row for row in read_cases(tmp_path / "t").to_pylist()}
    assert {name: row["subject_id"] for name, row in cases.items()} == {
        "1_a": "1",
        "1_b": "1",
        "2_a": "2",
    }
    assert cases["1_a"]["split"] == cases["1_b"]["split"]
    ids = {name: [image["image_id"] for image in row["images"]] for name, row in cases.items()}
    assert ids == {"1_a": ["T1c", "FLAIR"], "1_b": ["T1c", "FLAIR"], "2_a": ["T1c"]}


@pytest.mark.parametrize("task", [Task.DETECTION, Task.TUMOR_LESION, Task.AREA, Task.COUNT])
def test_every_task_is_asked_on_the_declared_image(sequences, tmp_path, task):
    assert build(sequences / "own.toml", tmp_path / "t") == 0
    table = samples(tmp_path / "t", TaskConfig(task=task)).table
    found = {(s["label"], s["image_id"], s["case_id"]) for s in table.to_pylist()}
    assert {entry for entry in found if entry[0] == "oedema"} == (
        {("oedema", "FLAIR", "1_a"), ("oedema", "FLAIR", "1_b")}  # and none where it is missing
    )
    enhancing = {entry[1:] for entry in found if entry[0] != "oedema"}
    assert enhancing == {("T1c", "1_a"), ("T1c", "1_b"), ("T1c", "2_a")}


def test_prompts_name_the_sequence_where_a_case_has_several(sequences, tmp_path):
    assert build(sequences / "own.toml", tmp_path / "t") == 0
    selection = samples(tmp_path / "t", TaskConfig(task=Task.AREA))
    for sample in selection.samples:
        view = PictureFamily(name="as_sent").view(sample.geometry)
        prompt = prompt_text(sample, Style.DIRECT, view.stated)
        assert f"Kind of image: brain MRI scan ({sample.image_id})." in prompt
    assert selection.dropped["area: image_missing"] > 0


def test_boxes_are_asked_on_every_image_of_a_label_that_declares_none(sequences, tmp_path):
    text = SEQUENCES.replace(', image = "FLAIR"', "").replace(', image = "T1c"', "")
    assert build(declare(sequences, text), tmp_path / "t") == 0
    table = samples(tmp_path / "t", TaskConfig(task=Task.DETECTION)).table
    assert set(table["image_id"].to_pylist()) == {"T1c", "FLAIR"}
    table = samples(tmp_path / "t", TaskConfig(task=Task.AREA)).table
    assert set(table["image_id"].to_pylist()) == {"T1c"}


MEASURED = """
name = "own"
projection = "sagittal"
spacing_yx_mm = [0.1, 0.1]

[biometrics.landmarks]
a = "left end"
b = "right end"

[biometrics.lines]
ab = { landmarks = ["a", "b"] }

[[biometrics.measure]]
kind = "distance"
key = "ab"

[[cohorts]]
images = [
    { id = "plain", modality = "XR", files = "{case}.png" },
    { id = "contrast", modality = "XR", files = "{case}_c.png" },
]
landmarks = "{case}.json"
"""


@pytest.mark.parametrize(
    ("where", "text", "image_id"),
    [
        ("nowhere", "", "plain"),
        ("the cohort", '\nlandmark_image = "contrast"\n', "contrast"),
        ("the measure", 'image = "contrast"\n', "contrast"),
    ],
)
def test_a_measurement_is_asked_on_the_declared_image(tmp_path, where, text, image_id):
    picture = Image.fromarray(np.zeros((40, 60), np.uint8))
    picture.save(tmp_path / "p.png")
    picture.save(tmp_path / "p_c.png")
    (tmp_path / "p.json").write_text('{"a": [10, 20], "b": [40, 20]}')
    declared = MEASURED + text
    if where == "the measure":
        declared = MEASURED.replace('key = "ab"\n', f'key = "ab"\n{text}')
    assert build(declare(tmp_path, declared), tmp_path / "t") == 0
    [sample] = samples(tmp_path / "t", TaskConfig(task=Task.ANGLE_DISTANCE)).samples
    assert (sample.image_id, sample.truth) == (image_id, (pytest.approx(3.0),))


def test_what_does_not_pair_is_a_problem_and_the_rest_is_built(tmp_path, capsys):
    image, labels = phantom()
    for case in ("a", "b", "c"):
        write_nifti(tmp_path / "scans" / f"{case}.nii.gz", image)
    write_nifti(tmp_path / "scans" / "b.nii", image)  # the same scan in two formats
    for case in ("a", "b", "x"):
        write_nifti(tmp_path / "masks" / f"{case}.nii.gz", labels)
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "scans/{{case}}" }}]
mask = "masks/{{case}}"
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 1
    told = capsys.readouterr().err
    assert "b: ambiguous: case b: b.nii and b.nii.gz fit scans/{case}, which is one" in told
    assert "c: unpaired: case c: no file masks/{case}" in told
    assert "x: unpaired: case x: no image goes with masks/x.nii.gz" in told
    assert [row["case_id"] for row in read_cases(tmp_path / "t").to_pylist()] == ["a"]


def test_links_are_followed_by_their_own_names(tmp_path):
    image, labels = phantom()
    write_nifti(tmp_path / "annex" / "1a2b.nii.gz", image)
    write_nifti(tmp_path / "annex" / "3c4d.nii.gz", labels)
    (tmp_path / "annex" / "1a2b.nii.gz").rename(tmp_path / "annex" / "1a2b")
    (tmp_path / "annex" / "3c4d.nii.gz").rename(tmp_path / "annex" / "3c4d")
    data = tmp_path / "data" / "p1"
    data.mkdir(parents=True)
    (data / "ct.nii.gz").symlink_to("../../annex/1a2b")
    (data / "seg.nii.gz").symlink_to("../../annex/3c4d")
    (tmp_path / "data" / "again").symlink_to(".")  # a folder that holds itself
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "**/{{case}}/ct.nii.gz" }}]
mask = "**/{{case}}/seg.nii.gz"
"""
    path = declare(tmp_path, text.replace('name = "own"', 'name = "own"\nroot = "data"'))
    assert build(path, tmp_path / "t") == 0
    assert [row["case_id"] for row in read_cases(tmp_path / "t").to_pylist()] == ["p1"]


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("scans/{case}", "scans/{caes}", "unknown part {caes}; known: subject, session, case"),
        ("scans/{case}", "scans/{case", "expected braces in pairs"),
        ("scans/{case}", "scans/**", "expected the name of a file at the end"),
        ("scans/{case}", "scans/a", "needs {subject} or {session} or {case}"),
        ("target = true", 'image = "T1"', "label 'liver tumor': no image 'T1'; known: image"),
        ("target = true", "taget = true", "unknown key 'taget'; did you mean 'target'?"),
        ('1 = "liver"', '0 = "liver"', "has the id '0'; ids count from 1"),
        ('1 = "liver"', '1 = "liver tumor"', "two labels have the name 'liver tumor'"),
        ('mask = "masks/{case}"', "", "has neither masks nor landmarks"),
        ("scans/{case}", "nowhere/{case}", "no file below"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(tmp_path, capsys, good, bad, message):
    image, _ = phantom()
    write_nifti(tmp_path / "scans" / "a.nii.gz", image)
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "scans/{{case}}" }}]
mask = "masks/{{case}}"
"""
    assert good in text
    assert build(declare(tmp_path, text.replace(good, bad)), tmp_path / "t") == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not (tmp_path / "t" / "manifest.json").exists()


def test_options_of_folders_do_not_go_with_a_declaration(tmp_path, capsys):
    path = declare(tmp_path, LIVER)
    assert build(path, tmp_path / "t", "--modality", "CT", "--name", "x") == 2
    assert "--name, --modality: not with" in capsys.readouterr().err


def test_values_that_are_ignored_and_regions_that_overlap(tmp_path):
    image, labels = phantom()
    labels[0:2, 0:2, 0:2] = 255  # nobody has looked there
    write_nifti(tmp_path / "a.nii.gz", image)
    write_nifti(tmp_path / "a_m.nii.gz", labels)
    text = """
name = "own"
ignore = [255]

[labels]
1 = { name = "whole tumor", values = [1, 2] }
2 = { name = "tumor core", values = [2] }

[[cohorts]]
images = [{ modality = "MRI", files = "{case}.nii.gz" }]
mask = "{case}_m.nii.gz"
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    whole, core = int(np.isin(labels, (1, 2)).sum()), int((labels == 2).sum())
    assert counts_of(tmp_path / "t") == {("a", "whole tumor"): whole, ("a", "tumor core"): core}
    text = text.replace("ignore = [255]\n", "")
    assert build(declare(tmp_path, text), tmp_path / "u") == 1  # found also [255]


def test_a_reserved_value_may_be_there_and_gets_no_row(tmp_path):
    image, labels = phantom()
    write_nifti(tmp_path / "a.nii.gz", image)
    write_nifti(tmp_path / "a_m.nii.gz", labels)
    text = f"""{LIVER.replace("target = true", "asked = false")}
[[cohorts]]
images = [{{ modality = "MRI", files = "{{case}}.nii.gz" }}]
mask = "{{case}}_m.nii.gz"
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    assert set(counts_of(tmp_path / "t")) == {("a", "liver")}


@pytest.fixture
def leftovers(tmp_path):
    """Five cases, a label in one of them, one in none, files that nothing is for."""
    image, labels = phantom()
    for case in "abcde":
        write_nifti(tmp_path / "scans" / f"{case}.nii.gz", image)
        only = labels if case == "c" else np.where(labels == 2, 0, labels)
        write_nifti(tmp_path / "masks" / f"{case}.nii.gz", only.astype(np.uint8))
    write_nifti(tmp_path / "scans" / "old" / "z.nii.gz", image)
    (tmp_path / "readme.txt").touch()
    (tmp_path / ".DS_Store").touch()
    text = f"""{LIVER}
3 = "spleen"
[[cohorts]]
images = [{{ modality = "CT", files = "scans/{{case}}.nii.gz" }}]
mask = "masks/{{case}}.nii.gz"
excluded = {{ e = "moved" }}
"""
    declare(tmp_path, text)
    return tmp_path


def test_rare_labels_and_files_left_over_are_told_at_the_end(leftovers, monkeypatch, capsys):
    monkeypatch.chdir(leftovers)
    notes = [
        "note: declared labels that are in no case: spleen",
        "note: declared labels that are in fewer than half of the cases: liver tumor (1 of 4)",
        "note: cases left out: e (moved)",
        "that nothing is for: readme.txt, scans/old/z.nii.gz",
    ]
    for _ in range(2):  # the second time nothing is built, and told all the same
        assert main(["build", "own.toml", "--out", "t"]) == 0
        told = capsys.readouterr().err.splitlines()
        assert len(told) == len(notes)
        assert all(line.endswith(note) for line, note in zip(told, notes, strict=True))
    manifest = json.loads((leftovers / "t" / "manifest.json").read_text("utf-8"))
    assert [(note["kind"], note["items"]) for note in manifest["notes"]] == [
        ("label_absent", ["spleen"]),
        ("label_rare", ["liver tumor (1 of 4)"]),
        ("case_excluded", ["e (moved)"]),
        ("file_unmatched", ["readme.txt", "scans/old/z.nii.gz"]),
    ]


@pytest.mark.parametrize("end", ["", ".gz"])
def test_both_halves_of_a_pair_are_used(tmp_path, capsys, end):
    image, labels = phantom()
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    nib.save(nib.Nifti1Pair(image, affine), tmp_path / f"a.img{end}")
    write_nifti(tmp_path / "a_m.nii.gz", labels)
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "{{case}}.hdr{end}" }}]
mask = "{{case}}_m.nii.gz"
"""
    declare(tmp_path, text)
    assert main(["build", str(tmp_path / "own.toml"), "--out", str(tmp_path / "t")]) == 0
    assert "nothing is for" not in capsys.readouterr().err


@pytest.mark.parametrize(("more", "is_windowed"), [("", True), (", ct_window = false", False)])
def test_an_image_that_is_not_in_hounsfield_units_gets_no_ct_window(tmp_path, more, is_windowed):
    """A cone-beam CT is shown by its own percentiles, as MRI is; a CT by the organ's window."""
    labels = np.zeros((50, 40, 12), np.uint8)
    labels[3:23, 5:30, 4:9] = 1
    noise = np.random.default_rng(0).normal(0, 200, labels.shape)
    image = (labels * 100 + noise).astype(np.int16)
    write_nifti(tmp_path / "a.nii.gz", image)
    write_nifti(tmp_path / "a_m.nii.gz", labels)
    text = f"""{LIVER}
[[cohorts]]
images = [{{ modality = "CT", files = "{{case}}.nii.gz"{more} }}]
mask = "{{case}}_m.nii.gz"
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    sample, *_ = samples(tmp_path / "t", TaskConfig(task=Task.AREA, planes=("axial",))).samples
    shown = SlicePictures().slice_image(sample_slice(sample)).pixels
    # Displayed rows run from front to back, columns from the patient's right to the left.
    stored = image[::-1, ::-1, sample.slice_index].T.astype(float)
    window = ct_window(sample.label)
    low, high = window.level_hu - window.width_hu / 2, window.level_hu + window.width_hu / 2
    if not is_windowed:
        low, high = np.percentile(stored, [0.5, 99.5])
    expected = (np.clip(stored, low, high) - low) / (high - low) * 255
    assert np.abs(shown.astype(float) - expected).max() <= 1
    assert sample_from_row(sample_table([sample]).to_pylist()[0]) == sample


def test_ids_that_no_case_has_are_told(leftovers, capsys):
    path = leftovers / "own.toml"
    text = path.read_text("utf-8").replace('{ e = "moved" }', '{ e = "moved", E = "moved" }')
    path.write_text(text + 'placeholder_spacing = ["a", "aa"]')
    assert build(path, leftovers / "t") == 0
    told = capsys.readouterr().err
    assert "note: ids in excluded or placeholder_spacing that no case has: E, aa" in told


def test_subjects_of_listed_cases_are_found_by_the_pattern(tmp_path, capsys):
    image, labels = phantom()
    write_nifti(tmp_path / "i.nii.gz", image)
    write_nifti(tmp_path / "m.nii.gz", labels)
    cases = [("p1_a", ""), ("p1_b", ""), ("p2_a", 'subject = "two"'), ("x", "")]
    text = LIVER.replace('name = "own"', "name = \"own\"\nsubject_pattern = '^(p[0-9])_'")
    for case, more in cases:
        text += f"""
[[cases]]
case_id = "{case}"
{more}
modality = "CT"
image = "i.nii.gz"
mask = "m.nii.gz"
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 1
    assert "finds no subject in case 'x'" in capsys.readouterr().err
    rows = read_cases(tmp_path / "t").to_pylist()
    assert {row["case_id"]: row["subject_id"] for row in rows} == {
        "p1_a": "p1",
        "p1_b": "p1",
        "p2_a": "two",
    }


SEVERAL = """
name = "several"
root = "data"
subjects = "people.csv"

[labels]
1 = "liver"
2 = { name = "liver tumor", target = true }

[[cohorts]]
name = "portal"
images = [
    { id = "late", modality = "CT", files = "hospital-*/scans/{subject}/{session}_late.nii.gz" },
    { id = "early", modality = "CT", files = "more/**/{subject}_{session}.nii", optional = true },
]
mask = "hospital-*/drawn/{subject}/{session}.nii.gz"

[[cohorts]]
name = "screening"
case_id = "s-{subject}"
images = [{ modality = "MRI", files = "screening/{subject}/t1.nii.gz" }]
masks = [
    { files = "drawn/first/{subject}.nii.gz", label = "kidney" },
    { files = "drawn/second/{subject}.nii.gz", label = "cyst" },
]
labels = { 1 = "kidney", 2 = "cyst" }
"""


def test_several_folders_and_several_cohorts_of_one_declaration(tmp_path):
    path = declare(tmp_path, SEVERAL)
    data = tmp_path / "data"
    image, mask = phantom()
    for hospital, subject, session in (("a", "p1", "d1"), ("a", "p1", "d2"), ("b", "p2", "d1")):
        place = data / f"hospital-{hospital}"
        write_nifti(place / "scans" / subject / f"{session}_late.nii.gz", image)
        write_nifti(place / "drawn" / subject / f"{session}.nii.gz", mask)
    write_nifti(data / "more" / "2020" / "may" / "p1_d1.nii", image)
    for case in ("p1", "q"):
        write_nifti(data / "screening" / case / "t1.nii.gz", image)
        for folder, value in (("first", 1), ("second", 2)):
            single = (mask == value).astype(mask.dtype)
            write_nifti(data / "drawn" / folder / f"{case}.nii.gz", single)
    people = "subject,split,site\np1,test,A\np2,train,B\nq,train,C\n"
    (tmp_path / "people.csv").write_text(people, encoding="utf-8")
    assert build(path, tmp_path / "t") == 0
    found = {
        (row["cohort"], row["case_id"]): (
            row["subject_id"],
            row["split"],
            row["subject_site"],
            [(one["image_id"], one["modality"]) for one in row["images"]],
        )
        for row in read_cases(tmp_path / "t").to_pylist()
    }
    late, early, plain = ("late", "CT"), ("early", "CT"), ("image", "MRI")
    assert found == {
        ("portal", "p1_d1"): ("p1", "test", "A", [late, early]),
        ("portal", "p1_d2"): ("p1", "test", "A", [late]),
        ("portal", "p2_d1"): ("p2", "train", "B", [late]),
        ("screening", "s-p1"): ("p1", "test", "A", [plain]),
        ("screening", "s-q"): ("q", "train", "C", [plain]),
    }
    sizes = {value: int((mask == value).sum()) for value in (1, 2)}
    names = {"portal": ("liver", "liver tumor"), "screening": ("kidney", "cyst")}
    assert {
        (row["cohort"], row["case_id"], row["label"]): row["voxel_count"]
        for row in read_structures(tmp_path / "t").to_pylist()
    } == {
        (cohort, case, name): sizes[value]
        for cohort, case in found
        for value, name in enumerate(names[cohort], start=1)
    }
    sized = {
        (row["cohort"], row["label"])
        for row in read_regions(tmp_path / "t").to_pylist()
        if row["ellipse_status"] != "not_target"
    }
    assert sized == {("portal", "liver tumor")}
