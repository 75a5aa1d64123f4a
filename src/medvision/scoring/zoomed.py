"""Two looks: find the structure on the whole slice, then ask again about a crop around it.

Both are runs of their own inside the run: `RUN/coarse` asks for boxes, where the run itself does
not, `RUN/zoom` asks the run's questions about crops. What is answered about a crop is scored
against the truth of the whole slice: a crop that cuts its structure earns nothing by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from statistics import fmean

import pyarrow as pa
import pyarrow.compute as pc

from medvision.errors import UsageError
from medvision.frames import box_px_from_relative, relative_from_box_px
from medvision.models.evaluate import EvalRequest
from medvision.models.run_folder import read_samples, samples_path
from medvision.replies import AnswerStatus
from medvision.samples import Sample, each_sample, sample_table
from medvision.samples.crops import crop_around, middle_side_px, part_of
from medvision.scoring.alignment import ERROR
from medvision.scoring.judged_scores import current_scores
from medvision.storage import only_process
from medvision.table.schema import fact_columns
from medvision.tasks import TASKS, Task

COARSE = "coarse"
"""Folder inside a run: where structures are, asked of whole slices."""


class Refine(StrEnum):
    """Whose boxes say where to look again."""

    MODEL = "model"
    """The model's own, asked for on the whole slice."""
    ORACLE = "oracle"
    """The true ones: how much finding would bring at best."""

    @property
    def folder(self) -> str:
        """Inside the run: where crops are asked about."""
        return "zoom" if self is Refine.MODEL else "zoom-oracle"

    @property
    def words(self) -> str:
        """Beside the model's name."""
        return "zoom" if self is Refine.MODEL else "zoom by true boxes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """How crops are made of boxes.

    Attributes:
        boxes: Whose.
        margin_frac: Of each side of the box, on both ends.
        picture_px: Longer side that smaller crops are enlarged to; None for that of the middle one
            of the run's slices. `--square` and `--resize` of the run go before it.
    """

    boxes: Refine
    margin_frac: float = 0.5
    picture_px: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoomFacts:
    """What the crops of a run are, for its manifest.

    Attributes:
        boxes: Whose boxes they are around.
        picture_px: Longer side that smaller ones are enlarged to; None where the run says on which
            pixels slices are shown.
        n_whole: Questions about a whole slice: no box was read, or its crop would be all of it.
        n_crops: Questions about a crop; what follows is of these.
        structure_frac: Share of crops that hold the whole structure: the hit rate.
        center_frac: Share of crops that hold the centre of the structure's box.
        area_frac: Mean area of a crop as a share of its slice.
    """

    boxes: Refine
    margin_frac: float
    picture_px: int | None
    n_whole: int
    n_crops: int
    structure_frac: float | None
    center_frac: float | None
    area_frac: float | None

    def __str__(self) -> str:
        """The hit rate in a sentence."""
        words = f"{self.n_crops} crops, {self.n_whole} whole slices"
        if self.n_crops:
            words += (
                f"; hit rate: {self.structure_frac:.3f} of the crops hold the whole structure, "
                f"{self.center_frac:.3f} its centre; a crop is {self.area_frac:.3f} of its slice"
            )
        return words


def coarse_request(request: EvalRequest) -> EvalRequest | None:
    """Where the structures of a request's questions are, once each; None where it asks that itself.

    Raises:
        UsageError: The model states no boxes.
    """
    if Task.DETECTION not in request.model.tasks:
        msg = f"{request.model.model_id} states no boxes to zoom to; use --refine oracle"
        raise UsageError(msg)
    samples = about_structures(request.samples)
    known = set(request.samples["sample_id"].to_pylist())
    asked: dict[str, tuple[int, Sample]] = {}
    for place, sample in enumerate(each_sample(samples)):
        question = _where_is(sample)
        if question.sample_id not in known:
            asked.setdefault(question.sample_id, (place, question))
    if not asked:
        return None
    table = sample_table([question for _, question in asked.values()])
    facts = samples.take([place for place, _ in asked.values()])
    for name in fact_columns(samples.column_names):
        table = table.append_column(name, facts[name])
    return replace(request, samples=table, repeats=1, in_pieces=None, how="coarse boxes")


def zoom_request(request: EvalRequest, zoom: Zoom, run: Path) -> EvalRequest:
    """The run's questions about structures again, each about a crop.

    Questions whose coarse box is an error of the harness are left out, to be asked when it is not.

    Args:
        request: Of the run.
        zoom: Whose boxes, and how much around them.
        run: Run folder, evaluated and, for the model's own boxes, with `RUN/coarse`.

    Raises:
        UsageError: No question is left.
    """
    samples = about_structures(request.samples)
    stated = coarse_boxes(run) if zoom.boxes is Refine.MODEL else {}
    crops: dict[int, tuple[int, ...]] = {}
    for place, sample in enumerate(each_sample(samples)):
        size, box_px = (sample.geometry.height_px, sample.geometry.width_px), sample.box_px
        if zoom.boxes is Refine.MODEL:
            if (box := stated.get(_where_is(sample).sample_id)) is None:
                continue
            box_px = box and tuple(box_px_from_relative(box, *size).tolist())
        crops[place] = crop_around(box_px, *size, margin_frac=zoom.margin_frac) if box_px else ()
    if not crops:
        msg = f"{run}: no question about a structure has a coarse box; see the errors above"
        raise UsageError(msg)
    kept = samples.take(list(crops))
    at = kept.column_names.index("crop_px")
    column = pa.array(crops.values(), kept.schema.field("crop_px").type)
    kept = kept.set_column(at, "crop_px", column)
    family = request.family.enlarging(zoom.picture_px or middle_side_px(kept))
    facts = _facts(kept, zoom, family.long_side_px)
    return replace(
        request,
        samples=kept,
        family=family,
        in_pieces=None,
        how=zoom.boxes.words,
        derived={"zoom": facts},
    )


def _facts(samples: pa.Table, zoom: Zoom, picture_px: int | None) -> ZoomFacts:
    """What the crops of samples are, and how many hold their structures."""
    parts = [(part, sample.box_px) for sample in each_sample(samples) if (part := part_of(sample))]
    n = len(parts)
    return ZoomFacts(
        boxes=zoom.boxes,
        margin_frac=zoom.margin_frac,
        picture_px=picture_px,
        n_whole=samples.num_rows - n,
        n_crops=n,
        structure_frac=fmean(holds(part.crop_px, box) for part, box in parts) if n else None,
        center_frac=fmean(holds(part.crop_px, _center(box)) for part, box in parts) if n else None,
        area_frac=fmean(part.area_frac for part, _ in parts) if n else None,
    )


def make_room(folder: Path, samples: pa.Table) -> None:
    """Let a folder of crops take other crops: they follow from replies, and replies may change.

    The replies that it holds stay, and are found again by what was asked.
    """
    if samples_path(folder).exists():
        with only_process(folder, "evaluating"):
            names = ["sample_id", "crop_px"]
            if not read_samples(folder).select(names).equals(samples.select(names)):
                samples_path(folder).unlink()


def coarse_boxes(run: Path) -> Mapping[str, tuple[float, ...]]:
    """Relative boxes that a run and its `coarse` state, by sample id; () where none was read.

    Of repeats the first counts; errors of the harness are left out.
    """
    folders = [run, run / COARSE] if samples_path(run / COARSE).exists() else [run]
    found: dict[str, tuple[float, ...]] = {}
    for folder in folders:
        names = ("sample_id", "task", "repeat", "status", "values")
        for row in current_scores(folder).select(names).to_pylist():
            is_first = row["task"] == Task.DETECTION and row["repeat"] == 0
            if is_first and row["status"] != ERROR:
                is_read = row["status"] == AnswerStatus.OK
                found[row["sample_id"]] = tuple(row["values"]) if is_read else ()
    return found


def holds(crop_px: tuple[int, ...], box_px: tuple[float, ...]) -> bool:
    """Whether a crop holds all of a box; a point is a box without sides.

    >>> holds((0, 0, 10, 10), (2, 2, 10, 10)), holds((0, 0, 10, 10), (2, 2, 11, 10))
    (True, False)
    """
    (x0, y0, x1, y1), (left, top, right, bottom) = crop_px, box_px
    return x0 <= left and y0 <= top and right <= x1 and bottom <= y1


def _center(box_px: tuple[float, ...]) -> tuple[float, ...]:
    x0, y0, x1, y1 = box_px
    return ((x0 + x1) / 2, (y0 + y1) / 2) * 2


def about_structures(samples: pa.Table) -> pa.Table:
    """Questions that have a structure, with a box: angles and distances have none.

    Raises:
        UsageError: None of them has.
    """
    found = samples.filter(pc.greater(pc.list_value_length(samples["box_px"]), 0))
    if samples.num_rows and not found.num_rows:
        msg = "--refine: expected questions about structures, found none: nothing to zoom to"
        raise UsageError(msg)
    return found


def _where_is(sample: Sample) -> Sample:
    """The question for the box around a sample's structure, all its parts."""
    if sample.task is Task.DETECTION:
        return sample
    on = sample.geometry
    truth = relative_from_box_px(sample.box_px, on.height_px, on.width_px)
    return replace(
        sample,
        task=Task.DETECTION,
        sample_id=f"{sample.sample_id.rpartition('/')[0]}/{Task.DETECTION}",
        unit=TASKS[Task.DETECTION].units[0],
        truth=tuple(truth.tolist()),
        points=(),
        min_px=None,
    )
