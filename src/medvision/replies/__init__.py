"""Replies to answers: the strict reading that is scored, and the lenient one beside it."""

from medvision.replies.reading import Answer, AnswerStatus, FrameHw, Style, known_style, read_answer
from medvision.replies.recovered import read_recovered

__all__ = [
    "Answer",
    "AnswerStatus",
    "FrameHw",
    "Style",
    "known_style",
    "read_answer",
    "read_recovered",
]
