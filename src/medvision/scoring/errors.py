"""What can be wrong with something to be scored. All of these are faults of ours, never a model's.

A model's bad answer is a status, not an error.
"""

from medvision.errors import ItemError, UsageError


class InvalidTruthError(ItemError, ValueError):
    """The truth of a sample is not what its task's truth must be."""

    reason = "invalid_truth"


class InvalidAnswerError(ItemError, ValueError):
    """An answer of status ok whose values are not what the task's answer must be."""

    reason = "invalid_answer"


class ScoreInputError(UsageError, ValueError):
    """The tables to score do not belong together, or lack columns."""
