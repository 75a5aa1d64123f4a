import pytest

from medvision.analysis.metric_columns import METRIC_COLUMNS
from medvision.tasks import TASKS, Task


@pytest.mark.parametrize("task", Task)
def test_headline_is_a_column_with_the_direction_of_the_record(task):
    columns = {column.key: column for column in METRIC_COLUMNS[task]}
    headline = columns[TASKS[task].headline_metric]
    assert (headline.better == "higher") == TASKS[task].higher_is_better
