"""Which number may be called the best: better than every rival, paired by sample, and than chance.

Only main metrics are held against each other; of other columns nothing is marked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medvision.analysis.beaten import NotBeaten, not_beaten
from medvision.analysis.run_scores import RunScores
from medvision.analysis.tables import SIZE_BIN_TEXT, MetricTable, TableRow
from medvision.analysis.verdicts.verdict import Found, Verdict, task_name
from medvision.tasks import TASKS

BEST = "best"

ALIKE = {"label": "name"}
"""Columns of tables by which verdicts are not grouped, and that by which they are instead."""

Place = tuple[str, str]
"""A task and a group, as verdicts name them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How models stand to constants and to each other.

    Attributes:
        beaten: Who does not beat a constant.
        beats_constant: Whether a model is surely better than the constant, where that was asked.
        gaps: Of two models, in both orders: 1 where the first is surely better, -1 where it is
            worse, 0 where they cannot be told apart; none on too few samples.
        chance: Baselines that look at nothing; an oracle is none of them.
    """

    beaten: NotBeaten
    beats_constant: Mapping[tuple[str, Place], bool]
    gaps: Mapping[tuple[str, str, Place], int]
    chance: frozenset[str]

    def words(self, table: MetricTable, row: TableRow, column: int) -> str:
        """What to say of a number: "best", what it does not beat, or from whom it cannot be told.

        Args:
            table: Where it stands.
            row: Its row.
            column: Its place; only the main metric is judged.

        Returns:
            "" where there is nothing to say.
        """
        is_main = table.columns[column].key == TASKS[table.task].headline_metric
        if not is_main or len(table.by) > 1 or table.over or row.withheld:
            return ""
        place = _place(table, row)
        if mark := self.beaten.words(row.model, table.task, table.unit, group=place[1]):
            return mark
        peers = [one for one in table.rows if one.group == row.group and one is not row]
        rivals = [one for one in peers if not one.is_baseline and not one.withheld]
        if row.is_baseline or not rivals:
            return ""
        if row.cells[column].is_best:
            return self._of_leader(row.model, peers, [one.model for one in rivals], place)
        leaders = [one.model for one in rivals if one.cells[column].is_best]
        ties = [one for one in leaders if self.gaps.get((one, row.model, place)) == 0]
        return f"not distinguishable from {', '.join(ties)}" if ties else ""

    def _of_leader(
        self, model: str, peers: Sequence[TableRow], rivals: Sequence[str], place: Place
    ) -> str:
        """The same of the model whose number is ahead of its rivals'."""
        for peer in (one.model for one in peers if one.model in self.chance):
            if self.gaps.get((model, peer, place), 1) < 1:
                return f"not surely better than {peer.removeprefix('baseline/')}"
        gaps = {one: self.gaps.get((model, one, place)) for one in rivals}
        if ties := [one for one, gap in gaps.items() if gap == 0]:
            return f"not distinguishable from {', '.join(ties)}"
        # What is not known, of a rival or of the constant, leaves nothing to call the best.
        is_best = self.beats_constant.get((model, place), True) and set(gaps.values()) == {1}
        return BEST if is_best else ""

    def overall(self, tables: Iterable[MetricTable]) -> dict[tuple[str, str, str], str]:
        """The same by model, task and unit, of tables that group by nothing."""
        return {
            (row.model, str(table.task), table.unit): words
            for table in tables
            for row in table.rows
            for at in range(len(row.cells))
            if (words := self.words(table, row, at))
        }


def standing(verdicts: Sequence[Verdict], runs: Sequence[RunScores]) -> Standing:
    """What the analyses `margin` and `comparison` say, as tables look it up.

    Args:
        verdicts: What `analyse` gives.
        runs: What it was put to.
    """
    gaps: dict[tuple[str, str, Place], int] = {}
    constants: dict[tuple[str, Place], bool] = {}
    for one in verdicts:
        place = (one.task, one.group)
        if one.name == "margin" and one.task:
            constants[one.model, place] = one.verdict is Found.FOUND
        if one.name == "comparison" and one.task and one.verdict is not Found.NOT_ENOUGH:
            first, second = one.details["models"]
            sign = (1 if (one.value or 0.0) > 0 else -1) if one.verdict is Found.FOUND else 0
            gaps[first, second, place], gaps[second, first, place] = sign, -sign
    return Standing(
        beaten=not_beaten(verdicts),
        beats_constant=constants,
        gaps=gaps,
        chance=frozenset(run.name for run in runs if run.is_baseline and "oracle" not in run.model),
    )


def _place(table: MetricTable, row: TableRow) -> Place:
    task = task_name(table.task, table.unit)
    if not table.by:
        return task, ""
    column, value = table.by[0], row.group[0]
    stored = next((key for key, text in SIZE_BIN_TEXT.items() if text == value), value)
    return task, f"{ALIKE.get(column, column)}={stored}"
