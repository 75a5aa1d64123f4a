"""Averages over groups `region @ modality (plane)`, weighted by samples and unweighted.

The paper publishes the weighted one: a group counts by its samples. The unweighted one says how a
model does on a group, whichever it is. Both leave out small groups, "others" and "miscellaneous".
"""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.catalog import canonical_label, is_averaged
from medvision.catalog.anatomy import FALLBACK_GROUP
from medvision.protocols import MEDVISION, Weighting
from medvision.scoring.aggregate import (
    ALWAYS_BY,
    DEFAULT_RESAMPLES,
    DEFAULT_SEED,
    READ_COLUMNS,
    Settings,
    key_columns,
    means_over_cells,
)
from medvision.scoring.grouping import grouped
from medvision.scoring.subject_sums import group_of_cell
from medvision.scoring.terms import ADDED_COLUMNS
from medvision.tasks import Task

MIN_GROUP_SAMPLES = MEDVISION.averages.min_samples
"""Samples that a group needs, parsed or not, to take part."""

SAMPLE_WEIGHTED = f"_{Weighting.SAMPLE_WEIGHTED}"
GROUP_MEAN = f"_{Weighting.GROUP_MEAN}"

GROUP = ("region", "modality", "plane")
"""What makes a group, beside task and unit."""

_REGION_SOURCES = ("task", "dataset", "label", "anatomy_group", "metric_kind", "metric_key")


def group_averages(
    scores: pa.Table,
    by: Sequence[str] = ("is_tumor_lesion",),
    *,
    min_samples: int = MIN_GROUP_SAMPLES,
    miscellaneous_in: Collection[Task] = (),
    seed: int = DEFAULT_SEED,
    n_resamples: int = DEFAULT_RESAMPLES,
    max_error_rate: float = 0.0,
) -> pa.Table:
    """Averages over groups of each group's metrics, by both weights.

    A group is a region on images of one modality and plane. Left out are groups with fewer than
    `min_samples` rows, and structures whose anatomy group is none ("others", "miscellaneous"). A
    group on which a metric is undefined (no parsed answer) is left out of that metric.

    Args:
        scores: `SCORE_SCHEMA`.
        by: Columns to group the averages by. Task and unit are always added.
        min_samples: Rows a group needs, parsed or not.
        miscellaneous_in: Tasks whose miscellaneous structures take part, as one region.
        seed: Of the resampling.
        n_resamples: Of subjects, for each interval; 0 for none.
        max_error_rate: Share of errors above which metrics are withheld.

    Returns:
        One row per value of `by`: its columns, `n_groups`, the counts of `aggregate` over the rows
        averaged, then each metric of `aggregate` twice: `…_sample_weighted` (a group weighs by its
        samples without errors: the paper's average) and `…_group_mean` (all groups alike), each
        with `_low` and `_high`.

    Raises:
        ScoreInputError: The table lacks a column, or holds several protocols.
    """
    keys = key_columns(scores, [*by, *GROUP[1:], *_REGION_SOURCES])
    group_keys = [name for name in keys if name in {*by, *ALWAYS_BY}]
    added = [name for name in scores.column_names if name in ADDED_COLUMNS]
    scores = scores.select(list(dict.fromkeys([*keys, *READ_COLUMNS, *added])))
    scores = scores.append_column(GROUP[0], region_column(scores, miscellaneous_in))
    scores = scores.filter(pc.is_valid(scores[GROUP[0]]))
    cell_keys = list(dict.fromkeys([*group_keys, *GROUP]))
    cells = grouped(scores, cell_keys)
    n_of_cell = np.bincount(cells.code, minlength=len(cells))
    scores = scores.filter(pa.array(n_of_cell[cells.code] >= min_samples))
    groups, cells = grouped(scores, group_keys), grouped(scores, cell_keys)
    settings = Settings(seed=seed, n_resamples=n_resamples, max_error_rate=max_error_rate)
    is_weighted = {SAMPLE_WEIGHTED: True, GROUP_MEAN: False}
    table = means_over_cells(scores, groups, cells, is_weighted, settings)
    n_groups = np.bincount(group_of_cell(groups, cells), minlength=len(groups))
    return table.add_column(len(group_keys), "n_groups", pa.array(n_groups, type=pa.int32()))


def region_column(scores: pa.Table, miscellaneous_in: Collection[Task] = ()) -> pa.Array:
    """What rows are averaged under, as in the paper; null for rows that take part in no average.

    Lengths of a tumour or lesion: its name, one for all spellings. Angles and distances:
    dataset_kind_key. Else, and for miscellaneous structures: the anatomy group.
    """
    encoded = grouped(scores, _REGION_SOURCES)
    regions: list[str | None] = []
    for row in encoded.keys.to_pylist():
        task, group = Task(row["task"]), row["anatomy_group"]
        if task is Task.ANGLE_DISTANCE:
            regions.append(f"{row['dataset']}_{row['metric_kind']}_{row['metric_key']}")
        elif group is None or group == FALLBACK_GROUP:
            regions.append(None)
        elif not is_averaged(group):
            regions.append(group if task in miscellaneous_in else None)
        else:
            regions.append(canonical_label(row["label"]) if task is Task.TUMOR_LESION else group)
    return pa.array(regions, pa.string()).take(pa.array(encoded.code))
