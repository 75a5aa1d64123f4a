"""A model in this process: any `AutoModelForImageTextToText`, with or without a LoRA adapter.

It gets the same messages and settings as a served model. Needs the extra `hf`; nothing of it is
imported, and no weights are read, before the first question has to be asked.
"""

import io
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from PIL import Image

from medvision.errors import ItemError, UsageError
from medvision.extras import require
from medvision.models.base import (
    ALL_TASKS,
    ErrorKind,
    Json,
    Question,
    Reply,
    ResponseStatus,
    chat_messages,
    error_reply,
)
from medvision.models.generation import Generation
from medvision.models.hf_weights import (
    EXTRA,
    LoadedModel,
    LocatedWeights,
    WeightSettings,
    load,
    located,
    resolved_precision,
)
from medvision.tasks import Task

logger = logging.getLogger(__name__)

WINDOW_BATCHES = 16
"""Batches whose questions are sorted by length together."""

TEMPLATE_ARGUMENTS = "chat_template_kwargs"
"""In `Generation.extra_body`: arguments of the chat template, as servers take them too."""


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
        self._located: LocatedWeights = located(settings.weights)
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
        quantised = " 4bit" if weights.in_4bit else ""
        return f"{self._located.version} {resolved_precision(weights.precision)}{quantised}"

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
        """Nothing beyond the prompt and the picture."""
        return {}

    @cached_property
    def _loaded(self) -> LoadedModel:
        return load(self._settings.weights, self._located)

    @cached_property
    def _arguments(self) -> Json:
        return generate_arguments(self._settings.generation, self._loaded.model.generation_config)

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        """Replies in the order of the questions; a picture that cannot be made is one error."""
        pictures = [_picture(question) for question in questions]
        shown = [place for place, picture in enumerate(pictures) if picture is not None]
        found = self._generated(
            [questions[place] for place in shown], [pictures[place] for place in shown]
        )
        of_place = dict(zip(shown, found, strict=True))
        return [of_place.get(n) or error_reply(ErrorKind.IMAGE) for n in range(len(questions))]

    def _generated(self, questions: list[Question], pictures: list[Any]) -> list[Reply]:
        """Replies to questions with pictures; halves that fit, where all together do not."""
        if not questions:
            return []
        torch = require("torch", EXTRA, item=self.model_id)
        start_s = time.perf_counter()
        try:
            replies = self._batch(questions, pictures)
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

    def _batch(self, questions: list[Question], pictures: list[Any]) -> list[Reply]:
        torch = require("torch", EXTRA, item=self.model_id)
        model, processor = self._loaded.model, self._loaded.processor
        inputs = self._inputs(questions, pictures).to(model.device, model.dtype)
        if self._settings.samples and self._settings.generation.seed is not None:
            torch.manual_seed(self._settings.generation.seed + questions[0].repeat)
        stop = self._settings.generation.stop
        with torch.inference_mode():
            tokens = model.generate(
                **inputs,
                **self._arguments,
                **({"tokenizer": processor.tokenizer} if stop else {}),
            )
        n_prompt = inputs["input_ids"].shape[1]
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            self._reply(row.tolist(), n_tokens)
            for row, n_tokens in zip(tokens[:, n_prompt:], prompt_tokens, strict=True)
        ]

    def _inputs(self, questions: list[Question], pictures: list[Any]) -> Any:
        processor = self._loaded.processor
        template_arguments = self._settings.generation.extra_body.get(TEMPLATE_ARGUMENTS, {})
        texts = [
            processor.apply_chat_template(
                template_messages(question), add_generation_prompt=True, **template_arguments
            )
            for question in questions
        ]
        # A template may write the token that the tokenizer would put in front once more.
        begin = processor.tokenizer.bos_token
        is_begun = begin is not None and texts[0].startswith(begin)
        return processor(
            images=[[picture] for picture in pictures],
            text=texts,
            padding=True,
            return_tensors="pt",
            **({"add_special_tokens": False} if is_begun else {}),
        )

    def _reply(self, tokens: list[int], prompt_tokens: int) -> Reply:
        """The reply that one row of new tokens holds."""
        written, has_ended = until_end(tokens, self._end_tokens)
        text = self._loaded.processor.tokenizer.decode(written, skip_special_tokens=True)
        text, was_stopped = before_stop(text, self._settings.generation.stop)
        is_whole = has_ended or was_stopped
        return Reply(
            status=ResponseStatus.OK if is_whole else ResponseStatus.TRUNCATED,
            text=text,
            finish_reason="stop" if is_whole else "length",
            attempts=1,
            prompt_tokens=prompt_tokens,
            completion_tokens=len(written) + has_ended,
        )

    @cached_property
    def _end_tokens(self) -> frozenset[int]:
        ends = self._loaded.model.generation_config.eos_token_id
        if ends is None:
            ends = self._loaded.processor.tokenizer.eos_token_id
        filling = self._loaded.processor.tokenizer.pad_token_id
        return frozenset([*(ends if isinstance(ends, list) else [ends]), filling])


def _picture(question: Question) -> Any:
    """The picture as the processor takes it, or None where it cannot be made."""
    if question.image_png is None:
        msg = "expected a question with a picture for an hf/ model, found one of words alone"
        raise UsageError(msg)
    try:
        return Image.open(io.BytesIO(question.image_png())).convert("RGB")
    except (ItemError, OSError) as error:
        logger.warning("%s: picture not made: %s", question.sample.sample_id, error)
        return None


def template_messages(question: Question) -> list[Json]:
    """The question's messages as chat templates of processors take them."""
    return [
        {"role": message["role"], "content": _template_parts(message["content"])}
        for message in chat_messages(question, "")
    ]


def _template_parts(content: str | list[Json]) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [{"type": "image"} if part["type"] == "image_url" else part for part in content]


def generate_arguments(generation: Generation, defaults: Any) -> Json:
    """Arguments of `generate` for the settings that a server gets as fields of a request.

    Args:
        generation: The settings.
        defaults: The model's `GenerationConfig`: its fields are what `extra_body` may set.

    Raises:
        UsageError: `extra_body` holds something else.
    """
    further = {k: v for k, v in generation.extra_body.items() if k != TEMPLATE_ARGUMENTS}
    unknown = sorted(name for name in further if not hasattr(defaults, name))
    if unknown:
        msg = f"extra_body: expected fields of GenerationConfig for an hf/ model, found {unknown}"
        raise UsageError(msg)
    arguments: Json = {"max_new_tokens": generation.max_tokens, "top_p": generation.top_p}
    arguments["stop_strings"] = list(generation.stop) or None
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if generation.temperature == 0:
        greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {**arguments, **greedy, **further}
    if generation.temperature is not None:
        arguments |= {"do_sample": True, "temperature": generation.temperature}
    return {**arguments, **further}


def until_end(tokens: list[int], ends: frozenset[int]) -> tuple[list[int], bool]:
    """Tokens before the first that ends a reply, and whether there is one; the rest is filling."""
    for place, token in enumerate(tokens):
        if token in ends:
            return tokens[:place], True
    return tokens, False


def before_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """Text before the first stop string, as servers give it, and whether there is one."""
    places = [place for word in stop if (place := text.find(word)) >= 0]
    return (text[: min(places)], True) if places else (text, False)
