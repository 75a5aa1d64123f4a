"""The case viewer's data: drawing, question, and every model's reply, as JSON types."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.case_picks import CasePick, answer_error
from medvision.analysis.drawing.overlay import answer_svg, overlay_svg
from medvision.analysis.outcomes import outcome
from medvision.analysis.pictures import EmbeddedPictures
from medvision.analysis.run_scores import RunScores
from medvision.analysis.units import UNIT_TEXT
from medvision.frames import SliceGeometry
from medvision.samples import Sample, sample_from_row
from medvision.tasks import TASKS

MAX_TEXT_SIGNS = 20_000
"""A longer prompt or reply is cut, and the page says so."""

MAX_REPEATS = 8

SCORED = ("iou", "precision", "recall", "f1", "absolute_error", "relative_error", "nmae_frac")

Row = dict[str, Any]


def rows_of_picks(tables: Iterable[pa.Table], picks: Sequence[CasePick]) -> dict[str, list[Row]]:
    """Rows of the picked samples in any of the tables: sample_id to rows, in the picks' order."""
    wanted = pa.array([pick.sample_id for pick in picks], type=pa.string())
    rows: dict[str, list[Row]] = {pick.sample_id: [] for pick in picks}
    for table in tables:
        found = table.filter(pc.is_in(table["sample_id"], value_set=wanted))
        for row in found.to_pylist():
            rows[row["sample_id"]].append(row)
    return rows


def viewer_cases(
    runs: Sequence[RunScores],
    picks: Sequence[CasePick],
    samples: Mapping[str, Row],
    pictures: EmbeddedPictures,
) -> dict[str, Any]:
    """Everything the viewer shows, as JSON types.

    Args:
        runs: In the order of the page.
        picks: The cases, in the order of the page.
        samples: sample_id to row of `samples`, for every pick.
        pictures: Of the picks.

    Returns:
        `cases`, `prompts` (each text once) and `pictures` (data addresses).
    """
    prompts: dict[str, int] = {}
    answers = [_answers_of_run(run, picks, samples, prompts) for run in runs]
    cases = []
    for pick in picks:
        sample = sample_from_row(samples[pick.sample_id])
        cases.append(
            _question(sample)
            | {
                "reasons": list(pick.reasons),
                "picture": pictures.place_of.get(pick.sample_id),
                "no_picture": pictures.missing.get(pick.sample_id, ""),
                "svg": overlay_svg(sample),
                "answers": [of_run[pick.sample_id] for of_run in answers],
            }
        )
    return {"cases": cases, "prompts": list(prompts), "pictures": list(pictures.urls)}


def _question(sample: Sample) -> dict[str, Any]:
    """What the viewer says about the sample itself."""
    shown = sample.geometry
    # A single value needs no name, but a measurement says of which kind it is.
    components = [name or sample.metric_kind for name in TASKS[sample.task].shown_names]
    return {
        "id": sample.sample_id,
        "task": sample.task.value,
        "name": sample.name,
        "title": f"{sample.name} · {sample.dataset} {sample.case_id}",
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


def _answers_of_run(
    run: RunScores,
    picks: Sequence[CasePick],
    samples: Mapping[str, Row],
    prompts: dict[str, int],
) -> dict[str, list[dict[str, Any]]]:
    """The answers of one run to each pick, by repeat; new prompts are added to `prompts`."""
    scores = rows_of_picks([run.scores], picks)
    replies = {
        (row["sample_id"], row["repeat"]): row
        for rows in rows_of_picks([run.replies], picks).values()
        for row in rows
    }
    answers: dict[str, list[dict[str, Any]]] = {}
    for pick in picks:
        sample = sample_from_row(samples[pick.sample_id])
        rows = sorted(scores[pick.sample_id], key=lambda row: int(row["repeat"]))
        answers[pick.sample_id] = [
            _answer(sample, row, replies.get((pick.sample_id, row["repeat"])), prompts)
            for row in rows[:MAX_REPEATS]
        ]
    return answers


def _answer(sample: Sample, row: Row, reply: Row | None, prompts: dict[str, int]) -> dict[str, Any]:
    """One reply with what was read from it and how it scored."""
    read = outcome(row) == "ok"
    values = list(row["values"] or ()) if read else []
    recovered = [] if read or row["recovered_status"] != "ok" else list(row["recovered_values"])
    prompt, text = (reply["prompt"], reply["text"]) if reply else (None, None)
    return {
        "repeat": row["repeat"],
        "outcome": outcome(row),
        "response": row["response_status"],
        "values": values,
        "recovered": recovered,
        "error": answer_error(row),
        "scores": {name: row[name] for name in SCORED if row[name] is not None},
        "prompt": None if prompt is None else prompts.setdefault(_cut(prompt), len(prompts)),
        "text": None if text is None else _cut(text),
        "message": (reply.get("message") if reply else None) or "",
        "svg": answer_svg(sample, values, recovered_values=recovered),
    }


def _cut(text: str) -> str:
    """The text, or its start and how much is left out."""
    if len(text) <= MAX_TEXT_SIGNS:
        return text
    return f"{text[:MAX_TEXT_SIGNS]}\n… [{len(text) - MAX_TEXT_SIGNS} more characters not shown]"
