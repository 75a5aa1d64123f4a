"""Landmarks of LabelMe and COCO files, at pixels that were lit under the marks."""

import json

import pytest

from medvision.annotate.coco import CocoFormatError, read_coco
from medvision.annotate.landmark_frames import native_xy
from medvision.annotate.landmarks import (
    DuplicateLandmarkError,
    EmptyLandmarksError,
    LandmarkFormatError,
    LandmarkFrameError,
    LandmarkValueError,
    read_landmarks,
)

SHAPE = (30, 47)


def point(label, *xy, kind="point"):
    return {"label": label, "shape_type": kind, "points": [list(xy)], "flags": {}}


def labelme(path, shapes, **changes):
    content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": "a.png"}
    content |= {"imageData": "iVBORw0KGgo=", "imageHeight": SHAPE[0], "imageWidth": SHAPE[1]}
    path.write_text(json.dumps(content | changes))
    return path


def test_the_middle_of_a_pixel_is_its_number_whatever_corner_labelme_counts_from(tmp_path):
    shapes = [point("first", 0.5, 0.5), point("last", 46.5, 29.5), point("edge", 10, 4)]
    landmarks = read_landmarks(labelme(tmp_path / "a.json", shapes))
    found = {key: xy.tolist() for key, xy in native_xy(landmarks, SHAPE).items()}
    assert found == {"first": [0, 0], "last": [46, 29], "edge": [9.5, 3.5]}


def test_other_shapes_of_labelme_are_no_landmarks(tmp_path):
    shapes = [point("a", 1, 1), point("outline", 2, 2, kind="polygon")]
    assert list(read_landmarks(labelme(tmp_path / "a.json", shapes)).points) == ["a"]
    with pytest.raises(EmptyLandmarksError, match=r"a\.json"):
        read_landmarks(labelme(tmp_path / "a.json", shapes[1:]))


def test_a_picture_that_was_resized_is_refused(tmp_path):
    landmarks = read_landmarks(labelme(tmp_path / "a.json", [point("a", 1, 1)]))
    with pytest.raises(LandmarkFrameError, match=r"a\.json.*\(47, 30\) px.*\(94, 60\)"):
        native_xy(landmarks, (60, 94))


@pytest.mark.parametrize(
    ("shapes", "error"),
    [
        ([point("a", 1, 1), point("a", 2, 2)], DuplicateLandmarkError),
        ([point("", 1, 1)], LandmarkFormatError),
        ([point("a", 1, 1) | {"points": [[1, 1], [2, 2]]}], LandmarkFormatError),
        ([point("a", "x", 1)], LandmarkValueError),
        ([point("a", None, 1)], LandmarkValueError),
        (["a"], LandmarkFormatError),
    ],
)
def test_points_that_are_none_are_refused(tmp_path, shapes, error):
    with pytest.raises(error, match=r"a\.json"):
        read_landmarks(labelme(tmp_path / "a.json", shapes))


HAND = {"id": 1, "name": "hand", "keypoints": ["wrist", "tip", "joint"]}


def coco(tmp_path, annotations, categories=(HAND,)):
    content = {
        "images": [{"id": 3, "file_name": "a.png", "width": SHAPE[1], "height": SHAPE[0]}],
        "categories": list(categories),
        "annotations": [
            {"id": n, "image_id": 3, "category_id": 1} | entry
            for n, entry in enumerate(annotations)
        ],
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(content))
    found = read_coco(path)
    return found, found.image_of(tmp_path / "a.png")


def test_keypoints_are_pixel_numbers_and_those_not_labelled_are_absent(tmp_path):
    found, image = coco(tmp_path, [{"keypoints": [10, 4, 2, 0, 0, 0, 46, 29, 1]}])
    assert found.points(image) == {"wrist": (10, 4), "joint": (46, 29)}


def test_keypoints_counted_from_the_corner_are_half_a_pixel_off(tmp_path):
    found, image = coco(tmp_path, [{"keypoints": [10.5, 4.5, 2, 0, 0, 0, 46, 29, 1]}])
    assert found.points(image, points_at="corner") == {"wrist": (10, 4), "joint": (45.5, 28.5)}


def test_two_objects_with_keypoints_need_a_category(tmp_path):
    foot = {"id": 2, "name": "foot", "keypoints": ["heel"]}
    entries = [
        {"keypoints": [10, 4, 2, 0, 0, 0, 46, 29, 1]},
        {"category_id": 2, "keypoints": [5, 6, 2]},
    ]
    found, image = coco(tmp_path, entries, (HAND, foot))
    with pytest.raises(CocoFormatError, match=r"2 objects of a\.png have keypoints"):
        found.points(image)
    assert found.points(image, category="foot") == {"heel": (5, 6)}


def test_an_object_without_keypoints_has_no_landmarks(tmp_path):
    found, image = coco(tmp_path, [{"bbox": [1, 2, 3, 4]}, {"keypoints": [0] * 9}])
    assert found.points(image) == {}
