"""Charts of rows: a value with its interval for each model, task and group."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from medvision.analysis.drawing.chart import (
    Axis,
    Chart,
    LegendEntry,
    Mark,
    Row,
    RowsPanel,
    Sign,
    Tone,
)
from medvision.analysis.verdicts.figures.measured import (
    Measured,
    by_task,
    chosen,
    counts,
    group_words,
    measured,
    task_title,
)
from medvision.analysis.verdicts.verdict import Found, Verdict

SIGNS: dict[Found, tuple[Sign, Tone]] = {
    Found.FOUND: ("dot", Tone.ORANGE),
    Found.NOT_FOUND: ("ring", Tone.BLUE),
    Found.NOT_ENOUGH: ("cross", Tone.GREY),
}

Marks = Callable[[Verdict, Measured], tuple[tuple[Mark, ...], ...]]


GOOD: dict[Found, tuple[Sign, Tone]] = {
    **SIGNS,
    Found.FOUND: ("dot", Tone.BLUE),
    Found.NOT_FOUND: ("ring", Tone.ORANGE),
}
"""Of an analysis whose finding is a good one."""


def legend_of(
    found: str, not_found: str, signs: dict[Found, tuple[Sign, Tone]] = SIGNS
) -> tuple[LegendEntry, ...]:
    """What the signs of verdicts stand for."""
    words = {Found.FOUND: found, Found.NOT_FOUND: not_found, Found.NOT_ENOUGH: "too few to tell"}
    return tuple(
        LegendEntry(text=text, sign=signs[verdict][0], tone=signs[verdict][1])
        for verdict, text in words.items()
    )


def value_mark(
    verdict: Verdict, scale: float, signs: dict[Found, tuple[Sign, Tone]] = SIGNS
) -> tuple[Mark, ...]:
    """The verdict's number; none where there is none."""
    if verdict.value is None or not math.isfinite(verdict.value):
        return ()
    sign, tone = signs[verdict.verdict]
    interval = verdict.interval and (verdict.interval[0] * scale, verdict.interval[1] * scale)
    value = verdict.value * scale
    return (Mark(value=value, interval=interval, sign=sign, tone=tone, words=verdict.words),)


def rows_of(verdicts: Sequence[Verdict], marks: Marks) -> tuple[Row, ...]:
    """A head for each model where there are several, and a row for each of its verdicts."""
    several = len({one.model for one in verdicts}) > 1
    rows: list[Row] = []
    for model, own in groupby(verdicts, key=lambda one: one.model):
        if several:
            rows.append(Row(label=model, is_head=True))
        for one in own:
            few = " too few" if one.value is None else ""
            rows.append(
                Row(
                    label=group_words(one.group),
                    marks=marks(one, measured(one.task)),
                    note=f"{one.n} ({one.n_subjects}){few}",
                )
            )
    return tuple(rows)


def margin_chart(verdicts: Sequence[Verdict]) -> Chart:
    """Margins over the best constant as bars of uncertainty beside 0."""
    panels, n_drawn = [], 0
    for task, own in by_task(verdicts):
        told = chosen(own, failing=Found.NOT_FOUND)
        against = ", ".join(dict.fromkeys(str(one.details["against"]) for one in told))
        n_drawn += len(told)
        panels.append(
            RowsPanel(
                title=f"{task_title(task)}: margin over {against}",
                axes=(Axis(title=measured(task).better_by),),
                references=(0.0,),
                rows=rows_of(told, lambda one, of: (value_mark(one, of.scale, GOOD),)),
            )
        )
    return Chart(
        title="Does it beat a constant?",
        panels=tuple(panels),
        legend=legend_of("beats the constant", "does not beat it", GOOD),
        caption="Right of 0 the model is better than the constant, left of it worse. "
        + counts(verdicts, n_drawn),
    )


def worse_chart(verdicts: Sequence[Verdict], *, title: str, group: str, others: str) -> Chart:
    """The measure inside a group beside that outside, and the difference with its interval."""

    def marks(one: Verdict, of: Measured) -> tuple[tuple[Mark, ...], ...]:
        pair = [one.details.get(name) for name in ("elsewhere", "in_group")]
        ends = [math.nan if value is None else abs(value) * of.scale for value in pair]
        if not all(map(math.isfinite, ends)):
            return ((), value_mark(one, of.scale))
        low, high = sorted((ends[0], ends[1]))
        joined = Mark(value=ends[0], interval=(low, high), sign="square", tone=Tone.GREEN)
        inside = Mark(value=ends[1], sign="diamond", tone=Tone.PINK)
        return ((joined, inside), value_mark(one, of.scale))

    panels, n_drawn = [], 0
    for task, own in by_task(verdicts):
        told, of = chosen(own), measured(task)
        n_drawn += len(told)
        panels.append(
            RowsPanel(
                title=task_title(task),
                axes=(
                    Axis(title=f"mean {of.name} ({of.unit})"),
                    Axis(title=f"better {others} by ({of.gap_unit})"),
                ),
                references=(None, 0.0),
                rows=rows_of(told, marks),
            )
        )
    return Chart(
        title=title,
        panels=tuple(panels),
        legend=(
            LegendEntry(text=group, sign="diamond", tone=Tone.PINK),
            LegendEntry(text=others, sign="square", tone=Tone.GREEN),
            *legend_of(f"worse {group}", "no worse"),
        ),
        caption="Left: mean measure in the group and elsewhere. Right: how much better it is "
        f"elsewhere, paired by subject. {counts(verdicts, n_drawn)}",
    )


def generalisation_chart(verdicts: Sequence[Verdict]) -> Chart:
    """Planes and targets not trained on, beside the others."""
    return worse_chart(
        verdicts, title="Is it worse where it was not trained, or on some plane?",
        group="in this group", others="elsewhere",
    )  # fmt: skip


def metadata_chart(verdicts: Sequence[Verdict]) -> Chart:
    """Groups of subjects beside the others."""
    return worse_chart(
        verdicts, title="Is it worse for some subjects?", group="in these subjects",
        others="in others",
    )  # fmt: skip


STATUS_TONES: dict[str, Tone] = {
    "ok": Tone.BLUE, "no_number": Tone.ORANGE, "wrong_count": Tone.PINK,
    "out_of_range": Tone.VIOLET, "refused": Tone.BROWN, "truncated": Tone.GREEN,
}  # fmt: skip
"""What is not named, which is rare, is grey."""


def instructions_chart(verdicts: Sequence[Verdict]) -> Chart:
    """What became of the replies, as shares that add up to all."""
    seen: dict[str, int] = {}

    def marks(one: Verdict, _: Measured) -> tuple[tuple[Mark, ...], ...]:
        statuses = dict(one.details.get("statuses", {}))
        total, before, found = sum(statuses.values()), 0, []
        for status in sorted(statuses, key=lambda word: (word != "ok", -statuses[word])):
            share = (100 * before / total, 100 * (before + statuses[status]) / total)
            before += statuses[status]
            seen[status] = seen.get(status, 0) + statuses[status]
            tone = STATUS_TONES.get(status, Tone.GREY)
            words = f"{status}: {statuses[status]} of {total}"
            found.append(Mark(value=share[1], interval=share, sign="bar", tone=tone, words=words))
        return (tuple(found), value_mark(one, 100))

    rows = []
    for task, own in by_task(verdicts):
        rows.append(Row(label=task_title(task), is_head=True))
        for one in own:
            style, recovered = one.details.get("style"), one.details.get("recovered", 0)
            label = one.model + (f" ({style})" if style else "")
            note = f"{one.n} ({one.n_subjects}), {recovered}"
            rows.append(Row(label=label, marks=marks(one, measured(task)), note=note))
    words = sorted(seen, key=lambda word: (word != "ok", -seen[word]))
    return Chart(
        title="Does it answer in the form asked for?",
        panels=(
            RowsPanel(
                title="Replies by status, and those without a readable answer",
                axes=(
                    Axis(title="share of replies (%)", low=0, high=100),
                    Axis(title="unread replies (%)", low=0),
                ),
                references=(None, 5.0),
                rows=tuple(rows),
                note_title="n (subjects), regained",
            ),
        ) if rows else (),
        legend=(
            *(LegendEntry(text=word, sign="bar", tone=STATUS_TONES.get(word, Tone.GREY))
              for word in words),
            *legend_of("surely over 5 %", "not surely"),
        ),
        caption="Regained: unread replies in which a lenient reading finds an answer. "
        + counts(verdicts),
    )  # fmt: skip


def steps_chart(verdicts: Sequence[Verdict]) -> Chart:
    """The error of the points beside that of what is computed from them."""
    panels = []
    for task, own in by_task(verdicts):
        panels.append(
            RowsPanel(
                title=task_title(task),
                axes=(Axis(title="mean error (% of the truth)", low=0),),
                references=(10.0,),
                rows=rows_of(own, lambda one, _: (value_mark(one, 100),)),
            )
        )
    hits = [
        f"{one.model}: {one.details['hits_within_5_mm_share']:.0%} of the points within 5 mm, "
        f"{one.details['answer_follows_share']:.0%} of the answers follow from their points."
        for one in verdicts
        if one.group == "locating" and one.details.get("answer_follows_share") is not None
    ]
    return Chart(
        title="Is it the eyes or the sums?",
        panels=tuple(panels),
        legend=legend_of("surely over 0 and at least 10 %", "less"),
        caption="Locating: error of what the stated points give. Calculating: the answer against "
        f"its own points. {' '.join(hits)} {counts(verdicts)}",
    )


def comparison_chart(verdicts: Sequence[Verdict]) -> Chart:
    """Paired differences beside 0, over the margin within which two models are equivalent."""

    def marks(one: Verdict, of: Measured) -> tuple[tuple[Mark, ...], ...]:
        reach = one.details["equivalence_margin"]
        reach = reach if math.isfinite(reach) else 0.0
        ends = (-reach * of.scale, reach * of.scale)
        band = Mark(value=0.0, interval=ends, sign="band", tone=Tone.GREEN)
        return ((band, *value_mark(one, of.scale)),)

    panels, n_drawn = [], 0
    for task, own in by_task(verdicts):
        told = chosen(own)
        n_drawn += len(told)
        panels.append(
            RowsPanel(
                title=f"{task_title(task)}: {told[0].model}"
                if len({one.model for one in told}) == 1
                else task_title(task),
                axes=(Axis(title=f"{measured(task).better_by}, of the first"),),
                references=(0.0,),
                rows=rows_of(told, marks),
            )
        )
    return Chart(
        title="Which models can be told apart?",
        panels=tuple(panels),
        legend=(
            *legend_of("different (Holm's p under 0.05)", "cannot be told apart"),
            LegendEntry(text="margin of equivalence", sign="band", tone=Tone.GREEN),
        ),
        caption="Right of 0 the first of the two is better. An interval inside the shaded margin: "
        f"equivalent. {counts(verdicts, n_drawn)}",
    )


def repeats_chart(verdicts: Sequence[Verdict]) -> Chart:
    """The measure of one answer beside that of the median of all, and the gain."""

    def marks(one: Verdict, of: Measured) -> tuple[tuple[Mark, ...], ...]:
        by_n = [abs(value) * of.scale for value in one.details.get("measure_by_n", ())]
        if not all(map(math.isfinite, by_n)) or not by_n:
            return ((), value_mark(one, of.scale))
        ends = (min(by_n), max(by_n))
        first = Mark(value=by_n[0], interval=ends, sign="square", tone=Tone.GREEN)
        between = [Mark(value=value, sign="ring", tone=Tone.GREY) for value in by_n[1:-1]]
        last = Mark(value=by_n[-1], sign="diamond", tone=Tone.PINK)
        return ((first, *between, last), value_mark(one, of.scale))

    panels = []
    for task, own in by_task(verdicts):
        of = measured(task)
        spread = [one.details.get("median_relative_spread") for one in own]
        told = ", ".join(f"{100 * value:.2g} %" for value in spread if value is not None)
        panels.append(
            RowsPanel(
                title=task_title(task) + (f": answers spread by {told}" if told else ""),
                axes=(
                    Axis(title=f"mean {of.name} ({of.unit})"),
                    Axis(title=f"better by the median by ({of.gap_unit})"),
                ),
                references=(None, 0.0),
                rows=rows_of(own, marks),
            )
        )
    return Chart(
        title="Does asking again help?",
        panels=tuple(panels),
        legend=(
            LegendEntry(text="one answer", sign="square", tone=Tone.GREEN),
            LegendEntry(text="median of 2, 3, …", sign="ring", tone=Tone.GREY),
            LegendEntry(text="median of all", sign="diamond", tone=Tone.PINK),
            *legend_of("the median is better", "no better"),
        ),
        caption=counts(verdicts),
    )
