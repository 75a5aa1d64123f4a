"""Examples to batches of tensors: TRL's collator, with nothing cut and rows kept in sight."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from medvision.models.in_process.chat import Chat
from medvision.samples.crops import geometries_shown
from medvision.train.errors import SequenceTooLongError
from medvision.train.examples import Examples

ROW = "row"
"""Key of the row number of an example within its `Examples`, in batches too."""

IGNORED = -100
"""Label of a token that does not count in the loss."""

Batch = dict[str, Any]


class ExampleTransform:
    """Rows to what the collator takes: picture, rendered prompt, completion. Runs in workers."""

    def __init__(self, examples: Examples, chat: Chat) -> None:
        self.examples = examples
        self.chat = chat

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        """A batch of rows, as `datasets` hands it over, to lists of equal length."""
        made = [self.example(row) for row in batch[ROW]]
        return {name: [one[name] for one in made] for name in made[0]}

    def example(self, row: int) -> Batch:
        """One example, rendered now."""
        sample = self.examples.sample(row)
        asked = self.examples.question(sample)
        return {
            "images": [self.examples.picture(sample)],
            "prompt": self.chat.prompt(asked.prompt, self.examples.system_text),
            "completion": self.chat.completion(asked.target),
            ROW: row,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _PromptsAsInEvaluation:
    """Stands where TRL's collator calls the processor.

    It calls with prompts and pictures, and with completions alone; both without special tokens. A
    prompt's start token is the chat's affair, so that it is the one that evaluation puts there.
    """

    chat: Chat

    def __call__(self, *, text: list[str], images: Any = None, **options: Any) -> Any:
        """Tokens of prompts with one picture each, or of completions."""
        if images is None:
            return self.chat.processor(text=text, **options)
        return self.chat.tokens(text, [picture for (picture,) in images])


class Collator:
    """Prompt and picture as the model gets them in evaluation, then the assistant's tokens.

    Only the assistant's tokens have labels: the target and the token that ends the turn.
    """

    def __init__(self, chat: Chat, max_length: int, sample_id: Callable[[int], str] = str) -> None:
        """Collate for one model.

        Args:
            chat: The model's processor and conversation form.
            max_length: Most tokens of a sequence.
            sample_id: Names a row in messages.
        """
        self._collate = DataCollatorForVisionLanguageModeling(
            processor=_PromptsAsInEvaluation(chat=chat), max_length=None, completion_only_loss=True
        )
        self._max_length = max_length
        self._sample_id = sample_id

    def __call__(self, examples: Sequence[Batch]) -> Batch:
        """Tensors of a batch, and the rows they come from.

        Raises:
            SequenceTooLongError: A sequence exceeds the limit; it is not cut.
        """
        rows = [example[ROW] for example in examples]
        batch = dict(self._collate(list(examples)))
        for row, length in zip(rows, batch["attention_mask"].sum(dim=1).tolist(), strict=True):
            if length > self._max_length:
                msg = (
                    f"{self._sample_id(row)}: expected at most {self._max_length} tokens, found "
                    f"{length}, those of the picture included; nothing is cut: raise "
                    "run.max_length, or lower the picture's size with model.limits"
                )
                raise SequenceTooLongError(msg)
        batch[ROW] = torch.tensor(rows)
        return batch


def refuse_long_sequences(examples: Examples, chat: Chat, collator: Collator) -> int:
    """Try the longest text of each picture size, before any training.

    One question of each wording is looked at; what its numbers add, the collator checks later.

    Args:
        examples: All that will be trained on.
        chat: The model's conversation form.
        collator: With the length limit.

    Returns:
        Number of tokens of the longest sequence tried.

    Raises:
        SequenceTooLongError: It exceeds the limit.
    """
    # Questions of one kind differ in their numbers only: a row of each kind stands for them.
    names = ["task", "dataset", "cohort", "image_id", "plane", "name", "metric_kind", "metric_key"]
    samples = examples.table.select(names)
    shown = geometries_shown(examples.table)  # of crops, theirs
    for name in ("height_px", "width_px"):
        samples = samples.append_column(name, pa.array([getattr(one, name) for one in shown]))
        names.append(name)
    samples = samples.append_column("row", pa.array(np.arange(samples.num_rows)))
    of_each_kind = samples.group_by(names).aggregate([("row", "min")])["row_min"]
    longest: dict[tuple[int, int], tuple[int, Batch]] = {}
    for row in sorted(of_each_kind.to_pylist()):
        sample = examples.sample(row)
        asked = examples.question(sample)
        size_hw = examples.family_of(sample).view(sample.geometry).sent_hw
        length = len(asked.prompt) + len(asked.target)
        if length > longest.get(size_hw, (0, {}))[0]:
            made = {"prompt": chat.prompt(asked.prompt, examples.system_text), ROW: row}
            longest[size_hw] = (length, made | {"completion": chat.completion(asked.target)})
    n_tokens = 0
    for size_hw, (_, example) in longest.items():
        blank = Image.fromarray(np.zeros((*size_hw, 3), np.uint8))
        batch = collator([example | {"images": [blank]}])
        n_tokens = max(n_tokens, int(batch["attention_mask"].sum()))
    return n_tokens
