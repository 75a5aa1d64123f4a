"""The distances and angles between landmarks."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.annotate.biometrics import (
    BiometricRow,
    biometric_rows,
    parse_biometrics_spec,
)
from medvision.annotate.landmark_frames import canonical_ijk
from medvision.annotate.landmarks import read_landmarks
from medvision.frames import Plane
from medvision.table.schema import BIOMETRIC_SCHEMA
from tests.catalog.test_biometrics import CONTENT, content

SHAPE, SPACING_MM = (40, 50, 60), (0.5, 1.0, 3.0)


def spec_of(*measure: dict[str, str], **changes: Any) -> Any:
    return parse_biometrics_spec(content(measure=list(measure), **changes), "test")


def test_distance_is_measured_in_mm_in_the_plane() -> None:
    landmarks = {"s": [10.2, 20.0, 30.0], "n": [9.8, 26.0, 32.5]}
    found = biometric_rows(
        spec_of({"kind": "distance", "key": "sn"}), landmarks, shape=SHAPE, spacing_mm=SPACING_MM
    )
    (row,) = found.rows
    assert found.problems == ()
    assert (row.plane, row.slice_index) == ("sagittal", 10)
    assert (row.height_px, row.width_px, row.spacing_y_mm, row.spacing_x_mm) == (60, 50, 3.0, 1.0)
    assert row.value == pytest.approx(np.hypot(6 * 1.0, 2.5 * 3.0))
    swapped = np.hypot(6 * 3.0, 2.5 * 1.0)
    assert abs(row.value - swapped) > 5
    assert (row.unit, row.name) == ("mm", "anterior cranial base length")
    assert row.vertex_value_deg is None
    points = [(p.key, p.name, p.x_px, p.y_px) for p in row.points]
    assert points == [("s", "sella", 29.0, 29.0), ("n", "nasion", 23.0, 26.5)]


@pytest.mark.parametrize(
    ("v", "slice_index"), [(10.49, 10), (10.5, 11), (11.499, 11), (-0.5, 0), (39.49, 39)]
)
def test_slice_of_a_landmark_is_the_floor_of_v_plus_half(v: float, slice_index: int) -> None:
    landmarks = {"s": [v, 20.0, 30.0], "n": [v, 26.0, 32.0]}
    spec = spec_of({"kind": "distance", "key": "sn", "plane": "sagittal"})
    (row,) = biometric_rows(spec, landmarks, shape=SHAPE, spacing_mm=SPACING_MM).rows
    assert row.slice_index == slice_index


def test_any_plane_gives_a_row_for_each_plane_on_which_the_landmarks_share_a_slice() -> None:
    landmarks = {"s": [10.0, 20.0, 30.0], "n": [30.0, 20.0, 30.0]}
    spec = spec_of({"kind": "distance", "key": "sn"})
    rows = biometric_rows(spec, landmarks, shape=SHAPE, spacing_mm=SPACING_MM).rows
    assert [row.plane for row in rows] == ["coronal", "axial"]
    assert [row.slice_index for row in rows] == [20, 30]
    assert [row.value for row in rows] == [10.0, 10.0]


def angle_rows(vertex_deg: float) -> BiometricRow:
    """SNA with its vertex at n on a sagittal slice, built in mm."""
    start = np.radians(30)
    arms_mm = [
        (20 * np.cos(start), 20 * np.sin(start)),
        (15 * np.cos(start + np.radians(vertex_deg)), 15 * np.sin(start + np.radians(vertex_deg))),
    ]
    s, a = ([12.0, 24 + y, 30 + z / 3.0] for y, z in arms_mm)
    landmarks = {"s": s, "n": [12.0, 24.0, 30.0], "a": a}
    spec = spec_of({"kind": "angle", "key": "sna", "plane": "sagittal"})
    (row,) = biometric_rows(spec, landmarks, shape=SHAPE, spacing_mm=SPACING_MM).rows
    return row


def test_obtuse_angle_is_folded_and_its_vertex_value_kept() -> None:
    row = angle_rows(94.4)
    assert row.value == pytest.approx(85.6)
    assert row.vertex_value_deg == pytest.approx(94.4)
    assert row.unit == "deg"
    assert [point.key for point in row.points] == ["s", "n", "n", "a"]


@given(st.floats(1, 179))
def test_vertex_value_is_the_angle_drawn_and_value_its_fold(vertex_deg: float) -> None:
    row = angle_rows(vertex_deg)
    assert row.vertex_value_deg == pytest.approx(vertex_deg, abs=1e-6)
    assert row.value == pytest.approx(min(vertex_deg, 180 - vertex_deg), abs=1e-6)


def test_lines_without_a_shared_landmark_have_no_vertex_value() -> None:
    landmarks = {"s": [5, 5, 5], "n": [5, 15, 5], "a": [5, 20, 10], "b": [5, 20, 20]}
    spec = spec_of({"kind": "angle", "key": "sn_ab"})
    (row,) = biometric_rows(spec, landmarks, shape=SHAPE, spacing_mm=SPACING_MM).rows
    assert row.value == pytest.approx(90)
    assert row.vertex_value_deg is None
    assert [point.key for point in row.points] == ["s", "n", "a", "b"]


PROBLEMS = [
    ("distance", "sn", "any", {"s": [1, 1, 1]}, "missing_landmark", "landmarks n"),
    ("distance", "sn", "any", {"s": [1, 1, 1], "n": [1, 1, 60]}, "outside_volume", "'n'"),
    ("distance", "sn", "any", {"s": [-0.51, 1, 1], "n": [1, 1, 6]}, "outside_volume", "'s'"),
    ("distance", "sn", "any", {"s": [39.5, 1, 1], "n": [1, 1, 6]}, "outside_volume", "'s'"),
    ("distance", "sn", "any", {"s": [1, 1, 1], "n": [2, 3, 4]}, "different_slices", "one slice"),
    ("distance", "sn", "axial", {"s": [1, 1, 1], "n": [1, 3, 4]}, "different_slices", "axial"),
    ("distance", "sn", "native", {"s": [1, 1, 1], "n": [1, 3, 4]}, "no_such_plane", "native"),
    (
        "angle",
        "sna",
        "coronal",
        {"s": [1, 3, 4], "n": [1, 3.3, 4], "a": [9, 3, 9]},
        "degenerate_line",
        "from 's' to 'n'",
    ),
]


@pytest.mark.parametrize(("kind", "key", "plane", "landmarks", "reason", "match"), PROBLEMS)
def test_each_measurement_that_cannot_be_made_has_one_reason_and_the_others_go_on(
    kind: str, key: str, plane: str, landmarks: Any, reason: str, match: str
) -> None:
    measurable = {"p": [2, 2, 2], "q": [2, 8, 10]}
    spec = spec_of(
        {"kind": kind, "key": key, "plane": plane},
        {"kind": "distance", "key": "pq"},
        landmarks=CONTENT["landmarks"] | {"p": "p", "q": "q"},
        lines=CONTENT["lines"] | {"pq": {"landmarks": ["p", "q"]}},
    )
    found = biometric_rows(spec, landmarks | measurable, shape=SHAPE, spacing_mm=SPACING_MM)
    assert [row.metric_key for row in found.rows] == ["pq"]
    (problem,) = found.problems
    assert (problem.metric_kind, problem.metric_key, problem.reason) == (kind, key, reason)
    assert match in problem.message


def test_line_of_rounding_length_is_degenerate_on_one_plane_and_measured_on_the_other() -> None:
    landmarks = {"s": [5.0, 7.0, 5.0], "n": [5.0 + 1e-13, 7.0, 5.2], "a": [9.0, 7.0, 5.4]}
    spec = spec_of({"kind": "angle", "key": "sna"})
    found = biometric_rows(spec, landmarks, shape=SHAPE, spacing_mm=SPACING_MM)
    assert [row.plane for row in found.rows] == ["coronal"]
    assert found.problems == ()
    spec = spec_of({"kind": "angle", "key": "sna", "plane": "axial"})
    (problem,) = biometric_rows(spec, landmarks, shape=SHAPE, spacing_mm=SPACING_MM).problems
    assert problem.reason == "degenerate_line"


@pytest.mark.parametrize(
    ("measured", "named", "expected"),
    [
        ("any", "native", "native"),
        ("any", "sagittal", "sagittal"),
        ("native", "sagittal", "sagittal"),
        ("sagittal", "sagittal", "sagittal"),
    ],
)
def test_2d_image_is_measured_as_it_is(measured: str, named: str, expected: str) -> None:
    landmarks = {"s": [30.0, 4.0], "n": [70.5, 24.0]}
    spec = spec_of({"kind": "distance", "key": "sn", "plane": measured})
    (row,) = biometric_rows(
        spec, landmarks, shape=(40, 90), spacing_mm=(2.0, 0.1), native_plane=Plane(named)
    ).rows
    assert (row.plane, row.slice_index, row.height_px, row.width_px) == (expected, 0, 40, 90)
    assert (row.spacing_y_mm, row.spacing_x_mm) == (2.0, 0.1)
    assert [(point.x_px, point.y_px) for point in row.points] == [(30.0, 4.0), (70.5, 24.0)]
    assert row.value == pytest.approx(np.hypot(4.05, 40.0))


def test_2d_image_has_no_other_plane_and_an_outside() -> None:
    spec = spec_of({"kind": "distance", "key": "sn", "plane": "axial"})
    found = biometric_rows(spec, {"s": [1, 2], "n": [3, 4]}, shape=(40, 90), spacing_mm=(1.0, 1.0))
    assert [problem.reason for problem in found.problems] == ["no_such_plane"]
    spec = spec_of({"kind": "distance", "key": "sn"})
    found = biometric_rows(spec, {"s": [1, 2], "n": [3, 40]}, shape=(40, 90), spacing_mm=(1.0, 1.0))
    assert [problem.reason for problem in found.problems] == ["outside_volume"]


def test_rows_have_the_columns_of_the_table() -> None:
    of_case = {"dataset", "cohort", "case_id", "subject_id", "image_id", "split"}
    columns = [name for name in BIOMETRIC_SCHEMA.names if name not in of_case]
    assert list(BiometricRow.__dataclass_fields__) == columns


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "SLA"])
def test_voxel_world_and_slicer_landmarks_give_the_same_rows(tmp_path: Path, codes: str) -> None:
    affine = np.diag([0.5, 1.0, 3.0, 1.0])
    affine[:3, :3] = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]]) @ affine[:3, :3]
    affine[:3, 3] = (-7, 31, 2)
    canonical = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), affine)
    stored = canonical.as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(codes))
        )
    )
    wanted = {"s": [12.3, 24.0, 30.25], "n": [11.8, 5.5, 31.0], "a": [12.0, 40.0, 10.0]}
    ras = {key: nib.affines.apply_affine(affine, ijk).tolist() for key, ijk in wanted.items()}
    lps = {key: [-x, -y, z] for key, (x, y, z) in ras.items()}
    to_stored = np.linalg.inv(stored.affine)
    voxel = {key: nib.affines.apply_affine(to_stored, xyz).tolist() for key, xyz in ras.items()}
    header = "# Markups fiducial file version = 4.10\n# CoordinateSystem = "
    line = "\n# columns = id,x,y,z,label\n"
    files = {
        "voxel.json": json.dumps(voxel),
        "ras.json": json.dumps({"space": "RAS", "landmarks": ras}),
        "lps.csv": "key,x,y,z,space\n"
        + "".join(f"{key},{x},{y},{z},LPS\n" for key, (x, y, z) in lps.items()),
        "old.fcsv": header + "0" + line + _fcsv_rows(ras),
        "new.fcsv": header + "LPS" + line + _fcsv_rows(lps),
    }
    spec = spec_of({"kind": "distance", "key": "sn"}, {"kind": "angle", "key": "sna"})
    expected = biometric_rows(spec, wanted, shape=SHAPE, spacing_mm=SPACING_MM).rows
    assert [row.plane for row in expected] == ["sagittal", "sagittal"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        landmarks = canonical_ijk(
            read_landmarks(tmp_path / name), SHAPE, orientation_as_stored=codes, affine=affine
        )
        rows = biometric_rows(spec, landmarks, shape=SHAPE, spacing_mm=SPACING_MM).rows
        assert [_rounded(row) for row in rows] == [_rounded(row) for row in expected], name


def _fcsv_rows(points: dict[str, list[float]]) -> str:
    return "".join(f"vtk_{key},{x},{y},{z},{key}\n" for key, (x, y, z) in points.items())


def _rounded(row: BiometricRow) -> tuple[Any, ...]:
    points = tuple((p.key, round(p.x_px, 6), round(p.y_px, 6)) for p in row.points)
    return (row.plane, row.slice_index, row.metric_key, round(row.value, 6), points)
