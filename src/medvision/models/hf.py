"""A model in this process: any `AutoModelForImageTextToText`, with or without a LoRA adapter.

It gets the same messages and settings as a served model. Needs the extra `hf`; no weights are read
before the first question has to be asked.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from PIL import Image

from medvision.errors import ItemError, UsageError
from medvision.extras import require
from medvision.models.base import ALL_TASKS, ErrorKind, Json, Question, Reply, error_reply
from medvision.models.generation import Generation
from medvision.models.in_process.chat import Chat, chat_of
from medvision.models.in_process.generate import LoadedModel, picture_of
from medvision.models.in_process.processor import load_processor
from medvision.models.in_process.seen import check_pictures
from medvision.models.in_process.weights import (
    EXTRA,
    Precision,
    WeightSettings,
    as_trained,
    load_weights,
    located,
    resolved_precision,
    with_adapter,
)
from medvision.pictures.view import PictureFamily, SliceView
from medvision.tasks import Task

logger = logging.getLogger(__name__)

WINDOW_BATCHES = 16
"""Batches whose questions are sorted by length together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HfSettings:
    """Which model, and how it is asked.

    Attributes:
        weights: Model, adapter, precision and device.
        generation: The same settings as of served models; `extra_body` holds further fields of
            `transformers.GenerationConfig`, and arguments of the chat template.
        batch_size: Questions generated at once. A seeded run that samples asks one at a time:
            only so is a reply the same whatever else is asked.
    """

    weights: WeightSettings
    generation: Generation = field(default_factory=Generation)
    batch_size: int = 8

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            msg = f"expected a batch size of at least 1, found {self.batch_size}"
            raise UsageError(msg)

    @property
    def samples(self) -> bool:
        """Whether replies are drawn at random."""
        return self.generation.temperature != 0


class HfModel:
    """A model in this process, asked in batches."""

    def __init__(self, settings: HfSettings) -> None:
        """Find the weights.

        Raises:
            UsageError: There are none of that name, or the extra `hf` is not installed.
        """
        for module in ("torch", "transformers"):
            require(module, EXTRA, item=f"hf/{settings.weights.name}")
        self._settings = settings
        self._located = located(settings.weights)
        self._generation_key = settings.generation.as_key()

    @property
    def model_id(self) -> str:
        """hf/NAME, with the adapter where one is named beside it."""
        weights = self._settings.weights
        return f"hf/{weights.name}" + (f"+{weights.adapter}" if weights.adapter else "")

    @cached_property
    def revision(self) -> str:
        """The hub's commit or a digest of the files, of model and adapter, and the precision."""
        weights = self._settings.weights
        words = [self._located.version(), resolved_precision(weights.precision)]
        words += ["4bit-double"] if weights.in_4bit else []
        words += ["autocast"] if self._is_asked_as_trained else []
        return " ".join(words)

    @property
    def settings(self) -> Json:
        """Generation settings as they enter a key."""
        return self._generation_key

    @property
    def tasks(self) -> frozenset[Task]:
        """All."""
        return ALL_TASKS

    @property
    def batch_size(self) -> int:
        """Questions generated at once."""
        is_seeded = self._settings.generation.seed is not None
        return 1 if is_seeded and self._settings.samples else self._settings.batch_size

    @property
    def window_size(self) -> int:
        """Questions that are sorted by length together."""
        return WINDOW_BATCHES * self.batch_size

    def key_inputs(self, question: Question) -> Json:  # noqa: ARG002
        """How a prompt starts, where that is not by the library's own rule."""
        return self._chat.beginning.key_inputs

    @cached_property
    def _chat(self) -> Chat:
        """Without the weights, which are read only when a question has to be asked."""
        processor = load_processor(
            self._located, trust_remote_code=self._settings.weights.trust_remote_code
        )
        return chat_of(processor, self.model_id)

    def check_pictures(self, views: Iterable[SliceView], family: PictureFamily) -> None:
        """Refuse to ask where the processor makes another picture than prompts would state.

        Raises:
            SeenOtherwiseError: It does; the message shows both.
        """
        if not check_pictures(self._chat, views, family, self.model_id):
            logger.warning(
                "%s: its processor's output is of a form not known here, so family %r could not "
                "be compared with it",
                self.model_id,
                family.name,
            )

    @cached_property
    def _loaded(self) -> LoadedModel:
        weights = self._settings.weights
        if (
            not weights.device_map
            and require("torch", EXTRA, item="hf/ models").cuda.is_available()
        ):
            weights = replace(weights, device_map="auto")
        model, adapter = load_weights(weights, self._located), self._located.adapter
        if adapter is not None and self._is_asked_as_trained:
            return LoadedModel(model=as_trained(model, adapter), chat=self._chat, autocast=True)
        return LoadedModel(model=with_adapter(model, self._located), chat=self._chat)

    @property
    def _is_asked_as_trained(self) -> bool:
        """Whether it is held and computed as `train sft` does in bf16: see `as_trained`."""
        precision = resolved_precision(self._settings.weights.precision)
        return self._located.adapter is not None and precision is Precision.BFLOAT16

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        """Replies in the order of the questions; a picture that cannot be made is one error."""
        pictures: dict[int, Image.Image] = {}
        for place, question in enumerate(questions):
            try:
                pictures[place] = picture_of(question)
            except (ItemError, OSError) as error:
                logger.warning("%s: picture not made: %s", question.sample.sample_id, error)
        found = self._generated([questions[place] for place in pictures], list(pictures.values()))
        of_place = dict(zip(pictures, found, strict=True))
        return [of_place.get(n) or error_reply(ErrorKind.IMAGE) for n in range(len(questions))]

    def _generated(self, questions: list[Question], pictures: list[Image.Image]) -> list[Reply]:
        """Replies to questions with pictures; halves that fit, where all together do not."""
        if not questions:
            return []
        torch = require("torch", EXTRA, item=self.model_id)
        start_s = time.perf_counter()
        try:
            replies = self._loaded.replies(questions, pictures, self._settings.generation)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        else:
            latency_s = (time.perf_counter() - start_s) / len(questions)
            return [replace(reply, latency_s=latency_s) for reply in replies]
        if len(questions) == 1:
            logger.warning("%s: out of memory", questions[0].sample.sample_id)
            return [error_reply(ErrorKind.OUT_OF_MEMORY, attempts=1)]
        half = len(questions) // 2
        return self._generated(questions[:half], pictures[:half]) + self._generated(
            questions[half:], pictures[half:]
        )
