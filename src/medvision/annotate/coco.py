"""COCO annotation files: boxes and keypoints of many pictures in one JSON file.

A box is `[x, y, width, height]` on pixel edges, from the upper left corner of the first pixel: no
half pixel is added or taken away. Keypoints are pixel numbers, whole at pixel centres, as in the
data set that the format is named after; tools that write them from the corner of the picture
instead are half a pixel off, so `points_at` says which.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from medvision.annotate.boxes import LabelledBox
from medvision.errors import ItemError
from medvision.names import composed

PointsAt = Literal["centre", "corner"]
"""Whether 0, 0 is the centre of the first pixel or the corner of the picture."""

CORNER_PX = 0.5
"""From the picture's corner to the centre of its first pixel, along x and along y."""


class CocoFormatError(ItemError):
    """Not a COCO file, or one that contradicts itself."""

    reason = "coco_bad_format"


class NotCocoError(CocoFormatError):
    """Not a COCO file at all."""


class PictureSizeError(ItemError):
    """A picture that has another size than its annotation file says: it was resized or cropped."""

    reason = "picture_size"


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoImage:
    """A picture as the file lists it."""

    image_id: int
    file_name: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoAnnotation:
    """One object on a picture.

    Attributes:
        box_xywh_px: None where it has none.
        keypoints: Name to x and y in px as written; those of visibility 0 are left out.
        is_crowd: The box is around several objects.
    """

    annotation_id: object
    image_id: int
    category: str
    box_xywh_px: tuple[float, float, float, float] | None
    keypoints: Mapping[str, tuple[float, float]]
    is_crowd: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoFile:
    """The content of one file.

    Attributes:
        source: The file, for messages.
        categories: Id to name.
        keypoint_names: Category name to the names of its keypoints.
        images: By file name.
        annotations: Of each picture, by its id, in the file's order; of one without any, none.
    """

    source: str
    categories: Mapping[int, str]
    keypoint_names: Mapping[str, tuple[str, ...]]
    images: Mapping[str, CocoImage]
    annotations: Mapping[int, Sequence[CocoAnnotation]]

    def image_of(self, path: Path) -> CocoImage:
        """The listed picture that a file is: the one whose name is the longest end of its path.

        Raises:
            CocoFormatError: None is, or several are.
        """
        parts = Path(composed(str(path))).parts
        fits = {}
        for name, image in self.images.items():
            if parts[-1] not in name:  # most of them, and parting a path takes its time
                continue
            listed = PurePosixPath(name.replace("\\", "/")).parts
            if listed == parts[-len(listed) :]:
                fits[name] = (len(listed), image)
        longest = max((length for length, _ in fits.values()), default=0)
        found = [image for length, image in fits.values() if length == longest]
        if len(found) != 1:
            msg = (
                f"{self.source}: expected one picture named as {path.name}, found {len(found)} of "
                f"{len(self.images)}"
            )
            raise CocoFormatError(msg)
        return found[0]

    def boxes(self, image: CocoImage, shape_yx: tuple[int, int]) -> tuple[LabelledBox, ...]:
        """Boxes of a picture; `label` is the category's name.

        Raises:
            PictureSizeError: The picture has another size than the file says.
            CocoFormatError: A box is around a crowd, so that nobody knows how many there are.
        """
        self.check_size(image, shape_yx)
        found = []
        for one in self.annotations.get(image.image_id, ()):
            if one.box_xywh_px is None:
                continue
            if one.is_crowd:
                msg = (
                    f"{self.source}: annotation {one.annotation_id} of {image.file_name} is a "
                    f"crowd of {one.category!r}; draw its members one by one, or leave the picture "
                    "out"
                )
                raise CocoFormatError(msg)
            x, y, width, height = one.box_xywh_px
            box = {"x0_px": x, "y0_px": y, "x1_px": x + width, "y1_px": y + height}
            found.append(LabelledBox(label=one.category, **box))
        return tuple(found)

    def points(
        self, image: CocoImage, *, category: str = "", points_at: PointsAt = "centre"
    ) -> dict[str, tuple[float, float]]:
        """Keypoints of a picture, whole numbers at pixel centres; absent ones are left out.

        Args:
            image: The picture.
            category: Of one category only; needed where several have keypoints.
            points_at: What 0, 0 means in the file.

        Raises:
            CocoFormatError: Two objects of the picture have keypoints.
        """
        found = [
            one.keypoints
            for one in self.annotations.get(image.image_id, ())
            if one.keypoints and category in ("", one.category)
        ]
        if len(found) > 1:
            msg = (
                f"{self.source}: {len(found)} objects of {image.file_name} have keypoints, "
                "expected one; name the category whose points are the landmarks"
            )
            raise CocoFormatError(msg)
        shift = CORNER_PX if points_at == "corner" else 0.0
        return {name: (x - shift, y - shift) for one in found for name, (x, y) in one.items()}

    def check_size(self, image: CocoImage, shape_yx: tuple[int, int]) -> None:
        """Refuse a picture whose size is not the one stated.

        Raises:
            PictureSizeError: It differs.
        """
        if (image.height_px, image.width_px) != shape_yx:
            msg = (
                f"{self.source}: {image.file_name} is {image.width_px}×{image.height_px} px, the "
                f"picture found is {shape_yx[1]}×{shape_yx[0]}; was it resized?"
            )
            raise PictureSizeError(msg)


def read_coco(path: Path) -> CocoFile:
    """The content of a COCO annotation file.

    Raises:
        NotCocoError: No JSON, or not the three lists.
        CocoFormatError: Keys missing, an id twice, an annotation of a picture or
            category that is not listed, boxes or keypoints that are no numbers.
    """
    content = _content(path)
    categories, names = _categories(content["categories"], path)
    images = _images(content["images"], path)
    known = {image.image_id for image in images.values()}
    annotations = [
        _annotation(entry, categories, names, known, path) for entry in content["annotations"]
    ]
    ids = [one.annotation_id for one in annotations if one.annotation_id is not None]
    if len(set(ids)) < len(ids):
        msg = f"{path}: two annotations have one id; keep one"
        raise CocoFormatError(msg)
    by_image: dict[int, list[CocoAnnotation]] = defaultdict(list)
    for one in annotations:
        by_image[one.image_id].append(one)
    return CocoFile(
        source=str(path),
        categories=categories,
        keypoint_names=names,
        images=images,
        annotations=by_image,
    )


def is_coco(content: object) -> bool:
    """Whether parsed JSON has the three lists of a COCO file."""
    lists = ("images", "annotations", "categories")
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in lists)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        msg = f"{path}: expected JSON, found a text that breaks off or is none ({error})"
        raise NotCocoError(msg) from error
    if not is_coco(content):
        msg = f"{path}: expected the lists images, annotations and categories of a COCO file"
        raise NotCocoError(msg)
    found: dict[str, Any] = content
    return found


def _categories(
    entries: list[Any], path: Path
) -> tuple[dict[int, str], dict[str, tuple[str, ...]]]:
    categories: dict[int, str] = {}
    points: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        number, name = _field(entry, "id", int, path), _field(entry, "name", str, path)
        if number in categories or name in categories.values():
            msg = f"{path}: category {number} {name!r} is listed twice; keep one"
            raise CocoFormatError(msg)
        categories[number] = name
        listed = entry.get("keypoints", [])
        if not isinstance(listed, list) or len(set(map(str, listed))) < len(listed):
            msg = f"{path}: category {name!r} needs a list of different keypoint names"
            raise CocoFormatError(msg)
        points[name] = tuple(map(str, listed))
    return categories, points


def _images(entries: list[Any], path: Path) -> dict[str, CocoImage]:
    images: dict[str, CocoImage] = {}
    ids: set[int] = set()
    for entry in entries:
        image = CocoImage(
            image_id=_field(entry, "id", int, path),
            file_name=composed(_field(entry, "file_name", str, path)),
            width_px=_field(entry, "width", int, path),
            height_px=_field(entry, "height", int, path),
        )
        if image.image_id in ids or image.file_name in images:
            msg = f"{path}: picture {image.image_id} {image.file_name} is listed twice; keep one"
            raise CocoFormatError(msg)
        ids.add(image.image_id)
        images[image.file_name] = image
    return images


def _annotation(
    entry: Any,
    categories: Mapping[int, str],
    names: Mapping[str, tuple[str, ...]],
    images: set[int],
    path: Path,
) -> CocoAnnotation:
    image_id, number = _field(entry, "image_id", int, path), _field(entry, "category_id", int, path)
    where = f"{path}: annotation {entry.get('id')}"
    if image_id not in images or number not in categories:
        msg = f"{where} is of picture {image_id} and category {number}; both must be listed"
        raise CocoFormatError(msg)
    category = categories[number]
    box, points = entry.get("bbox"), entry.get("keypoints") or []
    if box is not None and not _are_numbers(box, 4):
        msg = f"{where}: expected bbox [x, y, width, height], found {box}"
        raise CocoFormatError(msg)
    if not _are_numbers(points, 3 * len(names[category]) if points else 0):
        msg = (
            f"{where}: expected x, y, visibility of the {len(names[category])} keypoints of "
            f"{category!r}, found {len(points) if isinstance(points, list) else points}"
        )
        raise CocoFormatError(msg)
    triples = zip(points[::3], points[1::3], points[2::3], strict=True)
    return CocoAnnotation(
        annotation_id=entry.get("id"),
        image_id=image_id,
        category=category,
        box_xywh_px=(float(box[0]), float(box[1]), float(box[2]), float(box[3])) if box else None,
        keypoints={
            name: (float(x), float(y))
            for name, (x, y, visibility) in zip(names[category], triples, strict=False)
            if visibility > 0
        },
        is_crowd=bool(entry.get("iscrowd", 0)),
    )


def _field(entry: Any, key: str, kind: type[Any], path: Path) -> Any:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        word = "a whole number" if kind is int else "text"
        msg = f"{path}: expected {key} as {word}, found {value!r}"
        raise CocoFormatError(msg)
    return value


def _are_numbers(values: object, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    )
