"""The report: one HTML file that holds everything it shows, and the same tables as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medvision import __version__
from medvision.analysis.beaten import not_beaten
from medvision.analysis.case_picks import CasePick, picked_cases
from medvision.analysis.cases import rows_of_picks, viewer_cases
from medvision.analysis.confusion import ANSWERED_BINS, TRUE_BINS
from medvision.analysis.order import turn_by_turn
from medvision.analysis.outcomes import outcome_tables
from medvision.analysis.page import page_html
from medvision.analysis.pictures import EmbeddedPictures, Picture, embedded_pictures
from medvision.analysis.plots import size_plot, truth_plots
from medvision.analysis.process import process_rows
from medvision.analysis.run_scores import RunScores, models_before_baselines
from medvision.analysis.sections import ReportTables, report_tables
from medvision.analysis.verdicts.analyse import analyse, verdicts_json
from medvision.analysis.verdicts.section import analysis_sections
from medvision.storage import write_text
from medvision.tasks import TASKS, Task

REPORT_FORMAT = "medvision-report/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What goes into the page.

    Attributes:
        title: Head of the page.
        cases_per_task: Most cases of each task in the viewer.
        picture_budget_bytes: Most bytes of all pictures as data addresses.
        max_points: Most samples drawn in one plot.
        created_at: When the report is written; None means now.
    """

    title: str = "Measurement report"
    cases_per_task: int = 24
    picture_budget_bytes: int = 7_500_000
    max_points: int = 1500
    created_at: datetime | None = None

    def created_text(self) -> str:
        """The time of writing, UTC, to the minute."""
        return (self.created_at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


DEFAULT_OPTIONS = ReportOptions()


def write_report(
    runs: Sequence[RunScores],
    out_html: Path,
    *,
    picture: Picture,
    options: ReportOptions = DEFAULT_OPTIONS,
) -> Path:
    """Write the report of one or more runs as one HTML file that loads nothing.

    The file appears whole or not at all.

    Args:
        runs: One per model; the order of the rows, but for baselines, which come last.
        out_html: File to write; its folder is made.
        picture: Renders a row of `samples`: uint8, [y, x] or [y, x, 3].
        options: Title, caps and time.

    Returns:
        `out_html`.

    Raises:
        RunNamesError: There is no run, or two have one name.
    """
    ordered = models_before_baselines(runs)
    tables = report_tables(ordered)
    picks = picked_cases(ordered, per_task=options.cases_per_task)
    found = rows_of_picks([run.samples for run in ordered], picks)
    samples = {sample_id: rows[0] for sample_id, rows in found.items() if rows}
    shown = [pick for pick in picks if pick.sample_id in samples]
    # A tight budget for pictures serves every task.
    served = turn_by_turn([pick for pick in shown if pick.task is task] for task in Task)
    pictures = embedded_pictures(
        {pick.sample_id: samples[pick.sample_id] for pick in served},
        picture,
        budget_bytes=options.picture_budget_bytes,
    )
    verdicts = analyse(ordered)
    html = page_html(
        ordered,
        tables,
        title=options.title,
        created=options.created_text(),
        analyses=analysis_sections(verdicts),
        beaten=not_beaten(verdicts),
        cases_note=_cases_note(shown, tables, pictures, options.cases_per_task),
        islands={
            "plots": {
                "truth": truth_plots(ordered, max_points=options.max_points),
                "size": size_plot(tables.size) if tables.size else None,
            },
            "cases": {
                "tasks": [[task.value, TASKS[task].title] for task in Task],
                "models": [{"name": run.name, "is_baseline": run.is_baseline} for run in ordered],
                **viewer_cases(ordered, shown, samples, pictures),
            },
        },
    )
    out_html.parent.mkdir(parents=True, exist_ok=True)
    # Replies may hold lone surrogates, which UTF-8 cannot: they become "?".
    write_text(out_html, html.encode("utf-8", "replace").decode("utf-8"))
    return out_html


def report_json(
    runs: Sequence[RunScores], *, options: ReportOptions = DEFAULT_OPTIONS
) -> dict[str, Any]:
    """The report's tables as JSON types: unrounded, in the units of their names.

    Args:
        runs: One per model.
        options: Title and time.

    Returns:
        `format`, `created`, `runs`, `tables` (task, unit, by, over, rows), `confusions` of whole
        numbers (`rows` by `true` and `answered`), `process` (scores of steps), `outcomes`, and
        `analyses` as of `medvision analyse --json`.

    Raises:
        RunNamesError: There is no run, or two have one name.
    """
    ordered = models_before_baselines(runs)
    tables = report_tables(ordered)
    return {
        "format": REPORT_FORMAT,
        "medvision": __version__,
        "created": options.created_text(),
        "runs": [
            {
                "name": run.name,
                "model": run.model,
                "is_baseline": run.is_baseline,
                "protocol": run.protocol,
            }
            for run in ordered
        ],
        "tables": [
            {
                "task": table.task.value,
                "unit": table.unit,
                "by": list(table.by),
                "over": list(table.over),
                "n_groups_left_out": table.n_left_out,
                "rows": [dict(record) for record in table.records],
            }
            for table in tables.all_tables()
        ],
        "confusions": [
            {
                "task": section.task.value,
                "model": confusion.model,
                "true": list(TRUE_BINS),
                "answered": list(ANSWERED_BINS),
                "rows": [list(row) for row in confusion.rows],
            }
            for section in tables.sections
            for confusion in section.confusions
        ],
        "process": [row.as_json() for row in process_rows(ordered)],
        **verdicts_json(analyse(ordered)),
        "outcomes": [
            {
                "task": table.task.value,
                "model": row.model,
                "n": row.n,
                "n_recovered": row.n_recovered,
                **dict(zip(table.outcomes, row.counts, strict=True)),
            }
            for table in outcome_tables(ordered)
            for row in table.rows
        ],
    }


def _cases_note(
    picks: Sequence[CasePick], tables: ReportTables, pictures: EmbeddedPictures, per_task: int
) -> str:
    """What the viewer holds, how it was chosen and what was left out."""
    if not picks:
        return "No case to show."
    parts = [
        f"{len(picks)} of {tables.n_samples} samples, at most {per_task} for each task: every "
        "failure status, then each model's worst, median and best answer, then the range between."
    ]
    if pictures.n_shrunk:
        parts.append(
            f"{pictures.n_shrunk} pictures are shrunk to {pictures.side_px} px on their longer "
            "side to keep the page small."
        )
    if pictures.missing:
        parts.append(f"{len(pictures.missing)} cases have no picture; the viewer says why.")
    parts.append(
        "Boxes are drawn where answers put them; lengths and angles state no place and are drawn "
        "on the truth, as long or as wide as answered; of areas only the truth is drawn."
    )
    return " ".join(parts)
