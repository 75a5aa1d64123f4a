"""Groups that analyses look at beside all questions together."""

from collections.abc import Iterator

import numpy as np

from medvision.analysis.verdicts.rows import TaskRows
from medvision.analysis.verdicts.verdict import MIN_ROWS
from medvision.scoring.score_table import SIZE_BINS

GROUP_COLUMNS = ("plane", "size_bin", "anatomy_group", "name")
"""By which questions are grouped: columns of score rows."""


def groups_of(rows: TaskRows) -> Iterator[tuple[str, np.ndarray]]:
    """All rows under "", then each group of at least so many rows as "column=value"; masks."""
    yield "", np.ones(len(rows), dtype=bool)
    for column in GROUP_COLUMNS:
        kinds = rows.kinds(column)
        if len(set(kinds.words) - {""}) > 1:
            order = SIZE_BINS if column == "size_bin" else kinds.words
            for word, members in sorted(kinds.members(), key=lambda one: order.index(one[0])):
                if members.sum() >= MIN_ROWS:
                    yield f"{column}={word}", members
