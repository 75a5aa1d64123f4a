"""The report: one HTML file that holds everything it shows, and the same tables as JSON."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medvision import __version__
from medvision.analysis.case_browser import DRAWN_WORDS, BrowserLimits, browser_cases, cases_note
from medvision.analysis.compared import compared
from medvision.analysis.confusion import ANSWERED_BINS, TRUE_BINS
from medvision.analysis.metric_columns import METRIC_COLUMNS
from medvision.analysis.page import page_html
from medvision.analysis.pictures import Picture
from medvision.analysis.plots import size_plot, truth_plots
from medvision.analysis.process import process_rows
from medvision.analysis.run_scores import RunScores, models_before_baselines
from medvision.analysis.sections import report_tables
from medvision.analysis.standing import standing
from medvision.analysis.tables import MetricTable
from medvision.analysis.verdicts.analyse import analyse, verdicts_json
from medvision.analysis.verdicts.section import analysis_sections
from medvision.storage import write_text

REPORT_FORMAT = "medvision-report/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What goes into the page.

    Attributes:
        title: Head of the page.
        cases: How many cases the browser holds, and how much of them.
        max_points: Most samples drawn in one plot.
        created_at: When the report is written; None means now.
    """

    title: str = "Measurement report"
    cases: BrowserLimits = field(default_factory=BrowserLimits)
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
    cases = browser_cases(ordered, picture, options.cases)
    html = report_html(ordered, cases, options=options)
    out_html.parent.mkdir(parents=True, exist_ok=True)
    # Replies may hold lone surrogates, which UTF-8 cannot: they become "?".
    write_text(out_html, html.encode("utf-8", "replace").decode("utf-8"))
    return out_html


def report_html(
    ordered: Sequence[RunScores],
    cases: Mapping[str, Any],
    *,
    options: ReportOptions = DEFAULT_OPTIONS,
    served: bool = False,
) -> str:
    """The page as text.

    Args:
        ordered: Runs in the order of the page.
        cases: As `browser_cases` makes them; of a served page what its scripts need to ask.
        options: Title, caps and time.
        served: Whether a server of ours gives the page its cases.
    """
    tables = report_tables(ordered)
    verdicts = analyse(ordered)
    return page_html(
        ordered,
        tables,
        title=options.title,
        created=options.created_text(),
        analyses=analysis_sections(verdicts),
        stands=standing(verdicts, ordered),
        cases_note=DRAWN_WORDS if served else cases_note(cases, tables.n_samples),
        islands={
            "comparison": compared(ordered, verdicts),
            "plots": {
                "truth": truth_plots(ordered, max_points=options.max_points),
                "size": size_plot(tables.size) if tables.size else None,
                "render": {
                    run.name: {task: render_command(at) for task, at in run.folders.items()}
                    for run in ordered
                },
            },
            "cases": cases,
        },
        served=served,
    )


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
                "rows": _own_rows(table),
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
            for table in (section.outcomes for section in tables.sections)
            for row in table.rows
        ],
    }


def render_command(run: Path, sample_id: str = "") -> str:
    """The command that draws a question of a run with its answer; without an id up to that.

    Example:
        >>> render_command(Path("my runs/a"), "CT//c 1/image/axial/9/1.0/tl")
        "medvision render --run 'my runs/a' --overlay --out case.png 'CT//c 1/image/axial/9/1.0/tl'"
    """
    words = ["medvision", "render", "--run", str(run), "--overlay", "--out", "case.png"]
    return shlex.join(words + [sample_id] * bool(sample_id))


def _own_rows(table: MetricTable) -> list[dict[str, Any]]:
    """A table's rows without what its task does not measure, such as the IoU of a length."""
    own = {column.key for column in METRIC_COLUMNS[table.task]}
    own |= {f"{key}{end}" for key in own for end in ("_low", "_high")}
    ours = own.union(
        key for record in table.records for key, value in record.items() if value is not None
    )
    return [{key: one for key, one in row.items() if key in ours} for row in table.records]
