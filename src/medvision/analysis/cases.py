"""What the browser shows of one case: drawing, question, every reply, as JSON types."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.case_picks import CasePick
from medvision.analysis.drawing.furniture import edge_letters, furniture_shapes
from medvision.analysis.drawing.kinds import answer_shapes, truth_shapes
from medvision.analysis.drawing.outline import Stretches, outline_shape
from medvision.analysis.drawing.shape_json import shape_json
from medvision.analysis.drawing.shapes import Role, canvas_of
from medvision.analysis.outcomes import outcome
from medvision.analysis.run_scores import RunScores
from medvision.analysis.units import UNIT_TEXT
from medvision.frames import SliceGeometry
from medvision.pictures.render import sample_window
from medvision.samples import Sample, sample_from_row
from medvision.tasks import TASKS

TEXT_LIMITS = (20_000, 6_000, 2_000, 800, 300)
"""Most signs of a prompt or reply, tried in turn; what is cut says so."""

MAX_REPEATS = 8

SCORED = ("iou", "precision", "recall", "f1", "absolute_error", "relative_error", "nmae_frac")

Row = dict[str, Any]


def rows_of_samples(tables: Iterable[pa.Table], ids: Sequence[str]) -> dict[str, list[Row]]:
    """Rows of some samples in any of the tables: sample_id to rows, in the order of `ids`."""
    wanted = pa.array(ids, type=pa.string())
    rows: dict[str, list[Row]] = {sample_id: [] for sample_id in ids}
    for table in tables:
        found = table.filter(pc.is_in(table["sample_id"], value_set=wanted))
        for row in found.to_pylist():
            rows[row["sample_id"]].append(row)
    return rows


def case_details(
    runs: Sequence[RunScores],
    picks: Sequence[CasePick],
    samples: Mapping[str, Row],
    *,
    text_budget_bytes: int | None = None,
    outline: Callable[[Sample], Stretches | None] = lambda _: None,
) -> dict[str, Any]:
    """Everything the browser shows of cases but their pictures, as JSON types.

    Args:
        runs: In the order of the page.
        picks: The cases.
        samples: sample_id to row of `samples`, for every pick.
        text_budget_bytes: Prompts and replies are cut alike to stay within it; None leaves them.
        outline: Border of the structure a sample asks for, if there is one to be had.

    Returns:
        `details` in the order of the picks, `prompts` (each text once), `max_text_signs`.
    """
    ids = [pick.sample_id for pick in picks]
    scores = [rows_of_samples([run.scores], ids) for run in runs]
    replies = [rows_of_samples([run.replies], ids) for run in runs]
    prompts: dict[str, int] = {}
    limit = _text_limit(replies, text_budget_bytes)
    details = []
    for pick in picks:
        sample = sample_from_row(samples[pick.sample_id])
        answers = []
        for of_scores, of_replies in zip(scores, replies, strict=True):
            reply_of = {row["repeat"]: row for row in of_replies[pick.sample_id]}
            rows = sorted(of_scores[pick.sample_id], key=lambda row: int(row["repeat"]))
            answers.append(
                [
                    _answer(sample, row, reply_of.get(row["repeat"]), prompts, limit)
                    for row in rows[:MAX_REPEATS]
                ]
            )
        details.append(_question(sample, outline(sample)) | {"answers": answers})
        if pick.reasons:
            details[-1]["reasons"] = list(pick.reasons)
    return {"details": details, "prompts": list(prompts), "max_text_signs": limit}


def _text_limit(replies: Iterable[Mapping[str, list[Row]]], budget_bytes: int | None) -> int:
    """How many signs of each prompt and reply are kept, so that all fit the budget."""
    if budget_bytes is None:
        return TEXT_LIMITS[0]
    rows = [row for of_run in replies for found in of_run.values() for row in found]
    prompts = {row["prompt"] for row in rows if row["prompt"]}
    lengths = [len(text) for text in (*prompts, *(row["text"] or "" for row in rows))]
    fits = (limit for limit in TEXT_LIMITS if sum(min(n, limit) for n in lengths) <= budget_bytes)
    return next(fits, TEXT_LIMITS[-1])


def _question(sample: Sample, outline_px: Stretches | None) -> dict[str, Any]:
    """What the browser says and draws of the sample itself."""
    shown, canvas = sample.geometry, canvas_of(sample.geometry)
    letters = edge_letters(
        sample.plane, modality=sample.modality, image_uri=sample.image_uri, view=sample.view
    )
    window = sample_window(sample)
    # A single value needs no name, but a measurement says of which kind it is.
    components = [name or sample.metric_kind for name in TASKS[sample.task].shown_names]
    return {
        "width": round(canvas.width, 2),
        "height": round(canvas.height, 2),
        "furniture": [shape_json(shape) for shape in furniture_shapes(canvas, letters)],
        "drawn": [shape_json(shape) for shape in truth_shapes(sample)],
        "outline": None
        if outline_px is None
        else shape_json(outline_shape(canvas, outline_px, ""))[1],
        "window": None if window is None else [window.width_hu, window.level_hu],
        "unit": UNIT_TEXT.get(sample.unit, sample.unit),
        "components": components,
        "truth": list(sample.truth),
        "facts": [
            ["dataset", "/".join(filter(None, (sample.dataset, sample.cohort)))],
            ["case", sample.case_id],
            ["image", f"{sample.image_id} ({sample.modality})"],
            ["slice", f"{sample.plane}, index {sample.slice_index}"],
            ["size", f"{shown.width_px} × {shown.height_px} px (width × height)"],
            ["pixel", _pixel_words(shown)],
            ["split", sample.split],
            ["sample id", sample.sample_id],
        ],
    }


def _pixel_words(shown: SliceGeometry) -> str:
    if math.isnan(shown.spacing_x_mm):
        return "size not known"
    return f"{shown.spacing_x_mm:.4g} × {shown.spacing_y_mm:.4g} mm (x × y)"


def _answer(
    sample: Sample, row: Row, reply: Row | None, prompts: dict[str, int], limit: int
) -> dict[str, Any]:
    """One reply with what was read from it and how it scored."""
    read = outcome(row) == "ok"
    values = list(row["values"] or ()) if read else []
    recovered = [] if read or row["recovered_status"] != "ok" else list(row["recovered_values"])
    role = Role.RECOVERED if recovered else Role.ANSWER
    drawn = answer_shapes(sample, recovered or values, role=role)
    prompt, text = (reply["prompt"], reply["text"]) if reply else (None, None)
    return {
        "repeat": row["repeat"],
        "outcome": outcome(row),
        "response": row["response_status"],
        "values": values,
        "recovered": recovered,
        "scores": {name: float(f"{row[name]:.6g}") for name in SCORED if row[name] is not None},
        "prompt": None if prompt is None else prompts.setdefault(_cut(prompt, limit), len(prompts)),
        "text": None if text is None else _cut(text, limit),
        "message": (reply.get("message") if reply else None) or "",
        "drawn": [shape_json(shape) for shape in drawn],
    }


def _cut(text: str, limit: int) -> str:
    """The text, or its start and how much is left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n… [{len(text) - limit} more characters not shown]"
