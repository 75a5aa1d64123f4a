"""The part of a reply that may be read: after its thinking, inside its answer tags."""

import re
from dataclasses import dataclass

_MARKS: tuple[tuple[str, str], ...] = (
    *(
        (rf"<\s*{name}\s*>", rf"<\s*/\s*{name}\s*>")
        for name in (
            "think",
            "thinking",
            "thoughts?",
            "reasoning",
            "reflection",
            "analysis",
            "seed:think",
            "mm:think",
        )
    ),
    (r"◁think▷", r"◁/think▷"),
    (r"\[think\]", r"\[/think\]"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<unused94>", r"<unused95>"),
    (r"<\|channel>thought", r"<channel\|>"),
    (r"<\|channel\|>analysis<\|message\|>", r"<\|channel\|>final<\|message\|>"),
)
"""Opening and closing marks of thinking that open models write, as patterns."""

_OPENING = re.compile(
    # Possessive: spaces without end are not tried again and again.
    r"\s*+(?:" + "|".join(f"({opening})" for opening, _ in _MARKS) + ")",
    re.IGNORECASE,
)
_EITHER = tuple(
    re.compile(f"({opening})|({closing})", re.IGNORECASE) for opening, closing in _MARKS
)
_TEMPLATED = re.compile(
    r"(<\s*think(?:ing)?\s*>|◁think▷|\[think\])|(<\s*/\s*think(?:ing)?\s*>|◁/think▷|\[/think\])",
    re.IGNORECASE,
)
"""Thinking whose opening mark chat templates put into the prompt, so that replies lack it."""

_ANSWER_TAG = re.compile(r"<\s*(/?)\s*answer\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """Where a reply goes on after its thinking.

    Attributes:
        start: Index of the first character after it.
        thinking_closed: False when the reply opens with thinking that never closes; `start` is
            then the index after its opening mark.
    """

    start: int
    thinking_closed: bool


def visible(text: str) -> Visible:
    """Skips closed thinking at the head of a reply.

    A reply whose first thinking mark closes was opened in the prompt by its chat template: all up
    to that mark is thinking. Thinking further down is part of the reply.
    """
    start = 0
    while opening := _OPENING.match(text, start):
        index = next(number for number, mark in enumerate(opening.groups()) if mark is not None)
        end = _closing_end(text, opening.end(), _EITHER[index])
        if end is None:
            return Visible(start=opening.end(), thinking_closed=False)
        start = end
    if start == 0 and "think" in text.lower():
        first = _TEMPLATED.search(text)
        start = first.end() if first and first[2] else start
    return Visible(start=start, thinking_closed=True)


def _closing_end(text: str, start: int, marks: re.Pattern[str]) -> int | None:
    """End of the mark that closes the thinking opened before `start`, nested thinking included.

    Where the nesting never closes, the last closing mark counts: an opening mark was only named.
    """
    depth, last_end = 1, None
    for mark in marks.finditer(text, start):
        depth += 1 if mark[1] else -1
        if mark[2]:
            last_end = mark.end()
        if depth == 0:
            return mark.end()
    return last_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """What the answer tags of a reply hold.

    Attributes:
        content: Of the last complete pair of tags; None without one.
        open_end: Index after the last opening tag that is not closed; None without one.
    """

    content: str | None
    open_end: int | None


def tagged_answer(text: str, start: int) -> Tagged:
    """The last complete `<answer>…</answer>` from `start` on."""
    content, open_end = None, None
    for tag in _ANSWER_TAG.finditer(text, start):
        if not tag[1]:
            open_end = tag.end()
        elif open_end is not None:
            content, open_end = (open_end, tag.start()), None
    return Tagged(content=text[slice(*content)] if content else None, open_end=open_end)
