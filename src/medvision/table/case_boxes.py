"""Boxes of a case, from the file that holds them: COCO for many pictures, YOLO for one."""

from functools import lru_cache
from pathlib import Path

from medvision.annotate.boxes import PixelBox, pixel_box
from medvision.annotate.coco import CocoFile, NotCocoError, read_coco
from medvision.annotate.landmarks import Landmarks, LandmarkSpace, checked_landmarks
from medvision.annotate.yolo import read_yolo_boxes
from medvision.errors import ItemError
from medvision.names import plain_name
from medvision.table.cases import CaseSource
from medvision.table.segment_names import UnknownLabelError, structures_by_name
from medvision.volumes import Volume
from medvision.volumes.errors import DimensionsError


def case_boxes(case: CaseSource, image: Volume) -> list[tuple[int, PixelBox]]:
    """Label id and box of each structure on a picture, in the order of the file.

    Args:
        case: With boxes; a class of the file is the structure of that name, or the one that it is
            `found_as`.
        image: The case's image.

    Raises:
        DimensionsError: The image is no picture.
        UnknownLabelError: A class that no structure is declared for.
        ItemError: The file cannot be used, or a box of it leaves the picture.
    """
    if case.boxes is None:
        return []
    if not image.is_native:
        msg = f"{case.boxes}: boxes need a 2D picture, found a volume of shape {image.shape}"
        raise DimensionsError(msg)
    height_px, width_px = image.shape
    if case.boxes.suffix.lower() == ".json":
        coco = coco_file(case.boxes)
        boxes = coco.boxes(coco.image_of(case.images[0].path), (height_px, width_px))
    else:
        boxes = read_yolo_boxes(case.boxes, (height_px, width_px))
    names = structures_by_name(case.structures)
    unknown = sorted({box.label for box in boxes if plain_name(box.label) not in names})
    if unknown:
        msg = (
            f"{case.boxes}: expected only the classes {', '.join(s.name for s in case.structures)}"
            f", found also {', '.join(unknown)}; declare them"
        )
        raise UnknownLabelError(msg)
    return [
        (
            names[plain_name(box.label)].label_id,
            pixel_box(box, (height_px, width_px), item=str(case.boxes)),
        )
        for box in boxes
    ]


def coco_landmarks(case: CaseSource, path: Path) -> Landmarks:
    """Keypoints of a case's picture as landmarks.

    Raises:
        ItemError: The file cannot be used, or holds no keypoint of the picture.
    """
    coco = coco_file(path)
    image = coco.image_of(case.images[0].path)
    points = coco.points(image, points_at=case.points_at)
    return checked_landmarks(
        f"{path}: {image.file_name}",
        LandmarkSpace.VOXEL,
        ((name, list(xy)) for name, xy in points.items()),
        size_wh_px=(image.width_px, image.height_px),
    )


def is_coco_file(path: Path) -> bool:
    """Whether a JSON file lists images, annotations and categories; it is read for that."""
    if path.suffix.lower() != ".json":
        return False
    try:
        coco_file(path)
    except NotCocoError:
        return False
    except ItemError:  # of a COCO file that contradicts itself: reading it says so
        return True
    return True


def coco_file(path: Path) -> CocoFile:
    """The content of a COCO file; the last one is kept, since all pictures of a set share it."""
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, _mtime_ns: int, _size: int) -> CocoFile:
    return read_coco(path)
