"""Phrases with which a model declines to answer, in the languages models fall into."""

import re

from medvision.replies.plain_text import fold

_DOING = (
    r"(?:provide|determine|measure|assist|help|answer|give|estimate|calculate|compute|analy[sz]e"
    r"|interpret|identify|comply|fulfill|do (?:that|this)|diagnose|offer|make|perform|view|see"
    r"|process|complete|continue|accurately|reliably|safely|directly)\b"
)
_KNOWING = r"(?:determined|measured|estimated|calculated|identified|computed)\b"

_PHRASES = (
    # English
    ("sorry", r"\bsorry\b"),
    ("apologi", r"\b(?:i|my) apologi(?:[sz]e|es)\b"),
    ("cannot", rf"\bcannot (?:be {_KNOWING}|{_DOING})"),
    ("can not", rf"\bcan not (?:be {_KNOWING}|{_DOING})"),
    ("can't", rf"\bcan't (?:be {_KNOWING}|{_DOING})"),
    ("could", rf"\bcould(?:n't| not) {_DOING}"),
    ("won't", rf"\bwon't {_DOING}"),
    ("able to", rf"\b(?:unable|not able) to {_DOING}"),
    ("not possible", rf"\bnot possible to {_DOING}"),
    ("not ", r"\bnot (?:comfortable|qualified|allowed|permitted)\b"),
    ("decline to", r"\bdecline to\b"),
    ("refuse to", r"\brefuse to\b"),
    ("as a", r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"),
    ("information", r"\b(?:insufficient|not enough) information\b"),
    ("consult", r"\bconsult (?:with )?an? (?:qualified|medical|healthcare|licensed) "),
    # Chinese, simplified and traditional
    *((sign, sign) for sign in ("抱歉", "对不起", "對不起", "很遗憾", "很遺憾", "无法", "無法")),
    ("人工智能", "作为一个?人工智能"),
    ("不能", "不能(?:提供|测量|确定|回答|判断|给出)"),
    # Spanish
    ("lo siento", r"\blo siento\b"),
    ("no puedo", r"\bno puedo\b"),
    ("posible", r"\bno es posible\b|\bme es imposible\b"),
    ("lamento", r"\blamento\b"),
    ("disculp", r"\bdisculp[ae]"),
    # French
    ("désolé", r"\bdésolée?\b"),
    ("je ne", r"\bje ne (?:peux|suis) pas\b"),
    ("impossible d", r"\bimpossible d"),
    ("je regrette", r"\bje regrette\b"),
    # German
    ("leid", r"\btut mir leid\b|\bleider\b"),
    ("ich kann", r"\bich kann\b[^.\n]{0,80}\bnicht\b"),
    ("kann ich", r"\bkann ich\b[^.\n]{0,80}\bnicht\b"),
    ("nicht", r"\bnicht (?:möglich|in der lage)\b"),
    # Portuguese, Italian, Japanese, Korean, Russian
    ("não posso", r"\bnão posso\b"),
    ("desculpe", r"\bdesculpe\b"),
    ("mi dispiace", r"\bmi dispiace\b"),
    ("non posso", r"\bnon posso\b"),
    *(
        (sign, sign)
        for sign in ("申し訳", "できません", "죄송", "수 없습니다", "извините", "не могу")
    ),
)
"""Part of each phrase that is looked for first, and the pattern of the whole phrase."""

_PATTERNS = tuple((fold(part), re.compile(fold(phrase))) for part, phrase in _PHRASES)


_LOOKED_AT = 20_000
"""Characters at each end of a text in which phrases are looked for."""


def refuses(text: str) -> bool:
    """Whether the text holds a phrase that declines to answer; says nothing of its numbers.

    Of a text longer than 40,000 characters, only the first and last 20,000 are looked at.

    Example:
        refuses("Lo siento, no puedo medirlo.") is True.
    """
    if len(text) > 2 * _LOOKED_AT:
        text = f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"
    plain = fold(text).lower()
    return any(part in plain and pattern.search(plain) for part, pattern in _PATTERNS)
