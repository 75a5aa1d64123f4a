"""Samples and a model to stored replies: freeze the questions, draw what is new, ask."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from medvision.errors import ItemError, UsageError
from medvision.models.base import ChecksPictures, Drawn, LocalModel, Question, ServedModel
from medvision.models.baselines import Baseline
from medvision.models.profiles import ModelProfile
from medvision.models.run_folder import (
    freeze_samples,
    in_pieces_path,
    store_path,
    write_parquet,
    write_samples,
)
from medvision.models.runner import OnProgress, RunSettings, RunSummary, run_questions
from medvision.models.store import ResponseStore
from medvision.pictures.drawn import DrawnPicture, DrawnPictures
from medvision.pictures.render import RENDERER, slice_identity
from medvision.pictures.view import SENDER, UNDECLARED, PictureFamily, SliceView
from medvision.prompts.messages import PROMPT_VERSION, prompt_text
from medvision.protocols import MEDVISION, Protocol
from medvision.replies import Style
from medvision.samples import Sample, each_sample
from medvision.samples.crops import as_shown, geometries_shown
from medvision.storage import only_process
from medvision.table.manifest import (
    MANIFEST,
    content_key,
    package_versions,
    utc_now,
    write_manifest,
)
from medvision.tasks import BOX_TASKS

logger = logging.getLogger(__name__)

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
class EvalRequest:
    """What to ask whom.

    Attributes:
        samples: The questions, columns as in `SAMPLE_SCHEMA`; those of one image should stand
            together.
        family: How the model sees pictures.
        system_text: The system message; none when empty.
        profile: The model's profile, for the manifest.
        repeats: How often each question is asked.
        settings: How many at once, and what may be spent.
        selection: What chose the samples (suite, split, limit, counts), for the manifest.
        protocol: Of the samples, the prompts and, by default, the scores.
        spacing_scale: By which the samples' pixel size was multiplied, for the manifest.
        in_pieces: What the selection lists beside the samples: `Selection.in_pieces`.
        how: In what way the model is asked, beside its name wherever runs are told apart: "zoom".
        derived: What the samples were made from, for the manifest; {} for a selection's own.
    """

    samples: pa.Table
    model: ServedModel | LocalModel
    family: PictureFamily
    style: Style = Style.DIRECT
    system_text: str = ""
    profile: ModelProfile | None = None
    repeats: int = 1
    settings: RunSettings = field(default_factory=RunSettings)
    selection: dict[str, Any] = field(default_factory=dict)
    protocol: Protocol = MEDVISION
    spacing_scale: float = 1.0
    in_pieces: pa.Table | None = None
    how: str = ""
    derived: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.repeats < 1:
            msg = f"expected each question at least 1 time, found repeats={self.repeats}"
            raise UsageError(msg)
        views = set(self.samples["view"].unique().to_pylist())
        if views - {str(self.protocol.view)}:
            msg = (
                f"expected samples in the view of protocol {self.protocol.name!r}, "
                f"{self.protocol.view}; found {', '.join(sorted(views))}: select them by the same "
                "protocol"
            )
            raise UsageError(msg)


def evaluate(request: EvalRequest, run: Path, on_progress: OnProgress | None = None) -> RunSummary:
    """Ask every question that has no answer yet; the manifest is written last.

    A manifest of an earlier evaluation goes first: it would not describe what is asked now.
    Baselines see no picture, so nothing is rendered for them.

    Args:
        request: Questions and model.
        run: Run folder.
        on_progress: Called after every reply.

    Raises:
        UsageError: The run holds another sample list or another model's replies, or another
            process is evaluating into it.
    """
    with only_process(run, "evaluating"):
        return _evaluated(request, run, on_progress)


def _evaluated(request: EvalRequest, run: Path, on_progress: OnProgress | None) -> RunSummary:
    started_at = utc_now()
    if request.profile and (words := request.profile.trained_otherwise(request.protocol)):
        logger.warning("%s: %s", request.model.model_id, words)
    # All that may refuse comes before anything is written.
    if store_path(run).exists():
        # Beside a manifest replies were stored: without any they are lost, and not to be asked.
        with ResponseStore(store_path(run), must_exist=(run / MANIFEST).exists()) as store:
            others = store.other_models(request.model.model_id)
        if others:
            msg = (
                f"{run} holds the replies of {', '.join(others)}, and one run is one model; ask "
                f"{request.model.model_id} in another --run folder"
            )
            raise UsageError(msg)
    if isinstance(request.model, ChecksPictures) and _states_sizes(request):
        request.model.check_pictures(_each_view(request), request.family)
    digests = freeze_samples(run, request.samples)
    if request.in_pieces is not None:
        write_parquet(in_pieces_path(run), request.in_pieces)
    (run / MANIFEST).unlink(missing_ok=True)
    tasks = pa.array([str(task) for task in request.model.tasks], pa.string())
    asked = request.samples.filter(pc.is_in(request.samples["task"], tasks))
    with ResponseStore(store_path(run)) as store:
        is_blind = isinstance(request.model, Baseline)
        if not is_blind:
            digests |= _digests_of_an_evaluation_cut_off(store, asked, digests)
        questions = _Questions(
            request=request,
            samples=asked,
            digests={} if is_blind else digests,
            pictures=None if is_blind else DrawnPictures(request.family),
        )
        summary = run_questions(
            request.model,
            questions,
            store=store,
            settings=request.settings,
            on_progress=on_progress,
        )
        if not is_blind:
            write_samples(run, request.samples, digests)
            store.forget_drawn()
        served_models = store.notes.served()
    times = {"started_at": started_at, "finished_at": utc_now()}
    told = {"served_models": served_models} if served_models else {}
    write_manifest(run, {**_manifest(request, summary, questions.unreadable), **told, **times})
    return summary


def _states_sizes(request: EvalRequest) -> bool:
    """Whether a rule is declared: questions of boxes alone may be asked of a model without one."""
    tasks = set(request.samples["task"].unique().to_pylist())
    return request.family.name != UNDECLARED or not tasks <= BOX_TASKS


def _each_view(request: EvalRequest) -> Iterator[SliceView]:
    """What the model is said to see of slices of each size; of those that can be shown."""
    for geometry in dict.fromkeys(geometries_shown(request.samples)):
        with suppress(ItemError):
            yield request.family.view(geometry)


def _digests_of_an_evaluation_cut_off(
    store: ResponseStore, samples: pa.Table, known: Mapping[str, str]
) -> dict[str, str]:
    drawn = store.drawn_slices()
    if not drawn:
        return {}
    left = {
        sample.sample_id: slice_identity(as_shown(sample))
        for sample in each_sample(samples)
        if sample.sample_id in drawn and sample.sample_id not in known
    }
    return {name: drawn[name][1] for name, identity in left.items() if drawn[name][0] == identity}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    """The questions of a run, made anew at each walk.

    Attributes:
        digests: Of slices drawn so far, by sample id; grows as questions are asked.
        pictures: None for a model that looks at none.
        unreadable: Why a picture could not be made, by sample id.
    """

    request: EvalRequest
    samples: pa.Table
    digests: dict[str, str]
    pictures: DrawnPictures | None
    unreadable: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Question]:
        for sample in each_sample(self.samples):
            yield from self._about(as_shown(sample))

    def _about(self, sample: Sample) -> Iterator[Question]:
        request, family = self.request, self.request.family
        view = family.view(sample.geometry)
        slice_sha256 = self.digests.get(sample.sample_id, "")
        is_to_be_drawn = self.pictures is not None and not slice_sha256
        question = Question(
            sample=sample,
            prompt_text=prompt_text(sample, request.style, view.stated, request.protocol.prompt),
            image_png=partial(self._png, sample),
            pixel_sha256=_sent_digest(slice_sha256, family) if slice_sha256 else "",
            pixel_shape=view.sent_hw,
            image_detail=family.image_detail,
            style=request.style,
            system_text=request.system_text,
            slice_identity="" if slice_sha256 else slice_identity(sample),
            draw=partial(self._draw, sample) if is_to_be_drawn else None,
        )
        yield question
        for repeat in range(1, request.repeats):
            yield replace(question, repeat=repeat)

    def _png(self, sample: Sample) -> bytes:
        return self._drawn(sample).png

    def _drawn(self, sample: Sample) -> DrawnPicture:
        if self.pictures is None:
            msg = f"{self.request.model.model_id} looks at no picture, and asked for one"
            raise UsageError(msg)
        try:
            return self.pictures.drawn(sample)
        except ItemError as error:
            self.unreadable[sample.sample_id] = str(error)
            raise

    def _draw(self, sample: Sample) -> Drawn:
        picture = self._drawn(sample)
        self.digests[sample.sample_id] = picture.slice_sha256
        return Drawn(
            png=picture.png,
            pixel_sha256=_sent_digest(picture.slice_sha256, self.request.family),
            slice_sha256=picture.slice_sha256,
        )


def _sent_digest(slice_sha256: str, family: PictureFamily) -> str:
    """Stands for the pixels sent: the slice's own, or these and all that turns them into those."""
    if family.is_sent_as_stored:
        return slice_sha256
    return content_key([slice_sha256, SENDER, family.described()])


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
        "model": request.model.model_id + (f" ({request.how})" if request.how else ""),
        "revision": request.model.revision,
        "settings": request.model.settings,
        "style": str(request.style),
        "protocol": request.protocol,
        "spacing_scale": request.spacing_scale,
        "spacing_withheld": not request.protocol.prompt.pixel_size,
        "system_text": request.system_text,
        "profile": request.profile,
        "repeats": request.repeats,
        "family": request.family.described(),
        "prompt_version": PROMPT_VERSION,
        "renderer": RENDERER,
        "sender": SENDER,
        "selection": request.selection,
        **request.derived,
        "versions": {**package_versions(), **_installed(ENGINE_PACKAGES)},
        "counts": {"samples": request.samples.num_rows, "summary": summary},
        "unreadable": unreadable,
    }
