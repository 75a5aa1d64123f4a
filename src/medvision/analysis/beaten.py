"""Numbers that do not beat a constant: marked wherever the report shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medvision.analysis.tables import SIZE_BIN_TEXT, MetricTable, TableRow
from medvision.analysis.verdicts.verdict import Found, Verdict
from medvision.tasks import TASKS, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBeaten:
    """Who is not better than the best constant, and where.

    Attributes:
        against: The constant, by model, task and group as verdicts name them.
    """

    against: Mapping[tuple[str, str, str], str]

    def mark(self, table: MetricTable, row: TableRow, place: int) -> str:
        """What to say of a number; "" where it beats the constant or cannot be told.

        Args:
            table: Where it stands.
            row: Its row.
            place: Of its column; only the main metric is held against the constant.
        """
        is_main = table.columns[place].key == TASKS[table.task].headline_metric
        if not is_main or len(table.by) > 1 or table.over:
            return ""
        group = f"{table.by[0]}={row.group[0]}" if table.by else ""
        return self.words(row.model, table.task, table.unit, group)

    def words(self, model: str, task: Task, unit: str, group: str = "") -> str:
        """The same for a model, task, unit and group."""
        several = len(TASKS[task].units) > 1
        name = f"{task} ({unit})" if several else str(task)
        constant = self.against.get((model, name, group))
        if constant is None:
            return ""
        name = constant.removeprefix("baseline/")
        # What stands in for train-best has no name of its own.
        return f"does not beat {name if name != constant else 'a constant'}"


def not_beaten(verdicts: Sequence[Verdict]) -> NotBeaten:
    """What the analysis `margin` says, as tables look it up.

    Args:
        verdicts: What `analyse` gives.
    """
    against: dict[tuple[str, str, str], str] = {}
    for one in verdicts:
        if one.name == "margin" and one.verdict is Found.NOT_FOUND:
            column, _, value = one.group.partition("=")
            group = f"{column}={SIZE_BIN_TEXT.get(value, value)}" if column else ""
            against[one.model, one.task, group] = str(one.details["against"])
    return NotBeaten(against=against)
