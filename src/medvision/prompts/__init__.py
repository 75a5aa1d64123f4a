"""Samples to questions, replies to answers: pictures, prompt text, answer forms."""

from medvision.prompts.answers import (
    ANSWER_FORMATS,
    Answer,
    AnswerFormat,
    AnswerStatus,
    Style,
    read_answer,
)
from medvision.prompts.perceived import PerceivedSize, perceived_size, stated_frame

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
