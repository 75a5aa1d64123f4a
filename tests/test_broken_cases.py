"""Two hundred small cases in seven formats, sixty of them broken in twenty ways, in one build.

Each broken case is named with its reason, nothing else is lost, and what was measured stays so.
"""

import gzip
import json
from collections import Counter

import nibabel as nib
import nrrd
import numpy as np
import pytest
from PIL import Image

from medvision.cli import main
from medvision.table import build as building
from medvision.table.read import read_cases, read_regions, read_structures
from tests.dicom_files import written

sitk = pytest.importorskip("SimpleITK", reason="extra formats is not installed")

N_CASES, N_OF_EACH = 200, 3
AFFINE = np.diag([0.8, 0.8, 2.5, 1.0])
LABELS = np.zeros((16, 16, 4), np.uint8)
LABELS[3:13, 4:15, 1:3] = 1
IMAGE = np.random.default_rng(0).integers(0, 1000, LABELS.shape).astype(np.int16)
IMAGEJ_MM = {270: "ImageJ=1.53\nunit=mm\n", 282: 1.25, 283: 1.25, 296: 1}


def nifti(path, array, affine=AFFINE):
    nib.save(nib.Nifti1Image(array, affine), path)


def pair(path, array):
    nib.save(nib.Nifti1Pair(array, AFFINE), path)


def nrrd_file(path, array, directions=AFFINE[:3, :3]):
    header = {"space": "RAS", "space directions": directions, "space origin": [0, 0, 0]}
    nrrd.write(str(path), array, header)


def metaimage(path, array):
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    image.SetSpacing((0.8, 0.8, 2.5))
    sitk.WriteImage(image, str(path), True)  # noqa: FBT003 - a foreign signature


def tiff(path, array):
    Image.fromarray(array[..., 1].T.copy()).save(path, tiffinfo=IMAGEJ_MM)


def series(path, array, **tags):
    path.mkdir()
    for k in range(array.shape[2]):
        # Stored values are HU + 1024, rows run to the posterior, columns to the left.
        place = {"ImagePositionPatient": [0, 0, 2.5 * k], **tags}
        written(path / f"{k}.dcm", array[:, :, k].T + 1024, **place)


LPS = np.diag([-0.8, -0.8, 2.5, 1.0])


def whole(images, masks, name, rank):
    """An unbroken case, in one of seven formats."""
    suffix, write = [
        (".nii.gz", nifti),
        (".nii", nifti),
        (".hdr", pair),
        (".nrrd", nrrd_file),
        (".mha", metaimage),
        (".tif", tiff),
        ("", series),
    ][rank % 7]
    write(images / f"{name}{suffix}", IMAGE)
    if write is series:
        nifti(masks / f"{name}.nii.gz", LABELS, LPS)
    elif write is metaimage:
        metaimage(masks / f"{name}.mha", LABELS)
    else:
        write(masks / f"{name}{suffix}", LABELS)


def with_image(write):
    """A case whose mask is whole; `write` makes its image."""

    def broken(images, masks, name):
        write(images, name)
        nifti(masks / f"{name}.nii.gz", LABELS)

    return broken


def with_mask(write):
    """A case whose image is whole; `write` makes its mask."""

    def broken(images, masks, name):
        nifti(images / f"{name}.nii.gz", IMAGE)
        write(masks, name)

    return broken


def cut_short(folder, name):
    nifti(folder / f"{name}.nii", IMAGE)
    (folder / f"{name}.nii").write_bytes((folder / f"{name}.nii").read_bytes()[:-9])


def flipped_bit(folder, name):
    nifti(folder / f"{name}.nii.gz", IMAGE)
    content = bytearray((folder / f"{name}.nii.gz").read_bytes())
    content[-6] ^= 1  # of the checksum
    (folder / f"{name}.nii.gz").write_bytes(bytes(content))


def damaged_metaimage(folder, name):
    metaimage(folder / f"{name}.mha", IMAGE)
    content = bytearray((folder / f"{name}.mha").read_bytes())
    content[-200] ^= 255
    (folder / f"{name}.mha").write_bytes(bytes(content))


def without_spacing(folder, name):
    nifti(folder / f"{name}.nii", IMAGE)
    content = bytearray((folder / f"{name}.nii").read_bytes())
    content[80:84] = bytes(4)  # pixdim[1]
    (folder / f"{name}.nii").write_bytes(bytes(content))


def half_a_pair(folder, name):
    pair(folder / f"{name}.hdr", IMAGE)
    (folder / f"{name}.img").unlink()


def skewed(folder, name):
    nrrd_file(folder / f"{name}.nrrd", IMAGE, [[0.8, 0, 0], [0.2, 0.8, 0], [0, 0, 2.5]])


def gap_in_series(folder, name):
    series(folder / name, np.concatenate([IMAGE, IMAGE], axis=2))
    (folder / name / "2.dcm").unlink()


def last_slice_cut(folder, name):
    series(folder / name, IMAGE)
    last = folder / name / "3.dcm"
    last.write_bytes(last.read_bytes()[:-50])


def two_series(folder, name):
    series(folder / name, IMAGE)
    written(folder / name / "scout.dcm", SeriesInstanceUID="1.2.3")


def other_label(folder, name):
    labels = LABELS.copy()
    labels[5, 5, 1] = 2
    nrrd_file(folder / f"{name}.nrrd", labels)


def halves(folder, name):
    nifti(folder / f"{name}.nii.gz", LABELS.astype(np.float32) / 2)


def colours(folder, name):
    colourful = np.dstack([LABELS[..., 1], LABELS[..., 1] * 2, LABELS[..., 1] * 3])
    Image.fromarray(colourful).save(folder / f"{name}.png")


BROKEN = {
    "truncated_file": with_image(cut_short),
    "empty_file": with_image(lambda folder, name: (folder / f"{name}.nii.gz").write_bytes(b"")),
    "not_an_image": with_image(
        lambda folder, name: (folder / f"{name}.nii.gz").write_bytes(gzip.compress(b"<html>" * 99))
    ),
    "corrupt_file: gzip": with_image(flipped_bit),
    "corrupt_file: MetaImage": with_image(damaged_metaimage),
    "corrupt_file: DICOM": with_image(last_slice_cut),
    "missing_file": with_image(half_a_pair),
    "invalid_spacing": with_image(without_spacing),
    "non_orthogonal_axes": with_image(skewed),
    "not_2d_or_3d": with_image(
        lambda folder, name: nifti(folder / f"{name}.nii", np.stack([IMAGE, IMAGE], axis=-1))
    ),
    "unsupported_pixels": with_image(
        lambda folder, name: nifti(folder / f"{name}.nii", IMAGE.astype(np.complex64))
    ),
    "missing_slices": with_image(gap_in_series),
    "several_series": with_image(two_series),
    "shape_mismatch": with_mask(
        lambda folder, name: nifti(folder / f"{name}.nii.gz", LABELS[:, :, 1:])
    ),
    "affine_mismatch": with_mask(
        lambda folder, name: nifti(folder / f"{name}.nii.gz", LABELS, LPS)
    ),
    "bad_label_values: halves": with_mask(halves),
    "bad_label_values: negative": with_mask(
        lambda folder, name: nifti(folder / f"{name}.nii", -LABELS.astype(np.int16))
    ),
    "unknown_label": with_mask(other_label),
    "empty_mask": with_mask(lambda folder, name: nifti(folder / f"{name}.nii.gz", LABELS * 0)),
    "unpaired": lambda images, _, name: nifti(images / f"{name}.nii.gz", IMAGE),
}
"""Reason, with more words where two have one, to what makes such a case."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study, and the reason of each broken case."""
    folder = tmp_path_factory.mktemp("study")
    images, masks = folder / "images", folder / "masks"
    images.mkdir()
    masks.mkdir()
    (folder / "labels.json").write_text('{"1": "tumor"}')
    # Broken ones stand between whole ones, and not two of a kind together.
    kinds = list(BROKEN) * N_OF_EACH
    step = N_CASES // len(kinds)
    reasons = {}
    for n in range(N_CASES):
        name, (rank, is_whole) = f"c{n:03d}", divmod(n, step)
        if is_whole or rank >= len(kinds):
            whole(images, masks, name, n)
        else:
            BROKEN[kinds[rank]](images, masks, name)
            reasons[name] = kinds[rank].split(":")[0]
    return folder, reasons


def build(folder):
    words = ["--name", "study", "--modality", "CT", "--out", str(folder / "tables")]
    for option in ("images", "masks"):
        words += [f"--{option}", str(folder / option)]
    return main(["build", *words, "--labels", str(folder / "labels.json")])


def test_sixty_broken_cases_of_two_hundred_are_named_and_cost_nothing_else(
    study, capsys, monkeypatch
):
    folder, reasons = study
    assert len(BROKEN) == 20
    assert len(reasons) == 60
    asked = []
    annotate = building.annotate_case

    def noted(case, *rest):
        asked.append(case.case_id)
        return annotate(case, *rest)

    monkeypatch.setattr(building, "annotate_case", noted)
    assert build(folder) == 1
    told = capsys.readouterr().err

    out = folder / "tables"
    cases = read_cases(out).to_pylist()
    built = {case["case_id"] for case in cases}
    assert built == {f"c{n:03d}" for n in range(N_CASES)} - set(reasons)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    problems = {problem["case_id"]: problem for problem in manifest["problems"]}
    assert {name: problem["reason"] for name, problem in problems.items()} == reasons
    assert manifest["counts"]["dropped"] == Counter(reasons.values())
    for name, problem in problems.items():
        assert name in problem["message"]
        assert len(problem["message"].splitlines()) == 1
        assert any(name in line and reasons[name] in line for line in told.splitlines()), name

    # Of each whole case what was drawn, whatever its format: 110 pixels on each of two slices.
    rows = read_structures(out).to_pylist()
    assert Counter(row["case_id"] for row in rows) == Counter(built)
    assert {row["voxel_count"] for row in rows} == {220, 110}  # a picture is one of the slices
    regions = read_regions(out).to_pylist()
    axial = {row["case_id"]: row for row in regions if row["plane"] in {"axial", "native"}}
    assert set(axial) == built
    areas_mm2 = {row["area_mm2"] for row in axial.values()}
    np.testing.assert_allclose(list(areas_mm2), 110 * 0.8**2, rtol=1e-5)

    # Mended and new cases are measured, and those of which a file was not there; those that were
    # measured or broken are not, and the broken are told again.
    before = {row["case_id"]: row for row in cases}
    mended = next(name for name, reason in reasons.items() if reason == "truncated_file")
    (folder / "images" / f"{mended}.nii").unlink()
    nifti(folder / "images" / f"{mended}.nii.gz", IMAGE)
    whole(folder / "images", folder / "masks", "new", 0)
    asked.clear()
    assert build(folder) == 1
    absent = {name for name, reason in reasons.items() if reason == "missing_file"}
    assert set(asked) == absent | {mended, "new"}
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert {one["case_id"]: one for one in manifest["problems"]} == {
        name: problem for name, problem in problems.items() if name != mended
    }
    again = {row["case_id"]: row for row in read_cases(out).to_pylist()}
    assert set(again) == built | {mended, "new"}
    unchanged = {name: {**again[name], "split": None} for name in built}
    assert unchanged == {name: {**before[name], "split": None} for name in built}


def test_problems_are_told_alike_as_json(study):
    folder, reasons = study
    told = json.loads((folder / "tables" / "manifest.json").read_text(encoding="utf-8"))
    assert {problem["reason"] for problem in told["problems"]} == set(reasons.values())
