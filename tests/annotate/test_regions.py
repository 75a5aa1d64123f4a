"""The region tables: columns, order of rows, planes, input that is refused."""

import numpy as np
import pyarrow as pa
import pytest

from medvision.annotate import native_region_table, region_table
from medvision.annotate.columns import COMPONENT_COLUMNS, REGION_COLUMNS, SLICE_COLUMNS
from medvision.annotate.regions import (
    LabelMapShapeError,
    LabelRangeError,
    LabelTypeError,
    SpacingError,
)
from medvision.errors import UsageError
from medvision.frames import Plane

COLUMNS = [
    "plane",
    "slice_index",
    "height_px",
    "width_px",
    "spacing_y_mm",
    "spacing_x_mm",
    "label_id",
    "component",
    "n_components",
    "label_pixel_count",
    "touches_border",
    "x0_px",
    "y0_px",
    "x1_px",
    "y1_px",
    "pixel_count",
    "area_mm2",
    "ellipse_status",
    "ellipse_major_mm",
    "ellipse_minor_mm",
    "major_x0_px",
    "major_y0_px",
    "major_x1_px",
    "major_y1_px",
    "minor_x0_px",
    "minor_y0_px",
    "minor_x1_px",
    "minor_y1_px",
    "ellipse_area_ratio",
    "moment_major_mm",
    "moment_minor_mm",
    "feret_max_mm",
    "feret_perp_mm",
    "feret_x0_px",
    "feret_y0_px",
    "feret_x1_px",
    "feret_y1_px",
]


def labelled_box():
    """Label 6 over i 2..5, j 3..9, k 1..4 (half-open 2:6, 3:10, 1:5) of a 10 x 20 x 8 volume."""
    volume = np.zeros((10, 20, 8), dtype=np.int16)
    volume[2:6, 3:10, 1:5] = 6
    return volume


def test_columns_are_those_of_the_contract_in_order():
    table = region_table(labelled_box(), (1, 1, 1), [6])

    assert table.column_names == COLUMNS == [name for name, _ in REGION_COLUMNS]
    assert table.schema == pa.schema(REGION_COLUMNS)
    assert region_table(labelled_box() * 0, (1, 1, 1)).schema == table.schema
    assert [name for name, _ in SLICE_COLUMNS + COMPONENT_COLUMNS] == [
        name for name in COLUMNS if name not in ("plane", "label_id")
    ]


@pytest.mark.parametrize(
    ("plane", "n_slices", "size_yx", "spacing_yx", "box"),
    [
        ("axial", 4, (20, 10), (1.5, 0.5), [4, 10, 8, 17]),
        ("coronal", 7, (8, 10), (4.0, 0.5), [4, 3, 8, 7]),
        ("sagittal", 4, (8, 20), (4.0, 1.5), [10, 3, 17, 7]),
    ],
)
def test_planes_have_their_own_size_spacing_and_boxes(plane, n_slices, size_yx, spacing_yx, box):
    table = region_table(labelled_box(), (0.5, 1.5, 4.0))
    rows = [row for row in table.to_pylist() if row["plane"] == plane]

    assert len(rows) == n_slices
    for row in rows:
        assert (row["height_px"], row["width_px"]) == size_yx
        assert (row["spacing_y_mm"], row["spacing_x_mm"]) == spacing_yx
        assert [row[name] for name in ("x0_px", "y0_px", "x1_px", "y1_px")] == box
        assert row["pixel_count"] == (box[2] - box[0]) * (box[3] - box[1])
        assert row["area_mm2"] == pytest.approx(row["pixel_count"] * np.prod(spacing_yx))


def test_rows_are_sorted_by_plane_slice_label_and_component():
    volume = np.random.default_rng(0).integers(0, 4, (70, 40, 35))
    table = region_table(volume, (1, 1, 1))
    names = ["plane", "slice_index", "label_id", "component"]
    keys = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))

    assert keys == sorted(set(keys))
    assert {plane for plane, *_ in keys} == {"axial", "coronal", "sagittal"}


def test_only_target_labels_are_measured():
    volume = np.ones((12, 12, 12), dtype=np.uint8)
    volume[6:] = 2
    table = region_table(volume, (1, 1, 1), {2})
    is_target = np.array(table.column("label_id")) == 2

    assert np.array_equal(np.array(table.column("ellipse_status")) != "not_target", is_target)
    for name in ("ellipse_major_mm", "moment_major_mm", "feret_max_mm", "feret_x0_px"):
        assert np.array_equal(np.array(table.column(name).is_valid()), is_target)


def test_target_labels_may_be_numpy_integers_and_absent_from_the_map():
    targets = np.array([6, 99], dtype=np.uint16)

    assert region_table(labelled_box(), (1, 1, 1), targets).equals(
        region_table(labelled_box(), (1, 1, 1), (6,))
    )


def test_native_mask_is_shown_as_stored():
    mask = np.zeros((6, 9), dtype=np.uint8)
    mask[1, 2:8] = 3
    (row,) = native_region_table(mask, (0.2, 0.1), Plane.SAGITTAL, [3]).to_pylist()

    assert (row["plane"], row["slice_index"], row["label_id"]) == ("sagittal", 0, 3)
    assert (row["height_px"], row["width_px"]) == (6, 9)
    assert (row["spacing_y_mm"], row["spacing_x_mm"]) == (0.2, 0.1)
    assert [row[name] for name in ("x0_px", "y0_px", "x1_px", "y1_px")] == [2, 1, 8, 2]
    assert row["area_mm2"] == pytest.approx(6 * 0.02)
    assert row["feret_max_mm"] == pytest.approx(0.5)


@pytest.mark.parametrize("order", ["C", "F"])
def test_native_and_volume_rows_agree_on_the_same_displayed_slice(order):
    rng = np.random.default_rng(9)
    volume = np.array(rng.integers(0, 3, (20, 24, 1)), dtype=np.uint8, order=order)
    native = native_region_table(volume[::-1, ::-1, 0].T, (1.5, 0.5), Plane.AXIAL, [1, 2])
    table = region_table(volume, (0.5, 1.5, 4.0), [1, 2])

    assert native.num_rows > 0
    assert table.slice(0, native.num_rows).equals(native)


def test_empty_native_mask_gives_no_rows():
    assert native_region_table(np.zeros((0, 4), dtype=np.uint8), (1, 1), "native").num_rows == 0
    assert native_region_table(np.zeros((4, 4), dtype=np.uint8), (1, 1), "native").num_rows == 0


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 1), ()])
def test_volume_needs_three_axes(shape):
    with pytest.raises(LabelMapShapeError, match=r"expected a label map \[i, j, k\], found shape"):
        region_table(np.ones(shape, dtype=np.uint8), (1, 1, 1))


def test_native_mask_needs_two_axes():
    with pytest.raises(LabelMapShapeError, match=r"\[y, x\], found shape \(4, 4, 1\)"):
        native_region_table(np.ones((4, 4, 1), dtype=np.uint8), (1, 1), "native")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.full((2, 2, 2), 1.5), "found 1.5"),
        (np.full((2, 2, 2), np.nan), "found nan"),
        (np.array([[[1.0, np.nan]]]), "found nan"),
        (np.array([[[0.0, -np.inf]]]), "found -inf"),
        (np.full((2, 2, 2), 1 + 0j), "found complex128"),
        (np.full((2, 2, 2), "a"), "found <U1"),
    ],
)
def test_labels_must_be_integers(values, match):
    with pytest.raises(LabelTypeError, match=match):
        region_table(values, (1, 1, 1))


@pytest.mark.parametrize(
    "value", [np.uint32(2**31), np.uint64(2**63), np.int64(-(2**31) - 1), np.float64(1e12)]
)
def test_labels_beyond_32_bits_are_refused(value):
    with pytest.raises(LabelRangeError, match="renumber"):
        region_table(np.full((2, 2, 2), value), (1, 1, 1))


@pytest.mark.parametrize("value", [np.uint32(2**31 - 1), np.int64(-(2**31)), np.float32(2**24)])
def test_the_widest_labels_are_kept_exactly(value):
    table = region_table(np.full((1, 1, 1), value), (1, 1, 1))

    assert table.column("label_id").to_pylist() == [int(value)] * 3


@pytest.mark.parametrize("spacing", [(1, 1), (1, 1, 0), (1, -1, 1), (1, 1, float("nan"))])
def test_spacing_must_be_three_positive_numbers(spacing):
    with pytest.raises(SpacingError, match="finite positive spacing in mm along i, j, k"):
        region_table(np.ones((2, 2, 2), dtype=np.uint8), spacing)


@pytest.mark.parametrize("targets", [["liver"], [1.5], [2**70]])
def test_target_labels_must_be_integers(targets):
    with pytest.raises(UsageError, match="target labels to be integers"):
        region_table(np.ones((2, 2, 2), dtype=np.uint8), (1, 1, 1), targets)


def test_input_is_left_as_it_was():
    volume = np.ascontiguousarray(labelled_box())
    before = volume.copy()
    region_table(volume, (1, 1, 1), [6])

    assert np.array_equal(volume, before)
    assert volume.flags.writeable
