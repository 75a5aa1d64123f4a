"""The conversation around prompt and reply: the model's own template, where it starts and ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateError
from PIL import Image

from medvision.errors import UsageError
from medvision.models.base import Json

_QUESTION, _REPLY = "Measure it.", "0.1234"
"""Example that shows what a template does."""


class ChatError(UsageError):
    """The model's template cannot write a conversation about a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Who puts the token in front that a text starts with, so that it stands there once.

    Some templates write it and some leave it to the tokenizer; a tokenizer that is left to itself
    may add it once more, or close the prompt with an end of sequence.

    Attributes:
        text: Written before every rendered prompt.
        by_tokenizer: Whether the tokenizer is to add it.
        key_inputs: What of this enters a request's key: nothing where the tokens are those of the
            library's own rule, as they were before there was another.
    """

    text: str = ""
    by_tokenizer: bool = False
    key_inputs: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """How one model's conversations are written, and made into tokens.

    Attributes:
        processor: Of text and pictures, of the `transformers` library.
        template: The chat template.
        end_of_turn: The token that the assistant's turn ends with, as text.
        beginning: What starts a prompt.
    """

    processor: Any
    template: str
    end_of_turn: str
    beginning: Beginning

    def prompt(
        self, text: str, system_text: str = "", arguments: Mapping[str, Any] | None = None
    ) -> str:
        """A question with its picture, up to where the assistant's turn begins.

        Args:
            text: The user's words.
            system_text: System message; none when empty.
            arguments: Of the template, such as `enable_thinking`.
        """
        messages = template_messages(text, system_text)
        rendered: str = self.processor.apply_chat_template(
            messages,
            chat_template=self.template,
            tokenize=False,
            add_generation_prompt=True,
            **(arguments or {}),
        )
        return self.beginning.text + rendered

    def completion(self, target: str) -> str:
        """The assistant's turn: what counts in the loss, and nothing else."""
        return target + self.end_of_turn

    def tokens(self, prompts: Sequence[str], pictures: Sequence[Image.Image]) -> Any:
        """Prompts and the picture of each as tensors; padded in front, so that replies align."""
        return self.processor(
            images=[[picture] for picture in pictures],
            text=list(prompts),
            padding=True,
            padding_side="left",
            return_tensors="pt",
            add_special_tokens=self.beginning.by_tokenizer,
        )


def template_messages(text: str, system_text: str = "") -> list[Json]:
    """The messages that a served model gets, as chat templates of processors take them.

    Example:
        >>> (user,) = template_messages("How long is it?")
        >>> user["role"], user["content"]
        ('user', [{'type': 'image'}, {'type': 'text', 'text': 'How long is it?'}])
    """
    user = [{"type": "image"}, {"type": "text", "text": text}]
    system = [{"role": "system", "content": [{"type": "text", "text": system_text}]}]
    return [*(system if system_text else []), {"role": "user", "content": user}]


def chat_of(processor: Any, name: str) -> Chat:
    """The conversation form of a model, checked on an example.

    The template is the processor's own, else the tokenizer's. The end of a turn is the special
    token that the template writes after a reply; where it writes none, the tokenizer's end of
    sequence.

    Args:
        processor: As `load_processor` gives it.
        name: The model, for messages.

    Raises:
        ChatError: No chat template, or one that leaves pictures or text out, or no token that
            ends a turn.
    """
    tokenizer = processor.tokenizer
    template = _named_default(processor) or _named_default(tokenizer)
    if not template:
        msg = (
            f"{name}: the model has no chat template, so its prompts cannot be written; choose an "
            "instruction-tuned model, or serve it with its own code and ask it as openai/NAME"
        )
        raise ChatError(msg)
    messages = template_messages(_QUESTION)
    opened = processor.apply_chat_template(
        messages, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    marks = [
        mark for kind in ("image_token", "boi_token") if (mark := getattr(processor, kind, None))
    ]
    if marks and not any(mark in opened for mark in marks):
        msg = (
            f"{name}: the chat template leaves the picture out (none of {', '.join(marks)} in "
            f"{opened!r}): this model has no image support"
        )
        raise ChatError(msg)
    if _QUESTION not in opened:
        msg = f"{name}: the chat template leaves the question out: {opened!r}"
        raise ChatError(msg)
    end_of_turn = _end_of_turn(processor, template, messages) or tokenizer.eos_token
    if not end_of_turn:
        msg = f"{name}: neither the chat template nor the tokenizer says how a turn ends"
        raise ChatError(msg)
    return Chat(
        processor=processor,
        template=template,
        end_of_turn=str(end_of_turn),
        beginning=beginning_of(tokenizer, opened),
    )


def _named_default(holder: Any) -> str:
    """The chat template of a processor or a tokenizer; of several, the one named so."""
    template = getattr(holder, "chat_template", None) or ""
    return template.get("default", "") if isinstance(template, Mapping) else template


def beginning_of(tokenizer: Any, rendered: str) -> Beginning:
    """What starts a prompt, seen from what the tokenizer adds to a text of one letter.

    Args:
        tokenizer: Of the `transformers` library.
        rendered: A prompt as the template writes it.
    """
    bare, whole = (tokenizer("a", add_special_tokens=add)["input_ids"] for add in (False, True))
    n_front = next((n for n in range(len(whole)) if whole[n : n + len(bare)] == bare), 0)
    front, back = whole[:n_front], whole[n_front + len(bare) :]
    words = tokenizer.convert_ids_to_tokens(front)
    has_bos = tokenizer.bos_token is not None and rendered.startswith(tokenizer.bos_token)
    is_missing = bool(words) and not has_bos and not rendered.startswith(words[0])
    # The rule of the library's processors, which servers follow and which was ours once: the
    # tokenizer adds what it has unless the text starts with `bos_token`.
    by_rule = [] if has_bos else [*front, *back]
    by_us = front if is_missing else []
    return Beginning(
        # Written into the text, the token would take the place of the first word, which tokenizers
        # of the Llama kind split otherwise than a later one: so the tokenizer adds it if it can.
        text="".join(words) if is_missing and back else "",
        by_tokenizer=is_missing and not back,
        key_inputs={} if by_us == by_rule else {"start": words if is_missing else []},
    )


def _end_of_turn(processor: Any, template: str, messages: list[Json]) -> str:
    """The special token that the template writes after a reply, or ""."""
    for content in ([{"type": "text", "text": _REPLY}], _REPLY):
        reply = {"role": "assistant", "content": content}
        try:
            whole = processor.apply_chat_template(
                [*messages, reply], chat_template=template, tokenize=False
            )
        except (TemplateError, TypeError):  # some take the assistant's words only one way
            continue
        _, said, after = whole.rpartition(_REPLY)
        tokens = processor.tokenizer.added_tokens_decoder.values()
        special = [t.content for t in tokens if t.special and after.lstrip().startswith(t.content)]
        if said and special:
            return str(max(special, key=len))
    return ""
