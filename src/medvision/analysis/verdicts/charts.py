"""The figures of analyses, and as files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from medvision.analysis.drawing.chart import Chart
from medvision.analysis.drawing.chart_svg import chart_png, chart_svg, on_paper
from medvision.analysis.verdicts.analyse import ANALYSES
from medvision.analysis.verdicts.verdict import MIN_ROWS, MIN_SUBJECTS, Verdict
from medvision.storage import write_bytes, write_text


def charts(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, Chart]]:
    """The figure of each analysis that was put, by its name; one that has nothing says so."""
    for name, analysis in ANALYSES.items():
        own = [verdict for verdict in verdicts if verdict.name == name]
        if own:
            chart = analysis.draw(own)
            if not chart.panels:
                needs = next((one.words for one in own if not one.task), "")
                few = f"fewer than {MIN_ROWS} questions or {MIN_SUBJECTS} subjects."
                chart = Chart(
                    title=chart.title, panels=(), caption=f"Cannot be told: {needs or few}"
                )
            yield name, chart


def write_charts(verdicts: Sequence[Verdict], folder: Path) -> Iterator[Path]:
    """Write each figure as `NAME.svg` and `NAME.png`.

    Args:
        verdicts: What `analyse` gives.
        folder: Made where it is not there.

    Yields:
        Each file, once written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in charts(verdicts):
        svg, png = folder / f"{name}.svg", folder / f"{name}.png"
        write_text(svg, on_paper(chart_svg(chart)))
        yield svg
        write_bytes(png, chart_png(chart))
        yield png
