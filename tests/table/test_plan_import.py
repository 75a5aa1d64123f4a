"""Plans written here as the original writes them, from the same masks our tables are built from.

The writer is a plain loop over array slices with SciPy and OpenCV, none of it ours.
"""

import gzip
import json

import cv2
import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from medvision.cli import main
from medvision.errors import UsageError
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.diff import Tolerance, diff_tables
from medvision.table.plan import PlanError, read_plan
from medvision.table.plan_import import import_plan
from medvision.table.read import read_biometrics, read_cases, read_regions
from medvision.tasks import Task
from tests.files import nothing_written

SPACING = (1.5, 0.8, 2.5)
LABELS = {"1": "spleen", "6": "liver", "8": "arota"}  # as the original spells them
CASES = [f"amos_{number:04d}" for number in range(1, 8)]


def mask_of(number):
    """Three labels; the liver has two parts on some slices."""
    labels = np.zeros((40, 36, 14), np.uint8)
    labels[3:14, 4 + number : 18, 2:11] = 1
    labels[18:36, 6:20, 3:12] = 6
    labels[18:30, 24:33, 3:8] = 6
    i, j, k = np.indices(labels.shape)
    labels[((i - 12) / 5) ** 2 + ((j - 27) / 4) ** 2 + ((k - 6) / 5) ** 2 <= 1] = 8
    return labels


def file_info(image):
    return {
        "voxel_size": [round(float(x), 3) for x in image.header.get_zooms()],
        "affine": np.round(image.affine, 3).tolist(),
        "orientation": list(nib.aff2axcodes(image.affine)),
        "array_size": list(image.shape),
    }


def plane_slices(mask):
    """Axis, index and pixels of each slice."""
    for axis in range(3):
        for index in range(mask.shape[axis]):
            yield axis, index, np.take(mask, index, axis)


def box_profiles(mask, spacing, **_):
    profiles = {"slice_profiles_x": [], "slice_profiles_y": [], "slice_profiles_z": []}
    for axis, index, pixels in plane_slices(mask):
        sides = [s for other, s in enumerate(spacing) if other != axis]
        found = []
        for label in np.unique(pixels[pixels > 0]):
            parts, n_parts = ndimage.label(pixels == label)
            boxes = []
            for part, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
                dims = (rows.stop - rows.start, columns.stop - columns.start)
                boxes.append(
                    {
                        "min_coords": [rows.start, columns.start],
                        "max_coords": [rows.stop - 1, columns.stop - 1],
                        "center_coords": [0, 0],
                        "dimensions": dims,
                        "sizes": [d * s for d, s in zip(dims, sides, strict=True)],
                        "mask_image_ratio": float((parts == part).mean()),
                    }
                )
            assert len(boxes) == n_parts
            found.append({"label": float(label), "bboxes": boxes})
        if found:
            entry = {"slice_idx": index, "slice_profile": found}
            profiles[f"slice_profiles_{'xyz'[axis]}"].append(entry)
    return profiles


def area_profiles(mask, spacing, **_):
    profiles = {"slice_profiles_x": [], "slice_profiles_y": [], "slice_profiles_z": []}
    for axis, index, pixels in plane_slices(mask):
        area_mm2 = np.prod([s for other, s in enumerate(spacing) if other != axis])
        labels, counts = np.unique(pixels[pixels > 0], return_counts=True)
        found = [
            {"label": float(n), "pixel_count": int(c), "ROI_area": float(c * area_mm2)}
            for n, c in zip(labels, counts, strict=True)
        ]
        if found:
            entry = {"slice_idx": index, "slice_profile": found}
            profiles[f"slice_profiles_{'xyz'[axis]}"].append(entry)
    return profiles


def axis_profiles(mask, spacing, target):
    """Ellipses with right spacing and without the original's gate on end points."""
    profiles = {"slice_profiles_x": [], "slice_profiles_y": [], "slice_profiles_z": []}
    for axis, index, pixels in plane_slices(mask):
        row_mm, column_mm = (s for other, s in enumerate(spacing) if other != axis)
        parts, n_parts = ndimage.label(pixels == target)
        ellipses = []
        for part in range(1, n_parts + 1):
            contours, _ = cv2.findContours(
                (parts == part).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            if (parts == part).sum() < 20:
                continue
            points = contours[0].reshape(-1, 2) * (column_mm, row_mm)
            _, lengths, _ = cv2.fitEllipse(points.astype(np.float32))
            ellipses.append(
                [
                    {
                        "metric_type": "distance",
                        "metric_map_name": "lines_map",
                        "metric_key": key,
                        "metric_value": float(length),
                        "metric_unit": "mm",
                        "slice_dim": axis,
                    }
                    for key, length in zip(
                        ("L-1-2", "L-3-4"), (max(lengths), min(lengths)), strict=True
                    )
                ]
            )
        if ellipses:
            entry = {"slice_idx": index, "slice_profile": ellipses}
            profiles[f"slice_profiles_{'xyz'[axis]}"].append(entry)
    return profiles


def write_dataset(root, *, stored=None):
    """Images and masks of the AMOS22 CT cohort, and the loaded files by case."""
    raw = root / "raw" / "AMOS22" / "AMOS22-CT"
    files = {}
    for number, case in enumerate(CASES):
        mask, affine = mask_of(number % 3), np.diag([*SPACING, 1.0])
        if stored:
            mask, affine = stored(mask, affine)
        for kind, array in (("Images", mask.astype(np.int16) * 20), ("Masks", mask)):
            path = raw / kind / f"{case}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(array, affine), path)
        files[case] = nib.load(raw / "Masks" / f"{case}.nii.gz")
    return files


def plan_of(files, profiles, *, n_train=4, labels=LABELS, name="AMOS22", **task):
    target = task.get("target_label")
    cases = []
    for case, image in files.items():
        zooms = [float(x) for x in image.header.get_zooms()]
        cases.append(
            {
                "case_ID": case,
                "image_file": f"AMOS22-CT/Images/{case}.nii.gz",
                "mask_file": f"AMOS22-CT/Masks/{case}.nii.gz",
                "image_file_info": file_info(image),
                "mask_file_info": file_info(image),
                **profiles(np.asarray(image.dataobj), zooms, target=target),
            }
        )
    return {
        "dataset_info": {"dataset": name, "license": ["CC BY 4.0"]},
        "tasks_number": 1,
        "tasks": [
            {
                "image_modality": "CT",
                "image_description": "abdominal computed tomography (CT) scan",
                "image_folder": "AMOS22-CT/Images",
                "mask_folder": "AMOS22-CT/Masks",
                "labels_map": labels,
                "task_ID": "01",
                **task,
                "train_cases_number": n_train,
                "train_cases": cases[:n_train],
                "test_cases_number": len(cases) - n_train,
                "test_cases": cases[n_train:],
            }
        ],
    }


def write_plan(path, plan, *, packed_at_s=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(plan).encode(), mtime=packed_at_s))
    return path


@pytest.fixture(scope="module")
def amos(tmp_path_factory):
    """Root with our tables of seven cases, and their mask files."""
    root = tmp_path_factory.mktemp("amos")
    files = write_dataset(root)
    assert main(["build", "AMOS22", "--root", str(root)]) == 0
    return root, files


def imported(tmp_path, plan, data, *more):
    path = write_plan(tmp_path / "benchmark_plan_detection_v1.0.0.json.gz", plan)
    words = ["table", "import-plan", path, "--out", tmp_path / "out", "--data", data, *more]
    assert main([str(word) for word in words]) == 0
    (folder,) = (tmp_path / "out").iterdir()
    return folder


DOCUMENTED = {"split", "label"}
"""Corrections that a detection plan of this dataset meets: split by subject, and spelling."""


def test_boxes_equal_ours_but_for_the_documented_corrections(amos, tmp_path):
    root, files = amos
    folder = imported(tmp_path, plan_of(files, box_profiles), root / "raw" / "AMOS22")
    assert folder.name == "detection-Task01"
    found = diff_tables(folder, root / "tables" / "AMOS22", Tolerance())
    regions = found["regions"]
    assert regions.n_matched == regions.n_a == regions.n_b > 500
    assert not regions.added
    assert not regions.dropped
    assert set(regions.changed) == DOCUMENTED
    assert {e.a for e in regions.examples["changed: label"]} == {"arota"}
    assert {e.b for e in regions.examples["changed: label"]} == {"aorta"}
    assert set(found["cases"].changed) == {"split"}
    assert regions.unknown.keys().isdisjoint({"x0_px", "pixel_count", "area_mm2", "n_components"})


def test_published_split_is_kept(amos, tmp_path):
    root, files = amos
    folder = imported(tmp_path, plan_of(files, box_profiles), root / "raw" / "AMOS22")
    splits = {row["case_id"]: row["split"] for row in read_cases(folder).to_pylist()}
    assert [splits[case] for case in CASES] == ["train"] * 4 + ["test"] * 3
    rows = read_regions(folder).to_pylist()
    assert {row["case_id"] for row in rows if row["split"] == "test"} == set(CASES[4:])


def test_published_sample_set_is_reproduced_and_can_be_shown(amos, tmp_path):
    """What the original's loader keeps: one box per slice and label, both sides at least 10."""
    root, files = amos
    plan = plan_of(files, box_profiles)
    folder = imported(tmp_path, plan, root / "raw" / "AMOS22")
    expected = set()
    for case in plan["tasks"][0]["test_cases"]:
        for plane, key in (("sagittal", "x"), ("coronal", "y"), ("axial", "z")):
            for on in case[f"slice_profiles_{key}"]:
                for entry in on["slice_profile"]:
                    if len(entry["bboxes"]) == 1 and min(entry["bboxes"][0]["dimensions"]) >= 10:
                        place = (case["case_ID"], plane, on["slice_idx"], int(entry["label"]))
                        expected.add(place)
    suite = Suite(name="t", configs=(TaskConfig(task=Task.DETECTION),), cap_per_config=None)
    samples = select_samples(suite, table_folders([folder])).samples
    assert {(s.case_id, s.plane, s.slice_index, s.label_id) for s in samples} == expected
    words = ["eval", "--tables", folder, "--task", "detection", "--model", "baseline/oracle"]
    words += ["--run", tmp_path / "run", "--limit", "5"]
    assert main([str(word) for word in words]) == 0


def as_lps(mask, affine):
    turned = affine @ np.diag([-1.0, -1.0, 1.0, 1.0])
    turned[:3, 3] = affine[:3, :3] @ (mask.shape[0] - 1, mask.shape[1] - 1, 0)
    return np.ascontiguousarray(mask[::-1, ::-1]), turned


def as_permuted(mask, affine):
    return np.ascontiguousarray(mask.transpose(2, 0, 1)), affine[:, [2, 0, 1, 3]]


@pytest.mark.parametrize("stored", [as_lps, as_permuted])
def test_plans_made_before_reorientation_are_turned(tmp_path, stored):
    files = write_dataset(tmp_path, stored=stored)
    assert main(["build", "AMOS22", "--root", str(tmp_path)]) == 0
    folder = imported(tmp_path / "plan", plan_of(files, box_profiles), tmp_path / "raw" / "AMOS22")
    found = diff_tables(folder, tmp_path / "tables" / "AMOS22", Tolerance())
    assert found["regions"].n_matched == found["regions"].n_a == found["regions"].n_b
    assert set(found["regions"].changed) == DOCUMENTED
    assert all("orientation_not_ras" in row["flags"] for row in read_cases(folder).to_pylist())


def test_areas_equal_ours(amos, tmp_path):
    root, files = amos
    plan = plan_of(files, area_profiles, task_type="segmentation")
    folder = imported(tmp_path, plan, root / "raw" / "AMOS22")
    assert folder.name == "area-Task01"
    found = diff_tables(folder, root / "tables" / "AMOS22", Tolerance())["regions"]
    assert found.n_matched == found.n_a == found.n_b
    assert set(found.changed) == DOCUMENTED
    suite = Suite(name="t", configs=(TaskConfig(task=Task.AREA),), cap_per_config=None)
    ours, theirs = (
        select_samples(suite, table_folders([tables]), split="all").samples
        for tables in (root / "tables" / "AMOS22", folder)
    )
    truths = [{(s.case_id, s.plane, s.slice_index, s.label_id): s.truth[0] for s in side}
              for side in (ours, theirs)]  # fmt: skip
    assert truths[0] == pytest.approx(truths[1])


def test_axes_equal_ours(study_tables, tmp_path):
    """Our table's own masks, with a target label."""
    masks = sorted((study_tables.parent / "masks").glob("*.nii.gz"))
    files = {path.name.removesuffix(".nii.gz"): nib.load(path) for path in masks}
    labels = {"1": "liver", "2": "liver tumor", "3": "kidney"}
    plan = plan_of(files, axis_profiles, labels=labels, name="study 1", target_label=2)
    folder = imported(tmp_path, plan, study_tables.parent)
    assert folder.name == "tl-Task01"
    found = diff_tables(folder, study_tables, Tolerance(absolute=1e-3, relative=1e-4))["regions"]
    assert found.n_matched > 200
    assert set(found.changed) == {"split"}
    assert set(found.dropped) <= {"slice_absent"}
    # Slices with under 20 px, which this plan leaves out as the original does.
    assert set(found.added) <= {"slice_absent", "plane_absent"}
    assert found.n_matched / found.n_b > 0.8
    suite = Suite(name="t", configs=(TaskConfig(task=Task.TUMOR_LESION),), cap_per_config=None)
    samples = select_samples(suite, table_folders([folder]), split="all").samples
    assert len(samples) == found.n_a
    assert all(s.points == () and s.box_px == () for s in samples)


def measurement(kind, key, value, axis):
    names = {"distance": "lines_map", "angle": "angles_map"}
    return {
        "metric_type": kind,
        "metric_map_name": names[kind],
        "metric_key": key,
        "metric_value": value,
        "metric_unit": {"distance": "mm", "angle": "degree"}[kind],
        "slice_dim": axis,
    }


@pytest.fixture
def fetal_plan():
    lines = {
        key: {"name": name, "element_keys": points, "element_map_name": "landmarks_map"}
        for key, name, points in (
            ("L-1-2", "length of corpus callosum", ["P1", "P2"]),
            ("L-3-4", "", ["P3", "P4"]),
        )
    }
    angle = {"name": "", "element_keys": ["L-1-2", "L-3-4"], "element_map_name": "lines_map"}
    info = {
        "voxel_size": [0.5, 0.5, 0.5],
        "affine": np.diag([0.5, 0.5, 0.5, 1]).tolist(),
        "orientation": ["R", "A", "S"],
        "array_size": [60, 70, 50],
    }
    on = [
        {"slice_idx": 30, "slice_profile": [measurement("distance", "L-1-2", 12.25, 0)]},
        {"slice_idx": 30, "slice_profile": [measurement("angle", "A-1", 41.5, 0)]},
    ]
    case = {
        "case_ID": "sub-001_rec-mial",
        "image_file": "Images-reoriented/sub-001_rec-mial_T2w.nii.gz",
        "landmark_file": "Landmarks/sub-001_rec-mial.json.gz",
        "image_file_info": info,
        "slice_profiles_x": on,
        "slice_profiles_y": [],
        "slice_profiles_z": [],
    }
    task = {
        "image_modality": "",
        "image_description": "",
        "landmarks_map": {"P1": "front", "P2": "back", "P3": "top", "P4": "eminence "},
        "lines_map": lines,
        "angles_map": {"A-1": angle},
        "task_ID": "01",
        "task_type": "biometry",
        "train_cases": [case],
        "test_cases": [{**case, "case_ID": "sub-001_rec-irtk"}],
    }
    return {"dataset_info": {"dataset": "FeTA24"}, "tasks": [task]}


def test_measurements_are_imported_with_names_and_units(fetal_plan, tmp_path):
    folder = imported(tmp_path, fetal_plan, tmp_path)
    rows = read_biometrics(folder).to_pylist()
    assert [(r["metric_kind"], r["value"], r["unit"]) for r in rows if r["split"] == "test"] == [
        ("angle", 41.5, "deg"),
        ("distance", 12.25, "mm"),
    ]
    assert {r["slice_index"] for r in rows} == {30}
    assert {r["plane"] for r in rows} == {"sagittal"}
    assert {(r["height_px"], r["width_px"]) for r in rows} == {(50, 70)}
    angle = next(r for r in rows if r["metric_kind"] == "angle")
    assert [p["name"] for p in angle["points"]] == ["front", "back", "top", "eminence"]
    assert {r["cohort"] for r in rows} == {"biometry"}


def test_flags_say_what_is_known_to_be_wrong(fetal_plan, amos, tmp_path):
    folder = imported(tmp_path / "a", fetal_plan, tmp_path)
    flags = {row["case_id"]: row["flags"] for row in read_cases(folder).to_pylist()}
    assert flags["sub-001_rec-mial"] == ["imported_plan", "subject_on_both_sides"]
    _, files = amos
    plan = plan_of(files, box_profiles)
    case = plan["tasks"][0]["test_cases"][0]
    case["image_file_info"]["voxel_size"] = [1.0, 1.0, 1.0]
    other = plan["tasks"][0]["test_cases"][1]
    other["mask_file_info"]["array_size"] = [1, 2, 3]
    rows = read_cases(imported(tmp_path / "b", plan, tmp_path)).to_pylist()
    flags = {row["case_id"]: row["flags"] for row in rows}
    assert flags[CASES[0]] == ["imported_plan"]
    assert flags[case["case_ID"]] == ["imported_plan", "spacing_contradicts_affine"]
    assert flags[other["case_ID"]] == ["imported_plan", "mask_grid_differs"]


def test_mixed_planes_and_exclusions_are_flagged(amos, tmp_path):
    _, files = amos
    few = dict(list(files.items())[:2])
    plan = plan_of(few, box_profiles, n_train=1, labels={"1": "left ventricular myocardium"})
    folder = imported(tmp_path, plan, tmp_path, "--name", "CAMUS")
    for row in read_cases(folder).to_pylist():
        assert "mixed_planes" in row["flags"]


def test_importing_again_does_nothing_and_built_tables_are_safe(amos, tmp_path, capsys):
    root, files = amos
    plan = plan_of(files, box_profiles)
    folder = imported(tmp_path, plan, root / "raw" / "AMOS22")
    with nothing_written(folder / "manifest.json"):
        imported(tmp_path, plan, root / "raw" / "AMOS22")
    assert "already up to date" in capsys.readouterr().out
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["imported"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert main(["table", "import-plan", str(tmp_path / "benchmark_plan_detection_v1.0.0.json.gz"),
                 "--out", str(tmp_path / "out")]) == 2  # fmt: skip
    assert "something that no import wrote" in capsys.readouterr().err


@pytest.mark.parametrize("task_id", ["x/../../victim", "..", "/", "a\nb", ""])
def test_a_plan_reaches_no_folder_beside_its_own(amos, tmp_path, capsys, task_id):
    root, files = amos
    plan = plan_of(files, box_profiles)
    plan["tasks"][0]["task_ID"] = task_id
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "thesis.txt").write_text("years of work")
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    words = ["table", "import-plan", str(tmp_path / "plan.json"), "--out", str(tmp_path / "out")]
    assert main([*words, "--data", str(root / "raw" / "AMOS22")]) == 2
    assert "expected a name that can be part of a path" in capsys.readouterr().err
    assert (tmp_path / "victim" / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_an_import_removes_only_what_an_import_made(amos, tmp_path, capsys):
    root, files = amos
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(plan_of(files, box_profiles)))
    words = ["table", "import-plan", str(plan), "--out", str(tmp_path / "out")]
    words += ["--data", str(root / "raw" / "AMOS22")]
    assert main(words) == 0
    (folder,) = (tmp_path / "out").iterdir()
    (folder / "manifest.json").unlink()
    (folder / "mine.txt").write_text("kept")
    assert main(words) == 2
    assert "something that no import wrote" in capsys.readouterr().err
    assert (folder / "mine.txt").read_text(encoding="utf-8") == "kept"


def test_the_time_of_packing_is_no_part_of_a_plan(amos, tmp_path):
    _, files = amos
    plan = plan_of(files, box_profiles)
    path, out, data = tmp_path / "p.json.gz", tmp_path / "out", tmp_path
    (first,) = import_plan(write_plan(path, plan, packed_at_s=1), out, data=data)
    (again,) = import_plan(write_plan(path, plan, packed_at_s=2), out, data=data)
    (tmp_path / "p.json").write_text(json.dumps(plan))
    (unpacked,) = import_plan(tmp_path / "p.json", out, data=data)
    assert [task.up_to_date for task in (first, again, unpacked)] == [False, True, True]
    plan["tasks"][0]["image_description"] = "another scan"
    (changed,) = import_plan(write_plan(path, plan, packed_at_s=2), out, data=data)
    assert not changed.up_to_date


def test_damaged_cases_are_named_and_the_others_go_on(amos, tmp_path, capsys):
    _, files = amos
    plan = plan_of(files, box_profiles)
    plan["tasks"][0]["test_cases"][0]["image_file_info"]["orientation"] = ["R", "R", "S"]
    del plan["tasks"][0]["test_cases"][1]["image_file_info"]["array_size"]
    path = write_plan(tmp_path / "p.json.gz", plan)
    assert main(["table", "import-plan", str(path), "--out", str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    assert f"{CASES[4]}: plan_case: AMOS22/{CASES[4]}: expected three axes" in err
    assert f"{CASES[5]}: plan_case: AMOS22/{CASES[5]}: expected a case as the original" in err
    assert "5 cases" in out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "cannot read the benchmark plan"),
        (b"[]", "with a list of tasks"),
        (b'{"tasks": [{}]}', "expected train_cases or test_cases"),
        (
            b'{"tasks": [{"test_cases": [{"slice_profiles_x": [{"slice_profile": [{}]}]}]}]}',
            "expected one of bboxes, pixel_count, metric_key",
        ),
    ],
)
def test_files_that_are_no_plan_say_so(content, words, tmp_path):
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(PlanError, match=words):
        read_plan(path)


def test_plan_without_a_name_asks_for_one(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text('{"dataset_info": {"dataset": ""}, "tasks": [{"train_cases": []}]}')
    with pytest.raises(UsageError, match="names no dataset; add --name"):
        import_plan(path, tmp_path / "out")
    (task,) = import_plan(path, tmp_path / "out", name="BraTS24")
    assert task.n_cases == 0
    assert read_cases(task.folder).num_rows == 0
