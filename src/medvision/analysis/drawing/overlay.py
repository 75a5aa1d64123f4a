"""Truth and answer drawn over a sample's slice."""

from collections.abc import Sequence

from medvision.analysis.drawing.furniture import edge_letters, furniture_shapes
from medvision.analysis.drawing.kinds import answer_shapes, truth_shapes
from medvision.analysis.drawing.outline import Stretches, outline_shape
from medvision.analysis.drawing.picture import for_raster, svg_picture
from medvision.analysis.drawing.raster import raster_png
from medvision.analysis.drawing.shapes import Role, Shape, canvas_of
from medvision.analysis.drawing.svg import svg_document, svg_group
from medvision.samples import Sample


def overlay_svg(
    sample: Sample,
    values: Sequence[float] = (),
    *,
    picture_png: bytes | None = None,
    recovered_values: Sequence[float] = (),
    outline_px: Stretches | None = None,
) -> str:
    """A complete SVG drawing of a sample: picture, truth, answer, directions, scale bar.

    Millimetres are square: the picture is stretched to the slice's physical shape.

    Args:
        sample: The question with its truth.
        values: The answer as read, in the order and frame of `sample.truth`; empty if none.
        picture_png: The slice as PNG of any size; it fills the drawing. None leaves it out.
        recovered_values: The lenient reading, drawn apart from the answer; empty if none.
        outline_px: Border of the structure asked for, as of `MaskOutlines`; drawn below the truth.
    """
    canvas = canvas_of(sample.geometry)
    letters = edge_letters(
        sample.plane, modality=sample.modality, image_uri=sample.image_uri, view=sample.view
    )
    truth: list[Shape] = truth_shapes(sample)
    if outline_px is not None:
        truth.insert(0, outline_shape(canvas, outline_px, ""))
    parts = [
        svg_picture(canvas, picture_png) if picture_png is not None else "",
        svg_group(furniture_shapes(canvas, letters), Role.FURNITURE),
        svg_group(truth, Role.TRUTH),
        answer_svg(sample, values, recovered_values=recovered_values),
    ]
    return svg_document(parts, width=canvas.width, height=canvas.height, title=sample.name)


def answer_svg(
    sample: Sample, values: Sequence[float], *, recovered_values: Sequence[float] = ()
) -> str:
    """The answer alone as an SVG group, to be put into a drawing of `overlay_svg`."""
    recovered = answer_shapes(sample, recovered_values, role=Role.RECOVERED)
    answer = answer_shapes(sample, values, role=Role.ANSWER)
    return svg_group([*recovered, *answer], Role.ANSWER)


def overlay_png(
    sample: Sample,
    values: Sequence[float] = (),
    *,
    picture_png: bytes,
    recovered_values: Sequence[float] = (),
    outline_px: Stretches | None = None,
) -> bytes:
    """The drawing of `overlay_svg` as PNG, at least 640 px on its longer side.

    Args:
        sample: The question with its truth.
        values: The answer as read, in the order and frame of `sample.truth`; empty if none.
        picture_png: The slice as PNG of any size; each of its pixels keeps its grey.
        recovered_values: The lenient reading, drawn apart from the answer; empty if none.
        outline_px: Border of the structure asked for, as of `MaskOutlines`; drawn below the truth.
    """
    picture_png, zoom = for_raster(picture_png, canvas_of(sample.geometry))
    drawing = overlay_svg(
        sample,
        values,
        picture_png=picture_png,
        recovered_values=recovered_values,
        outline_px=outline_px,
    )
    return raster_png(drawing, zoom=zoom)
