"""The analyses as the report tells them: a question, a sentence of verdict, the rows behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from medvision.analysis.drawing.chart_svg import chart_svg
from medvision.analysis.verdicts.analyse import ANALYSES, Analysis
from medvision.analysis.verdicts.charts import charts
from medvision.analysis.verdicts.verdict import MIN_ROWS, MIN_SUBJECTS, Found, Verdict

MOST_ROWS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRow:
    """One verdict as printed."""

    model: str
    task: str
    group: str
    verdict: str
    value: str
    interval: str
    n: int
    n_subjects: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSection:
    """One analysis on the page.

    Attributes:
        name: As on the command line.
        title: What it asks.
        sentence: The verdict in one sentence.
        rows: What it rests on: all questions of a task, and the groups in which it is found.
        n_left_out: Verdicts not shown.
        chart: Its figure as SVG.
    """

    name: str
    title: str
    sentence: str
    rows: tuple[AnalysisRow, ...]
    n_left_out: int
    chart: str


def analysis_sections(verdicts: Sequence[Verdict]) -> list[AnalysisSection]:
    """One section for each analysis that was put to the runs, in their order.

    Args:
        verdicts: What `analyse` gives.
    """
    sections, drawn = [], dict(charts(verdicts))
    for name, analysis in ANALYSES.items():
        own = [verdict for verdict in verdicts if verdict.name == name]
        # Groups are told where they fail: that a margin is found is no failure.
        failing = Found.NOT_FOUND if name == "margin" else Found.FOUND
        whole = [one for one in own if one.task and not one.group]
        groups = [one for one in own if one.task and one.group and one.verdict is failing]
        told = [*whole, *groups] or [one for one in own if one.task]
        if own:
            sections.append(
                AnalysisSection(
                    name=name,
                    title=analysis.asks,
                    sentence=_sentence(analysis, own),
                    rows=tuple(map(_row, told[:MOST_ROWS])),
                    n_left_out=sum(bool(one.task) for one in own) - len(told[:MOST_ROWS]),
                    chart=chart_svg(drawn[name]),
                )
            )
    return sections


def _sentence(analysis: Analysis, verdicts: Sequence[Verdict]) -> str:
    settled = [one for one in verdicts if one.verdict is not Found.NOT_ENOUGH]
    if not settled:
        needs = [one.words for one in verdicts if not one.task]
        few = f"fewer than {MIN_ROWS} questions or {MIN_SUBJECTS} subjects"
        return f"Cannot be told: {needs[0].lower() if needs else f'{few}.'}"
    found: dict[str, list[str]] = {}
    for one in settled:
        if one.verdict is Found.FOUND:
            found.setdefault(one.model, []).append(one.task)
    if not found:
        return "No, not as far as these questions tell."
    by_model = [f"{model} ({', '.join(dict.fromkeys(tasks))})" for model, tasks in found.items()]
    others = {one.model for one in settled} - set(found)
    rest = f" Not for {', '.join(sorted(others))}." if others else ""
    return f"{analysis.yes}: {'; '.join(by_model)}.{rest}"


def _row(verdict: Verdict) -> AnalysisRow:
    interval = verdict.interval
    return AnalysisRow(
        model=verdict.model,
        task=verdict.task,
        group=verdict.group,
        verdict=verdict.verdict.replace("_", " "),
        value="–" if verdict.value is None else f"{verdict.value:.3g}",
        interval="" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}",
        n=verdict.n,
        n_subjects=verdict.n_subjects,
        words=verdict.words,
    )
