"""Numbers that do not beat a constant: marked wherever the report shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medvision.analysis.verdicts.verdict import Found, Verdict, task_name
from medvision.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBeaten:
    """Who is not better than the best constant, and where.

    Attributes:
        against: The constant, by model, task and group as verdicts name them.
    """

    against: Mapping[tuple[str, str, str], str]

    def words(self, model: str, task: Task, unit: str, group: str = "") -> str:
        """What to say of a main number; "" where it beats the constant or cannot be told."""
        constant = self.against.get((model, task_name(task, unit), group))
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
            against[one.model, one.task, one.group] = str(one.details["against"])
    return NotBeaten(against=against)
