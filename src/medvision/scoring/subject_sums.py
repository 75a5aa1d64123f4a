"""Score rows summed by group, cell and subject: all that means and their intervals need."""

import numpy as np
import pyarrow as pa

from medvision.scoring.bootstrap import Cell, RatioTerms, SubjectGroup
from medvision.scoring.columns import IndexArray
from medvision.scoring.grouping import Groups, dense, grouped
from medvision.scoring.terms import RATIO_METRICS, TERMS, ScoreColumns

SUBJECT_COLUMNS = ("dataset", "subject_id")
"""Whom rows belong to: subject ids repeat between datasets."""

_TERM_NAMES = list(TERMS)

RATIOS = RatioTerms(
    numerator=np.array([_TERM_NAMES.index(metric.numerator) for metric in RATIO_METRICS]),
    denominator=np.array([_TERM_NAMES.index(metric.denominator) for metric in RATIO_METRICS]),
)
"""`RATIO_METRICS` as positions among `TERMS`."""

ANSWERED = _TERM_NAMES.index("answered")
"""The term by which cells weigh where they do not weigh the same: samples that were answered."""


def group_of_cell(groups: Groups, cells: Groups) -> IndexArray:
    """(cells,) the group that holds each cell: all rows of a cell are of one group."""
    of_cell = np.empty(len(cells), dtype=np.int64)
    of_cell[cells.code] = groups.code
    return of_cell


def subject_groups(
    scores: pa.Table, columns: ScoreColumns, groups: Groups, cells: Groups
) -> list[SubjectGroup]:
    """The terms of each group's cells, summed by subject; subjects in sorted order."""
    subjects = grouped(scores, SUBJECT_COLUMNS)
    n_subjects = len(subjects)
    pairs, pair_of_row = dense(cells.code * n_subjects + subjects.code, len(cells) * n_subjects)
    sums = np.empty((len(pairs), len(TERMS)))
    for at, term in enumerate(TERMS.values()):
        sums[:, at] = np.bincount(pair_of_row, weights=term(columns), minlength=len(pairs))
    cell_of_pair, subject_of_pair = np.divmod(pairs, max(n_subjects, 1))
    position, n_of_group = _positions(
        group_of_cell(groups, cells)[cell_of_pair], subject_of_pair, len(groups)
    )
    starts = np.searchsorted(cell_of_pair, np.arange(len(cells) + 1))
    held: list[list[Cell]] = [[] for _ in range(len(groups))]
    for cell, group in enumerate(group_of_cell(groups, cells)):
        rows = slice(starts[cell], starts[cell + 1])
        held[group].append(Cell(subject=position[rows], sums=sums[rows]))
    return [
        SubjectGroup(n_subjects=int(n), cells=tuple(of_group))
        for n, of_group in zip(n_of_group, held, strict=True)
    ]


def _positions(
    group: IndexArray, subject: IndexArray, n_groups: int
) -> tuple[IndexArray, IndexArray]:
    """Place of each pair's subject among its group's subjects, and each group's subjects."""
    radix = int(subject.max()) + 1 if len(subject) else 1
    of_group, place = dense(group * radix + subject, n_groups * radix)
    owner = of_group // radix
    starts = np.searchsorted(owner, np.arange(n_groups + 1))
    return place - starts[group], np.diff(starts)
