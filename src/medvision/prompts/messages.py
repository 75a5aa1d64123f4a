"""What a model is asked, in words: the same prompt for evaluation and for training."""

import math

from medvision.frames import Plane
from medvision.pictures.perceived import StatedFrame
from medvision.prompts.answers import ANSWER_FORMATS
from medvision.prompts.questions import WORDINGS
from medvision.prompts.steps import pixel_mm_text
from medvision.protocols import MEDVISION, PromptFacts
from medvision.replies import Style
from medvision.samples import Sample
from medvision.tasks import BOX_TASKS

PROMPT_VERSION = "2"

_FRAME_WORDS = (
    "Relative coordinates are fractions of the image's width and height: x runs from 0 at the left "
    "edge to 1 at the right edge, y from 0 at the bottom edge to 1 at the top edge."
)

PROJECTED_MODALITIES = {"XR", "US"}
"""Their pictures are no slices, whatever plane they are named after."""

_PLANE_WORDS = {Plane.AXIAL: "an axial", Plane.CORONAL: "a coronal", Plane.SAGITTAL: "a sagittal"}


def prompt_text(
    sample: Sample, style: Style, frame: StatedFrame, facts: PromptFacts = MEDVISION.prompt
) -> str:
    """The user's message beside the picture.

    Args:
        sample: What is asked.
        style: Answer at once, or reason in steps first.
        frame: Image size and pixel size as the model sees them.
        facts: Which of these, and whether the plane, are stated.
    """
    wording = WORDINGS[sample.task]
    what = f"Kind of image: {sample.description or f'{sample.modality} scan'}."
    if facts.plane and sample.plane in _PLANE_WORDS and sample.modality not in PROJECTED_MODALITIES:
        what = f"The image is {_PLANE_WORDS[Plane(sample.plane)]} slice. {what}"
    parts = [what, wording.question(sample)]
    if sample.task in facts.sizes_of:
        size = f"The image is {frame.width_px} pixels wide and {frame.height_px} pixels high"
        if facts.pixel_size and not math.isnan(frame.pixel_x_mm):
            size += (
                f"; each pixel is {pixel_mm_text(frame.pixel_x_mm)} mm wide and "
                f"{pixel_mm_text(frame.pixel_y_mm)} mm high"
            )
        parts.append(f"{size}.")
    if sample.task in BOX_TASKS or style is Style.COT:
        parts.append(_FRAME_WORDS)
    if style is Style.COT:
        parts.append(f"Work in steps. {wording.steps}")
        if facts.tagged_steps and wording.tagged:
            tags = (f"<step-{n}-answer>…</step-{n}-answer>" for n in range(1, 4))
            asked = "; ".join(map("{}: {}".format, tags, wording.tagged))
            parts.append(f"After each step write its numbers alone, separated by commas: {asked}.")
    parts.append(ANSWER_FORMATS[sample.task].ask(style, sample.unit))
    return "\n".join(parts)
