"""What a served model really sees, asked of itself: places of known dots, and counts of tokens.

Neither proves a rule. Places show padding, cropping and, where a model writes pixels of its canvas,
its size; the difference in tokens between two pictures shows their grids.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from medvision.frames import FloatArray, SliceGeometry
from medvision.models.base import Question, Reply, ServedModel
from medvision.pictures.perceived import (
    PerceivedSize,
    family_named,
    picture_to_send,
)
from medvision.pictures.render import png_bytes
from medvision.pictures.view import PictureFamily
from medvision.replies import Style
from medvision.samples import Sample
from medvision.tasks import Task

PROBE_SIZES = ((480, 720), (900, 300))
"""Height and width of the pictures: multiples of none of the grids, and of unlike token counts."""

DOTS = {
    "red": ((255, 0, 0), (0.2, 0.3)),
    "green": ((0, 255, 0), (0.75, 0.2)),
    "blue": ((0, 0, 255), (0.55, 0.8)),
}
"""Colour, and place x, y from the top left as fractions of the picture."""

PROMPT = (
    "The picture shows three dots on black: a red, a green and a blue one. Where are their "
    "centres? Reply with six numbers and nothing else: x and y of the red dot, x and y of the "
    "green dot, x and y of the blue dot, from the top-left corner of the picture, in the "
    "coordinates that you use for points in pictures."
)

NORMALISED = (1.0, 100.0, 1000.0)
"""Sides of a picture in coordinates that do not depend on its size."""

PLACE_TOLERANCE_FRAC = 0.04
"""Of a side: how far off a model's dots may be."""

TOKEN_TOLERANCE = 2

_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")


class Verdict(StrEnum):
    """What one way of looking says of a rule."""

    AGREES = "agrees"
    DIFFERS = "differs"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, and what it says."""

    what: str
    verdict: Verdict
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One picture of dots as it is sent.

    Attributes:
        png: The picture sent.
        sent_hw: Its height and width.
        places: (3, 2) of the dots on it: x, y from the top left, as fractions.
        canvas_hw: What the rule says the model sees of it, all of which it fills.
        perceived: What the rule says of the picture of dots.
    """

    png: bytes
    sent_hw: tuple[int, int]
    places: FloatArray
    canvas_hw: tuple[int, int]
    perceived: PerceivedSize


def probe_picture(height_px: int, width_px: int, family: PictureFamily) -> Probe:
    """Three dots on black, prepared as slices are for a family."""
    y, x = np.mgrid[:height_px, :width_px]
    radius_px = max(3.0, 0.03 * min(height_px, width_px))
    pixels = np.zeros((height_px, width_px, 3), dtype=np.uint8)
    for colour, (x_frac, y_frac) in DOTS.values():
        is_dot = np.hypot(x + 0.5 - x_frac * width_px, y + 0.5 - y_frac * height_px) <= radius_px
        pixels[is_dot] = colour
    sent = picture_to_send(pixels, family.name, family.limits)
    x0, y0, x1, y1 = sent.content_box_px
    sent_hw = (sent.pixels.shape[0], sent.pixels.shape[1])
    fractions = np.array([place for _, place in DOTS.values()])
    places = (fractions * [x1 - x0, y1 - y0] + [x0, y0]) / sent_hw[::-1]
    return Probe(
        png=png_bytes(sent.pixels),
        sent_hw=sent_hw,
        places=places,
        canvas_hw=sent.perceived.canvas_hw,
        perceived=sent.perceived,
    )


async def probed(model: ServedModel, family: PictureFamily) -> list[Finding]:
    """Ask a model about the pictures, and hold its answers against the family's rule.

    Raises:
        AccessRefusedError: The server accepts nothing from this user.
        ServerDeadError: It cannot be reached.
    """
    probes = [probe_picture(*size, family) for size in PROBE_SIZES]
    try:
        replies = [await model.reply(_question(probe, family), probe.png) for probe in probes]
    finally:
        await model.aclose()
    places = [places_finding(*pair) for pair in zip(probes, replies, strict=True)]
    return [*places, tokens_finding(family, probes, replies)]


def _question(probe: Probe, family: PictureFamily) -> Question:
    return Question(
        sample=_NO_SAMPLE,
        prompt_text=PROMPT,
        image_png=lambda: probe.png,
        pixel_sha256="",
        pixel_shape=probe.sent_hw,
        style=Style.DIRECT,
        image_detail=family.image_detail,
    )


_NO_SAMPLE = Sample(
    sample_id="probe",
    task=Task.DETECTION,
    dataset="",
    cohort="",
    case_id="",
    subject_id="",
    split="",
    image_id="",
    modality="",
    image_uri="",
    image_sha256="",
    plane="",
    slice_index=0,
    geometry=SliceGeometry(height_px=1, width_px=1, spacing_y_mm=1.0, spacing_x_mm=1.0),
    label_id=None,
    label="",
    component=None,
    name="",
    metric_kind="",
    metric_key="",
    unit="",
    truth=(),
    box_px=(),
    points=(),
)
"""A question is about a sample, of which a served model is shown nothing."""


def places_finding(probe: Probe, reply: Reply) -> Finding:
    """What the places that a reply gives say of the canvas."""
    what = "dots on {}x{} px".format(*probe.sent_hw)
    if not reply.is_answer:
        kind = f"the server's answer is an error: {reply.error_kind} {reply.message}".rstrip()
        return Finding(what=what, verdict=Verdict.CANNOT_TELL, words=kind)
    frame = frame_of(reply.text, probe.places)
    if frame is None:
        words = f"no three places that fit the dots in {reply.text[:80]!r}"
        return Finding(what=what, verdict=Verdict.CANNOT_TELL, words=words)
    height, width = probe.canvas_hw
    verdict, words = _compared(frame, (float(width), float(height)), probe.sent_hw[::-1])
    said = "; the rule: {}x{} px".format(*probe.canvas_hw)
    return Finding(what=what, verdict=verdict, words=words + said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Coordinates in which places were given: those of the picture's left top, and its sides."""

    origin_xy: tuple[float, float]
    side_xy: tuple[float, float]

    def is_of(self, side_xy: Sequence[float]) -> bool:
        """Whether the picture has these sides in it, and starts at 0."""
        return all(
            abs(found - side) < PLACE_TOLERANCE_FRAC * side
            and abs(start) < PLACE_TOLERANCE_FRAC * side
            for found, start, side in zip(self.side_xy, self.origin_xy, side_xy, strict=True)
        )


def frame_of(text: str, places: FloatArray) -> Frame | None:
    """The coordinates in which a text gives the places of the dots.

    Args:
        text: With six numbers: x, y or y, x of each dot.
        places: (3, 2) of the dots: x, y as fractions of the picture.

    Returns:
        None where it does not hold six numbers, or none that lie as the dots do.

    Example:
        >>> places = np.array([place for _, place in DOTS.values()])
        >>> frame_of("20, 60, 75, 40, 55, 160", places).side_xy
        (100.0, 200.0)
    """
    numbers = _NUMBER.findall(_THOUGHT.sub("", text))
    if len(numbers) != 2 * len(places):
        return None
    said_xy = np.array([float(number) for number in numbers]).reshape(-1, 2)
    rounded = 0.5 * 0.1 ** max(len(number.partition(".")[2]) for number in numbers)
    for said in (said_xy, said_xy[:, ::-1]):
        lines = [np.polyfit(places[:, axis], said[:, axis], 1) for axis in (0, 1)]
        fitted = np.column_stack([np.polyval(line, places[:, n]) for n, line in enumerate(lines)])
        sides = np.array([line[0] for line in lines])
        slack = PLACE_TOLERANCE_FRAC * sides
        # Places rounded to a tenth of the picture would look like another canvas.
        if np.all(rounded < slack / 2) and np.all(np.abs(fitted - said) < slack):
            (width, x0), (height, y0) = (np.round(line, 6).tolist() for line in lines)
            return Frame(origin_xy=(x0 + 0.0, y0 + 0.0), side_xy=(width, height))
    return None


def _compared(
    frame: Frame, canvas_wh: tuple[float, float], sent_wh: Sequence[int]
) -> tuple[Verdict, str]:
    if frame.is_of(canvas_wh):
        return Verdict.AGREES, "placed in pixels of the canvas"
    for side in NORMALISED:
        if frame.is_of((side, side)):
            return Verdict.AGREES, f"placed in 0-{side:g}, so nothing is padded or cut off"
    if frame.is_of(sent_wh):
        return Verdict.CANNOT_TELL, "placed in pixels of the picture sent"
    (x0, y0), (width, height) = frame.origin_xy, frame.side_xy
    at = f" from x {x0:.4g}, y {y0:.4g}" if max(abs(x0), abs(y0)) > 1e-6 else ""
    return Verdict.DIFFERS, f"placed as if the picture were {height:.4g}x{width:.4g}{at}"


def tokens_finding(
    family: PictureFamily, probes: Sequence[Probe], replies: Sequence[Reply]
) -> Finding:
    """What the difference in prompt tokens between the pictures says of their grids."""
    what = "tokens"
    tokens = family_named(family.name).tokens
    counted = [reply.prompt_tokens for reply in replies if reply.prompt_tokens is not None]
    if len(counted) < len(replies):
        words = "the server counts no prompt tokens"
        return Finding(what=what, verdict=Verdict.CANNOT_TELL, words=words)
    if tokens is None:
        words = f"how many tokens a picture takes is not known of family {family.name!r}"
        return Finding(what=what, verdict=Verdict.CANNOT_TELL, words=words)
    expected = [tokens(probe.perceived) for probe in probes]
    found, by_rule = counted[1] - counted[0], expected[1] - expected[0]
    verdict = Verdict.AGREES if abs(found - by_rule) <= TOKEN_TOLERANCE else Verdict.DIFFERS
    words = f"the second picture takes {found:+d} beside the first; by the rule {by_rule:+d}"
    return Finding(what=what, verdict=verdict, words=words)


def overall(findings: Sequence[Finding]) -> Verdict:
    """Differs where anything does, agrees where something does and nothing differs."""
    verdicts = {finding.verdict for finding in findings}
    found = (one for one in (Verdict.DIFFERS, Verdict.AGREES) if one in verdicts)
    return next(found, Verdict.CANNOT_TELL)
