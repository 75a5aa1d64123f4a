"""Samples and a model to stored replies: freeze the questions, render what is new, ask."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medvision.errors import ItemError
from medvision.models.base import LocalModel, Model, Question
from medvision.models.run_folder import freeze_samples, store_path, write_samples
from medvision.models.runner import RunSummary, run_questions
from medvision.models.store import ResponseStore
from medvision.prompts.answers import Style
from medvision.prompts.messages import PROMPT_VERSION, prompt_text
from medvision.prompts.perceived import (
    LimitsLike,
    perceived_size,
    picture_to_send,
    stated_frame,
)
from medvision.prompts.render import RENDERER, Picture, SlicePictures, pixel_sha256, png_bytes
from medvision.samples import Sample, sample_table
from medvision.table.manifest import package_versions, write_manifest

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFamily:
    """How a model sees pictures: a family of `medvision.prompts.perceived`, and its caps."""

    name: str
    limits: LimitsLike | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRequest:
    """What to ask whom.

    Attributes:
        samples: The questions; samples of one image should come one after another.
        family: How the model sees pictures.
        repeats: How often each question is asked.
        concurrency: Requests in flight.
        selection: What chose the samples (suite, split, limit, counts), for the manifest.
    """

    samples: Sequence[Sample]
    model: Model
    family: PictureFamily
    style: Style = Style.DIRECT
    repeats: int = 1
    concurrency: int = 8
    selection: dict[str, Any] = field(default_factory=dict)


def evaluate(
    request: EvalRequest, run: Path, on_progress: Progress = lambda *_: None
) -> RunSummary:
    """Ask every question that has no answer yet; the manifest is written last.

    Args:
        request: Questions and model.
        run: Run folder.
        on_progress: Called with (done, in all, words).

    Raises:
        UsageError: The run holds another sample list.
    """
    digests = freeze_samples(run, request.samples)
    pictures = SlicePictures()
    asked = [sample for sample in request.samples if sample.task in request.model.tasks]
    unreadable: dict[str, str] = {}
    if not isinstance(request.model, LocalModel) or request.model.sees_pictures:
        digests, unreadable = _with_new_digests(asked, digests, pictures, on_progress)
        write_samples(run, sample_table(request.samples), digests)
    with ResponseStore(store_path(run)) as store:
        summary = run_questions(
            request.model,
            _questions(request, asked, digests, pictures),
            store,
            concurrency=request.concurrency,
            on_progress=on_progress,
        )
    write_manifest(run, _manifest(request, summary, n_asked=len(asked), unreadable=unreadable))
    return summary


def _with_new_digests(
    samples: Sequence[Sample],
    known: dict[str, str],
    pictures: SlicePictures,
    on_progress: Progress,
) -> tuple[dict[str, str], dict[str, str]]:
    """Pixel digests of all samples, rendering those not known; and why some have none."""
    digests, unreadable = dict(known), {}
    for done, sample in enumerate(samples):
        if sample.sample_id in digests:
            continue
        on_progress(done, len(samples), "rendering")
        try:
            digests[sample.sample_id] = pixel_sha256(pictures.picture(sample))
        except ItemError as error:
            logger.warning("%s: %s", sample.sample_id, error)
            unreadable[sample.sample_id] = str(error)
    return digests, unreadable


def _questions(
    request: EvalRequest,
    samples: Sequence[Sample],
    digests: dict[str, str],
    pictures: SlicePictures,
) -> Iterator[Question]:
    for sample in samples:
        prompt = sample_prompt(sample, request.style, request.family)
        for repeat in range(request.repeats):
            yield Question(
                sample=sample,
                prompt_text=prompt,
                image_png=_sent_png(sample, request.family, pictures),
                pixel_sha256=digests.get(sample.sample_id, ""),
                pixel_shape=(sample.height_px, sample.width_px),
                style=request.style,
                repeat=repeat,
            )


def sample_prompt(sample: Sample, style: Style, family: PictureFamily) -> str:
    """The user's message for a sample, with sizes as a model of this family sees them."""
    seen = perceived_size(family.name, sample.height_px, sample.width_px, family.limits)
    frame = stated_frame(
        seen, sample.height_px, sample.width_px, sample.spacing_y_mm, sample.spacing_x_mm
    )
    return prompt_text(sample, style, frame)


def _sent_png(
    sample: Sample, family: PictureFamily, pictures: SlicePictures
) -> Callable[[], bytes]:
    def make() -> bytes:
        return png_bytes(sent_picture(pictures.picture(sample), family))

    return make


def sent_picture(picture: Picture, family: PictureFamily) -> Picture:
    """The picture as it goes to a model of this family."""
    return picture_to_send(picture, family.name, family.limits).pixels


def _manifest(
    request: EvalRequest, summary: RunSummary, *, n_asked: int, unreadable: dict[str, str]
) -> dict[str, Any]:
    return {
        "stage": "eval",
        "model": request.model.model_id,
        "revision": request.model.revision,
        "settings": request.model.settings,
        "style": str(request.style),
        "repeats": request.repeats,
        "family": request.family,
        "prompt_version": PROMPT_VERSION,
        "renderer": RENDERER,
        "selection": request.selection,
        "versions": package_versions(),
        "counts": {
            "samples": len(request.samples),
            "not_answerable_by_model": len(request.samples) - n_asked,
            "summary": summary,
        },
        "unreadable": unreadable,
    }
