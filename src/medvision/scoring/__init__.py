"""Answers to scores, and scores to tables: one definition of every metric."""

from medvision.scoring.aggregate import (
    COUNT_COLUMNS,
    DEFAULT_SEED,
    GROUPINGS,
    aggregate,
)
from medvision.scoring.alignment import ANSWER_SCHEMA
from medvision.scoring.errors import InvalidAnswerError, InvalidTruthError, ScoreInputError
from medvision.scoring.group_averages import group_averages
from medvision.scoring.score import ScoreRow, score
from medvision.scoring.score_table import SCORE_SCHEMA, SIZE_BINS, effective_status, score_table
from medvision.scoring.terms import IOU_THRESHOLDS, MEDIAN_METRICS, MRE_THRESHOLDS, RATIO_METRICS
from medvision.tasks import UnknownTaskError

__all__ = [
    "ANSWER_SCHEMA",
    "COUNT_COLUMNS",
    "DEFAULT_SEED",
    "GROUPINGS",
    "IOU_THRESHOLDS",
    "MEDIAN_METRICS",
    "MRE_THRESHOLDS",
    "RATIO_METRICS",
    "SCORE_SCHEMA",
    "SIZE_BINS",
    "InvalidAnswerError",
    "InvalidTruthError",
    "ScoreInputError",
    "ScoreRow",
    "UnknownTaskError",
    "aggregate",
    "effective_status",
    "group_averages",
    "score",
    "score_table",
]
