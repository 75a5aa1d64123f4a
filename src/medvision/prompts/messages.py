"""What a model is asked, in words: the same prompt for evaluation and for training."""

from medvision.frames import Plane
from medvision.pictures.perceived import StatedFrame
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.replies import Style
from medvision.samples import Point, Sample
from medvision.tasks import MetricKind, Task

PROMPT_VERSION = "2"

_FRAME_WORDS = (
    "Relative coordinates are fractions of the image's width and height: x runs from 0 at the left "
    "edge to 1 at the right edge, y from 0 at the bottom edge to 1 at the top edge."
)

PROJECTED_MODALITIES = {"XR", "US"}
"""Their pictures are no slices, whatever plane they are named after."""

_PLANE_WORDS = {Plane.AXIAL: "an axial", Plane.CORONAL: "a coronal", Plane.SAGITTAL: "a sagittal"}


def prompt_text(sample: Sample, style: Style, frame: StatedFrame) -> str:
    """The user's message beside the picture.

    Args:
        sample: What is asked.
        style: Answer at once, or reason in steps first.
        frame: Image size and pixel size as the model sees them.
    """
    parts = [_picture_words(sample), _question(sample)]
    if sample.task is not Task.DETECTION:
        parts.append(_size_words(frame))
    if sample.task is Task.DETECTION or style is Style.COT:
        parts.append(_FRAME_WORDS)
    if style is Style.COT:
        parts.append(_steps(sample))
    parts.append(ANSWER_FORMATS[sample.task].ask(style, sample.unit))
    return "\n".join(parts)


def _picture_words(sample: Sample) -> str:
    what = sample.description or f"{sample.modality} scan"
    if sample.plane in _PLANE_WORDS and sample.modality not in PROJECTED_MODALITIES:
        return f"The image is {_PLANE_WORDS[Plane(sample.plane)]} slice. Kind of image: {what}."
    return f"Kind of image: {what}."


def _question(sample: Sample) -> str:
    return QUESTIONS[sample.task](sample)


def _detection_question(sample: Sample) -> str:
    return (
        f"Find the {sample.name} and give the smallest axis-aligned bounding box around it, by "
        "its lower left corner (x0, y0) and its upper right corner (x1, y1), in relative "
        "coordinates."
    )


def _tumor_lesion_question(sample: Sample) -> str:
    return (
        f"Fit an ellipse to the outline of the {sample.name} and measure the full lengths of its "
        "major (longest) axis and its minor axis in millimetres."
    )


def _area_question(sample: Sample) -> str:
    return (
        f"Measure the area that the {sample.name} covers in the image, all its parts together, in "
        "square millimetres."
    )


def _angle_distance_question(sample: Sample) -> str:
    lines = _lines(sample.points)
    if sample.metric_kind == MetricKind.DISTANCE:
        return f"Measure the distance between {_ends(lines[0])} in millimetres ({sample.name})."
    first, second = (f"the line through {_ends(line)}" for line in lines)
    if sample.metric_kind == MetricKind.VERTEX_ANGLE:
        return (
            f"Measure the angle between {first} and {second}, at the landmark that they share, "
            f"in degrees from 0 to 180 ({sample.name})."
        )
    return (
        f"Measure the acute angle between {first} and {second}, in degrees from 0 to 90 "
        f"({sample.name})."
    )


QUESTIONS = {
    Task.DETECTION: _detection_question,
    Task.TUMOR_LESION: _tumor_lesion_question,
    Task.AREA: _area_question,
    Task.ANGLE_DISTANCE: _angle_distance_question,
}


def _lines(points: tuple[Point, ...]) -> list[tuple[Point, Point]]:
    return list(zip(points[::2], points[1::2], strict=True))


def _ends(line: tuple[Point, Point]) -> str:
    return f"the {line[0].name} and the {line[1].name}"


def _size_words(frame: StatedFrame) -> str:
    return (
        f"The image is {frame.width_px} pixels wide and {frame.height_px} pixels high; each pixel "
        f"is {pixel_mm_text(frame.pixel_x_mm)} mm wide and {pixel_mm_text(frame.pixel_y_mm)} mm "
        "high."
    )


def pixel_mm_text(size_mm: float) -> str:
    """A pixel's width or height as prompts, and targets that compute with it, state it."""
    return f"{size_mm:.6g}"


def _steps(sample: Sample) -> str:
    return f"Work in steps. {STEPS[sample.task]}"


STEPS = {
    Task.DETECTION: (
        "First describe where the structure lies. Then give the relative x of its leftmost and "
        "rightmost points and the relative y of its lowest and highest points."
    ),
    Task.TUMOR_LESION: (
        "First give the relative coordinates of the two end points of the major axis and of the "
        "two end points of the minor axis. Then multiply each difference in x by the image's "
        "width in pixels and the pixel width in mm, and each difference in y by the image's "
        "height in pixels and the pixel height in mm. Then each length is the square root of the "
        "sum of the two squares."
    ),
    Task.ANGLE_DISTANCE: (
        "First give the relative coordinates of each landmark. Then turn the differences between "
        "them into millimetres with the image size and the pixel size. Then compute the distance, "
        "or the angle between the two directions."
    ),
    Task.AREA: (
        "First give the smallest axis-aligned bounding box around all parts of the structure, in "
        "relative coordinates. Then turn its sides into millimetres with the image size and the "
        "pixel size. Then estimate the share of the box that the structure fills, from 0 to 1. "
        "The area is the product of the two sides and that share."
    ),
}
