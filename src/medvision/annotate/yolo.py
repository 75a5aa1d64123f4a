"""Boxes of YOLO label files: a line `class cx cy width height` a box, in fractions of the picture.

Fractions are of the whole picture from its upper left corner, so edges are pixel edges: no half
pixel is added or taken away.
"""

import math
import re
from pathlib import Path

from medvision.annotate.boxes import BoxError, LabelledBox
from medvision.errors import ItemError

_NAMES_KEY = re.compile(r"^names\s*:\s*(.*?)\s*$")
_INDEXED = re.compile(r"^\s+(\d{1,9})\s*:\s*(.+?)\s*$")
_LISTED = re.compile(r"^\s*-\s*(.+?)\s*$")


class YoloFormatError(ItemError):
    """A line of a label file that is no box."""

    reason = "yolo_bad_format"


def read_yolo_boxes(path: Path, shape_yx: tuple[int, int]) -> tuple[LabelledBox, ...]:
    """Boxes of one picture; none of an empty file, as YOLO writes a picture without objects.

    Args:
        path: The `.txt` file.
        shape_yx: Of the picture.

    Returns:
        In the file's order; `label` is the class number as text.

    Raises:
        YoloFormatError: Not text, or a line that is not a class number and four fractions:
            polygons and predictions with a confidence have more.
        BoxError: Fractions outside 0 to 1, or a width or height that is not positive.

    Example:
        >>> _ = Path("a.txt").write_text("0 0.5 0.5 0.2 0.4")
        >>> read_yolo_boxes(Path("a.txt"), (10, 20))
        (LabelledBox(label='0', x0_px=8.0, y0_px=3.0, x1_px=12.0, y1_px=7.0),)
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        msg = f"{path}: expected a text file of YOLO boxes ({error})"
        raise YoloFormatError(msg) from error
    boxes = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        words = line.split()
        where = f"{path}: line {number}"
        try:
            fractions = [float(word) for word in words[1:]]
        except ValueError:
            fractions = []
        if len(fractions) != 4 or not re.fullmatch(r"\d{1,9}", words[0]):
            msg = f"{where}: expected a class number and cx, cy, width, height, found {line!r}"
            if len(fractions) == 5:
                msg += "; a sixth number is a confidence: is this a prediction?"
            elif len(fractions) > 5:
                msg += "; this is a polygon: convert it to a mask, or to its box"
            raise YoloFormatError(msg)
        if not all(math.isfinite(value) and 0 <= value <= 1 for value in fractions):
            msg = f"{where}: expected fractions of the picture from 0 to 1, found {line!r}"
            raise BoxError(msg)
        cx, cy, width, height = fractions
        height_px, width_px = shape_yx
        boxes.append(
            LabelledBox(
                label=str(int(words[0])),
                x0_px=(cx - width / 2) * width_px,
                y0_px=(cy - height / 2) * height_px,
                x1_px=(cx + width / 2) * width_px,
                y1_px=(cy + height / 2) * height_px,
            )
        )
    return tuple(boxes)


def yolo_classes(text: str) -> dict[str, str]:
    r"""Class number to name, of a `classes.txt` or of the `names` of a data set's YAML file.

    Of YAML only the three ways are understood in which YOLO's tools write `names`: a list in
    brackets, a list of dashes, and numbers with names. Nothing is found where it is another one.

    Example:
        >>> yolo_classes("nodule\nmass\n")
        {'0': 'nodule', '1': 'mass'}
        >>> yolo_classes("path: x\nnames:\n  0: nodule\n  1: 'lung mass'\n")
        {'0': 'nodule', '1': 'lung mass'}
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    at = next((n for n, line in enumerate(lines) if _NAMES_KEY.match(line)), None)
    if at is None:
        is_yaml = any(re.match(r"^\w+\s*:", line) for line in lines)
        return {} if is_yaml else {str(n): line.strip() for n, line in enumerate(lines)}
    inline = _NAMES_KEY.sub(r"\1", lines[at])
    if inline:
        inner = inline.removeprefix("[").removesuffix("]")
        is_list = inline.startswith("[") and inline.endswith("]")
        names = [_unquoted(name) for name in inner.split(",")] if is_list else []
        return {str(n): name for n, name in enumerate(names)}
    found: dict[str, str] = {}
    for line in lines[at + 1 :]:
        if match := _INDEXED.match(line):
            found[str(int(match[1]))] = _unquoted(match[2])
        elif match := _LISTED.match(line):
            found[str(len(found))] = _unquoted(match[1])
        else:
            break
    return found


def _unquoted(name: str) -> str:
    return name.split(" #")[0].strip().strip("'\"")
