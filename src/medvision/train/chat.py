"""The conversation around prompt and target: the model's own template, and where a turn ends."""

from dataclasses import dataclass
from typing import Any

from medvision.train.errors import BaseModelError

_REPLY = "0.1234"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """How one model's conversations are written.

    Attributes:
        processor: With the chat template.
        end_of_turn: The token that the assistant's turn ends with, as text.
        system_text: System message; none when empty.
    """

    processor: Any
    end_of_turn: str
    system_text: str = ""

    def prompt(self, text: str) -> str:
        """A question with its picture, up to where the assistant's turn begins.

        It starts with the token that begins a text, if the tokenizer puts one there: the
        collator adds none.
        """
        rendered = _rendered(self.processor, _question(text, self.system_text), is_open=True)
        begin = _beginning(self.processor.tokenizer)
        return rendered if rendered.startswith(begin) else begin + rendered

    def completion(self, target: str) -> str:
        """The assistant's turn: what counts in the loss, and nothing else."""
        return target + self.end_of_turn


def chat_of(processor: Any, base: str, system_text: str = "") -> Chat:
    """The conversation form of a base model, checked on an example.

    The end of a turn is the special token that the template writes after a reply; where it
    writes none, the tokenizer's end of sequence.

    Raises:
        BaseModelError: No chat template, or one that leaves pictures or text out, or no token
            that ends a turn.
    """
    if not getattr(processor, "chat_template", None):
        msg = (
            f"{base}: the base model has no chat template, so its prompts cannot be written; "
            "choose an instruction-tuned model"
        )
        raise BaseModelError(msg)
    question = _question("Measure it.", system_text)
    opened = _rendered(processor, question, is_open=True)
    marks = [
        mark for name in ("image_token", "boi_token") if (mark := getattr(processor, name, None))
    ]
    if marks and not any(mark in opened for mark in marks):
        msg = (
            f"{base}: the chat template leaves the picture out (none of {', '.join(marks)} in "
            f"{opened!r}): this model has no image support"
        )
        raise BaseModelError(msg)
    if "Measure it." not in opened:
        msg = f"{base}: the chat template leaves the question out: {opened!r}"
        raise BaseModelError(msg)
    return Chat(
        processor=processor,
        end_of_turn=_end_of_turn(processor, question, base),
        system_text=system_text,
    )


def _question(text: str, system_text: str) -> list[dict[str, Any]]:
    """The messages that a served model gets, with a mark where the picture goes."""
    user = [{"type": "image"}, {"type": "text", "text": text}]
    system = [{"role": "system", "content": [{"type": "text", "text": system_text}]}]
    return [*(system if system_text else []), {"role": "user", "content": user}]


def _rendered(processor: Any, messages: list[dict[str, Any]], *, is_open: bool) -> str:
    text: str = processor.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=is_open
    )
    return text


def _beginning(tokenizer: Any) -> str:
    """The token that this tokenizer puts before every text, or ""."""
    first = tokenizer("a")["input_ids"][0]
    return str(tokenizer.bos_token) if first == tokenizer.bos_token_id else ""


def _end_of_turn(processor: Any, question: list[dict[str, Any]], base: str) -> str:
    reply = {"role": "assistant", "content": [{"type": "text", "text": _REPLY}]}
    whole = _rendered(processor, [*question, reply], is_open=False)
    after = whole.rpartition(_REPLY)[2].lstrip()
    tokens = processor.tokenizer.added_tokens_decoder.values()
    special = [t.content for t in tokens if t.special and after.startswith(t.content)]
    if special:
        return str(max(special, key=len))
    if processor.tokenizer.eos_token:
        return str(processor.tokenizer.eos_token)
    msg = f"{base}: neither the chat template nor the tokenizer says how a turn ends"
    raise BaseModelError(msg)
