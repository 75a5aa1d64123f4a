"""Miniature folders of real tools through `describe --out` and `build`, against other readers.

The declaration is built as it was written; only what stands as `?` is filled in. Every number is
then worked out again from the same files by nibabel, SimpleITK, pydicom, Pillow or json, by the
rules of the tool that wrote them.
"""

import csv
import json
import re
from dataclasses import dataclass
from math import hypot

import nibabel as nib
import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image
from scipy import ndimage

from medvision.cli import main
from medvision.table.read import (
    read_biometrics,
    read_cases,
    read_regions,
    read_structures,
    tables_manifest,
)
from tests.describe import trees
from tests.describe.test_layouts import TRUTHS

pydicom = pytest.importorskip("pydicom", reason="extra dicom is not installed")
sitk = pytest.importorskip("SimpleITK", reason="extra formats is not installed")
pytest.importorskip("highdicom", reason="extra dicom is not installed")

YX_MM = (0.1, 0.2)
"""Of the pictures, whose files hold no spacing."""

NAMES = {
    "busi": {255: "lesion"},
    "case_folders": {1: "necrosis", 2: "edema"},
    "flat": {1: "liver", 2: "liver tumor"},
    "split_folders": {1: "nodule"},
}
"""Of labels that no file of the folder names."""

MEASURE = """
[biometrics.lines]
L1 = { landmarks = ["ear", "nose"] }
[[biometrics.measure]]
kind = "distance"
key = "L1"
"""

UNPAIRED = {"nnunet_v1": ("liver_7",), "bids": ("sub-03_ses-1",)}
"""Cases that patterns find and that lack a file; listed cases lack none."""

AXES = {"sagittal": 0, "coronal": 1, "axial": 2}


def answered(text, tree):
    """A declaration with its `?` filled in, as a user would."""
    text = text.replace('modality = "?"', 'modality = "US"')
    for number, name in NAMES.get(tree, {}).items():
        text = text.replace(f'{number} = "?"', f'{number} = "{name}"')
    if not all(TRUTHS[tree].modalities.values()):
        text = text.replace("\nroot =", f"\nspacing_yx_mm = {list(YX_MM)}\nroot =", 1)
    text += MEASURE if tree == "labelme" else ""
    return text


@dataclass(frozen=True, kw_only=True)
class Built:
    """A folder, its tables, and what building printed."""

    tree: str
    folder: object
    tables: object
    code: int


@pytest.fixture(params=TRUTHS, scope="module")
def built(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    folder = place / "data"
    folder.mkdir()
    getattr(trees, request.param)(folder)
    path = place / "my.toml"
    assert main(["describe", str(folder), "--out", str(path)]) == 0
    path.write_text(answered(path.read_text("utf-8"), request.param), "utf-8")
    assert '"?"' not in path.read_text("utf-8")
    code = main(["build", str(path), "--out", str(place / "t")])
    return Built(tree=request.param, folder=folder, tables=place / "t", code=code)


def test_every_case_is_in_the_tables_and_what_lacks_a_file_is_named(built):
    cases = read_cases(built.tables).to_pylist()
    assert tuple(row["case_id"] for row in cases) == TRUTHS[built.tree].cases
    manifest = tables_manifest(built.tables)
    unpaired = UNPAIRED.get(built.tree, ())
    assert tuple(problem["case_id"] for problem in manifest["problems"]) == unpaired
    assert built.code == bool(unpaired)
    for row in cases:
        assert {image["modality"] for image in row["images"]} == {
            word or "US" for word in TRUTHS[built.tree].modalities.values()
        }


def test_no_subject_is_on_both_sides_and_a_stated_split_is_kept(built):
    truth, cases = TRUTHS[built.tree], read_cases(built.tables).to_pylist()
    sides = {(row["subject_id"], row["split"]) for row in cases}
    assert len(sides) == truth.subjects
    if truth.split:
        assert dict(sides) == dict(truth.split)


def by_nibabel(path, **inside):
    """Label to a test of values, of a NIfTI label map."""
    image = nib.as_closest_canonical(nib.load(path))
    values = np.asarray(image.dataobj)
    sides_mm = np.linalg.norm(image.affine[:3, :3], axis=0)
    return {label.replace("_", " "): (test(values), sides_mm) for label, test in inside.items()}


def both(path, first, second):
    return by_nibabel(path, **{first: lambda v: v == 1, second: lambda v: v == 2})


def nnunet(folder, case_id):
    """Values by dataset.json: a region is any of its values, `ignore` is nobody's."""
    declared = json.loads((folder / "dataset.json").read_text("utf-8"))
    entry = declared.get("dataset", {}).get(case_id)
    path = folder / (entry["label"] if entry else f"labelsTr/{case_id}.nii.gz")
    labels = declared["labels"]
    if "background" not in labels:  # version 1: value to name
        labels = {name: int(value) for value, name in labels.items()}
    tests = {
        name.replace(" ", "_"): lambda v, ids=ids: np.isin(v, ids)
        for name, ids in labels.items()
        if name not in ("background", "ignore")
    }
    return by_nibabel(path, **tests)


def bids(folder, case_id):
    """Values by the table beside the segmentations."""
    pipeline = folder / "derivatives" / "manual"
    with (pipeline / "desc-manual_dseg.tsv").open() as file:
        names = {row["name"]: int(row["index"]) for row in csv.DictReader(file, delimiter="\t")}
    [path] = pipeline.rglob(f"{case_id}_*_dseg.nii.gz")
    tests = {n.replace(" ", "_"): lambda v, number=k: v == number for n, k in names.items()}
    return by_nibabel(path, **tests)


STRUCTURES = {"left kidney": "kidney_left", "liver": "liver", "spleen": "spleen"}
STRUCTURES["vertebra L1"] = "vertebrae_L1"


def totalsegmentator(folder, case_id, place):
    """A file a structure, zero outside it; read by SimpleITK, whose axes are LPS."""
    found = {}
    for label, name in STRUCTURES.items():
        path = folder / place.format(case_id) / f"{name}.nii.gz"
        if path.exists():
            found[label] = in_ras(sitk.ReadImage(str(path)) != 0)
    return {label: one for label, one in found.items() if one[0].any()}


def in_ras(image):
    """Voxels of a SimpleITK image along right, front and up, and their sides."""
    turned = sitk.DICOMOrient(image, "RAS")  # the letters name where axes point to
    direction = np.array(turned.GetDirection()).reshape(3, 3)
    assert np.allclose(direction, np.diag([-1, -1, 1]))  # SimpleITK's world is LPS
    array = sitk.GetArrayFromImage(turned).transpose(2, 1, 0)
    return array.astype(bool), np.array(turned.GetSpacing())


def slicer(folder, case_id):
    """Slicer's header: each segment has a value in a layer; the origin says what was cut off."""
    path = folder / case_id / "Segmentation.seg.nrrd"
    image, volume = sitk.ReadImage(str(path)), sitk.ReadImage(str(folder / case_id / "CT.nii.gz"))
    whole = sitk.Resample(image, volume, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    found = {}
    for key in image.GetMetaDataKeys():
        if match := re.fullmatch(r"(Segment\d+)_Name", key):
            value = int(image.GetMetaData(f"{match[1]}_LabelValue"))
            found[image.GetMetaData(key)] = in_ras(whole == value)
    return found


def series(folder, case_id):
    """Slices of a series from foot to head, and sizes of a voxel: x, y, z of LPS."""
    [place] = (folder / "Collection" / case_id).glob("*/*-Body-*")
    slices = [pydicom.dcmread(path) for path in place.iterdir()]
    slices.sort(key=lambda one: one.ImagePositionPatient[2])
    heights = [float(one.ImagePositionPatient[2]) for one in slices]
    y_mm, x_mm = map(float, slices[0].PixelSpacing)
    return slices, np.array(heights), np.array([x_mm, y_mm, heights[1] - heights[0]])


def tcia(folder, case_id):
    """Frames of a DICOM segmentation, each placed by its own position; LPS turned to RAS."""
    slices, heights, sides_mm = series(folder, case_id)
    [path] = (folder / "Collection" / case_id).glob("*/*-Segmentation-*/*.dcm")
    file = pydicom.dcmread(path)
    names = {one.SegmentNumber: one.SegmentLabel for one in file.SegmentSequence}
    shape = (slices[0].Columns, slices[0].Rows, len(slices))
    found = {name: np.zeros(shape, bool) for name in names.values()}
    for pixels, frame in zip(
        np.atleast_3d(file.pixel_array), file.PerFrameFunctionalGroupsSequence, strict=True
    ):
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        height = float(frame.PlanePositionSequence[0].ImagePositionPatient[2])
        found[names[number]][:, :, np.abs(heights - height).argmin()] |= pixels.T.astype(bool)
    return {name: (mask[::-1, ::-1], sides_mm) for name, mask in found.items()}


def tcia_contours(folder, case_id):
    """Voxel centres inside the contours, a plain rule of crossings on each slice."""
    slices, heights, sides_mm = series(folder, case_id)
    [path] = (folder / "Collection" / case_id).glob("*/*-RTSTRUCT-*/*.dcm")
    file = pydicom.dcmread(path)
    origin = np.array(slices[0].ImagePositionPatient, float)
    shape = (slices[0].Columns, slices[0].Rows, len(slices))
    columns, rows = np.indices(shape[:2])
    x_mm, y_mm = origin[0] + columns * sides_mm[0], origin[1] + rows * sides_mm[1]
    names = {one.ROINumber: one.ROIName for one in file.StructureSetROISequence}
    found = {}
    for region in file.ROIContourSequence:
        mask = np.zeros(shape, bool)
        for contour in region.ContourSequence:
            corners = np.array(contour.ContourData, float).reshape(-1, 3)
            inside = np.zeros(shape[:2], bool)
            for (ax, ay, _), (bx, by, _) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
                between = (ay > y_mm) != (by > y_mm)
                with np.errstate(divide="ignore", invalid="ignore"):
                    inside ^= between & (x_mm < (bx - ax) * (y_mm - ay) / (by - ay) + ax)
            mask[:, :, np.abs(heights - corners[0, 2]).argmin()] ^= inside
        # The second patient's plan writes the name in another case.
        label = {"liver": "Liver"}.get(name := names[region.ReferencedROINumber], name)
        found[label] = (mask[::-1, ::-1], sides_mm)
    return found


READERS = {
    "nnunet_v2": nnunet,
    "nnunet_v1": nnunet,
    "nnunet_paths": nnunet,
    "bids": bids,
    "totalsegmentator_training": lambda f, c: totalsegmentator(f, c, "{}/segmentations"),
    "totalsegmentator_output": lambda f, c: totalsegmentator(f, c, "out/{}"),
    "slicer": slicer,
    "tcia": tcia,
    "tcia_contours": tcia_contours,
    "case_folders": lambda f, c: both(f / c / f"{c}-seg.nii.gz", "necrosis", "edema"),
    "flat": lambda f, c: both(
        f / "masks" / ("b_seg.nii.gz" if c == "b" else f"{c}.nii.gz"), "liver", "liver_tumor"
    ),
}
"""Volumes: folder and case to label → its voxels in RAS+, and the sides of a voxel along them."""


def check_volumes(built):
    structures, regions = read_structures(built.tables), read_regions(built.tables)
    for case_id in TRUTHS[built.tree].cases:
        expected = READERS[built.tree](built.folder, case_id)
        rows = structures.filter(pc.equal(structures["case_id"], case_id)).to_pylist()
        assert {row["label"] for row in rows} == set(expected)
        for row in rows:
            mask, sides_mm = expected[row["label"]]
            assert row["voxel_count"] == mask.sum() > 0
            assert row["volume_mm3"] == pytest.approx(mask.sum() * sides_mm.prod(), rel=1e-5)
            [box] = ndimage.find_objects(mask.astype(np.uint8))
            assert [(row[f"{a}0_vox"], row[f"{a}1_vox"]) for a in "ijk"] == [
                (side.start, side.stop) for side in box
            ]
            where = pc.and_(
                pc.equal(regions["case_id"], case_id), pc.equal(regions["label"], row["label"])
            )
            for plane, axis in AXES.items():
                of_plane = regions.filter(pc.and_(where, pc.equal(regions["plane"], plane)))
                areas = {}
                for part in of_plane.to_pylist():
                    index = part["slice_index"]
                    areas[index] = areas.get(index, 0.0) + part["area_mm2"]
                others = tuple(other for other in range(3) if other != axis)
                pixel_mm2 = sides_mm[list(others)].prod()
                counts = mask.sum(axis=others)
                truth = {int(k): counts[k] * pixel_mm2 for k in np.flatnonzero(counts)}
                assert areas == pytest.approx(truth, rel=1e-5)


def parts_of_pictures(paths):
    """Boxes (x0, y0, x1, y1) and areas of the parts of masks drawn for one picture."""
    joined = np.any([np.asarray(Image.open(path)) > 0 for path in paths], axis=0)
    parts, _ = ndimage.label(joined)
    return {
        (x.start, y.start, x.stop, y.stop): int((parts == n).sum()) * YX_MM[0] * YX_MM[1]
        for n, (y, x) in enumerate(ndimage.find_objects(parts), start=1)
    }


def busi_boxes(folder, case_id):
    masks = [path for path in folder.rglob("*_mask*.png") if path.name.startswith(f"{case_id}_")]
    return {("lesion", *box): area for box, area in parts_of_pictures(masks).items()}


def split_boxes(folder, case_id):
    side, name = case_id.split("_")
    parts = parts_of_pictures([folder / side / "masks" / f"{name}.png"])
    return {("nodule", *box): area for box, area in parts.items()}


def coco_boxes(folder, case_id):
    found = {}
    for path in (folder / "annotations").iterdir():
        content = json.loads(path.read_text("utf-8"))
        names = {one["id"]: one["name"] for one in content["categories"]}
        ids = {one["id"] for one in content["images"] if one["file_name"] == f"{case_id}.jpg"}
        for one in content["annotations"]:
            if one["image_id"] in ids:
                x, y, width, height = one["bbox"]
                box = (names[one["category_id"]], x, y, x + width, y + height)
                found[box] = None
    return found


def yolo_boxes(folder, case_id):
    names = dict(re.findall(r"(?m)^  (\d+): (\w+)$", (folder / "data.yaml").read_text("utf-8")))
    [path] = (folder / "labels").rglob(f"{case_id}.txt")
    found = {}
    for line in path.read_text("utf-8").splitlines():
        number, x, y, width, height = line.split()
        x, y, width, height = (float(v) for v in (x, y, width, height))
        sides = ((x - width / 2) * 47, (y - height / 2) * 30)
        ends = ((x + width / 2) * 47, (y + height / 2) * 30)
        found[(names[number], *(round(v) for v in (*sides, *ends)))] = None
    return found


PICTURES = {
    "busi": busi_boxes,
    "split_folders": split_boxes,
    "coco": coco_boxes,
    "yolo": yolo_boxes,
}


def check_pictures(built):
    regions = read_regions(built.tables).to_pylist()
    for case_id in TRUTHS[built.tree].cases:
        rows = [row for row in regions if row["case_id"] == case_id]
        expected = PICTURES[built.tree](built.folder, case_id)
        found = {
            (row["label"], *(row[key] for key in ("x0_px", "y0_px", "x1_px", "y1_px"))): row
            for row in rows
        }
        assert len(rows) == len(found)
        assert set(found) == set(expected)
        for box, area_mm2 in expected.items():
            assert (found[box]["spacing_y_mm"], found[box]["spacing_x_mm"]) == YX_MM
            if area_mm2 is not None:
                assert found[box]["area_mm2"] == pytest.approx(area_mm2)


def check_lengths(built):
    rows = read_biometrics(built.tables).to_pylist()
    assert sorted(row["case_id"] for row in rows) == ["a", "b"]
    for row in rows:
        shapes = json.loads((built.folder / f"{row['case_id']}.json").read_text("utf-8"))["shapes"]
        points = {one["label"]: one["points"][0] for one in shapes if one["shape_type"] == "point"}
        (ax, ay), (bx, by) = points["ear"], points["nose"]
        expected_mm = hypot((ax - bx) * YX_MM[1], (ay - by) * YX_MM[0])
        assert row["value"] == pytest.approx(expected_mm)


CHECKS = (
    dict.fromkeys(READERS, check_volumes)
    | dict.fromkeys(PICTURES, check_pictures)
    | {"labelme": check_lengths}
)


def test_numbers_are_those_of_other_readers(built):
    CHECKS[built.tree](built)
