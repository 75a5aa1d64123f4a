"""All figures and tables of a report as files of one folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from medvision.analysis.drawing.chart import Chart
from medvision.analysis.drawing.chart_pdf import chart_pdf
from medvision.analysis.drawing.chart_svg import chart_png, chart_svg, on_paper
from medvision.analysis.export.formats import FORMATS
from medvision.analysis.export.plots import size_chart, truth_chart
from medvision.analysis.export.tables import plain_tables, table_name
from medvision.analysis.plots import size_plot, truth_plots
from medvision.analysis.run_scores import RunScores, models_before_baselines
from medvision.analysis.sections import report_tables
from medvision.analysis.standing import standing
from medvision.analysis.verdicts.analyse import analyse
from medvision.analysis.verdicts.charts import charts
from medvision.storage import write_bytes, write_text
from medvision.tasks import TASKS, Task

MOST_POINTS = 400
"""Samples of one task and unit in a figure: more are one blot on paper."""

DRAWN: Mapping[str, Callable[[Chart], bytes]] = MappingProxyType(
    {
        "svg": lambda chart: on_paper(chart_svg(chart)).encode("utf-8", "replace"),
        "png": chart_png,
        "pdf": chart_pdf,
    }
)
"""How a chart is written, by the ending of the file."""


def write_exports(
    runs: Sequence[RunScores], folder: Path, *, kinds: Sequence[str] = tuple(DRAWN)
) -> Iterator[Path]:
    """Write every figure and every table of the report.

    Args:
        runs: One per model.
        folder: Made where it is not there.
        kinds: Of the figures: "svg", "png", "pdf".

    Yields:
        Each file, once written: `NAME.svg`, `.png`, `.pdf` of figures, `.csv`, `.md`, `.tex` of
        tables; what is told by both has one name.

    Raises:
        RunNamesError: There is no run, or two have one name.
        MissingExtraError: PDF is asked for without the extra `figures`.
    """
    ordered = models_before_baselines(runs)
    tables, verdicts = report_tables(ordered), analyse(ordered)
    folder.mkdir(parents=True, exist_ok=True)
    for table in plain_tables(tables, verdicts, standing(verdicts, ordered)):
        for ending, written in FORMATS.items():
            path = folder / f"{table.name}.{ending}"
            # Replies and names may hold lone surrogates, which UTF-8 cannot.
            write_text(path, written(table).encode("utf-8", "replace").decode("utf-8"))
            yield path
    figures: list[tuple[str, Chart]] = [
        (f"{plot['task']}{_unit(plot)}-truth", truth_chart(plot))
        for plot in truth_plots(ordered, max_points=MOST_POINTS)
    ]
    if tables.size:
        name = f"{table_name(tables.size)}-by-size_bin"
        figures.append((name, size_chart(size_plot(tables.size))))
    figures += [(f"analysis-{name}", chart) for name, chart in charts(verdicts)]
    for name, chart in figures:
        for kind in kinds:
            path = folder / f"{name}.{kind}"
            write_bytes(path, DRAWN[kind](chart))
            yield path


def _unit(plot: Mapping[str, object]) -> str:
    return f"-{plot['unit']}" if len(TASKS[Task(str(plot["task"]))].units) > 1 else ""
