"""Boxes of COCO and YOLO files, against the boxes of the masks that they were drawn around."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label, regionprops

from medvision.annotate import native_region_table
from medvision.annotate.boxes import BoxError, LabelledBox, box_region_table, pixel_box
from medvision.annotate.coco import CocoFormatError, PictureSizeError, is_coco, read_coco
from medvision.annotate.columns import REGION_COLUMNS
from medvision.annotate.yolo import YoloFormatError, read_yolo_boxes, yolo_classes
from medvision.frames import Plane

SHAPE = (30, 47)  # rows, columns: no side divides another
MASK = np.zeros(SHAPE, np.uint8)
MASK[3:12, 5:21] = 1
MASK[20:24, 0:9] = 1
MASK[25:30, 30:47] = 2
SPACING = (0.4, 0.7)
WHERE = ("x0_px", "y0_px", "x1_px", "y1_px", "label_id", "component", "n_components")
WHERE += ("touches_border", "height_px", "width_px", "spacing_y_mm", "spacing_x_mm", "plane")


def drawn():
    """(class, x0, y0, x1, y1) of each structure, by scikit-image."""
    found = []
    for value in (1, 2):
        for region in regionprops(label(value == MASK, connectivity=1)):
            y0, x0, y1, x1 = region.bbox
            found.append((value, x0, y0, x1, y1))
    return found


def table_of(boxes, ids):
    found = [(ids[box.label], pixel_box(box, SHAPE, item="a")) for box in boxes]
    return box_region_table(found, SHAPE, SPACING, Plane.NATIVE)


def yolo_text(decimals=6):
    height, width = SHAPE
    lines = []
    for value, x0, y0, x1, y1 in drawn():
        centre = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)
        size = ((x1 - x0) / width, (y1 - y0) / height)
        numbers = " ".join(f"{number:.{decimals}f}" for number in (*centre, *size))
        lines.append(f"{value - 1} {numbers}")
    return "\n".join(lines)


def coco(**changes):
    height, width = SHAPE
    boxes = [
        {"id": n, "image_id": 7, "category_id": value, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for n, (value, x0, y0, x1, y1) in enumerate(drawn())
    ]
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": width, "height": height}],
        "categories": [{"id": 1, "name": "nodule"}, {"id": 2, "name": "mass"}],
        "annotations": boxes,
    }
    return content | changes


def coco_file(tmp_path, content):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(content))
    return read_coco(path)


def test_coco_boxes_are_those_of_the_mask(tmp_path):
    found = coco_file(tmp_path, coco())
    boxes = found.boxes(found.image_of(tmp_path / "a.png"), SHAPE)
    table = table_of(boxes, {"nodule": 1, "mass": 2})
    truth = native_region_table(MASK, SPACING, Plane.NATIVE)
    assert table.select(WHERE).to_pylist() == truth.select(WHERE).to_pylist()


def test_yolo_boxes_are_those_of_the_mask(tmp_path):
    (tmp_path / "a.txt").write_text(yolo_text())
    table = table_of(read_yolo_boxes(tmp_path / "a.txt", SHAPE), {"0": 1, "1": 2})
    truth = native_region_table(MASK, SPACING, Plane.NATIVE)
    assert table.select(WHERE).to_pylist() == truth.select(WHERE).to_pylist()


def test_a_box_says_nothing_of_a_shape(tmp_path):
    (tmp_path / "a.txt").write_text(yolo_text())
    table = table_of(read_yolo_boxes(tmp_path / "a.txt", SHAPE), {"0": 1, "1": 2})
    assert table.schema == pa.schema(REGION_COLUMNS)
    assert set(table["ellipse_status"].to_pylist()) == {"not_target"}
    for name in ("pixel_count", "label_pixel_count", "area_mm2", "ellipse_major_mm"):
        assert table[name].null_count == table.num_rows


def test_spacing_that_nobody_knows_is_null():
    box = pixel_box(LabelledBox(label="a", x0_px=1, y0_px=1, x1_px=3, y1_px=3), SHAPE, item="a")
    table = box_region_table([(1, box)], SHAPE, None, Plane.NATIVE)
    assert table["spacing_y_mm"].to_pylist() == [None]


def test_no_box_is_an_empty_table():
    table = box_region_table([], SHAPE, SPACING, Plane.NATIVE)
    assert table.num_rows == 0
    assert table.schema == pa.schema(REGION_COLUMNS)


@given(st.tuples(*[st.floats(-0.499, 46.9)] * 2), st.tuples(*[st.floats(-0.499, 29.9)] * 2))
def test_edges_move_by_half_a_pixel_at_most(xs, ys):
    stated = LabelledBox(label="a", x0_px=min(xs), y0_px=min(ys), x1_px=max(xs), y1_px=max(ys))
    if min(np.ptp(np.floor(np.add(side, 0.5))) for side in (xs, ys)) == 0:
        with pytest.raises(BoxError, match="holds no pixel"):
            pixel_box(stated, SHAPE, item="a")
        return
    box = pixel_box(stated, SHAPE, item="a")
    for name in ("x0_px", "y0_px", "x1_px", "y1_px"):
        assert abs(getattr(box, name) - getattr(stated, name)) <= 0.5
    assert 0 <= box.x0_px < box.x1_px <= SHAPE[1]
    assert 0 <= box.y0_px < box.y1_px <= SHAPE[0]


@pytest.mark.parametrize(
    ("edges", "told"),
    [
        ((-1, 0, 5, 5), r"leaves its picture of 47×30 px"),
        ((0, 0, 47.6, 5), "leaves its picture"),
        ((0, 0, 5, 30.5), "leaves its picture"),
        ((5, 5, 5, 9), "holds no pixel"),
        ((9, 5, 5, 9), "holds no pixel"),
        ((0, 0, float("nan"), 4), "not finite"),
    ],
)
def test_boxes_that_cannot_be_are_refused(edges, told):
    keys = ("x0_px", "y0_px", "x1_px", "y1_px")
    box = LabelledBox(label="mass", **dict(zip(keys, edges, strict=True)))
    with pytest.raises(BoxError, match=rf"a\.txt: box of 'mass'.*{told}"):
        pixel_box(box, SHAPE, item="a.txt")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0 0.5 0.5 0.1", "expected a class number"),
        ("mass 0.5 0.5 0.1 0.1", "expected a class number"),
        ("0 0.5 x 0.1 0.1", "expected a class number"),
        ("0 0.5 0.5 0.1 0.1 0.98", "is this a prediction"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2", "this is a polygon"),
        ("0 12 13 5 5", "fractions of the picture"),
        ("0 nan 0.5 0.1 0.1", "fractions of the picture"),
    ],
)
def test_lines_that_are_no_yolo_box_are_named(tmp_path, line, told):
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises((YoloFormatError, BoxError), match=rf"a\.txt: line 2.*{told}"):
        read_yolo_boxes(tmp_path / "a.txt", SHAPE)


def test_an_empty_yolo_file_is_a_picture_without_objects(tmp_path):
    (tmp_path / "a.txt").write_text("\n")
    assert read_yolo_boxes(tmp_path / "a.txt", SHAPE) == ()


def test_a_yolo_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(YoloFormatError, match=r"a\.txt"):
        read_yolo_boxes(tmp_path / "a.txt", SHAPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodule\nmass", {"0": "nodule", "1": "mass"}),
        ("nc: 2\nnames: ['nodule', \"mass\"]\n", {"0": "nodule", "1": "mass"}),
        ("names:\n- nodule\n- mass\nnc: 2\n", {"0": "nodule", "1": "mass"}),
        ("train: a\nnames:\n  0: nodule  # small\n  3: mass\n", {"0": "nodule", "3": "mass"}),
        ("names: {0: nodule}\n", {}),
        ("nc: 2\n", {}),
    ],
)
def test_class_names_are_read_as_yolos_tools_write_them(text, expected):
    assert yolo_classes(text) == expected


def test_a_picture_of_another_size_is_refused(tmp_path):
    found = coco_file(tmp_path, coco())
    with pytest.raises(PictureSizeError, match=r"a\.png is 47×30 px, the picture found is 30×47"):
        found.boxes(found.image_of(tmp_path / "a.png"), SHAPE[::-1])


def test_pictures_are_found_by_the_longest_end_of_their_path(tmp_path):
    images = [
        {"id": n, "file_name": name, "width": 4, "height": 4}
        for n, name in enumerate(["a.png", "one/a.png", "two\\b.png"])
    ]
    found = coco_file(tmp_path, coco(images=images, annotations=[]))
    assert found.image_of(tmp_path / "one" / "a.png").image_id == 1
    assert found.image_of(tmp_path / "three" / "a.png").image_id == 0
    assert found.image_of(tmp_path / "two" / "b.png").image_id == 2
    with pytest.raises(CocoFormatError, match=r"one picture named as b\.png, found 0 of 3"):
        found.image_of(tmp_path / "one" / "b.png")


IMAGE = {"id": 7, "file_name": "a.png", "width": 47, "height": 30}
BOX = {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images": [IMAGE, IMAGE]}, "listed twice"),
        ({"images": [IMAGE | {"width": "47"}]}, "expected width as a whole number, found '47'"),
        ({"images": {}}, "lists images, annotations and categories"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "listed twice"),
        ({"categories": [{"id": 1, "name": "a", "keypoints": ["x", "x"]}]}, "different keypoint"),
        ({"annotations": [BOX | {"image_id": 8}]}, "annotation 1 is of picture 8"),
        ({"annotations": [BOX | {"category_id": 9}]}, "category 9"),
        ({"annotations": [BOX | {"bbox": [1, 2, 3]}]}, r"expected bbox \[x, y, width, height\]"),
        ({"annotations": [BOX, BOX]}, "two annotations have one id"),
        ({"annotations": [BOX | {"keypoints": [1, 2]}]}, "visibility of the 0 keypoints"),
    ],
)
def test_coco_files_that_contradict_themselves_are_refused(tmp_path, changes, told):
    with pytest.raises(CocoFormatError, match=rf"coco\.json.*{told}"):
        coco_file(tmp_path, coco(**changes))


def test_a_crowd_is_no_box_of_one_structure(tmp_path):
    found = coco_file(tmp_path, coco(annotations=[BOX | {"iscrowd": 1}]))
    with pytest.raises(CocoFormatError, match=r"annotation 1 of a\.png is a crowd of 'nodule'"):
        found.boxes(found.image_of(tmp_path / "a.png"), SHAPE)


def test_what_is_no_coco_file_is_named(tmp_path):
    (tmp_path / "coco.json").write_text('{"images": [')
    with pytest.raises(CocoFormatError, match=r"coco\.json: expected JSON"):
        read_coco(tmp_path / "coco.json")
    assert not is_coco([])
    assert is_coco(coco())
