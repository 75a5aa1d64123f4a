"""Questions to replies by a model that is loaded: a batch in, its replies out."""

import io
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from PIL import Image

from medvision.errors import UsageError
from medvision.extras import require
from medvision.models.base import Json, Question, Reply, ResponseStatus
from medvision.models.generation import Generation
from medvision.models.in_process.chat import Chat
from medvision.models.in_process.weights import EXTRA

TEMPLATE_ARGUMENTS = "chat_template_kwargs"
"""In `Generation.extra_body`: arguments of the chat template, as servers take them too."""


def picture_of(question: Question) -> Image.Image:
    """The RGB picture of a question, made now.

    Raises:
        UsageError: It is one of words alone.
        ItemError: The picture cannot be made.
    """
    if question.image_png is None:
        msg = (
            f"{question.sample.sample_id}: expected a question with a picture for a model in this "
            "process, found one of words alone"
        )
        raise UsageError(msg)
    return Image.open(io.BytesIO(question.image_png())).convert("RGB")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model with its conversation form.

    Attributes:
        model: Of the `transformers` library, perhaps wrapped by PEFT or sharded; ready to generate.
        chat: How it is talked to.
        autocast: Whether to compute in bf16 whatever the weights are held in. A trainer sees to
            that itself.
    """

    model: Any
    chat: Chat
    autocast: bool = False

    def replies(
        self, questions: Sequence[Question], pictures: Sequence[Image.Image], generation: Generation
    ) -> list[Reply]:
        """Replies to questions about their pictures, all generated at once.

        Args:
            questions: At least one.
            pictures: In their order.
            generation: Settings; where it has a seed, the first question's repeat is added to it.

        Raises:
            UsageError: `generation.extra_body` holds what no `GenerationConfig` has.
            torch.OutOfMemoryError: All together do not fit.
        """
        torch = require("torch", EXTRA, item="models in this process")
        tokenizer = self.chat.processor.tokenizer
        arguments = {
            "eos_token_id": self.end_tokens(),
            "pad_token_id": tokenizer.pad_token_id,
            **generate_arguments(generation, self.model.generation_config),
        }
        if generation.stop:
            arguments["tokenizer"] = tokenizer
        template_arguments = generation.extra_body.get(TEMPLATE_ARGUMENTS)
        prompts = [
            self.chat.prompt(one.prompt_text, one.system_text, template_arguments)
            for one in questions
        ]
        inputs = self.chat.tokens(prompts, pictures).to(self.model.device, self.model.dtype)
        if generation.seed is not None and generation.temperature != 0:
            torch.manual_seed(generation.seed + questions[0].repeat)
        kind = torch.device(self.model.device).type
        # No `torch.autocast(…, enabled=False)` otherwise: it would switch a trainer's own off.
        autocast = torch.autocast(kind, torch.bfloat16) if self.autocast else nullcontext()
        # Not `inference_mode`: what a model in training keeps of a call must stay fit for autograd.
        with torch.no_grad(), autocast:
            tokens = self.model.generate(**inputs, **arguments)
        n_prompt = inputs["input_ids"].shape[1]
        ends = arguments["eos_token_id"]  # perhaps another, from `extra_body`
        ends = frozenset(ends if isinstance(ends, list) else [ends])
        return [
            self._reply(row, ends, generation.stop, prompt_tokens)
            for row, prompt_tokens in zip(
                tokens[:, n_prompt:].tolist(),
                inputs["attention_mask"].sum(dim=1).tolist(),
                strict=True,
            )
        ]

    def end_tokens(self) -> list[int]:
        """Tokens that end a reply: those the model states, and what its template ends turns with.

        Models that state none end where the tokenizer does. Those that state too few would write
        on as the user after a turn that they were trained to end as the template does.
        """
        tokenizer = self.chat.processor.tokenizer
        stated = self.model.generation_config.eos_token_id
        if stated is None:
            stated = tokenizer.eos_token_id
        of_turn = tokenizer.convert_tokens_to_ids(self.chat.end_of_turn)
        ends = {*(stated if isinstance(stated, list) else [stated]), of_turn}
        return sorted(ends - {None})

    def _reply(
        self, tokens: list[int], ends: frozenset[int], stop: Sequence[str], prompt_tokens: int
    ) -> Reply:
        """The reply that one row of new tokens holds."""
        tokenizer = self.chat.processor.tokenizer
        written, has_ended = until_end(tokens, ends, tokenizer.pad_token_id)
        text = tokenizer.decode(written, skip_special_tokens=True)
        text, was_stopped = before_stop(text, stop)
        is_whole = has_ended or was_stopped
        return Reply(
            status=ResponseStatus.OK if is_whole else ResponseStatus.TRUNCATED,
            text=text,
            finish_reason="stop" if is_whole else "length",
            attempts=1,
            prompt_tokens=prompt_tokens,
            completion_tokens=len(written) + has_ended,
        )


def generate_arguments(generation: Generation, defaults: Any) -> Json:
    """Arguments of `generate` for the settings that a server gets as fields of a request.

    Args:
        generation: The settings.
        defaults: The model's `GenerationConfig`: its fields are what `extra_body` may set.

    Raises:
        UsageError: `extra_body` holds something else.

    Example:
        >>> from types import SimpleNamespace
        >>> generate_arguments(Generation(temperature=0.5, max_tokens=9), SimpleNamespace())
        {'max_new_tokens': 9, 'do_sample': True, 'temperature': 0.5}
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
        # None, so that what a model states for sampling is no reason for a warning
        greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {**arguments, **greedy, **further}
    if generation.temperature is not None:
        arguments |= {"do_sample": True, "temperature": generation.temperature}
    return {**arguments, **further}


def until_end(
    tokens: list[int], ends: frozenset[int], filling: int | None
) -> tuple[list[int], bool]:
    """Tokens before the first that ends a reply, and whether there is one; without filling.

    Rows are filled up to the longest: behind their end, or behind a stop string. A filling token
    that the model itself wrote within a reply ends nothing, as on servers.

    Example:
        >>> until_end([5, 6, 2, 0, 0], frozenset({2}), filling=0)
        ([5, 6], True)
        >>> until_end([5, 0, 6, 0], frozenset({2}), filling=0)
        ([5, 0, 6], False)
    """
    for place, token in enumerate(tokens):
        if token in ends:
            return tokens[:place], True
    n_written = len(tokens)
    while n_written and tokens[n_written - 1] == filling:
        n_written -= 1
    return tokens[:n_written], False


def before_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """Text before the first stop string, as servers give it, and whether there is one.

    Example:
        >>> before_stop("25 mm. Done", [".", "Done"])
        ('25 mm', True)
    """
    places = [place for word in stop if (place := text.find(word)) >= 0]
    return (text[: min(places)], True) if places else (text, False)
