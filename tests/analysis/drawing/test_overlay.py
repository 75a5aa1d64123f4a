"""Overlay geometry, checked on drawings parsed as XML and on drawn pixels."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from medvision.analysis import overlay_png, overlay_svg, png_bytes
from medvision.analysis.drawing.furniture import scale_bar_mm
from medvision.analysis.drawing.shapes import canvas_of
from medvision.frames import SliceGeometry
from medvision.samples import Point
from medvision.tasks import Task
from tests.builders import sample

SVG = "{http://www.w3.org/2000/svg}"
SQUARE = SliceGeometry(height_px=100, width_px=100, spacing_y_mm=1.0, spacing_x_mm=1.0)
TALL_PIXELS = SliceGeometry(height_px=50, width_px=100, spacing_y_mm=2.0, spacing_x_mm=1.0)


def detection(**changes):
    box = {"box_px": (20.0, 30.0, 60.0, 80.0), "truth": (0.2, 0.2, 0.6, 0.7)}
    return sample(Task.DETECTION, **{"geometry": SQUARE, **box, **changes})


def distance(points, **changes):
    fields = {"geometry": SQUARE, "plane": "sagittal", "truth": (40.0,)}
    return sample(Task.ANGLE_DISTANCE, points=points, **{**fields, **changes})


def point(key, x_px, y_px):
    return Point(key=key, name=key, x_px=x_px, y_px=y_px)


def group(svg, name):
    return ET.fromstring(svg).find(f"{SVG}g[@class='{name}']")


def numbers(element, *names):
    return [float(element.get(name)) for name in names]


def test_box_lies_on_pixel_edges():
    rect = group(overlay_svg(detection()), "truth").find(f"{SVG}rect")

    assert numbers(rect, "x", "y", "width", "height") == pytest.approx(
        [20 * 6.4, 30 * 6.4, 40 * 6.4, 50 * 6.4]
    )


def test_answer_is_read_from_the_lower_left():
    rect = group(overlay_svg(detection(), [0.1, 0.0, 0.5, 0.25]), "answer").find(f"{SVG}rect")

    assert numbers(rect, "x", "y", "width", "height") == pytest.approx(
        [10 * 6.4, 75 * 6.4, 40 * 6.4, 25 * 6.4]
    )


def test_true_answer_lies_on_the_true_box():
    one = detection()
    svg = overlay_svg(one, one.truth)
    box = ("x", "y", "width", "height")

    truth = numbers(group(svg, "truth").find(f"{SVG}rect"), *box)
    answer = numbers(group(svg, "answer").find(f"{SVG}rect"), *box)

    assert answer == pytest.approx(truth, abs=0.011)


def test_point_is_drawn_half_a_pixel_beyond_its_coordinate():
    one = distance([point("a", 0.0, 0.0), point("b", 99.0, 40.0)])
    dots = group(overlay_svg(one), "truth").findall(f"{SVG}circle")

    assert [numbers(dot, "cx", "cy") for dot in dots] == [
        pytest.approx([0.5 * 6.4, 0.5 * 6.4]),
        pytest.approx([99.5 * 6.4, 40.5 * 6.4]),
    ]


def test_millimetres_are_square_on_unequal_pixels():
    one = distance([point("a", 10.0, 10.0), point("b", 10.0, 30.0)], geometry=TALL_PIXELS)
    canvas = canvas_of(one.geometry)
    dots = group(overlay_svg(one), "truth").findall(f"{SVG}circle")
    (_, y0), (_, y1) = (numbers(dot, "cx", "cy") for dot in dots)

    assert (canvas.width, canvas.height) == (640, 640)
    assert y1 - y0 == pytest.approx(40 * canvas.units_per_mm, abs=0.011)


def test_ellipse_axes_are_as_long_as_their_millimetres():
    ends = (
        point("major 0", 50.0, 15.0),
        point("major 1", 50.0, 35.0),
        point("minor 0", 40.0, 25.0),
        point("minor 1", 60.0, 25.0),
    )
    lesion = sample(Task.TUMOR_LESION, geometry=TALL_PIXELS, truth=(40.0, 20.0), points=ends)
    ellipse = group(overlay_svg(lesion), "truth").find(f"{SVG}ellipse")
    radii_mm = np.array(numbers(ellipse, "rx", "ry")) / canvas_of(lesion.geometry).units_per_mm

    assert radii_mm == pytest.approx([20.0, 10.0], abs=0.01)
    assert "rotate(90.000 323.20 326.40)" in ellipse.get("transform")


def test_shared_landmark_is_drawn_once():
    apex = point("apex", 50.0, 50.0)
    points = [point("a", 10.0, 10.0), apex, apex, point("b", 90.0, 10.0)]
    truth = group(overlay_svg(distance(points, metric_kind="angle", unit="deg")), "truth")

    assert [text.text for text in truth.findall(f"{SVG}text")] == ["a", "apex", "b"]
    assert len(truth.findall(f"{SVG}line")) == 4  # two lines, each with its halo


@pytest.mark.parametrize(
    ("plane", "letters"),
    [("axial", "RLAP"), ("coronal", "RLSI"), ("sagittal", "APSI"), ("native", "")],
)
def test_direction_letters_follow_the_plane(plane, letters):
    furniture = group(overlay_svg(detection(plane=plane)), "furniture")
    texts = [text.text for text in furniture.findall(f"{SVG}text")]

    assert "".join(texts[:-1]) == letters
    assert texts[-1].endswith(" mm")


@pytest.mark.parametrize("given", [{"modality": "XR"}, {"image_uri": "/data/skull.png"}])
def test_picture_of_a_named_plane_has_no_letters(given):
    furniture = group(overlay_svg(detection(plane="sagittal", **given)), "furniture")

    assert len(furniture.findall(f"{SVG}text")) == 1


@pytest.mark.parametrize(
    ("width_mm", "bar_mm"), [(400, 100), (399, 50), (100, 20), (30, 5), (4, 1), (0.9, 0.2)]
)
def test_scale_bar_is_a_round_length_within_a_quarter_of_the_width(width_mm, bar_mm):
    assert scale_bar_mm(width_mm) == pytest.approx(bar_mm)


def test_scale_bar_is_as_long_as_it_says():
    line = group(overlay_svg(detection(geometry=TALL_PIXELS)), "furniture").find(f"{SVG}line")
    x0, x1 = numbers(line, "x1", "x2")

    assert (x1 - x0) / 6.4 == pytest.approx(20.0)


def test_names_are_escaped():
    name = "</text><script>alert('x')</script>\x00&\"<"
    points = [point(name, 0.0, 0.0), point("b", 5.0, 5.0)]
    svg = overlay_svg(distance(points, name=name))

    assert "<script" not in svg
    found = [text.text for text in group(svg, "truth").findall(f"{SVG}text")]
    assert found[0] == name.replace("\x00", " ")


@pytest.mark.parametrize("task", ["tl", "ad", "area"])
def test_numbers_have_no_place_in_the_drawing(task):
    assert len(group(overlay_svg(sample(task, truth=(3.0,)), [3.0]), "answer")) == 0


def test_recovered_box_is_told_apart():
    svg = overlay_svg(detection(), recovered_values=[0.1, 0.1, 0.4, 0.4])
    text = group(svg, "answer").find(f"{SVG}text")

    assert text.text == "recovered, not scored"


def test_png_draws_the_box_where_the_svg_does():
    one = detection(geometry=TALL_PIXELS, box_px=[20.0, 10.0, 60.0, 40.0])
    black = png_bytes(np.zeros((50, 100), dtype=np.uint8))
    drawing = np.asarray(Image.open(io.BytesIO(overlay_png(one, picture_png=black)))).astype(int)
    green = (drawing[..., 1] > 150) & (drawing[..., 0] < 120)

    assert drawing.shape == (640, 640, 3)
    columns, rows = np.flatnonzero(green[300]), np.flatnonzero(green[:, 300])
    assert [columns.min(), columns.max()] == pytest.approx([128, 384], abs=2)
    assert [rows.min(), rows.max()] == pytest.approx([128, 512], abs=2)


def test_png_keeps_the_resolution_of_its_picture():
    picture = png_bytes(np.zeros((1000, 1000), dtype=np.uint8))
    drawing = Image.open(io.BytesIO(overlay_png(detection(), [0, 0, 1, 1], picture_png=picture)))

    assert drawing.size == (1000, 1000)
