"""The paper's and its leaderboard's tables for our runs, published rows beside them as context.

Averages are those of the paper's protocol, over groups of region, modality and plane; the
unweighted mean and the plain one over all samples stand with them. Intervals are ours: published
rows have none.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.run_scores import RunScores
from medvision.protocols import load_protocol
from medvision.scoring.aggregate import aggregate
from medvision.scoring.group_averages import GROUP_MEAN, SAMPLE_WEIGHTED, group_averages
from medvision.scoring.score_table import SIZE_BIN_EDGES_FRAC
from medvision.scoring.terms import IOU_STEPS, MRE_THRESHOLDS
from medvision.tasks import MetricKind, Task

Record = Mapping[str, Any]

OVERLAPS = {
    "recall_mean_zero_filled": "recall",
    "precision_mean_zero_filled": "precision",
    "f1_mean_zero_filled": "F1",
    "iou_mean_zero_filled": "IoU",
    "success_rate": "success",
}
"""Of boxes, in per cent; replies that are not read count 0."""

DETECTION = {
    **OVERLAPS,
    **{f"iou_at_{limit}_frac": f"IoU≥{limit}" for limit in IOU_STEPS},
    "iou_at_0.5_to_0.95_mean_frac": "IoU≥0.5…0.95",
}

MATCHES = {name: title for name, title in OVERLAPS.items() if name != "iou_mean_zero_filled"}
"""Of lists of boxes, which have no IoU."""

ERRORS = {
    "mae_mean_parsed": "MAE",
    "mre_mean_parsed": "MRE",
    "nmae_mean_parsed": "NMAE",
    "success_rate": "success",
    **{f"mre_below_{limit}_frac": f"MRE<{limit}" for limit in MRE_THRESHOLDS[:-1]},
    "mre_unbounded_frac": "MRE any",
}
"""Of lengths and angles: MAE in the unit, the rest in per cent."""

NOT_PER_CENT = {"mae_mean_parsed"}

STEP_FRAC = 0.05
"""Width of the leaderboard's size bins."""

SIZES = {
    "3 bins of the paper": SIZE_BIN_EDGES_FRAC,
    "9 bins of 5 %": tuple(STEP_FRAC * step for step in range(1, 9)),
    "19 bins of 5 %": tuple(STEP_FRAC * step for step in range(1, 19)),
}
"""Edges between the bins of box area / image area; the last bin is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """One line: whose numbers, over what, and how many samples."""

    name: str
    over: str
    n: int
    values: Mapping[str, float | None]
    is_published: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """One table; `columns` names the metrics in order and how they are headed."""

    title: str
    unit: str
    columns: Mapping[str, str]
    rows: tuple[PaperRow, ...]


@cache
def published() -> Mapping[str, Any]:
    """The published results that the package carries."""
    text = files("medvision.analysis").joinpath("published.json").read_text("utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def paper_tables(runs: Sequence[RunScores]) -> list[PaperTable]:
    """Every table that the runs have samples for.

    Args:
        runs: In the order of the rows.

    Returns:
        Detection of healthy structures and of lesions, all together, by plane and by size, of every
        instance; sizes of lesions; distances; angles.
    """
    tables: list[PaperTable] = []
    for title, is_lesion in (("detection, healthy", False), ("detection, tumour or lesion", True)):
        of_kind = [_of(run, Task.DETECTION, is_tumor_lesion=is_lesion) for run in runs]
        tables += _whole_and_planes(title, "%", DETECTION, of_kind)
    boxes = [_of(run, Task.DETECTION) for run in runs]
    tables += [
        _by_size(f"detection by size, {name}", boxes, edges) for name, edges in SIZES.items()
    ]
    every = [_of(run, Task.INSTANCES) for run in runs]
    tables += _whole_and_planes("detection of every instance", "%", MATCHES, every)
    lesions = [_of(run, Task.TUMOR_LESION) for run in runs]
    tables += _whole_and_planes("tumour and lesion size", "mm, %", ERRORS, lesions)
    for kind, unit in ((MetricKind.DISTANCE, "mm, %"), (MetricKind.ANGLE, "degrees, %")):
        of_kind = [_of(run, Task.ANGLE_DISTANCE, metric_kind=str(kind)) for run in runs]
        tables += _whole_and_planes(str(kind), unit, ERRORS, of_kind)
    return [table for table in tables if any(not row.is_published for row in table.rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Scores of one run that a table is about."""

    name: str
    scores: pa.Table


def _of(run: RunScores, task: Task, **where: Any) -> _Part:
    mask = pc.equal(run.scores["task"], str(task))
    for name, value in where.items():
        mask = pc.and_(mask, pc.fill_null(pc.equal(run.scores[name], value), fill_value=False))
    suite = (run.manifest.get("selection") or {}).get("suite", "")
    named = ", ".join(filter(None, [run.name, suite, run.protocol]))
    return _Part(name=named, scores=run.scores.filter(mask))


def _whole_and_planes(
    title: str, unit: str, columns: Mapping[str, str], parts: Sequence[_Part]
) -> Iterable[PaperTable]:
    """The table of all samples with the published rows, and the same by plane."""
    found = [row for part in parts for row in _averages(part, columns)]
    rows = (*found, *_published_rows(title, columns))
    yield PaperTable(title=title, unit=unit, columns=columns, rows=rows)
    by_plane = [row for part in parts for row in _averages(part, columns, ("plane",))]
    if len({row.name for row in by_plane}) > len(parts):
        yield PaperTable(title=f"{title}, by plane", unit=unit, columns=columns, rows=(*by_plane,))


def _averages(
    part: _Part, columns: Mapping[str, str], by: tuple[str, ...] = ()
) -> Iterable[PaperRow]:
    """A run's averages: weighted by samples, of groups alike, and over all samples."""
    averages = load_protocol("paper").averages
    grouped = group_averages(
        part.scores,
        by,
        min_samples=averages.min_samples,
        miscellaneous_in=averages.miscellaneous_in,
    )
    for record in grouped.to_pylist():
        name = ", ".join([part.name, *(record[one] for one in by)])
        for ending, words in ((SAMPLE_WEIGHTED, "weighted"), (GROUP_MEAN, "unweighted")):
            plural = "" if record["n_groups"] == 1 else "s"
            over = f"{words}, {record['n_groups']} group{plural}"
            yield _row(name, over, record, columns, ending)
    for record in aggregate(part.scores, by).to_pylist():
        name = ", ".join([part.name, *(record[one] for one in by)])
        yield _row(name, "all samples", record, columns)


def _row(
    name: str, over: str, record: Record, columns: Mapping[str, str], ending: str = ""
) -> PaperRow:
    values = {
        f"{key}{end}": record[f"{key}{ending}{end}"]
        for key in columns
        for end in ("", "_low", "_high")
    }
    return PaperRow(name=name, over=over, n=record["n"], values=values)


def _published_rows(title: str, columns: Mapping[str, str]) -> Iterable[PaperRow]:
    for name, values in published().get(title, {}).get("rows", {}).items():
        known = {key: values.get(key) for key in columns}
        n = published()[title]["n"]
        yield PaperRow(name=name, over="published", n=n, values=known, is_published=True)


def _by_size(title: str, parts: Sequence[_Part], edges_frac: Sequence[float]) -> PaperTable:
    """Boxes by their share of the image, over all samples of each bin."""
    percents = [f"{100 * edge:g}" for edge in edges_frac]
    lows, highs = ["0", *percents], [*percents, "100"]
    names = [f"{low}–{high} %" for low, high in zip(lows, highs, strict=True)]
    columns = {**OVERLAPS, "iou_at_0.5_frac": DETECTION["iou_at_0.5_frac"]}
    rows = []
    for part in parts:
        frac = part.scores["box_to_image_frac"].to_numpy()
        # 0.15 / 0.05 falls short of 3 in floating point, so edges are compared, not divided.
        place = np.searchsorted(np.array(edges_frac), frac + 1e-12, side="right")
        bins = pa.array([f"{at:02d}" for at in place], pa.string())
        scores = part.scores.append_column("size_step", bins)
        for record in aggregate(scores, ["size_step"]).to_pylist():
            bin_name = names[int(record["size_step"])]
            rows.append(_row(f"{part.name}, {bin_name}", "all samples", record, columns))
    bins = published().get(title, {}).get("bins", {})
    for name, values in bins.items():
        known = {key: values.get(key) for key in columns}
        rows.append(
            PaperRow(name=name, over="published", n=values["n"], values=known, is_published=True)
        )
    return PaperTable(title=title, unit="%", columns=columns, rows=tuple(rows))


def tables_text(tables: Sequence[PaperTable]) -> str:
    """The tables as text: a value with its 95 % interval below it; published rows last, marked."""
    blocks = [_table_text(table) for table in tables]
    if any(row.is_published for table in tables for row in table.rows):
        blocks.append(f"published: {published()['about']}")
    return "\n\n".join(blocks) or "no run holds a task of the paper"


def _table_text(table: PaperTable) -> str:
    head = ["", "average", "n", *table.columns.values()]
    lines = [head]
    for row in table.rows:
        values = [_printed(row.values.get(key), key) for key in table.columns]
        lines.append([row.name, row.over, str(row.n), *values])
        ends = [
            [_printed(row.values.get(f"{key}{end}"), key) for end in ("_low", "_high")]
            for key in table.columns
        ]
        if any(low != MISSING for low, _ in ends):
            between = ["" if low == MISSING else f"{low}–{high}" for low, high in ends]
            lines.append(["", "", "", *between])
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    printed = [
        "  ".join(
            text.ljust(width) if at < 2 else text.rjust(width)
            for at, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([f"{table.title} ({table.unit})", *printed])


MISSING = "–"


def _printed(value: float | None, key: str) -> str:
    if value is None:
        return MISSING
    return f"{value:.2f}" if key in NOT_PER_CENT else f"{100 * value:.1f}"


def tables_json(tables: Sequence[PaperTable]) -> list[dict[str, Any]]:
    """The tables as JSON types: fractions, mm and degrees, unrounded."""
    return [
        {
            "title": table.title,
            "unit": table.unit,
            "rows": [
                {"name": row.name, "over": row.over, "n": row.n, "published": row.is_published}
                | dict(row.values)
                for row in table.rows
            ],
        }
        for table in tables
    ]
