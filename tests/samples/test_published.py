"""Counts of a built dataset beside published ones, and the filters that tell them apart."""

import json
from itertools import chain, combinations

import cv2
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from medvision.cli import main
from medvision.samples.published import Filter, Tally

DECLARATION = """
name = "mini"
description = "scan"
licence = "CC0"
[published]
source = "counted by hand"
{published}
[labels]
1 = {{ name = "liver", group = "Liver" }}
2 = {{ name = "liver tumor", group = "Liver Tumor/Lesion", target = true }}
[[cohorts]]
mask = "Masks/{{case}}.nii.gz"
excluded = {{ c9 = "another scanner" }}
[[cohorts.images]]
id = "ct"
modality = "CT"
files = "CT/{{case}}.nii.gz"
[[cohorts.images]]
id = "pet"
modality = "PET"
files = "PET/{{case}}.nii.gz"
"""
CASES = ("c0", "c1", "c2", "c9")


def ellipsoid(shape, centre, radii, turn=0.0):
    i, j, k = np.indices(shape).astype(float)
    x, y, z = i - centre[0], j - centre[1], k - centre[2]
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    return (u / radii[0]) ** 2 + (v / radii[1]) ** 2 + (z / radii[2]) ** 2 <= 1


def drawn(case):
    """A liver in one or two parts, a turned tumour, and specks of it below the T/L floor."""
    n = CASES.index(case)
    mask = np.zeros((44, 40, 18), np.uint8)
    mask[ellipsoid(mask.shape, (20, 20, 9), (17, 14, 7))] = 1
    if n % 2:
        mask[40:43, 3:6, 4:8] = 1
    mask[ellipsoid(mask.shape, (20, 20, 9), (11, 5 + n, 4), turn=np.pi / 4)] = 2
    mask[8:11, 18:21, 9] = 2
    return mask


@pytest.fixture
def masks(tmp_path):
    found = {case: drawn(case) for case in CASES}
    raw = tmp_path / "root" / "raw" / "mini"
    for case, mask in found.items():
        for folder, array in (("CT", mask), ("PET", mask), ("Masks", mask)):
            (raw / folder).mkdir(parents=True, exist_ok=True)
            image = nib.Nifti1Image(array.astype(np.int16), np.diag([0.5, 0.5, 0.6, 1]))
            nib.save(image, raw / folder / f"{case}.nii.gz")
    del found["c9"]
    return found


@pytest.fixture
def compared(masks, tmp_path, capsys):
    """Function of published counts: the exit code, and what the command prints with some words."""
    (tmp_path / "declared").mkdir()
    where = ["--catalog", str(tmp_path / "declared"), "--root", str(tmp_path / "root")]

    def compare(*words, **published):
        lines = "\n".join(f"{name} = {number}" for name, number in published.items())
        text = DECLARATION.format(published=lines)
        (tmp_path / "declared" / "mini.toml").write_text(text, encoding="utf-8")
        assert main(["build", "mini", *where]) == 0
        capsys.readouterr()
        code = main(["table", "diff", "mini", "--published", *where, *words])
        return code, capsys.readouterr().out

    return compare


def planes_of(masks):
    """(case, plane, label, pixels of the label [y, x], its parts) of the drawn masks."""
    for case, mask in masks.items():
        for axis, plane in enumerate(("sagittal", "coronal", "axial")):
            for pixels in np.moveaxis(mask, axis, 0):
                shown = np.flip(pixels).T
                for label in (1, 2):
                    if (inside := shown == label).any():
                        yield case, plane, label, inside, ndimage.label(inside)[0]


def sides(inside):
    ys, xs = np.nonzero(inside)
    return np.ptp(ys) + 1, np.ptp(xs) + 1


def spacing_yx(plane):
    return (0.5, 0.5) if plane == "axial" else (0.6, 0.5)


def sized(inside, plane):
    """Length of the major axis and its four ends; None below the floor or of a thin part."""
    y_mm, x_mm = spacing_yx(plane)
    contours, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if min(sides(inside)) < 3 or len(contours[0]) < 5:
        return None
    points = (contours[0].reshape(-1, 2) * [x_mm, y_mm]).astype(np.float32)
    (cx, cy), (width, height), degrees = cv2.fitEllipse(points)
    minor, major = sorted((width, height))
    rows, columns = sides(inside)
    if minor < min(y_mm, x_mm) or major > 1.5 * np.hypot(columns * x_mm, rows * y_mm):
        return None
    if major < max(2.0, 2 * max(y_mm, x_mm)):
        return None
    ends = []
    for length, angle in ((width, degrees), (height, degrees + 90)):
        step = length / 2 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        ends += [(np.array([cx, cy]) + sign * step) / [x_mm, y_mm] for sign in (-1, 1)]
    return ends


def passes_gate(inside, ends):
    ys, xs = np.nonzero(inside)
    low, high = np.array([xs.min(), ys.min()]), np.array([xs.max(), ys.max()])
    middle, half = (low + high) / 2, (high - low) / 2
    return all(
        (np.abs(end - middle) <= 1.1 * half).all() and (np.abs(end - middle) >= 0.9 * half).any()
        for end in ends
    )


def expected(masks):
    """Counts under the filters that a test asks for, counted one by one."""
    rows = list(planes_of(masks))
    whole = [row for row in rows if row[4].max() == 1]
    tumours = [row for row in rows if row[2] == 2]
    ends = [(inside, sized(inside, plane)) for _, plane, _, inside, parts in tumours
            if parts.max() == 1]  # fmt: skip
    parts_sized = [
        sized(parts == n, plane)
        for _, plane, _, _, parts in tumours
        for n in range(1, parts.max() + 1)
    ]
    return {
        "pairs": 2 * len(rows),
        "pairs_once": len(rows),
        "axial_pairs": 2 * sum(row[1] == "axial" for row in rows),
        "single": 2 * sum(min(sides(row[3])) >= 10 for row in whole),
        "single_any_size": 2 * len(whole),
        "several_too": 2 * sum(min(sides(row[3])) >= 10 for row in rows if row[4].max() == 1)
        + 2 * sum(min(sides(row[4] == _largest(row[4]))) >= 10 for row in rows if row[4].max() > 1),
        "tl": sum(found is not None for _, found in ends),
        "tl_gate": sum(found is not None and passes_gate(i, found) for i, found in ends),
        "tl_parts": sum(found is not None for found in parts_sized),
        "tl_by_another_rule": 3 * len(rows),
    }


def _largest(parts):
    return np.argmax(np.bincount(parts.ravel())[1:]) + 1


def test_equal_counts_are_equal(compared, masks):
    counts = expected(masks)
    n_slices = sum(
        np.moveaxis(mask, axis, 0).any(axis=(1, 2)).sum()
        for mask in masks.values()
        for axis in (0, 1, 2)
    )
    code, shown = compared(
        images=6,
        masks=3,
        slices=2 * n_slices,
        slice_label_pairs=counts["pairs"],
        single_instance_samples=counts["single"],
        measurements=0,
        tl_single=counts["tl"],
        tl_multi=counts["tl_parts"],
    )
    assert (code, shown.splitlines()[-1]) == (0, "equal")
    assert "left out by the declaration: c9: another scanner" in shown
    assert "cases: 3 listed, 3 built" in shown


@pytest.mark.parametrize(
    ("published", "number", "words"),
    [
        ("slice_label_pairs", "pairs_once", ["with: one image of a case"]),
        ("slice_label_pairs", "axial_pairs", ["with: axial only"]),
        ("single_instance_samples", "single_any_size", ["without: box sides of 10 px"]),
        ("single_instance_samples", "several_too", ["without: single instance"]),
        ("tl_single", "tl_gate", ["with: end-point gate (1.0.0)"]),
        ("tl_single", "tl_parts", ["without: single instance"]),
        ("tl_multi", "tl_by_another_rule", None),
    ],
)
def test_the_filter_that_explains_a_difference_is_named(compared, masks, published, number, words):
    counts = expected(masks)
    code, shown = compared("--json", **{published: counts[number]})
    told = json.loads(shown)["counts"][published]
    assert (code, told["published"]) == (1, counts[number])
    assert told["explained_by"] == words


def test_what_each_filter_removes_adds_up(compared, masks):
    counts = expected(masks)
    _, shown = compared("--json", single_instance_samples=1, tl_single=1)
    found = json.loads(shown)["counts"]
    single = found["single_instance_samples"]
    assert counts["pairs"] == single["built"] + sum(single["removed"].values())
    assert single["removed"]["single instance"] == counts["pairs"] - counts["single_any_size"]
    tl = found["tl_single"]
    assert tl["built"] - tl["would_remove"]["end-point gate (1.0.0)"] == counts["tl_gate"]
    assert tl["removed"]["T/L floor"] >= 0
    parts = [
        single["built"] - single["would_remove"][f"{part} split only"] for part in ("train", "test")
    ]
    assert sum(parts) == single["built"]


def test_lines_say_the_same(compared, masks):
    counts = expected(masks)
    code, shown = compared(single_instance_samples=counts["single_any_size"], tl_single=123456)
    assert code == 1
    difference = counts["single"] - counts["single_any_size"]
    assert f"published, {counts['single']:,} built, {difference:+,}" in shown
    assert "the published number comes without: box sides of 10 px" in shown
    assert "no choice of these filters gives the published number" in shown
    assert shown.endswith("different\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mini"], "expected two table folders, A and B, or one dataset and --published"),
        (["a", "b", "--published"], "expected two table folders, A and B, or one dataset"),
        (["KiTS23", "--published"], "run `medvision build` first"),
    ],
)
def test_what_cannot_be_compared_is_refused(words, told, tmp_path, capsys):
    assert main(["table", "diff", *words, "--root", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err


def test_a_dataset_without_published_counts_says_so(compared, tmp_path, capsys):
    compared(images=6)
    path = tmp_path / "declared" / "mini.toml"
    head, _, rest = path.read_text("utf-8").partition("[published]")
    path.write_text(head + "[labels]" + rest.partition("[labels]")[2], encoding="utf-8")
    tables = str(tmp_path / "root" / "tables" / "mini")
    words = ["table", "diff", tables, "--published", "--catalog", str(path.parent)]
    assert main(words) == 2
    assert "mini: no published counts are known of it" in capsys.readouterr().err


BITS = st.lists(st.tuples(*[st.booleans()] * 4, st.integers(0, 3)), max_size=30)
NAMES = ("a", "b", "c", "d")


@given(BITS)
def test_a_tally_counts_as_a_loop_does(rows):
    tally = Tally()
    for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        columns = np.array([row[:4] for row in half], dtype=bool).reshape(-1, 4)
        filters = [
            Filter(name=name, ours=name in "ab", fails=columns[:, rank])
            for rank, name in enumerate(NAMES)
        ]
        tally.add(filters, np.array([row[4] for row in half], dtype=np.int64))
    for chosen in chain.from_iterable(combinations(range(4), n) for n in range(5)):
        left = sum(row[4] for row in rows if not any(row[rank] for rank in chosen))
        assert tally.count(NAMES[rank] for rank in chosen) == left
    assert sum(tally.removed().values()) == sum(row[4] for row in rows) - tally.count("ab")
