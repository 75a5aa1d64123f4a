"""A model in this process as one that the run loop can ask, as it asks served models."""

import io
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from medvision.models.base import ALL_TASKS, Json, Question, Reply, ResponseStatus
from medvision.tasks import Task
from medvision.train.chat import Chat
from medvision.train.errors import ConfigError


class InProcessModel:
    """Greedy replies of a model that is already loaded.

    Attributes:
        model_id: The name it is asked for by.
        revision: Which weights, else "".
    """

    tasks: frozenset[Task] = ALL_TASKS

    def __init__(
        self, model: Any, chat: Chat, *, model_id: str, max_new_tokens: int, batch_size: int
    ) -> None:
        self.model_id = model_id
        self.revision = ""
        self._model = model
        self._chat = chat
        self._max_new_tokens = max_new_tokens
        self._batch_size = batch_size

    @property
    def settings(self) -> Json:
        """Generation settings."""
        return {"temperature": 0.0, "max_tokens": self._max_new_tokens}

    @property
    def batch_size(self) -> int:
        """Questions to hand over at a time."""
        return self._batch_size

    @property
    def window_size(self) -> int:
        """Questions to sort for even batches: none, so that batches never depend on others."""
        return self._batch_size

    def key_inputs(self, question: Question) -> Json:  # noqa: ARG002
        """Nothing beside prompt and picture."""
        return {}

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        """Replies in the order of the questions."""
        tokens = self._tokens(questions)
        n_prompt = tokens["input_ids"].shape[1]
        end = self._chat.processor.tokenizer.convert_tokens_to_ids(self._chat.end_of_turn)
        with torch.no_grad():
            whole = self._model.generate(
                **tokens,
                do_sample=False,
                max_new_tokens=self._max_new_tokens,
                eos_token_id=end,
                pad_token_id=self._chat.processor.tokenizer.pad_token_id,
            )
        return [self._reply(row, end) for row in whole[:, n_prompt:].tolist()]

    def _tokens(self, questions: Sequence[Question]) -> Any:
        pictures = [[_picture(question)] for question in questions]
        tokens = self._chat.processor(
            images=pictures,
            text=[self._chat.prompt(question.prompt_text) for question in questions],
            padding=True,
            padding_side="left",
            return_tensors="pt",
            add_special_tokens=False,
        )
        return tokens.to(self._model.device)

    def _reply(self, tokens: list[int], end: int) -> Reply:
        is_whole = end in tokens
        spoken = tokens[: tokens.index(end)] if is_whole else tokens
        return Reply(
            status=ResponseStatus.OK if is_whole else ResponseStatus.TRUNCATED,
            text=self._chat.processor.tokenizer.decode(spoken, skip_special_tokens=True),
            finish_reason="stop" if is_whole else "length",
            attempts=1,
            completion_tokens=len(spoken),
        )


def _picture(question: Question) -> Image.Image:
    if question.image_png is None:
        msg = f"{question.sample.sample_id}: expected a question with a picture"
        raise ConfigError(msg)
    return Image.open(io.BytesIO(question.image_png())).convert("RGB")
