"""Samples to questions in words: what is asked, in which form, and what a perfect reply is."""

from medvision.pictures.perceived import PerceivedSize, perceived_size, stated_frame
from medvision.prompts.answers import ANSWER_FORMATS, AnswerFormat
from medvision.replies import Answer, AnswerStatus, Style, read_answer

__all__ = [
    "ANSWER_FORMATS",
    "Answer",
    "AnswerFormat",
    "AnswerStatus",
    "PerceivedSize",
    "Style",
    "perceived_size",
    "read_answer",
    "stated_frame",
]
