"""Miniature cases of public datasets, laid out as their declarations say, built and asked.

Each is a case that the original gets wrong.
"""

import nibabel as nib
import numpy as np
import pytest

from medvision.catalog.dataset import load_dataset
from medvision.cli import main
from medvision.pictures.render import SlicePictures
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.read import read_biometrics, read_cases, read_regions
from medvision.tasks import Task


def save(path, array, spacing=(1.0, 1.0, 1.0), headers=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([*spacing, 1.0]))
    if headers:
        headers(image)
    nib.save(image, path)


def block(shape=(24, 20, 16), value=1):
    """A mask with a box of 12 × 12 × 8 voxels."""
    labels = np.zeros(shape, np.uint8)
    labels[4:16, 4:16, 4:12] = value
    return labels


def lay_out(root, name, case_id, mask, *, cohort="", image=None, spacing=(1.0, 1.0, 1.0)):
    """One case's files, where the declaration expects them."""
    raw = root / "raw" / name
    declared = load_dataset(name).cohort(cohort)
    shown = (mask * 100).astype(np.int16) if image is None else image
    for entry in declared.images:
        save(raw / entry.files.format(case=case_id), shown, spacing)
    save(raw / declared.mask.format(case=case_id), mask, spacing)


def built(root, name):
    assert main(["build", name, "--root", str(root)]) == 0
    return root / "tables" / name


def samples_of(tables, task, **config):
    suite = Suite(name="t", configs=(TaskConfig(task=task, **config),))
    return select_samples(suite, table_folders([tables]), split="all").samples


def test_camus_measures_no_plane_that_mixes_space_and_time(tmp_path):
    mask = block(value=1)
    mask[mask == 1] = 1
    mask[16:20, 4:16, 4:12] = 2
    lay_out(tmp_path, "CAMUS", "patient0001_2CH_half_sequence", mask)
    rows = read_regions(built(tmp_path, "CAMUS"))
    assert set(rows["plane"].to_pylist()) == {"axial"}
    assert rows.num_rows == 2 * 8
    named = set(zip(rows["label_id"].to_pylist(), rows["label"].to_pylist(), strict=True))
    assert named == {(1, "left ventricular cavity"), (2, "left ventricular myocardium")}


def test_acdc_sizes_are_in_the_spacing_of_the_qform(tmp_path):
    def unit_sform(image):
        qform = np.diag([1.5, 1.5, 10.0, 1.0])
        image.set_qform(qform, code=1)
        image.header["pixdim"][1:4] = (1.5, 1.5, 10.0)
        image.set_sform(np.eye(4), code=1)

    raw = tmp_path / "raw" / "ACDC"
    save(raw / "Images" / "patient001_frame01.nii.gz", block().astype(np.int16), headers=unit_sform)
    save(raw / "Masks" / "patient001_frame01_gt.nii.gz", block(), headers=unit_sform)
    tables = built(tmp_path, "ACDC")
    (case,) = read_cases(tables).to_pylist()
    assert case["spacing_mm"] == pytest.approx([1.5, 1.5, 10.0])
    assert case["spacing_source"] == "qform"
    axial = [r for r in read_regions(tables).to_pylist() if r["plane"] == "axial"]
    assert axial[0]["area_mm2"] == pytest.approx(12 * 12 * 1.5**2)


def test_subjects_with_several_scans_are_on_one_side(tmp_path):
    for number in range(10):
        for modality in ("ct", "mr"):
            cohort = {"ct": "CT", "mr": "MR"}[modality]
            case_id = f"topcow_{modality}_{number:03d}"
            lay_out(tmp_path, "TopCoW24", case_id, block((16, 16, 12)), cohort=cohort)
    rows = read_cases(built(tmp_path, "TopCoW24")).to_pylist()
    sides = {}
    for row in rows:
        sides.setdefault(row["subject_id"], set()).add(row["split"])
    assert len(sides) == 10
    assert all(len(splits) == 1 for splits in sides.values())
    assert sum(splits == {"train"} for splits in sides.values()) == 7


def test_lesion_labels_are_asked_on_the_one_image_that_shows_them(tmp_path):
    mask = block(value=2)
    mask[18:22, 4:16, 4:12] = 3
    lay_out(tmp_path, "BraTS24", "BraTS-GLI-00001-000", mask, cohort="GLI")
    tables = built(tmp_path, "BraTS24")
    asked = samples_of(tables, Task.TUMOR_LESION)
    images = {(s.label_id, s.image_id) for s in asked}
    assert images == {(2, "t2f"), (3, "t1c")}
    assert len({(s.plane, s.slice_index, s.label_id) for s in asked}) == len(asked)
    flair = next(s for s in asked if s.image_id == "t2f")
    assert "FLAIR" in flair.description
    assert "non-enhancing flair hyperintensity of brain" in flair.name
    boxes = samples_of(tables, Task.DETECTION, dataset="BraTS24", task_id="02")
    assert {s.image_id for s in boxes} == {"t1n"}


@pytest.mark.parametrize(
    ("name", "cohort", "case_id", "windowed"),
    [
        ("KiTS23", "", "case_00001", True),
        ("KiPA22", "", "1", False),
        ("ToothFairy2", "", "ToothFairy2F_001", False),
        ("TopCoW24", "CT", "topcow_ct_001", False),
    ],
)
def test_ct_window_needs_hounsfield_units(tmp_path, name, cohort, case_id, windowed):
    """Values from 1000 up: a soft-tissue or bone window shows them all white."""
    ramp = np.broadcast_to(np.linspace(1400, 3000, 24)[:, None, None], (24, 20, 16))
    lay_out(tmp_path, name, case_id, block(), cohort=cohort, image=ramp.astype(np.int16))
    asked = samples_of(built(tmp_path, name), Task.AREA) or samples_of(
        tmp_path / "tables" / name, Task.DETECTION
    )
    sample = next(s for s in asked if s.plane == "axial" and s.modality == "CT")
    n_greys = len(np.unique(SlicePictures().picture(sample)))
    assert n_greys == 1 if windowed else n_greys > 10


def test_placeholder_spacing_stays_out_of_tasks_in_mm(tmp_path):
    big = np.zeros((24, 20, 24), np.uint8)
    big[2:20, 2:18, 2:20] = 1
    for case_id in ("Case_00078", "Case_00079"):
        lay_out(tmp_path, "AbdomenCT-1K", case_id, big)
    tables = built(tmp_path, "AbdomenCT-1K")
    flags = {row["case_id"]: row["flags"] for row in read_cases(tables).to_pylist()}
    assert "spacing_suspect" in flags["Case_00078"]
    assert "spacing_suspect" not in flags["Case_00079"]
    assert {s.case_id for s in samples_of(tables, Task.AREA)} == {"Case_00079"}
    assert len({s.case_id for s in samples_of(tables, Task.DETECTION)}) == 2


def test_excluded_cases_are_left_out(tmp_path):
    for case_id in ("BraTS-MET-00232-000", "BraTS-MET-00233-000"):
        lay_out(tmp_path, "BraTS24", case_id, block(value=1), cohort="MET")
    rows = read_cases(built(tmp_path, "BraTS24")).to_pylist()
    assert [row["case_id"] for row in rows] == ["BraTS-MET-00233-000"]


def test_unnamed_labels_are_known_and_not_asked(tmp_path):
    mask = block(value=11)
    mask[18:22, 4:16, 4:12] = 40
    lay_out(tmp_path, "ToothFairy2", "ToothFairy2F_001", mask)
    tables = built(tmp_path, "ToothFairy2")
    assert set(read_regions(tables)["label_id"].to_pylist()) == {11}


def test_fetal_biometry_has_words_and_one_slice(tmp_path):
    raw = tmp_path / "raw" / "FeTA24"
    image = np.zeros((20, 24, 22), np.int16)
    save(raw / "Images-reoriented" / "sub-001_rec-mial_T2w.nii.gz", image, (0.5, 0.5, 0.5))
    points = {f"P{number}": [5 + number, 6, 7] for number in range(1, 11)}
    points |= {"P1": [5, 18, 10], "P2": [5, 6, 10], "P3": [8, 6, 15], "P4": [9, 6, 5]}
    (raw / "Landmarks").mkdir()
    import gzip
    import json

    with gzip.open(raw / "Landmarks" / "sub-001_rec-mial.json.gz", "wt") as stream:
        json.dump(points, stream)
    assert main(["build", "FeTA24", "--root", str(tmp_path)]) == 1  # P3, P4 on two slices
    tables = tmp_path / "tables" / "FeTA24"
    found = {row["metric_key"]: row for row in read_biometrics(tables).to_pylist()}
    assert found["L-1-2"]["value"] == pytest.approx(6.0)
    assert "L-3-4" not in found
    (sample,) = (s for s in samples_of(tables, Task.ANGLE_DISTANCE) if s.metric_key == "L-1-2")
    assert "fetal brain" in sample.description
    assert sample.modality == "MRI"


def test_cephalograms_keep_angles_above_ninety_degrees(tmp_path):
    """The original folds a SNA angle of 94.4 degrees to 85.6, and shifts landmarks by a pixel."""
    import json

    from PIL import Image

    raw = tmp_path / "raw" / "Ceph-Biometrics-400"
    (raw / "Images").mkdir(parents=True)
    (raw / "Landmarks").mkdir()
    Image.fromarray(np.zeros((400, 300), np.uint8)).save(raw / "Images" / "001.bmp")
    angle = np.radians(94.4)
    points = {f"P{n}": [20 + 7 * n, 15 + (11 * n) % 60] for n in range(1, 20)}
    points |= {"P1": [50, 100], "P2": [150, 100]}
    points["P5"] = [150 - 100 * np.cos(angle), 100 + 100 * np.sin(angle)]
    (raw / "Landmarks" / "001.json").write_text(json.dumps(points))
    rows = read_biometrics(built(tmp_path, "Ceph-Biometrics-400")).to_pylist()
    assert len(rows) == 19
    sna = next(row for row in rows if row["metric_key"] == "A-L_1_2-L_2_5")
    assert sna["value"] == pytest.approx(85.6, abs=1e-6)
    assert sna["vertex_value_deg"] == pytest.approx(94.4, abs=1e-6)
    assert sna["plane"] == "sagittal"
    line = next(row for row in rows if row["metric_key"] == "L-1-2")
    assert line["value"] == pytest.approx(10.0)
    assert [(p["x_px"], p["y_px"]) for p in line["points"]] == [(50, 100), (150, 100)]


def test_a_case_that_lacks_a_sequence_is_named(tmp_path, capsys):
    lay_out(tmp_path, "BraTS24", "BraTS-GLI-00001-000", block(value=2), cohort="GLI")
    lay_out(tmp_path, "BraTS24", "BraTS-GLI-00002-000", block(value=2), cohort="GLI")
    missing = "BraTS24-GLI/Images-t2f/BraTS-GLI-00002-000-t2f.nii.gz"
    (tmp_path / "raw" / "BraTS24" / missing).unlink()
    assert main(["build", "BraTS24", "--root", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "BraTS-GLI-00002-000: unpaired: case BraTS-GLI-00002-000: no file" in err
    assert "1 of 2 cases" in out
