"""Table rows to candidate samples: the filters and the truths, whole columns at a time.

A candidate is a table row and an image of its case. Millions of them are held as arrays; the
columns of a sample are made for those that a draw has left.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.catalog.dataset import DatasetTask, declared_task
from medvision.frames import Plane, View
from medvision.names import spellings
from medvision.protocols import MEDVISION, Protocol, SeveralPieces, Suspect
from medvision.samples.case_images import (
    BoolArray,
    CaseImages,
    IntArray,
    read_case_images,
    tables_asked,
)
from medvision.samples.draw import drawn_places
from medvision.samples.kinds import KINDS, SHARED, Columns, Wanted
from medvision.samples.sample import SAMPLE_SCHEMA
from medvision.samples.suite import TaskConfig
from medvision.samples.views import in_view
from medvision.table.read import tables_manifest
from medvision.table.schema import with_facts
from medvision.table.unscaled import SPACING_UNKNOWN, known_mm
from medvision.tasks import TASKS, Task

Split = Literal["train", "test", "all"]

UNSCALED_TASKS = frozenset({Task.DETECTION, Task.COUNT, Task.INSTANCES})
"""Asked of pictures whose pixels are of unknown size too."""

IN_PIECES = (
    *("task", "dataset", "cohort", "case_id", "subject_id", "split", "plane", "slice_index"),
    *("label_id", "label", "n_components"),
)
"""Columns of the list of structures in several pieces, one row a label and slice."""

_ROWS_AT_A_TIME = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Samples that could be asked for, in the order of their rows, then of their case's images.

    Attributes:
        config: The line of a suite that asks for them.
        cases: Of their table folder.
        rows: One table row each.
        case_numbers: (n,) case of each, in the order of `cases.parquet`.
        image_numbers: (n,) image of each, in `cases.images`.
        sample_ids: (n,).
        view: In which they are shown.
        in_pieces: What was left out for being in several pieces, where the protocol lists it:
            columns `IN_PIECES`.
    """

    config: TaskConfig
    cases: CaseImages
    rows: pa.Table
    case_numbers: IntArray
    image_numbers: IntArray
    sample_ids: pa.ChunkedArray
    view: View = View.RADIOLOGICAL
    in_pieces: pa.Table | None = None

    def __len__(self) -> int:
        """How many."""
        return len(self.image_numbers)

    def take(self, places: npt.NDArray[np.integer]) -> "Candidates":
        """Those at some places."""
        return replace(
            self,
            rows=self.rows.take(places),
            case_numbers=self.case_numbers[places],
            image_numbers=self.image_numbers[places],
            sample_ids=self.sample_ids.take(places),
        )

    def table(self) -> pa.Table:
        """The samples: columns as in `SAMPLE_SCHEMA`, then what is known of their subjects."""
        schema = with_facts(SAMPLE_SCHEMA, self.cases.facts.column_names)
        parts = [schema.empty_table()]
        for start in range(0, len(self), _ROWS_AT_A_TIME):
            rows = self.rows.slice(start, _ROWS_AT_A_TIME)
            images = self.cases.images.take(self.image_numbers[start : start + rows.num_rows])
            columns: Columns = {name: rows[name] for name in SHARED}
            columns |= {name: images[name] for name in images.column_names}
            columns |= {name: known_mm(rows[name]) for name in ("spacing_y_mm", "spacing_x_mm")}
            columns |= KINDS[self.config.task].values(rows, self.config)
            columns["task"] = pa.repeat(pa.scalar(str(self.config.task)), rows.num_rows)
            columns["sample_id"] = self.sample_ids.slice(start, rows.num_rows)
            columns["view"] = pa.repeat(pa.scalar(str(View.RADIOLOGICAL)), rows.num_rows)
            whole = pa.scalar([], SAMPLE_SCHEMA.field("crop_px").type)
            columns["crop_px"] = pa.repeat(whole, rows.num_rows)
            numbers = self.case_numbers[start : start + rows.num_rows]
            facts = self.cases.facts.take(numbers)
            columns |= {name: facts[name] for name in facts.column_names}
            table = pa.table({name: columns[name] for name in schema.names}).cast(schema)
            parts.append(in_view(table, self.view, self.cases.is_picture[numbers]))
        return pa.concat_tables(parts)

    def filter(self, mask: BoolArray) -> "Candidates":
        """Those where the mask (n,) is true."""
        return self if mask.all() else self.take(np.flatnonzero(mask))


def candidates(
    config: TaskConfig,
    tables: Path,
    dropped: Counter[str],
    *,
    split: Split,
    root: Path | None = None,
    volume_planes: Collection[Plane] = (),
    protocol: Protocol = MEDVISION,
) -> Candidates:
    """What one line of a suite asks for in one table folder.

    Args:
        config: The line.
        tables: Table folder.
        dropped: Gets the number of rows left out, by reason.
        split: Which subjects.
        root: Data root that replaces the one the tables were built under.
        volume_planes: Slices of volumes on these planes only; empty for all. 2D images stay,
            whatever plane they are projected on.
        protocol: What it leaves out, and its view.
    """
    config = config.under(protocol.filters)
    kind = KINDS[config.task]
    task = _declared_task(config, tables) if config.task_id else None
    cases = read_case_images(tables, root=root, image_id=task.image if task else "")
    rows = kind.read(tables, _expression(config, split, task))
    numbers = cases.case_numbers(rows)
    if volume_planes:
        on_plane = pc.is_in(rows["plane"], pa.array([str(plane) for plane in volume_planes]))
        rows, numbers = _kept(rows, numbers, cases.is_picture[numbers] | np.asarray(on_plane))
    is_measured = not TASKS[config.task].is_box
    if is_measured and protocol.filters.suspect_spacing is Suspect.LEFT_OUT:
        trusted = ~cases.is_suspect[numbers]
        dropped["spacing_suspect"] += int((~trusted).sum())
        rows, numbers = _kept(rows, numbers, trusted)
    if config.task not in UNSCALED_TASKS:
        is_known = ~cases.is_unscaled[numbers]
        dropped[SPACING_UNKNOWN] += int((~is_known).sum())
        rows, _ = _kept(rows, numbers, is_known)
    is_listed = protocol.filters.several_pieces is SeveralPieces.LISTED
    in_pieces = kind.in_pieces(rows) if is_listed else None
    if in_pieces is not None:
        of_task = pa.repeat(pa.scalar(str(config.task)), in_pieces.num_rows)
        in_pieces = in_pieces.select(IN_PIECES[1:]).add_column(0, IN_PIECES[0], of_task)
    rows = kind.keep(rows, Wanted(config=config, filters=protocol.filters), dropped)
    places, image_numbers = kind.images(cases, rows)
    dropped["image_missing"] += rows.num_rows - len(np.unique(places))
    rows = rows.take(places)
    return Candidates(
        config=config,
        cases=cases,
        rows=rows,
        case_numbers=cases.case_numbers(rows),
        image_numbers=image_numbers,
        sample_ids=_sample_ids(rows, cases.images["image_id"].take(image_numbers), config),
        view=protocol.view,
        in_pieces=in_pieces,
    )


def draw_candidates(found: Sequence[Candidates], count: int | None, salt: str) -> list[Candidates]:
    """At most `count` of all of them together, ranked by salt and id; None for all."""
    if count is None or sum(map(len, found)) <= count:
        return list(found)
    ids = pa.chunked_array([chunk for one in found for chunk in one.sample_ids.chunks])
    places = drawn_places(ids, count, salt)
    ends = np.cumsum([len(one) for one in found])
    starts = [0, *ends[:-1].tolist()]
    parts = np.split(places, np.searchsorted(places, ends[:-1]))
    return [one.take(part - start) for one, part, start in zip(found, parts, starts, strict=True)]


def candidate_table(found: Sequence[Candidates]) -> pa.Table:
    """The samples of all of them, one after the other; columns as `Candidates.table` has them."""
    tables = [SAMPLE_SCHEMA.empty_table(), *(one.table() for one in found)]
    return pa.concat_tables(tables, promote_options="default")  # null where one says no such fact


def _kept(rows: pa.Table, numbers: IntArray, mask: BoolArray) -> tuple[pa.Table, IntArray]:
    return (rows, numbers) if mask.all() else (rows.filter(pa.array(mask)), numbers[mask])


def _expression(config: TaskConfig, split: Split, task: DatasetTask | None) -> pc.Expression | None:
    """Which rows of a table the line of a suite, and the task it names, leave."""
    is_measurement = config.task is Task.ANGLE_DISTANCE
    terms = []
    if config.metric_kind and is_measurement:
        terms.append(pc.field("metric_kind") == config.metric_kind)
    if task is not None:
        terms.append(pc.field("cohort") == task.cohort)
        if task.label is not None:
            terms.append(pc.field("label_id") == task.label)
    if split != "all":
        terms.append(pc.field("split") == split)
    if config.planes:
        terms.append(pc.field("plane").isin([str(plane) for plane in config.planes]))
    if config.labels and not is_measurement:
        terms.append(
            pc.field("label").isin([one for name in config.labels for one in spellings(name)])
        )
    return reduce(and_, terms) if terms else None


def _declared_task(config: TaskConfig, tables: Path) -> DatasetTask:
    """The numbered task that the line of a suite names.

    Raises:
        UsageError: The declaration of the tables has no such task.
    """
    manifest = tables_manifest(tables)
    return declared_task(
        tables_asked(manifest).tasks, config.task, config.task_id, manifest["name"]
    )


def _sample_ids(rows: pa.Table, image_ids: pa.ChunkedArray, config: TaskConfig) -> pa.ChunkedArray:
    """dataset/cohort/case/image/plane/slice/what/task, each part percent-encoded."""
    is_region = config.task is not Task.ANGLE_DISTANCE
    parts = [_quoted(rows[name]) for name in ("dataset", "cohort", "case_id")]
    parts += [_quoted(image_ids), _quoted(rows["plane"]), _words(rows["slice_index"])]
    if is_region:
        labels, components = _words(rows["label_id"]), _words(rows["component"])
        parts.append(pc.binary_join_element_wise(labels, components, "."))
    else:
        parts.append(_quoted(rows["metric_key"]))
    task = "ad-vertex" if config.vertex_angles and not is_region else str(config.task)
    joined = pc.binary_join_element_wise(*parts, task, "/")
    return joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined])


def _quoted(column: pa.ChunkedArray) -> pa.ChunkedArray:
    names = pc.unique(column)
    quoted = pa.array([quote(name, safe="") for name in names.to_pylist()], pa.string())
    return quoted.take(pc.index_in(column, names))


def _words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, pa.string())
