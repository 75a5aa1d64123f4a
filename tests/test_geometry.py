"""Measurement in mm, against NumPy's trigonometry and triangles solved by hand."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medvision.geometry import (
    DegenerateSegmentError,
    acute_angle_deg,
    directed_angle_deg,
    distance_mm,
    points_mm,
    vertex_angle_deg,
)

coordinates = st.floats(-300, 300)
vectors = st.tuples(coordinates, coordinates).filter(lambda v: np.hypot(*v) > 1e-3)
angles = st.floats(-360, 360)


def unit(angle_deg):
    return np.array([np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))])


class TestPointsAndDistances:
    def test_each_axis_takes_its_own_spacing(self):
        found = points_mm([[10, 2], [4, 4]], spacing_x_mm=0.5, spacing_y_mm=3.0)
        np.testing.assert_array_equal(found, [[5, 6], [2, 12]])

    def test_distance_of_a_right_triangle(self):
        assert distance_mm([1, 2], [4, 6]) == 5.0

    def test_distance_in_three_dimensions(self):
        assert distance_mm([0, 0, 0], [2, 3, 6]) == 7.0

    def test_whole_number_points_do_not_wrap_around(self):
        start, end = np.array([0, 250], np.uint8), np.array([3, 246], np.uint8)
        assert distance_mm(start, end) == 5.0

    @given(start=vectors, end=vectors, shift=vectors, scale=st.floats(0.1, 10))
    def test_distance_is_symmetric_and_scales(self, start, end, shift, scale):
        length = distance_mm(start, end)
        assert distance_mm(end, start) == length
        moved = distance_mm(np.add(start, shift), np.add(end, shift))
        assert moved == pytest.approx(length, abs=1e-9)
        assert distance_mm(np.multiply(start, scale), np.multiply(end, scale)) == pytest.approx(
            scale * length, abs=1e-9
        )

    def test_spacing_makes_a_pixel_triangle_a_mm_triangle(self):
        start, end = points_mm([[0, 0], [6, 2]], spacing_x_mm=0.5, spacing_y_mm=2.0)
        assert distance_mm(start, end) == 5.0


class TestAngles:
    @given(start=angles, opening=st.floats(0, 180))
    def test_directed_angle_is_the_opening(self, start, opening):
        found = directed_angle_deg(3 * unit(start), 0.2 * unit(start + opening))
        assert found == pytest.approx(opening, abs=1e-6)

    @given(start=angles, opening=st.floats(0, 180))
    def test_acute_angle_folds_at_ninety(self, start, opening):
        found = acute_angle_deg(unit(start), 5 * unit(start + opening))
        assert found == pytest.approx(min(opening, 180 - opening), abs=1e-6)

    @given(u=vectors, v=vectors)
    def test_directed_angle_is_the_difference_of_headings(self, u, v):
        difference = np.abs(np.rad2deg(np.arctan2(u[1], u[0]) - np.arctan2(v[1], v[0])))
        expected = min(difference, 360 - difference)
        assert directed_angle_deg(u, v) == pytest.approx(expected, abs=1e-6)

    @given(u=vectors, v=vectors, turned=angles)
    def test_turning_swapping_and_reversing_change_nothing_they_should_not(self, u, v, turned):
        cos, sin = np.cos(np.deg2rad(turned)), np.sin(np.deg2rad(turned))
        rotation = np.array([[cos, -sin], [sin, cos]])
        angle = directed_angle_deg(u, v)
        assert directed_angle_deg(rotation @ u, rotation @ v) == pytest.approx(angle, abs=1e-6)
        assert directed_angle_deg(v, u) == angle
        reversed_deg = directed_angle_deg(np.negative(u), v)
        assert reversed_deg == pytest.approx(180 - angle, abs=1e-6)
        assert acute_angle_deg(np.negative(u), v) == pytest.approx(acute_angle_deg(u, v), abs=1e-6)

    @pytest.mark.parametrize(
        ("v", "expected_deg"),
        [((1, 0), 0), ((1, 1), 45), ((0, 2), 90), ((-1, 1), 135), ((-3, 0), 180)],
    )
    def test_known_angles(self, v, expected_deg):
        assert directed_angle_deg((1, 0), v) == pytest.approx(expected_deg, abs=1e-12)

    def test_tiny_openings_keep_their_digits(self):
        assert directed_angle_deg((1, 0), (1, 1e-9)) == pytest.approx(np.rad2deg(1e-9), rel=1e-9)

    def test_unequal_spacing_bends_a_pixel_angle(self):
        end_mm = points_mm([1, 1], spacing_x_mm=1.0, spacing_y_mm=np.sqrt(3))
        assert directed_angle_deg((1, 0), end_mm) == pytest.approx(60)

    @pytest.mark.parametrize(("u", "v"), [((0, 0), (1, 0)), ((1, 0), (0, 0))])
    def test_a_line_without_length_has_no_angle(self, u, v):
        with pytest.raises(DegenerateSegmentError, match="non-zero length"):
            directed_angle_deg(u, v)


class TestVertexAngles:
    @pytest.mark.parametrize("at_a", [0, 1])
    @pytest.mark.parametrize("at_b", [0, 1])
    @given(opening=st.floats(0.5, 179.5), start=angles, vertex=st.tuples(coordinates, coordinates))
    def test_whichever_ends_meet_the_opening_at_the_vertex_is_measured(
        self, at_a, at_b, opening, start, vertex
    ):
        arms = [np.add(vertex, 20 * unit(start)), np.add(vertex, 35 * unit(start + opening))]
        lines = [
            np.array([vertex, arm] if at == 0 else [arm, vertex])
            for arm, at in zip(arms, (at_a, at_b), strict=True)
        ]
        found = vertex_angle_deg(lines[0], lines[1], (at_a, at_b))
        assert found == pytest.approx(opening, abs=1e-6)

    def test_right_triangle_with_sides_three_four_five(self):
        a, b, c = [0.0, 0.0], [4.0, 0.0], [0.0, 3.0]
        at_b = vertex_angle_deg(np.array([a, b]), np.array([b, c]), (1, 0))
        assert at_b == pytest.approx(np.rad2deg(np.arctan(3 / 4)))

    @given(corners=st.tuples(vectors, vectors, vectors))
    def test_angles_of_a_triangle_sum_to_a_half_turn(self, corners):
        a, b, c = map(np.array, corners)
        sides = [np.linalg.norm(p - q) for p, q in ((a, b), (b, c), (c, a))]
        assume(min(sides) > 1e-2)
        total = sum(
            vertex_angle_deg(np.array([p, q]), np.array([p, r]), (0, 0))
            for p, q, r in ((a, b, c), (b, c, a), (c, a, b))
        )
        assert total == pytest.approx(180, abs=1e-6)

    def test_a_line_without_length_has_no_angle(self):
        point = np.array([[1.0, 1.0], [1.0, 1.0]])
        with pytest.raises(DegenerateSegmentError, match="non-zero length"):
            vertex_angle_deg(point, np.array([[1.0, 1.0], [2.0, 1.0]]), (0, 0))
