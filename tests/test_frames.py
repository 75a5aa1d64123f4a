"""Frame converters, both ways, against nibabel, real resizes, and pixels found in slices."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel import Nifti1Image, as_closest_canonical
from nibabel.affines import apply_affine
from PIL import Image, ImageDraw

from medvision.frames import (
    SLICE_AXIS,
    VOLUME_PLANES,
    Plane,
    SliceGeometry,
    View,
    box_px_from_relative,
    box_px_in_view,
    display_view,
    displayed_point_px,
    drawn_from_point_px,
    geometry_in_view,
    ijk_from_ras,
    ijk_from_xy,
    pixels_in_view,
    point_px_from_relative,
    point_px_in_view,
    ras_from_ijk,
    ras_from_lps,
    relative_from_box_px,
    relative_from_point_px,
    resized_point_px,
    slice_geometry,
    slice_index_from_ijk,
    xy_from_ijk,
)

SHAPE = (5, 7, 9)


def turn(axis: int, angle_deg: float) -> np.ndarray:
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    turned = np.eye(3)
    first, second = [n for n in range(3) if n != axis]
    turned[[first, first, second, second], [first, second, first, second]] = [cos, -sin, sin, cos]
    return turned


def affine_of(matrix, origin=(-12.0, 34.0, 5.0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = origin
    return affine


SPACING = np.diag([0.5, 0.75, 3.0])
AFFINES = {
    "identity": np.eye(4),
    "anisotropic": affine_of(SPACING),
    "flipped": affine_of(SPACING * (-1, -1, 1)),
    "permuted": affine_of(SPACING[:, [2, 0, 1]] * (1, -1, 1)),
    "oblique": affine_of(turn(0, 12) @ turn(2, -33) @ SPACING * (-1, 1, 1)),
}

coordinates = st.floats(-50, 50)
planes = st.sampled_from(VOLUME_PLANES)


class TestVoxelsAndWorld:
    @pytest.mark.parametrize("name", AFFINES)
    def test_world_of_voxels_is_nibabels(self, name):
        points = np.random.default_rng(1).uniform(-10, 10, (4, 6, 3))
        np.testing.assert_allclose(
            ras_from_ijk(points, AFFINES[name]), apply_affine(AFFINES[name], points), atol=1e-12
        )

    @pytest.mark.parametrize("name", AFFINES)
    def test_voxels_of_world_are_nibabels(self, name):
        points = np.random.default_rng(2).uniform(-10, 10, (6, 3))
        expected = apply_affine(np.linalg.inv(AFFINES[name]), points)
        np.testing.assert_allclose(ijk_from_ras(points, AFFINES[name]), expected, atol=1e-12)

    @given(name=st.sampled_from(sorted(AFFINES)), ijk=st.tuples(*[coordinates] * 3))
    def test_there_and_back(self, name, ijk):
        back = ijk_from_ras(ras_from_ijk(ijk, AFFINES[name]), AFFINES[name])
        np.testing.assert_allclose(back, ijk, atol=1e-9)

    def test_flipped_affine_by_hand(self):
        # i = 2 at -0.5 mm a voxel from -12: -13; j = 4: 34 - 3 = 31; k = 1: 5 + 3 = 8
        np.testing.assert_allclose(ras_from_ijk([2, 4, 1], AFFINES["flipped"]), [-13, 31, 8])

    def test_lps_differs_from_ras_in_the_sign_of_x_and_y(self):
        np.testing.assert_array_equal(ras_from_lps([[1, 2, 3]]), [[-1, -2, 3]])
        np.testing.assert_array_equal(ras_from_lps(ras_from_lps([4, 5, 6])), [4, 5, 6])


class TestVoxelsAndSlices:
    @pytest.mark.parametrize(
        ("plane", "expected_xy"),
        [
            (Plane.AXIAL, (5 - 1 - 1, 7 - 1 - 2)),
            (Plane.CORONAL, (5 - 1 - 1, 9 - 1 - 3)),
            (Plane.SAGITTAL, (7 - 1 - 2, 9 - 1 - 3)),
        ],
    )
    def test_coordinates_follow_the_written_formulas(self, plane, expected_xy):
        np.testing.assert_array_equal(xy_from_ijk([1, 2, 3], SHAPE, plane), expected_xy)

    @pytest.mark.parametrize("plane", VOLUME_PLANES)
    def test_every_voxel_shows_where_its_coordinates_say(self, plane):
        array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
        shown = display_view(array, plane)
        for ijk in itertools.product(*map(range, SHAPE)):
            x, y = xy_from_ijk(ijk, SHAPE, plane).astype(int)
            index = slice_index_from_ijk(ijk, plane)
            assert index == ijk[SLICE_AXIS[plane]]
            assert shown[index, y, x] == array[ijk]

    @given(plane=planes, xy=st.tuples(coordinates, coordinates), index=st.integers(0, 4))
    def test_there_and_back(self, plane, xy, index):
        ijk = ijk_from_xy(xy, index, SHAPE, plane)
        np.testing.assert_allclose(xy_from_ijk(ijk, SHAPE, plane), xy, atol=1e-9)
        assert slice_index_from_ijk(ijk, plane) == index

    @given(plane=planes, ijk=st.tuples(*[st.integers(0, 4)] * 3))
    def test_back_and_there(self, plane, ijk):
        xy = xy_from_ijk(ijk, SHAPE, plane)
        back = ijk_from_xy(xy, ijk[SLICE_AXIS[plane]], SHAPE, plane)
        np.testing.assert_array_equal(back, ijk)

    def test_many_points_at_once(self):
        points = np.random.default_rng(3).uniform(0, 4, (2, 3, 3))
        one_by_one = [[xy_from_ijk(p, SHAPE, Plane.CORONAL) for p in row] for row in points]
        np.testing.assert_array_equal(xy_from_ijk(points, SHAPE, Plane.CORONAL), one_by_one)
        xy = points[..., :2]
        assert ijk_from_xy(xy, 2, SHAPE, Plane.AXIAL).shape == (2, 3, 3)

    @pytest.mark.parametrize(
        ("value", "index"), [(1.49, 1), (1.5, 2), (2.5, 3), (-0.5, 0), (-0.51, -1), (3.0, 3)]
    )
    def test_slice_of_a_coordinate_rounds_halves_up(self, value, index):
        assert slice_index_from_ijk([9, 9, value], Plane.AXIAL) == index

    @pytest.mark.parametrize("plane", VOLUME_PLANES)
    def test_slice_geometry_is_that_of_the_view(self, plane):
        geometry = slice_geometry(SHAPE, (0.5, 0.75, 3.0), plane)
        shown = display_view(np.zeros(SHAPE), plane)
        assert shown.shape == (SHAPE[SLICE_AXIS[plane]], geometry.height_px, geometry.width_px)

    @pytest.mark.parametrize(
        ("plane", "spacing_yx_mm"),
        [
            (Plane.AXIAL, (0.75, 0.5)),
            (Plane.CORONAL, (3.0, 0.5)),
            (Plane.SAGITTAL, (3.0, 0.75)),
        ],
    )
    def test_spacing_follows_its_axis(self, plane, spacing_yx_mm):
        geometry = slice_geometry(SHAPE, (0.5, 0.75, 3.0), plane)
        assert (geometry.spacing_y_mm, geometry.spacing_x_mm) == spacing_yx_mm

    def test_the_view_shares_memory(self):
        array = np.zeros(SHAPE)
        assert np.shares_memory(array, display_view(array, Plane.AXIAL))


class TestWhatARadiologistSees:
    """Marks at world places, found in the displayed slice of an RAS+ array."""

    @staticmethod
    def place_of(mark_ras, plane):
        affine = affine_of(SPACING, (-1.0, -2.25, -12.0))  # world 0 near the middle of SHAPE
        array = np.zeros(SHAPE)
        ijk = np.rint(apply_affine(np.linalg.inv(affine), mark_ras)).astype(int)
        array[tuple(ijk)] = 1
        ((row, column),) = np.argwhere(display_view(array, plane)[ijk[SLICE_AXIS[plane]]])
        height, width = display_view(array, plane).shape[1:]
        return (column - (width - 1) / 2, row - (height - 1) / 2)

    @pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.CORONAL])
    def test_the_patients_right_is_on_the_left(self, plane):
        assert self.place_of((1.0, 0, 0), plane)[0] < 0

    def test_anterior_is_up_on_axial_and_left_on_sagittal(self):
        assert self.place_of((0, 2.25, 0), Plane.AXIAL)[1] < 0
        assert self.place_of((0, 2.25, 0), Plane.SAGITTAL)[0] < 0

    @pytest.mark.parametrize("plane", [Plane.CORONAL, Plane.SAGITTAL])
    def test_superior_is_up(self, plane):
        assert self.place_of((0, 0, 12.0), plane)[1] < 0

    @pytest.mark.parametrize("name", ["anisotropic", "oblique", "identity"])
    @pytest.mark.parametrize("plane", VOLUME_PLANES)
    def test_a_bright_voxel_at_a_world_place_is_found(self, name, plane):
        array = np.zeros(SHAPE)
        array[3, 1, 6] = 1
        place_ras = apply_affine(AFFINES[name], (3, 1, 6))
        ijk = ijk_from_ras(place_ras, AFFINES[name])
        shown = display_view(array, plane)[slice_index_from_ijk(ijk, plane)]
        ((row, column),) = np.argwhere(shown)
        np.testing.assert_allclose(xy_from_ijk(ijk, SHAPE, plane), (column, row), atol=1e-9)


class TestRelative:
    @pytest.mark.parametrize(
        ("box_px", "expected"),
        [
            ((0, 0, 20, 10), (0, 0, 1, 1)),
            ((0, 5, 10, 10), (0, 0, 0.5, 0.5)),  # lower left quarter
            ((15, 0, 20, 2), (0.75, 0.8, 1, 1)),  # upper right
        ],
    )
    def test_boxes_by_hand(self, box_px, expected):
        np.testing.assert_allclose(relative_from_box_px(box_px, 10, 20), expected)
        np.testing.assert_allclose(box_px_from_relative(expected, 10, 20), box_px)

    def test_a_pixels_centre_lies_half_a_pixel_inside_its_box(self):
        """The same pixel as a one-pixel box and as a point: the point is the box's middle."""
        column, row = 3, 7
        box = relative_from_box_px((column, row, column + 1, row + 1), 10, 20)
        point = relative_from_point_px((column, row), 10, 20)
        np.testing.assert_allclose(point, [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
        np.testing.assert_allclose(point, [3.5 / 20, 1 - 7.5 / 10])

    def test_the_middle_of_the_slice_is_one_half(self):
        np.testing.assert_allclose(relative_from_point_px((9.5, 4.5), 10, 20), (0.5, 0.5))

    @given(
        corners=st.tuples(*[st.floats(-5, 600)] * 4),
        height=st.integers(1, 600),
        width=st.integers(1, 600),
    )
    def test_there_and_back(self, corners, height, width):
        relative = relative_from_box_px(corners, height, width)
        np.testing.assert_allclose(
            box_px_from_relative(relative, height, width), corners, atol=1e-8
        )
        point = relative_from_point_px(corners[:2], height, width)
        np.testing.assert_allclose(
            point_px_from_relative(point, height, width), corners[:2], atol=1e-8
        )

    @given(column=st.integers(0, 511), row=st.integers(0, 299), n_px=st.integers(1, 50))
    def test_four_decimals_of_text_land_on_the_same_pixels(self, column, row, n_px):
        height, width = 300 + n_px, 512 + n_px
        box = (column, row, column + n_px, row + n_px)
        text = [f"{v:.4f}" for v in relative_from_box_px(box, height, width)]
        back = box_px_from_relative([float(v) for v in text], height, width)
        np.testing.assert_array_equal(np.rint(back), box)
        text = [f"{v:.4f}" for v in relative_from_point_px((column, row), height, width)]
        back = point_px_from_relative([float(v) for v in text], height, width)
        np.testing.assert_array_equal(np.rint(back), (column, row))

    def test_many_boxes_at_once(self):
        boxes = np.array([[[0, 0, 4, 4], [1, 2, 3, 4]]])
        expected = [[relative_from_box_px(box, 8, 16) for box in boxes[0]]]
        np.testing.assert_array_equal(relative_from_box_px(boxes, 8, 16), expected)


def blob(height, width, x, y, sigma=3.0):
    rows, columns = np.mgrid[:height, :width]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def centroid_xy(pixels):
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    return np.array([(columns * pixels).sum(), (rows * pixels).sum()]) / pixels.sum()


class TestResizing:
    SIZES = [(60, 80), (120, 160), (90, 200), (33, 47), (30, 40)]  # noqa: RUF012

    @pytest.mark.parametrize("to_hw", SIZES)
    @pytest.mark.parametrize("point_xy", [(40.0, 30.0), (22.25, 37.5)])
    def test_a_spot_lands_where_pillow_puts_it(self, to_hw, point_xy):
        spot = Image.fromarray(blob(60, 80, *point_xy))
        for filtering in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
            resized = np.asarray(spot.resize(to_hw[::-1], filtering))
            expected = resized_point_px(point_xy, from_hw=(60, 80), to_hw=to_hw)
            np.testing.assert_allclose(centroid_xy(resized), expected, atol=0.02)

    @pytest.mark.parametrize("to_hw", SIZES)
    @pytest.mark.parametrize("point_xy", [(40.0, 30.0), (22.25, 37.5)])
    def test_a_spot_lands_where_opencv_puts_it(self, to_hw, point_xy):
        spot = blob(60, 80, *point_xy)
        resized = cv2.resize(spot, to_hw[::-1], interpolation=cv2.INTER_LINEAR)
        expected = resized_point_px(point_xy, from_hw=(60, 80), to_hw=to_hw)
        np.testing.assert_allclose(centroid_xy(resized), expected, atol=0.02)

    def test_one_pixel_doubled_is_four_around_its_point(self):
        dot = np.zeros((6, 8), np.uint8)
        dot[2, 5] = 255
        doubled = np.asarray(Image.fromarray(dot).resize((16, 12), Image.Resampling.NEAREST))
        expected = resized_point_px((5, 2), from_hw=(6, 8), to_hw=(12, 16))
        np.testing.assert_array_equal(expected, (10.5, 4.5))
        np.testing.assert_array_equal(centroid_xy(doubled), expected)

    @given(
        point=st.tuples(coordinates, coordinates),
        from_hw=st.tuples(*[st.integers(1, 900)] * 2),
        to_hw=st.tuples(*[st.integers(1, 900)] * 2),
    )
    def test_relative_place_stays(self, point, from_hw, to_hw):
        moved = resized_point_px(point, from_hw=from_hw, to_hw=to_hw)
        np.testing.assert_allclose(
            relative_from_point_px(moved, *to_hw),
            relative_from_point_px(point, *from_hw),
            atol=1e-9,
        )
        back = resized_point_px(moved, from_hw=to_hw, to_hw=from_hw)
        np.testing.assert_allclose(back, point, atol=1e-7)


def test_a_drawn_point_covers_its_pixel():
    """On a canvas enlarged ten times, pixel (row 2, column 3) covers 30..40 by 20..30."""
    x, y = drawn_from_point_px((3, 2)) * 10
    canvas = Image.new("L", (80, 60))
    ImageDraw.Draw(canvas).rectangle((30, 20, 39, 29), fill=255)
    assert (x, y) == (35, 25)
    assert canvas.getpixel((int(x), int(y))) == 255


def plain_slice(volume, plane, index):
    """The paper's picture of a slice: the canonical array, indexed, nothing more."""
    return volume[(slice(None),) * SLICE_AXIS[plane] + (index,)]


@pytest.mark.parametrize("name", AFFINES)
@pytest.mark.parametrize("plane", VOLUME_PLANES)
def test_original_view_is_plain_indexing_of_the_canonical_array(name, plane):
    stored = np.random.default_rng(3).integers(0, 1000, SHAPE).astype(np.float32)
    image = as_closest_canonical(Nifti1Image(stored, AFFINES[name]))
    array = np.asarray(image.dataobj)
    spacing_mm = np.linalg.norm(image.affine[:3, :3], axis=0)
    geometry = slice_geometry(array.shape, tuple(spacing_mm), plane)
    in_view = geometry_in_view(geometry, View.ORIGINAL)
    first, second = (axis for axis in range(3) if axis != SLICE_AXIS[plane])
    assert (in_view.height_px, in_view.width_px) == (array.shape[first], array.shape[second])
    expected_mm = pytest.approx((spacing_mm[first], spacing_mm[second]))
    assert (in_view.spacing_y_mm, in_view.spacing_x_mm) == expected_mm
    for index in range(array.shape[SLICE_AXIS[plane]]):
        displayed = display_view(array, plane)[index]
        expected = plain_slice(array, plane, index)
        np.testing.assert_array_equal(pixels_in_view(displayed, View.ORIGINAL), expected)
        assert pixels_in_view(displayed, View.RADIOLOGICAL) is displayed


@pytest.mark.parametrize("plane", VOLUME_PLANES)
def test_a_voxel_is_where_the_original_view_shows_it(plane):
    array = np.zeros(SHAPE)
    voxel = np.array([1, 5, 3])
    array[tuple(voxel)] = 1
    geometry = slice_geometry(SHAPE, (1.0, 1.0, 1.0), plane)
    sides = (geometry.height_px, geometry.width_px, View.ORIGINAL)
    point = point_px_in_view(xy_from_ijk(voxel, SHAPE, plane), *sides)
    x, y = point.astype(int)
    index = voxel[SLICE_AXIS[plane]]
    assert plain_slice(array, plane, index)[y, x] == 1
    back = displayed_point_px(point, *sides)
    assert ijk_from_xy(back, index, SHAPE, plane).tolist() == voxel.tolist()


@pytest.mark.parametrize("is_native", [False, True])
@pytest.mark.parametrize("view", View)
def test_pixels_points_and_boxes_turn_together(view, is_native):
    height_px, width_px = 6, 9
    box = (2, 1, 7, 3)
    displayed = np.zeros((height_px, width_px))
    displayed[box[1] : box[3], box[0] : box[2]] = 1
    displayed[1, 2] = 2
    shown = pixels_in_view(displayed, view, is_native=is_native)
    geometry = SliceGeometry(
        height_px=height_px, width_px=width_px, spacing_y_mm=1.0, spacing_x_mm=1.0
    )
    in_view = geometry_in_view(geometry, view)
    assert shown.shape == (in_view.height_px, in_view.width_px)
    sides = {"height_px": height_px, "width_px": width_px, "view": view, "is_native": is_native}
    x0, y0, x1, y1 = box_px_in_view(box, **sides).astype(int)
    assert shown[y0:y1, x0:x1].all()
    assert shown.astype(bool).sum() == (y1 - y0) * (x1 - x0) == 10
    point = point_px_in_view([2, 1], **sides)
    x, y = point.astype(int)
    assert shown[y, x] == 2
    assert displayed_point_px(point, **sides).tolist() == [2, 1]


def test_views_of_many_slices_at_once_equal_one_by_one():
    rng = np.random.default_rng(4)
    boxes, points = rng.uniform(0, 50, (7, 4)), rng.uniform(0, 50, (7, 2))
    heights, widths = rng.integers(50, 90, 7), rng.integers(50, 90, 7)
    natives = np.arange(7) % 2 == 0
    sides = (heights, widths, View.ORIGINAL)
    turned = box_px_in_view(boxes, *sides, is_native=natives)
    moved = point_px_in_view(points, *sides, is_native=natives)
    for at in range(7):
        one = (int(heights[at]), int(widths[at]), View.ORIGINAL)
        flag = {"is_native": bool(natives[at])}
        np.testing.assert_array_equal(turned[at], box_px_in_view(boxes[at], *one, **flag))
        np.testing.assert_array_equal(moved[at], point_px_in_view(points[at], *one, **flag))


def test_a_picture_stored_as_the_original_stores_cephalograms_shows_turned_clockwise():
    picture = np.arange(12).reshape(3, 4)
    stored = picture[::-1].T  # flipped top to bottom, then axes swapped: one slice of a volume
    np.testing.assert_array_equal(pixels_in_view(picture, View.ORIGINAL, is_native=True), stored)
    np.testing.assert_array_equal(stored, np.rot90(picture, -1))
