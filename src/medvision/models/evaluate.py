"""Samples and a model to stored replies: freeze the questions, render what is new, ask."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from medvision.errors import ItemError
from medvision.models.base import LocalModel, Question, ServedModel
from medvision.models.baselines import Baseline
from medvision.models.run_folder import freeze_samples, store_path, write_samples
from medvision.models.runner import OnProgress, RunSettings, RunSummary, run_questions
from medvision.models.store import ResponseStore
from medvision.prompts.answers import Style
from medvision.prompts.messages import PROMPT_VERSION, prompt_text
from medvision.prompts.perceived import (
    PerceivedSize,
    Preparation,
    family_named,
    perceived_size,
    picture_to_send,
    stated_frame,
)
from medvision.prompts.render import RENDERER, SlicePictures, pixel_sha256, png_bytes
from medvision.samples import Sample, sample_table
from medvision.table.manifest import content_key, package_versions, write_manifest

logger = logging.getLogger(__name__)

SENDER = "pillow-1"
"""Version of how pictures are prepared for a family; change it with the pixels."""

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFamily:
    """How a model sees pictures: a family of `medvision.prompts.perceived`, and its caps."""

    name: str
    limits: Mapping[str, int] | None = None

    def perceived(self, sample: Sample) -> PerceivedSize:
        """What the model sees of a sample's slice."""
        return perceived_size(self.name, sample.height_px, sample.width_px, self.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRequest:
    """What to ask whom.

    Attributes:
        samples: The questions; samples of one image should come one after another.
        family: How the model sees pictures.
        repeats: How often each question is asked.
        settings: How many at once, and what may be spent.
        selection: What chose the samples (suite, split, limit, counts), for the manifest.
    """

    samples: Sequence[Sample]
    model: ServedModel | LocalModel
    family: PictureFamily
    style: Style = Style.DIRECT
    repeats: int = 1
    settings: RunSettings = field(default_factory=RunSettings)
    selection: dict[str, Any] = field(default_factory=dict)


def evaluate(request: EvalRequest, run: Path, on_progress: OnProgress | None = None) -> RunSummary:
    """Ask every question that has no answer yet; the manifest is written last.

    Baselines see no picture, so nothing is rendered for them.

    Args:
        request: Questions and model.
        run: Run folder.
        on_progress: Called after every reply.

    Raises:
        UsageError: The run holds another sample list.
    """
    digests = freeze_samples(run, request.samples)
    pictures = SlicePictures()
    asked = [sample for sample in request.samples if sample.task in request.model.tasks]
    unreadable: dict[str, str] = {}
    if not isinstance(request.model, Baseline):
        digests, unreadable = _with_new_digests(asked, digests, pictures)
        write_samples(run, sample_table(request.samples), digests)
    with ResponseStore(store_path(run)) as store:
        summary = run_questions(
            request.model,
            _Questions(request=request, samples=asked, digests=digests, pictures=pictures),
            store=store,
            settings=request.settings,
            on_progress=on_progress,
        )
    write_manifest(run, _manifest(request, summary, unreadable))
    return summary


def _with_new_digests(
    samples: Sequence[Sample], known: dict[str, str], pictures: SlicePictures
) -> tuple[dict[str, str], dict[str, str]]:
    """Pixel digests of all samples, rendering those not known; and why some have none."""
    digests, unreadable = dict(known), {}
    for sample in samples:
        if sample.sample_id in digests:
            continue
        try:
            digests[sample.sample_id] = pixel_sha256(pictures.picture(sample))
        except ItemError as error:
            logger.warning("%s: %s", sample.sample_id, error)
            unreadable[sample.sample_id] = str(error)
    return digests, unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    """The questions of a run, made anew at each walk."""

    request: EvalRequest
    samples: Sequence[Sample]
    digests: dict[str, str]
    pictures: SlicePictures

    def __iter__(self) -> Iterator[Question]:
        for sample in self.samples:
            for repeat in range(self.request.repeats):
                yield self._question(sample, repeat)

    def _question(self, sample: Sample, repeat: int) -> Question:
        request = self.request
        seen = request.family.perceived(sample)
        rendered = self.digests.get(sample.sample_id, UNREADABLE)
        is_sent_as_is = family_named(request.family.name).preparation is Preparation.NONE
        return Question(
            sample=sample,
            prompt_text=sample_prompt(sample, request.style, request.family),
            image_png=partial(_sent_png, sample, request.family, self.pictures),
            pixel_sha256=rendered if is_sent_as_is else _sent_digest(rendered, request.family),
            pixel_shape=(sample.height_px, sample.width_px) if is_sent_as_is else seen.canvas_hw,
            style=request.style,
            repeat=repeat,
        )


def _sent_digest(rendered: str, family: PictureFamily) -> str:
    """Stands for the pixels sent: the slice's pixels and all that turns them into those."""
    return content_key([rendered, SENDER, family])


def _sent_png(sample: Sample, family: PictureFamily, pictures: SlicePictures) -> bytes:
    return png_bytes(picture_to_send(pictures.picture(sample), family.name, family.limits).pixels)


def sample_prompt(sample: Sample, style: Style, family: PictureFamily) -> str:
    """The user's message for a sample, with sizes as a model of this family sees them."""
    frame = stated_frame(
        family.perceived(sample),
        sample.height_px,
        sample.width_px,
        sample.spacing_y_mm,
        sample.spacing_x_mm,
    )
    return prompt_text(sample, style, frame)


def _manifest(
    request: EvalRequest, summary: RunSummary, unreadable: dict[str, str]
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
        "sender": SENDER,
        "selection": request.selection,
        "versions": package_versions(),
        "counts": {"samples": len(request.samples), "summary": summary},
        "unreadable": unreadable,
    }
