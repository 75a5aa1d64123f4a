"""What a notebook shows: samples as pictures, scores as tables; plain HTML without script."""

import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from medvision.analysis.drawing import overlay_svg
from medvision.analysis.metric_columns import METRIC_COLUMNS
from medvision.analysis.units import UNIT_TEXT
from medvision.errors import ItemError
from medvision.pictures.render import SlicePictures, png_bytes
from medvision.samples import Sample, samples_from_table
from medvision.scoring import COUNT_COLUMNS
from medvision.table.read import read_cases, tables_manifest
from medvision.tasks import TASKS, Task

N_SHOWN = 6
"""Samples of a selection that are drawn."""

_SIDE = "max-width:320px;display:inline-block;margin:4px;vertical-align:top"


def sample_html(
    sample: Sample,
    values: Sequence[float] = (),
    *,
    pictures: SlicePictures | None = None,
    said: str = "",
) -> str:
    """A sample: its slice with the truth drawn, and an answer if there is one.

    A picture that cannot be made is said so; truth and answer are drawn all the same.

    Args:
        sample: The question.
        values: An answer as read, in the order and frame of `sample.truth`.
        pictures: Keeps the volumes of samples shown together.
        said: Whose answer it is and what it says, below the picture.
    """
    note, png = "", None
    try:
        png = png_bytes((pictures or SlicePictures()).picture(sample))
    except (ItemError, OSError) as error:
        note = f"<br><em>{html.escape(str(error))}</em>"
    drawing = overlay_svg(sample, values, picture_png=png)
    words = f"{TASKS[sample.task].title}: {sample.name}, {sample.plane} {sample.slice_index}"
    caption = html.escape(f"{words} · truth {answer_words(sample, sample.truth)}")
    caption += f"<br>{html.escape(said)}" if said else ""
    return f'<figure style="{_SIDE}">{drawing}<figcaption>{caption}{note}</figcaption></figure>'


def answer_words(sample: Sample, values: Sequence[float]) -> str:
    """Numbers as an answer to a sample is printed, with their unit; "" for none."""
    unit = UNIT_TEXT.get(sample.unit, sample.unit)
    numbers = ", ".join(f"{value:.{TASKS[sample.task].decimals}f}" for value in values)
    return f"{numbers} {unit}" if numbers else ""


def selection_html(table: pa.Table, dropped: dict[str, int]) -> str:
    """The first samples of each task, drawn, and how many there are and were left out."""
    counts = {row["values"]: row["counts"] for row in table["task"].value_counts().to_pylist()}
    words = [f"{n} {task}" for task, n in counts.items()]
    left_out = [f"{n} {reason}" for reason, n in dropped.items()]
    head = f"{table.num_rows} samples: {', '.join(words)}"
    head += f" (left out: {', '.join(left_out)})" if left_out else ""
    # one after the other from the list's whole length, so that not all are of one slice
    step = max(1, table.num_rows // N_SHOWN)
    places = list(range(0, table.num_rows, step))[:N_SHOWN]
    pictures = SlicePictures()
    drawn = [sample_html(one, pictures=pictures) for one in samples_from_table(table.take(places))]
    return f"<p>{html.escape(head)}</p>{''.join(drawn)}"


def tables_html(tables: Path) -> str:
    """How much a table folder holds."""
    manifest = tables_manifest(tables)
    splits = read_cases(tables)["split"].value_counts().to_pylist()
    rows = [["name", manifest["name"]], ["pictures", manifest["description"]]]
    rows += [[f"cases, {row['values']}", row["counts"]] for row in splits]
    return _table_html([], rows)


def aggregate_html(table: pa.Table, by: Sequence[str] = ()) -> str:
    """Metrics of groups: one table a task and unit, intervals beside the values."""
    rows = table.to_pylist()
    parts: list[str] = []
    for task, unit in dict.fromkeys((row["task"], row["unit"]) for row in rows):
        of_task = [row for row in rows if (row["task"], row["unit"]) == (task, unit)]
        columns = [
            column
            for column in METRIC_COLUMNS[Task(task)]
            if any(row.get(column.key) is not None for row in of_task)
        ]
        counts = [name for name in COUNT_COLUMNS if any(row[name] for row in of_task)]
        head = [*by, *counts]
        head += [f"{column.title} {column.policy} {column.unit}".strip() for column in columns]
        body = [
            [
                *(row[name] for name in (*by, *counts)),
                *(_with_interval(row, column.key, column.scale) for column in columns),
            ]
            for row in of_task
        ]
        title = f"{TASKS[Task(task)].title} ({UNIT_TEXT.get(unit, unit)})"
        parts.append(f"<h4>{html.escape(title)}</h4>{_table_html(head, body)}")
    return "".join(parts) or "<p>no score rows</p>"


def _with_interval(row: dict[str, Any], key: str, scale: float) -> str:
    value, low, high = (row.get(name) for name in (key, f"{key}_low", f"{key}_high"))
    if value is None or math.isnan(value):
        return "–"
    text = f"{value * scale:.4g}"
    return (
        text if low is None or high is None else f"{text} [{low * scale:.4g}, {high * scale:.4g}]"
    )


def page_html(page: Path) -> str:
    """A report inline: the page itself in a frame, so that its styles stay its own.

    The frame is sandboxed: the page's scripts run, and reach neither the notebook nor its cookies.
    """
    document = html.escape(page.read_text(encoding="utf-8"), quote=True)
    style = "width:100%;height:720px;border:0"
    return (
        f'<iframe title="{html.escape(page.name)}" sandbox="allow-scripts" style="{style}" '
        f'srcdoc="{document}"></iframe>'
    )


def _table_html(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object], tag: str) -> str:
        inner = "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table>{line(head, 'th') if head else ''}{body}</table>"
