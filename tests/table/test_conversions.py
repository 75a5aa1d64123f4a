"""Conversions of a declaration, against what nibabel and NumPy make of the same files."""

import json

import nibabel as nib
import nrrd
import numpy as np
import pytest

from medvision.storage import sha256_file
from medvision.table.read import (
    image_path,
    read_biometrics,
    read_cases,
    read_regions,
    read_structures,
)
from medvision.volumes import read_volume
from tests.table.conftest import phantom, write_nifti
from tests.table.test_declared import LIVER, areas_by_nibabel, areas_mm2, build, counts_of, declare

TURN = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
PLACED = {
    "plain": np.diag([1.0, 2.0, 3.0, 1.0]),
    "flipped": np.array([[-0.8, 0, 0, 9], [0, 1.5, 0, -4], [0, 0, -2.5, 7], [0, 0, 0, 1]]),
    "permuted": np.array([[0, 0, 2.5, 1], [0.8, 0, 0, 2], [0, -1.5, 0, 3], [0, 0, 0, 1.0]]),
    "oblique": np.block([[TURN * [0.8, 1.5, 2.5], np.array([[5], [6], [7]])], [np.eye(4)[3:]]]),
}
IMAGES = '{ modality = "CT", files = "{case}.nii.gz" }'
MASK = 'mask = "{case}_m.nii.gz"'

placed = pytest.mark.parametrize("affine", PLACED.values(), ids=PLACED)


def one_case(images, masks, more=""):
    return f"""{LIVER}
[[cohorts]]
images = [{images}]
{masks}
{more}
"""


def voxels_of(path):
    return np.asarray(nib.as_closest_canonical(nib.load(path)).dataobj)


def image_of(out, case, rank=0):
    """An image as the tables name it, read as pictures are made from it."""
    [row] = [row for row in read_cases(out).to_pylist() if row["case_id"] == case]
    return read_volume(image_path(row["images"][rank]["uri"], out)), row


@placed
def test_a_channel_of_a_4d_file(tmp_path, affine):
    image, labels = phantom()
    channels = np.stack([image, image + 1000, image + 2000], axis=-1)
    masks = np.stack([0 * labels, labels], axis=-1)
    write_nifti(tmp_path / "a.nii.gz", channels, affine=affine)
    write_nifti(tmp_path / "a_m.nii.gz", masks, affine=affine)
    write_nifti(tmp_path / "own_m.nii.gz", labels, affine=affine)
    text = one_case(
        '{ id = "t1", modality = "MRI", files = "{case}.nii.gz", steps = [{ channel = 0 }] },'
        '{ id = "t2", modality = "MRI", files = "{case}.nii.gz", steps = [{ channel = 2 }] }',
        'masks = [{ files = "{case}_m.nii.gz", steps = [{ channel = 1 }] }]',
    )
    out = tmp_path / "t"
    # Two images of one file, and a mask that no case has: own_m belongs to nobody.
    assert build(declare(tmp_path, text), out) == 1
    for value, label in ((1, "liver"), (2, "liver tumor")):
        expected = areas_by_nibabel(tmp_path / "own_m.nii.gz", lambda m, v=value: m == v)
        assert areas_mm2(out, "a", label) == pytest.approx(expected)
    for rank, channel in ((0, 0), (1, 2)):
        volume, _ = image_of(out, "a", rank)
        assert np.array_equal(volume.array, voxels_of(tmp_path / "a.nii.gz")[..., channel])
        canonical = nib.as_closest_canonical(nib.load(tmp_path / "own_m.nii.gz"))
        assert volume.affine == pytest.approx(canonical.affine, abs=1e-5)


@placed
def test_frames_are_cases_of_one_subject(tmp_path, affine):
    image, labels = phantom()
    moved = np.roll(labels, 3, axis=0)
    frames = np.stack([image, image + 7], axis=-1)
    for case in "pq":
        write_nifti(tmp_path / f"{case}.nii.gz", frames, affine=affine)
        write_nifti(tmp_path / f"{case}_m.nii.gz", np.stack([labels, moved], -1), affine=affine)
    text = one_case(
        '{ modality = "MRI", files = "{case}.nii.gz" }',
        'mask = "{case}_m.nii.gz"',
        'frames = "cases"\nexcluded = { q_f001 = "moved" }',
    )
    out = tmp_path / "t"
    assert build(declare(tmp_path, text), out) == 0
    rows = {row["case_id"]: row for row in read_cases(out).to_pylist()}
    assert {case: row["subject_id"] for case, row in rows.items()} == {
        "p_f000": "p",
        "p_f001": "p",
        "q_f000": "q",
    }
    assert rows["p_f000"]["split"] == rows["p_f001"]["split"]
    assert not rows["p_f001"]["images"][0]["uri"].startswith("/")
    face_mm2 = np.prod(
        np.linalg.norm(
            nib.as_closest_canonical(nib.load(tmp_path / "p.nii.gz")).affine[:3, :2], axis=0
        )
    )
    for frame in (0, 1):
        case = f"p_f00{frame}"
        mask = voxels_of(tmp_path / "p_m.nii.gz")[..., frame]
        counts = (mask == 2).sum(axis=(0, 1))
        expected = {int(k): counts[k] * face_mm2 for k in np.flatnonzero(counts)}
        assert areas_mm2(out, case, "liver tumor") == pytest.approx(expected)
        volume, _ = image_of(out, case)
        assert np.array_equal(volume.array, voxels_of(tmp_path / "p.nii.gz")[..., frame])


def test_a_mask_of_one_volume_goes_with_every_frame(tmp_path):
    image, labels = phantom()
    write_nifti(tmp_path / "p.nii.gz", np.stack([image, image], axis=-1))
    write_nifti(tmp_path / "p_m.nii.gz", labels)
    text = one_case(
        '{ modality = "MRI", files = "{case}.nii.gz" }',
        'mask = "{case}_m.nii.gz"',
        'frames = "cases"',
    )
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    n_liver = int((labels == 1).sum())
    found = counts_of(tmp_path / "t")
    assert (found["p_f000", "liver"], found["p_f001", "liver"]) == (n_liver, n_liver)


def test_frames_that_differ_in_number_are_a_problem_of_the_case(tmp_path, capsys):
    image, labels = phantom()
    write_nifti(tmp_path / "p.nii.gz", np.stack([image] * 3, axis=-1))
    write_nifti(tmp_path / "p_m.nii.gz", np.stack([labels] * 2, axis=-1))
    write_nifti(tmp_path / "q.nii.gz", image)
    write_nifti(tmp_path / "q_m.nii.gz", labels)
    text = one_case(
        '{ modality = "MRI", files = "{case}.nii.gz" }',
        'mask = "{case}_m.nii.gz"',
        'frames = "cases"',
    )
    assert build(declare(tmp_path, text), tmp_path / "t") == 1
    assert "p_m.nii.gz: expected 1 or 3 frames as the images have" in capsys.readouterr().err
    assert [row["case_id"] for row in read_cases(tmp_path / "t").to_pylist()] == ["q_f000"]


@placed
def test_stored_axes_in_another_order(tmp_path, affine):
    """The header is that of the voxels, which were written transposed."""
    image, labels = phantom()
    write_nifti(tmp_path / "good" / "a.nii.gz", image, affine=affine)
    write_nifti(tmp_path / "good" / "a_m.nii.gz", labels, affine=affine)
    order, back = (2, 0, 1), [1, 2, 0]
    write_nifti(tmp_path / "a.nii.gz", image.transpose(order), affine=affine)
    write_nifti(tmp_path / "a_m.nii.gz", labels.transpose(order), affine=affine)
    steps = f"steps = [{{ transpose = {back} }}]"
    text = one_case(
        f'{{ modality = "CT", files = "{{case}}.nii.gz", {steps} }}',
        f'masks = [{{ files = "{{case}}_m.nii.gz", {steps} }}]',
    )
    out = tmp_path / "t"
    assert build(declare(tmp_path, text), out) == 0
    expected = areas_by_nibabel(tmp_path / "good" / "a_m.nii.gz", lambda m: m == 2)
    assert areas_mm2(out, "a", "liver tumor") == pytest.approx(expected)
    volume, row = image_of(out, "a")
    good = nib.as_closest_canonical(nib.load(tmp_path / "good" / "a.nii.gz"))
    assert np.array_equal(volume.array, np.asarray(good.dataobj))
    assert volume.affine == pytest.approx(good.affine, abs=1e-5)
    codes = nib.aff2axcodes(nib.load(tmp_path / "good" / "a.nii.gz").affine)
    assert row["orientation_as_stored"] == "".join(codes)


@placed
def test_geometry_of_the_image(tmp_path, capsys, affine):
    """A mask that a tool wrote without a header, on the voxels of its image."""
    image, labels = phantom()
    write_nifti(tmp_path / "a.nii.gz", image, affine=affine)
    write_nifti(tmp_path / "good" / "a.nii.gz", labels, affine=affine)
    write_nifti(tmp_path / "m" / "a.nii.gz", labels, affine=np.eye(4))
    broken = bytearray(nib.Nifti1Image(labels.transpose(1, 0, 2), np.eye(4)).to_bytes())
    broken[76:108] = bytes(32)  # pixdim: no size of a voxel at all
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "a.nii").write_bytes(broken)
    expected = areas_by_nibabel(tmp_path / "good" / "a.nii.gz", lambda m: m == 2)
    taken = '{ geometry = "image" }'
    for folder, steps in (("m", taken), ("n", f"{{ transpose = [1, 0, 2] }}, {taken}")):
        masks = f'masks = [{{ files = "{folder}/{{case}}", steps = [{steps}] }}]'
        assert build(declare(tmp_path, one_case(IMAGES, masks)), tmp_path / f"t{folder}") == 0
        assert areas_mm2(tmp_path / f"t{folder}", "a", "liver tumor") == pytest.approx(expected)
    text = one_case(IMAGES, f'masks = [{{ files = "n/{{case}}", steps = [{taken}] }}]')
    assert build(declare(tmp_path, text), tmp_path / "u") == 1  # 30×20×12 on 20×30×12
    assert "does it need a transpose first?" in capsys.readouterr().err


def test_what_a_source_says_stays_in_the_tables(tmp_path):
    """No orientation, and a unit of metres, are told as if the file were read as it is."""
    image, labels = phantom()
    mute = bytearray(nib.Nifti1Image(np.stack([image, image], axis=-1), np.eye(4)).to_bytes())
    mute[76:108] = np.array([1, 0.002, 0.003, 0.004, 1, 1, 1, 1], "<f4").tobytes()  # pixdim
    mute[123] = 1  # xyzt_units: metre
    mute[252:256] = bytes(4)  # qform_code, sform_code
    (tmp_path / "a.nii").write_bytes(mute)
    write_nifti(tmp_path / "a_m.nii.gz", labels, spacing=(2.0, 3.0, 4.0))
    text = one_case(
        '{ modality = "MRI", files = "{case}.nii", steps = [{ channel = 1 }] }',
        'mask = "{case}_m.nii.gz"',
    )
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    [row] = read_cases(tmp_path / "t").to_pylist()
    assert row["spacing_source"] == "pixdim"
    assert set(row["flags"]) == {"units_converted", "orientation_unknown", "spacing_from_pixdim"}
    assert row["spacing_mm"] == pytest.approx([2, 3, 4])
    volume, _ = image_of(tmp_path / "t", "a")
    assert "orientation_unknown" in volume.flags


def test_converted_files_follow_their_sources(tmp_path, capsys):
    image, labels = phantom()
    write_nifti(tmp_path / "a.nii.gz", np.stack([image, image + 1], axis=-1))
    write_nifti(tmp_path / "a_m.nii.gz", labels)
    text = one_case(
        '{ modality = "MRI", files = "{case}.nii.gz", steps = [{ channel = 1 }] }',
        'mask = "{case}_m.nii.gz"',
    )
    path, out = declare(tmp_path, text), tmp_path / "t"
    assert build(path, out) == 0
    assert build(path, out) == 0
    assert "already up to date" in capsys.readouterr().out
    volume, row = image_of(out, "a")
    assert row["images"][0]["sha256"] == sha256_file(image_path(row["images"][0]["uri"], out))
    write_nifti(tmp_path / "a.nii.gz", np.stack([image, image + 5], axis=-1))
    assert build(path, out) == 0
    changed, _ = image_of(out, "a")
    assert np.array_equal(changed.array, volume.array + 4)
    moved = out.rename(tmp_path / "moved")
    assert np.array_equal(image_of(moved, "a")[0].array, changed.array)


def test_masks_are_merged_after_their_conversions(tmp_path):
    """A channel each for liver and tumour, as probability-map tools write them; the tumour wins."""
    image, _ = phantom()
    liver, tumor = np.zeros_like(image, np.uint8), np.zeros_like(image, np.uint8)
    liver[2:14, 2:14, 2:8], tumor[10:18, 4:10, 3:6] = 1, 1
    write_nifti(tmp_path / "a.nii.gz", image)
    write_nifti(tmp_path / "a_m.nii.gz", np.stack([liver, tumor], axis=-1))
    masks = """
masks = [
    { files = "{case}_m.nii.gz", label = "liver", steps = [{ channel = 0 }] },
    { files = "{case}_m.nii.gz", label = "liver tumor", steps = [{ channel = 1 }] },
]
winner = "last"
"""
    text = one_case('{ modality = "CT", files = "{case}.nii.gz" }', masks)
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    both = int((liver & tumor).sum())
    assert counts_of(tmp_path / "t") == {
        ("a", "liver"): int(liver.sum()) - both,
        ("a", "liver tumor"): int(tumor.sum()),
    }
    assert read_structures(tmp_path / "t").num_rows == 2
    assert read_regions(tmp_path / "t").num_rows > 0


@placed
def test_regions_that_overlap_beside_a_converted_image(tmp_path, affine):
    image, labels = phantom()
    write_nifti(tmp_path / "a.nii.gz", np.stack([image, image], axis=-1), affine=affine)
    write_nifti(tmp_path / "a_m.nii.gz", labels, affine=affine)
    text = one_case(
        '{ modality = "MRI", files = "{case}.nii.gz", steps = [{ channel = 1 }] }',
        MASK,
        '[cohorts.labels]\n1 = { name = "whole", values = [1, 2] }\n'
        '2 = { name = "core", values = [2] }',
    )
    out = tmp_path / "t"
    assert build(declare(tmp_path, text), out) == 0
    for label, values in (("whole", (1, 2)), ("core", (2,))):
        inside = areas_by_nibabel(tmp_path / "a_m.nii.gz", lambda m, v=values: np.isin(m, v))
        assert areas_mm2(out, "a", label) == pytest.approx(inside)


@placed
def test_voxel_landmarks_count_in_the_converted_image(tmp_path, affine):
    image, _ = phantom()
    write_nifti(tmp_path / "good" / "a.nii.gz", image, affine=affine)
    write_nifti(tmp_path / "a.nii.gz", image.transpose(2, 0, 1), affine=affine)
    points = {"p": (4, 5, 6), "q": (11, 17, 6)}
    # Two points of one axial slice: of the permuted file it is the second axis that runs up.
    if affine[2, 1]:
        points = {"p": (4, 5, 6), "q": (11, 5, 9)}
    (tmp_path / "a.json").write_text(json.dumps(points))
    text = """
name = "own"
[biometrics]
landmarks = { p = "left", q = "right" }
lines = { pq = { landmarks = ["p", "q"] } }
measure = [{ kind = "distance", key = "pq", plane = "axial" }]

[[cohorts]]
landmarks = "{case}.json"
images = [{ modality = "CT", files = "{case}.nii.gz", steps = [{ transpose = [1, 2, 0] }] }]
"""
    assert build(declare(tmp_path, text), tmp_path / "t") == 0
    [row] = read_biometrics(tmp_path / "t").to_pylist()
    stored = nib.load(tmp_path / "good" / "a.nii.gz")
    p, q = (nib.affines.apply_affine(stored.affine, points[key]) for key in "pq")
    assert row["value"] == pytest.approx(np.linalg.norm(p - q), abs=1e-3)
    canonical = nib.as_closest_canonical(stored).affine
    ijk = nib.affines.apply_affine(np.linalg.inv(canonical), p)
    assert row["slice_index"] == round(ijk[2])


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        (
            '{ modality = "CT", files = "{case}.nii.gz", steps = [{ geometry = "image" }] }',
            MASK,
            "geometry is for masks, found on an image",
        ),
        (
            '{ modality = "CT", files = "{case}.nii.gz", '
            "steps = [{ transpose = [1, 0, 2] }, { channel = 1 }] }",
            MASK,
            "channel comes first, and once",
        ),
        (IMAGES, f'{MASK}\nframes = "cases"\nlandmarks = "{{case}}.json"', "are of whole files"),
        (IMAGES, f"{MASK}\ncolour_tolerance = 3", "colour_tolerance goes with colours"),
        (IMAGES, f'{MASK}\nlandmark_image = "image"', "landmark_image goes with landmarks"),
        (
            IMAGES,
            'masks = [{ files = "{case}_m.png", steps = [{ channel = 1 }] }]\n'
            'colours = { "#ff0000" = "liver" }',
            "none are known for colour masks",
        ),
        (
            '{ modality = "CT", number = 1, files = "{case}.nii.gz" }',
            MASK,
            "number stands for {image}, which is not there",
        ),
        (
            IMAGES,
            'masks = [{ files = "{case}_{structure}.nii.gz", label = "liver" }]',
            "expected label or {structure}, not both",
        ),
        (IMAGES, 'mask = "{case}_{landmark}.nii.gz"', "{landmark} is not for such files"),
        (
            '{ modality = "CT", files = "{case}_{structure}.nii.gz" }',
            MASK,
            "{structure} is not for such files",
        ),
        (IMAGES, f'{MASK}\ncase_id = "{{sesion}}-{{case}}"', "no pattern has {sesion}"),
        (IMAGES, f'{MASK}\npoints_at = "corner"', "points_at goes with landmarks"),
        (
            IMAGES,
            f'{MASK}\ncolours = {{ "#ff0000" = "red" }}\n'
            'labels = { 1 = { name = "red", values = [1, 2] } }',
            "label 'red': values or colours, not both",
        ),
        (
            IMAGES,
            f'{MASK}\n[biometrics]\nlandmarks = {{ a = "left", b = "right" }}\n'
            'lines = { ab = { landmarks = ["a", "b"] } }\n'
            'measure = [{ kind = "distance", key = "ab" }]',
            "biometrics go with landmarks",
        ),
    ],
)
def test_keys_without_an_effect_are_refused(tmp_path, capsys, images, masks, message):
    assert build(declare(tmp_path, one_case(images, masks)), tmp_path / "t") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("[{ channel = 2 }]", "expected four axes, the last of more than 2"),
        ("[]", "declare `channel` or `frames`"),
    ],
)
def test_steps_that_a_file_cannot_take_are_problems_of_its_case(tmp_path, capsys, steps, message):
    image, labels = phantom()
    write_nifti(tmp_path / "a.nii.gz", np.stack([image, image], axis=-1))
    write_nifti(tmp_path / "a_m.nii.gz", labels)
    images = f'{{ modality = "MRI", files = "{{case}}.nii.gz", steps = {steps} }}'
    assert build(declare(tmp_path, one_case(images, MASK)), tmp_path / "t") == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("a_m.nrrd", "channel = 1", "picked from NIfTI files only"),
        ("a_m.seg.nrrd", "transpose = [1, 0, 2]", "this file names segments"),
    ],
)
def test_conversions_that_a_format_does_not_have(tmp_path, capsys, name, more, message):
    image, labels = phantom()
    write_nifti(tmp_path / "a.nii.gz", image)
    header = {"space": "right-anterior-superior", "space directions": np.diag([1.0, 2, 3])}
    header |= {"space origin": np.zeros(3)}
    if "seg" in name:
        header |= {"Segment0_ID": "s", "Segment0_Name": "liver", "Segment0_LabelValue": "1"}
        header |= {"Segment0_Layer": "0"}
    nrrd.write(str(tmp_path / name), labels, header)
    masks = f'masks = [{{ files = "{name.replace("a_", "{case}_")}", steps = [{{ {more} }}] }}]'
    assert build(declare(tmp_path, one_case(IMAGES, masks)), tmp_path / "t") == 1
    assert message in capsys.readouterr().err
