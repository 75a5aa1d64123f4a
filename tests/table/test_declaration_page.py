"""docs/declaration.md: every example is built, on files as its text describes them."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.samples.select import select_samples
from medvision.samples.suite import Suite, TaskConfig
from medvision.scoring import aggregate
from medvision.table.read import read_biometrics, read_cases, read_regions, read_structures
from medvision.tasks import Task
from tests.describe.trees import LABELS, SPACING, picture, save, volume, write

PAGE = Path(__file__).resolve().parents[2].joinpath("docs", "declaration.md").read_text("utf-8")
_EXAMPLE = r"`(\w+\.toml)`(?:(?!`\w+\.toml`|```).)*:\n\n```toml\n(.*?)```"
EXAMPLES = dict(re.findall(_EXAMPLE, PAGE, re.DOTALL))


def colour(path, *boxes):
    pixels = np.zeros((30, 47, 3), np.uint8)
    for (x0, y0, x1, y1), rgb in boxes:
        pixels[y0:y1, x0:x1] = rgb
    picture(path, pixels)


def livers():
    for case in ("a", "b"):
        save(Path("scans", f"{case}.nii.gz"), volume())
        save(Path("masks", f"{case}.nii.gz"), LABELS)


def structures():
    for case in ("s1", "s2"):
        save(Path(case, "ct.nii.gz"), volume())
        for value, name in ((1, "lung_left"), (2, "lung_right")):
            mask = (value == LABELS).astype(np.uint8)
            save(Path(case, "segmentations", f"{name}.nii.gz"), mask)


def pictures():
    write(Path("sizes.csv"), "file,mm_per_pixel\na.png,0.5\nb.png,0.1\n")
    for case in ("a", "b"):
        picture(Path("photos", f"{case}.png"))
        red, blue = ((5, 4, 20, 16), (240, 10, 0)), ((30, 20, 44, 29), (0, 0, 255))
        colour(Path("drawn", f"{case}.png"), red, blue)


def boxes():
    for case in ("a", "b"):
        picture(Path("images", f"{case}.png"))
        write(Path("labels", f"{case}.txt"), "0 0.5 0.5 0.2 0.4\n")


def heads():
    write(Path("people.csv"), "subject,split,age\np1,train,41\np2,test,67\n")
    for subject, case, ends in (("p1", "x1", "3,4,33,24"), ("p2", "x2", "3,4,13,4")):
        picture(Path(subject, f"{case}.png"))
        sx, sy, nx, ny = ends.split(",")
        write(Path(subject, f"{case}.csv"), f"key,i,j\nS,{sx},{sy}\nN,{nx},{ny}\n")


def angles():
    rows = "a.png,3,4,33,24\nb.png,3,4,13,4\n"
    write(Path("points.csv"), f"file,sella_x,sella_y,nasion_x,nasion_y\n{rows}")
    for case in ("a", "b"):
        picture(Path(f"{case}.png"))


def knees():
    rows = "".join(f"{case},A,3,4,5\n{case},B,3,{j},5\n" for case, j in (("p", 10), ("q", 6)))
    write(Path("marks.csv"), f"case,landmark,x,y,z\n{rows}q,C,,,\n")
    for case in ("p", "q"):
        save(Path("scans", f"{case}.nii.gz"), volume())


def sites():
    write(Path("people.csv"), "subject,split,age,site\np1,test,41,north\np2,test,67,south\n")
    larger = np.ones((6, 6, 1), np.uint8)
    for subject, case in (("p1", "x"), ("p1", "y"), ("p2", "z")):
        image = np.random.default_rng(0).integers(0, 900, np.kron(LABELS, larger).shape)
        save(Path(subject, f"{case}.nii.gz"), image.astype(np.int16))
        save(Path(subject, f"{case}_mask.nii.gz"), np.kron(LABELS, larger))


def listed():
    for name in ("old/scan of may", "new/a", "new/b"):
        save(Path(f"{name}.nii.gz"), volume())
    for name in ("old/may, liver", "new/liver"):
        save(Path(f"{name}.nii.gz"), (LABELS == 1).astype(np.uint8))


def prostates():
    save(Path("imagesTr", "p1.nii.gz"), np.stack([volume(), volume() * 2], axis=3))
    save(Path("labelsTr", "p1.nii.gz"), (LABELS == 1).astype(np.uint8))
    for name in ("Images-T2w", "Images-ADC"):
        save(Path(name, "p2.nii.gz"), volume())
    save(Path("Masks", "p2.nii.gz"), (LABELS == 1).astype(np.uint8))


def brats():
    labels = LABELS.copy()  # a core in an edema, an enhancing part, a cavity
    labels[labels == 2], labels[labels == 1] = 3, 2
    labels[2:5, 3:6, 2:4], labels[9:13, 8:12, 2:4] = 1, 4
    labels = np.kron(labels, np.ones((6, 6, 1), np.uint8))
    image = np.random.default_rng(0).integers(0, 900, labels.shape).astype(np.int16)
    for case in ("BraTS-GLI-00005-100", "BraTS-GLI-00005-101", "BraTS-GLI-00006-100"):
        for name in ("t1c", "t1n", "t2f", "t2w"):
            if (case, name) != ("BraTS-GLI-00006-100", "t2w"):
                save(Path(case, f"{case}-{name}.nii.gz"), image)
        save(Path(case, f"{case}-seg.nii.gz"), labels)
    return labels


TREES = [
    *(livers, structures, pictures, boxes, heads, angles, knees, sites, listed),
    *(prostates, brats),
]


@pytest.fixture
def built(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def build(tree):
        tree()
        name = f"{tree.__name__}.toml"
        Path(name).write_text(EXAMPLES[name], encoding="utf-8")
        assert main(["build", name, "--out", "tables"]) == 0
        return tmp_path / "tables"

    return build


def test_every_example_has_its_files():
    assert set(EXAMPLES) == {f"{tree.__name__}.toml" for tree in TREES}
    assert PAGE.count("```toml") == len(EXAMPLES)


@pytest.mark.parametrize("tree", TREES)
def test_every_example_is_built(built, tree):
    assert read_cases(built(tree)).num_rows >= 2


def test_structures_are_joined_and_asked_by_themselves(built):
    rows = read_structures(built(structures)).to_pylist()
    counts = {row["label"]: row["voxel_count"] for row in rows}
    assert counts == {"lungs": int((LABELS > 0).sum()), "left lung": int((LABELS == 1).sum())}


def test_pictures_have_sizes_of_their_own_and_a_ruler_is_not_asked(built):
    rows = read_regions(built(pictures)).to_pylist()
    areas = {(row["case_id"], row["label"]): row["area_mm2"] for row in rows}
    assert areas == pytest.approx(
        {("a", "skin lesion"): 15 * 12 * 0.25, ("b", "skin lesion"): 15 * 12 * 0.01}
    )


def test_lengths_and_the_split_are_those_of_the_tables(built):
    tables = built(heads)
    found = {row["case_id"]: row["value"] for row in read_biometrics(tables).to_pylist()}
    assert found == pytest.approx({"p1_x1": 0.5 * np.hypot(30, 20), "p2_x2": 5.0})
    cases = {row["subject_id"]: row for row in read_cases(tables).to_pylist()}
    assert (cases["p1"]["split"], cases["p2"]["split"]) == ("train", "test")
    assert cases["p2"]["subject_age"] == "67"


@pytest.mark.parametrize(
    ("tree", "lengths"),
    [
        (angles, {"a": 0.5 * np.hypot(30, 20), "b": 5.0}),
        (knees, {"p": 6 * SPACING[1], "q": 2 * SPACING[1]}),
    ],
)
def test_lengths_are_those_of_wide_and_long_tables(built, tree, lengths):
    found = {row["case_id"]: row["value"] for row in read_biometrics(built(tree)).to_pylist()}
    assert found == pytest.approx(lengths)


def test_columns_of_subjects_group_scores(built, tmp_path):
    words = ["eval", "--tables", built(sites), "--task", "detection", "--split", "all"]
    run = tmp_path / "run"
    assert main([*map(str, words), "--model", "baseline/center", "--run", str(run)]) == 0
    scores = pq.read_table(run / "scores.parquet")
    rows = aggregate(scores, by=["subject_site"]).to_pylist()
    assert {row["subject_site"] for row in rows} == {"north", "south"}
    n_of = {row["subject_site"]: row["n"] for row in rows}
    assert n_of["north"] == 2 * n_of["south"]  # two cases and one
    assert set(read_cases(tmp_path / "tables")["subject_age"].to_pylist()) == {"41", "67"}


def test_regions_images_and_slices_of_the_real_dataset_are_as_explained(built, capsys):
    tables = built(brats)
    assert "BraTS-GLI-00005-100-t1n.nii.gz" in capsys.readouterr().err
    cases = read_cases(tables).to_pylist()
    assert {row["case_id"]: row["subject_id"] for row in cases} == {
        "BraTS-GLI-00005-100": "BraTS-GLI-00005",
        "BraTS-GLI-00005-101": "BraTS-GLI-00005",
        "BraTS-GLI-00006-100": "BraTS-GLI-00006",
    }
    labels = brats()
    values = {
        "enhancing brain tumor": [3],
        "brain tumor core": [1, 3],
        "whole brain tumor": [1, 2, 3],
        "brain resection cavity": [4],
    }
    counts = {row["label"]: row["voxel_count"] for row in read_structures(tables).to_pylist()}
    assert counts == {name: int(np.isin(labels, own).sum()) for name, own in values.items()}
    regions = read_regions(tables).to_pylist()
    assert {row["plane"] for row in regions} == {"axial"}
    whole = np.isin(labels, [1, 2, 3]).any(axis=(0, 1))
    assert {row["slice_index"] for row in regions} == {
        int(k) for k in np.flatnonzero(whole) if k % 2 == 0
    }
    suite = Suite(name="s", configs=(TaskConfig(task=Task.AREA),), cap_per_config=None)
    samples = select_samples(suite, {"brats-glioma": tables}, split="all").samples
    asked = {(one.label, one.image_id) for one in samples}
    assert asked == {
        ("enhancing brain tumor", "t1c"),
        ("brain tumor core", "t1c"),
        ("whole brain tumor", "t2f"),
        ("brain resection cavity", "t2w"),
    }
    lacks = [one for one in samples if one.case_id == "BraTS-GLI-00006-100"]
    assert "brain resection cavity" not in {one.label for one in lacks}
