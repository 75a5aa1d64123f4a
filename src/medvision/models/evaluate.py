"""Samples and a model to stored replies: freeze the questions, render what is new, ask."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from medvision.errors import ItemError
from medvision.frames import SliceGeometry
from medvision.models.base import LocalModel, Question, ServedModel
from medvision.models.baselines import Baseline
from medvision.models.profiles import ModelProfile
from medvision.models.run_folder import freeze_samples, store_path, write_samples
from medvision.models.runner import OnProgress, RunSettings, RunSummary, run_questions
from medvision.models.store import ResponseStore
from medvision.pictures.perceived import (
    PerceivedSize,
    Preparation,
    StatedFrame,
    family_named,
    perceived_size,
    picture_to_send,
    resolved_limits,
    stated_frame,
)
from medvision.pictures.perceived.sending import Pixels
from medvision.pictures.render import (
    AS_STORED,
    RENDERER,
    PixelGrid,
    SlicePictures,
    pixel_sha256,
    png_bytes,
    shown_geometry,
)
from medvision.prompts.messages import PROMPT_VERSION, prompt_text
from medvision.replies import Style
from medvision.samples import Sample
from medvision.table.manifest import MANIFEST, content_key, package_versions, write_manifest

logger = logging.getLogger(__name__)

SENDER = "pillow-1"
"""Version of how pictures are prepared for a family; change it with the pixels."""

UNREADABLE = "unreadable"

ENGINE_PACKAGES = (
    "accelerate",
    "bitsandbytes",
    "openai",
    "peft",
    "pillow",
    "tokenizers",
    "torch",
    "transformers",
)
"""What replies may depend on, beside the packages every manifest names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFamily:
    """How a model sees pictures.

    Attributes:
        name: A family of `medvision.pictures.perceived`.
        limits: Its caps for this model.
        square: Slices are resampled to square pixels first.
        shape_hw: Slices are stretched to this height and width first.
    """

    name: str
    limits: Mapping[str, int] | None = None
    square: bool = False
    shape_hw: Sequence[int] | None = None

    @property
    def grid(self) -> PixelGrid:
        """The pixels on which slices are shown, before anything is done for the family."""
        if self.shape_hw is None:
            return PixelGrid(square=self.square)
        height_px, width_px = self.shape_hw
        return PixelGrid(square=self.square, shape_hw=(height_px, width_px))

    @property
    def is_sent_as_stored(self) -> bool:
        """Whether a slice is sent on its stored pixels."""
        unprepared = family_named(self.name).preparation is Preparation.NONE
        return unprepared and self.grid == AS_STORED

    @property
    def image_detail(self) -> str:
        """What to ask of an API that would else choose how finely it looks at a picture."""
        return "high" if self.name in {"openai_patch", "openai_tile"} else ""

    def shown(self, slice_: Sample | SliceGeometry) -> SliceGeometry:
        """Size and pixel spacing of a slice on `grid`."""
        stored = SliceGeometry(
            height_px=slice_.height_px,
            width_px=slice_.width_px,
            spacing_y_mm=slice_.spacing_y_mm,
            spacing_x_mm=slice_.spacing_x_mm,
        )
        return shown_geometry(stored, self.grid)

    def perceived(self, slice_: Sample | SliceGeometry) -> PerceivedSize:
        """What the model sees of a slice."""
        shown = self.shown(slice_)
        return perceived_size(self.name, shown.height_px, shown.width_px, self.limits)

    def stated(self, sample: Sample) -> StatedFrame:
        """Image size and pixel size as the prompt states them."""
        shown = self.shown(sample)
        return stated_frame(
            self.perceived(sample),
            shown.height_px,
            shown.width_px,
            shown.spacing_y_mm,
            shown.spacing_x_mm,
        )

    def sent_hw(self, sample: Sample) -> tuple[int, int]:
        """Height and width of the picture sent."""
        if family_named(self.name).preparation is Preparation.NONE:
            shown = self.shown(sample)
            return shown.height_px, shown.width_px
        return self.perceived(sample).canvas_hw


def declared_family(name: str | None, profile: ModelProfile | None) -> PictureFamily:
    """The family a user declares, else the profile's, with which all else of the profile goes.

    Raises:
        UsageError: No such family, or its limits are not known.
    """
    if profile is None or name not in {None, profile.family}:
        resolved_limits(name or "as_sent", {})
        return PictureFamily(name=name or "as_sent")
    resolved_limits(profile.family, profile.limits)
    return PictureFamily(
        name=profile.family,
        limits=dict(profile.limits) or None,
        square=profile.square,
        shape_hw=profile.shape_hw or None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRequest:
    """What to ask whom.

    Attributes:
        samples: The questions; samples of one image should come one after another.
        family: How the model sees pictures.
        system_text: The system message; none when empty.
        profile: The model's profile, for the manifest.
        repeats: How often each question is asked.
        settings: How many at once, and what may be spent.
        selection: What chose the samples (suite, split, limit, counts), for the manifest.
    """

    samples: Sequence[Sample]
    model: ServedModel | LocalModel
    family: PictureFamily
    style: Style = Style.DIRECT
    system_text: str = ""
    profile: ModelProfile | None = None
    repeats: int = 1
    settings: RunSettings = field(default_factory=RunSettings)
    selection: dict[str, Any] = field(default_factory=dict)


def evaluate(request: EvalRequest, run: Path, on_progress: OnProgress | None = None) -> RunSummary:
    """Ask every question that has no answer yet; the manifest is written last.

    A manifest of an earlier evaluation goes first: it would not describe what is asked now.
    Baselines see no picture, so nothing is rendered for them.

    Args:
        request: Questions and model.
        run: Run folder.
        on_progress: Called after every reply.

    Raises:
        UsageError: The run holds another sample list.
    """
    started_at = _now()
    digests = freeze_samples(run, request.samples)
    (run / MANIFEST).unlink(missing_ok=True)
    pictures = SlicePictures()
    asked = [sample for sample in request.samples if sample.task in request.model.tasks]
    unreadable: dict[str, str] = {}
    if not isinstance(request.model, Baseline):
        digests, unreadable = _with_new_digests(asked, digests, pictures)
        write_samples(run, request.samples, digests)
    with ResponseStore(store_path(run)) as store:
        summary = run_questions(
            request.model,
            _Questions(request=request, samples=asked, digests=digests, pictures=pictures),
            store=store,
            settings=request.settings,
            on_progress=on_progress,
        )
    times = {"started_at": started_at, "finished_at": _now()}
    write_manifest(run, {**_manifest(request, summary, unreadable), **times})
    return summary


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
        family = request.family
        rendered = self.digests.get(sample.sample_id, UNREADABLE)
        return Question(
            sample=sample,
            prompt_text=sample_prompt(sample, request.style, family),
            image_png=partial(_sent_png, sample, family, self.pictures),
            pixel_sha256=rendered if family.is_sent_as_stored else _sent_digest(rendered, family),
            pixel_shape=family.sent_hw(sample),
            image_detail=family.image_detail,
            style=request.style,
            system_text=request.system_text,
            repeat=repeat,
        )


def _sent_digest(rendered: str, family: PictureFamily) -> str:
    """Stands for the pixels sent: the slice's pixels and all that turns them into those."""
    return content_key([rendered, SENDER, family])


def _sent_png(sample: Sample, family: PictureFamily, pictures: SlicePictures) -> bytes:
    return png_bytes(sent_pixels(sample, family, pictures))


def sent_pixels(sample: Sample, family: PictureFamily, pictures: SlicePictures) -> Pixels:
    """The picture a model of this family gets: (H, W) grey or (H, W, 3) RGB, 8-bit."""
    shown = pictures.image(sample, family.grid)
    return picture_to_send(shown.pixels, family.name, family.limits).pixels


def sample_prompt(sample: Sample, style: Style, family: PictureFamily) -> str:
    """The user's message for a sample, with sizes as a model of this family sees them."""
    return prompt_text(sample, style, family.stated(sample))


def _installed(packages: Sequence[str]) -> dict[str, str]:
    """Versions of those that are installed."""
    versions = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _manifest(
    request: EvalRequest, summary: RunSummary, unreadable: dict[str, str]
) -> dict[str, Any]:
    return {
        "stage": "eval",
        "model": request.model.model_id,
        "revision": request.model.revision,
        "settings": request.model.settings,
        "style": str(request.style),
        "system_text": request.system_text,
        "profile": request.profile,
        "repeats": request.repeats,
        "family": request.family,
        "prompt_version": PROMPT_VERSION,
        "renderer": RENDERER,
        "sender": SENDER,
        "selection": request.selection,
        "versions": {**package_versions(), **_installed(ENGINE_PACKAGES)},
        "counts": {"samples": len(request.samples), "summary": summary},
        "unreadable": unreadable,
    }
