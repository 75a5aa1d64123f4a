"""Real images that package registries carry, against oracles that are not this package."""

import csv
import itertools

import cv2
import nibabel as nib
import nrrd
import numpy as np
import pyarrow.compute as pc
import pytest
from scipy import ndimage

from medvision.table.read import read_biometrics, read_cases, read_regions

pytestmark = pytest.mark.registry

PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}


def displayed(ras, plane, index):
    """A slice as a radiologist sees it, written out for each plane."""
    if plane == "axial":
        return ras[::-1, ::-1, index].T
    if plane == "coronal":
        return ras[::-1, index, ::-1].T
    return ras[index, ::-1, ::-1].T


@pytest.fixture(scope="module")
def colin(real_root):
    folder = real_root / "tables" / "colin27-aal"
    if not folder.exists():
        pytest.skip("Colin27 is a Debian package and this machine has no apt-get")
    mask = nib.as_closest_canonical(nib.load(real_root / "raw" / "colin27-aal" / "aal.nii.gz"))
    return read_regions(folder), np.asarray(mask.dataobj)


def test_colin27_has_the_known_number_of_components(colin):
    rows, _ = colin
    counts = dict(pc.value_counts(rows["plane"]).to_pylist()[i].values() for i in range(3))
    assert counts == {"sagittal": 5500, "coronal": 6821, "axial": 4838}
    assert rows.num_rows == 17159


@pytest.mark.parametrize("plane", PLANES)
def test_colin27_boxes_equal_a_naive_scipy_loop(colin, plane):
    rows, ras = colin
    expected = set()
    for index in range(ras.shape[PLANES[plane]]):
        seen = displayed(ras, plane, index)
        for label in np.unique(seen[seen > 0]):
            components, _ = ndimage.label(seen == label)
            for number, (ys, xs) in enumerate(ndimage.find_objects(components), start=1):
                count = int((components[ys, xs] == number).sum())
                box = (xs.start, ys.start, xs.stop, ys.stop)
                expected.add((index, int(label), *box, count))
    names = ["slice_index", "label_id", "x0_px", "y0_px", "x1_px", "y1_px", "pixel_count"]
    of_plane = rows.filter(pc.equal(rows["plane"], plane))
    found = list(zip(*(of_plane[name].to_pylist() for name in names), strict=True))
    assert len(found) == len(set(found))
    assert set(found) == expected


CASES = ("brain1", "brain2", "breast1", "lung1", "lung2")


def ras_label(real_root, case):
    """Label map turned to RAS+ by hand from the NRRD header, and its spacing."""
    path = real_root / "raw" / "pyradiomics-tumors" / f"{case}_label.nrrd"
    array, header = nrrd.read(str(path))
    assert header["space"] == "left-posterior-superior"
    directions = np.array(header["space directions"]) * [-1, -1, 1]
    for axis in range(3):
        assert np.flatnonzero(directions[axis]).tolist() == [axis]
        if directions[axis, axis] < 0:
            array = np.flip(array, axis)
    return array, np.abs(np.diag(directions))


def opencv_ellipse(component, spacing_x_mm, spacing_y_mm):
    """Status, major and minor axis of a component's cropped mask, by the definition's words."""
    height, width = component.shape
    if min(height, width) < 3:
        return "too_thin", None, None
    contours, _ = cv2.findContours(
        component.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    points = contours[0].reshape(-1, 2).astype(np.float64) * (spacing_x_mm, spacing_y_mm)
    if len(points) < 5:
        return "too_few_points", None, None
    _, axes, _ = cv2.fitEllipse(points.astype(np.float32))
    major, minor = max(axes), min(axes)
    if not np.isfinite([major, minor]).all():
        return "non_finite", None, None
    if minor < min(spacing_x_mm, spacing_y_mm):
        return "collapsed", None, None
    if major > 1.5 * np.hypot(width * spacing_x_mm, height * spacing_y_mm):
        return "runaway", None, None
    if major < max(2.0, 2 * max(spacing_x_mm, spacing_y_mm)):
        return "below_floor", None, None
    return "ok", major, minor


@pytest.fixture(scope="module")
def tumors(real_root):
    return read_regions(real_root / "tables" / "pyradiomics-tumors")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("plane", PLANES)
def test_tumour_axes_equal_a_direct_opencv_fit(real_root, tumors, case, plane):
    ras, spacing = ras_label(real_root, case)
    x_mm, y_mm = {
        "axial": (spacing[0], spacing[1]),
        "coronal": (spacing[0], spacing[2]),
        "sagittal": (spacing[1], spacing[2]),
    }[plane]
    mask = pc.and_(pc.equal(tumors["case_id"], case), pc.equal(tumors["plane"], plane))
    rows = tumors.filter(mask).to_pylist()
    n_slices = sum(displayed(ras, plane, index).any() for index in range(ras.shape[PLANES[plane]]))
    assert len({row["slice_index"] for row in rows}) == n_slices
    for row in rows:
        seen = displayed(ras, plane, row["slice_index"])
        components, _ = ndimage.label(seen)
        ys, xs = slice(row["y0_px"], row["y1_px"]), slice(row["x0_px"], row["x1_px"])
        sizes = {n: int((components == n).sum()) for n in np.unique(components[ys, xs]) if n}
        number = next(
            n
            for n, size in sizes.items()
            if size == row["pixel_count"] and ndimage.find_objects(components)[n - 1] == (ys, xs)
        )
        assert (row["spacing_x_mm"], row["spacing_y_mm"]) == pytest.approx((x_mm, y_mm))
        status, major, minor = opencv_ellipse(components[ys, xs] == number, x_mm, y_mm)
        assert row["ellipse_status"] == status
        if status == "ok":
            assert row["ellipse_major_mm"] == pytest.approx(major, abs=1e-3)
            assert row["ellipse_minor_mm"] == pytest.approx(minor, abs=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_tumour_moments_agree_with_the_published_features(real_root, tumors, case):
    path = real_root / "raw" / "pyradiomics-tumors" / "baseline_shape2D.csv"
    with path.open() as stream:
        published = {row["featureName"]: row[f"{case}_shape2D"] for row in csv.DictReader(stream)}
    n_pixels = int(published["diagnostics_Mask-original_VoxelNum"])
    is_axial = pc.and_(pc.equal(tumors["case_id"], case), pc.equal(tumors["plane"], "axial"))
    rows = [
        row
        for row in tumors.filter(is_axial).to_pylist()
        if row["label_pixel_count"] == n_pixels and row["n_components"] == 1
    ]
    assert len(rows) == 1
    (row,) = rows
    published_mm = {
        name: float(published[f"original_shape2D_{name}"])
        for name in ("MajorAxisLength", "MinorAxisLength", "MaximumDiameter", "PixelSurface")
    }
    assert row["moment_major_mm"] == pytest.approx(published_mm["MajorAxisLength"], rel=1e-6)
    assert row["moment_minor_mm"] == pytest.approx(published_mm["MinorAxisLength"], rel=1e-6)
    assert row["area_mm2"] == pytest.approx(published_mm["PixelSurface"], rel=1e-6)
    # theirs is taken on the half-pixel outline, ours between pixel centres
    extra_mm = published_mm["MaximumDiameter"] - row["feret_max_mm"]
    assert 0 <= extra_mm <= 1.5 * row["spacing_x_mm"]
    if row["ellipse_status"] == "ok":
        assert row["ellipse_major_mm"] == pytest.approx(row["moment_major_mm"], rel=0.15)


def afids_world(real_root):
    path = real_root / "raw" / "afids-mni" / "tpl-MNI152NLin2009cAsym_res-01_T1w.fcsv"
    lines = [
        line.split(",")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line[:1] not in ("", "#")
    ]
    return {line[11]: np.array([float(value) for value in line[1:4]]) for line in lines}


def test_afids_distances_equal_world_distances(real_root):
    world = afids_world(real_root)
    rows = read_biometrics(real_root / "tables" / "afids-mni").to_pylist()
    distances = [row for row in rows if row["metric_kind"] == "distance"]
    assert len({row["metric_key"] for row in distances}) >= 5
    for row in distances:
        start, end = (world[point["key"]] for point in row["points"])
        assert row["value"] == pytest.approx(np.linalg.norm(end - start), abs=0.5)
        assert row["unit"] == "mm"
    (ac_pc,) = (row["value"] for row in distances if row["metric_key"] == "L-1-2")
    assert ac_pc == pytest.approx(28.1, abs=0.1)


def test_afids_angles_equal_world_angles(real_root):
    world = afids_world(real_root)
    rows = read_biometrics(real_root / "tables" / "afids-mni").to_pylist()
    angles = [row for row in rows if row["metric_kind"] == "angle"]
    assert len(angles) >= 2
    for row in angles:
        a0, a1, b0, b1 = (world[point["key"]] for point in row["points"])
        cosine = abs((a1 - a0) @ (b1 - b0)) / np.linalg.norm(a1 - a0) / np.linalg.norm(b1 - b0)
        assert row["value"] == pytest.approx(np.degrees(np.arccos(cosine)), abs=0.5)
    assert any(row["vertex_value_deg"] is not None for row in angles)


def test_afids_points_lie_on_the_picture_of_their_slice(real_root):
    """Anterior commissure left of posterior on the sagittal slice: the face looks left."""
    rows = read_biometrics(real_root / "tables" / "afids-mni").to_pylist()
    (row,) = (row for row in rows if row["metric_key"] == "L-1-2")
    anterior, posterior = row["points"]
    assert anterior["x_px"] < posterior["x_px"]
    assert row["plane"] == "sagittal"


def test_cases_carry_their_origin(real_root):
    for name, n in (("colin27-aal", 1), ("pyradiomics-tumors", 5), ("afids-mni", 1)):
        if not (real_root / "tables" / name).exists():
            continue
        rows = read_cases(real_root / "tables" / name).to_pylist()
        assert len(rows) == n
        for row, image in itertools.product(rows, rows[0]["images"]):
            assert row["volume_fingerprint"]
            assert len(image["sha256"]) == 64
