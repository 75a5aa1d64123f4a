"""Phrases with which a model declines to answer, in the languages models fall into."""

import re

from medvision.prompts.plain_text import fold

_DOING = (
    r"(?:provide|determine|measure|assist|help|answer|give|estimate|calculate|compute|analy[sz]e"
    r"|interpret|identify|comply|fulfill|do (?:that|this)|diagnose|offer|make|perform|view|see"
    r"|process|complete|continue|accurately|reliably|safely|directly)"
)
_ENGLISH = (
    r"\bsorry\b",
    r"\bi apologi[sz]e\b",
    r"\bmy apologies\b",
    rf"\b(?:can ?not|can't|couldn't|could not|won't|unable to|not able to|not possible to)"
    rf" {_DOING}\b",
    r"\b(?:can ?not|can't) be (?:determined|measured|estimated|calculated|identified|computed)\b",
    r"\bnot (?:comfortable|qualified|allowed|permitted)\b",
    r"\b(?:decline|refuse) to\b",
    r"\bas an? (?:ai|artificial intelligence|language model|large language model)\b",
    r"\b(?:insufficient|not enough) information\b",
    r"\bconsult (?:with )?an? (?:qualified |medical |healthcare |licensed )",
)
_OTHERS = (
    # Chinese, simplified and traditional
    "抱歉|对不起|對不起|很遗憾|很遺憾|无法|無法|作为一个?人工智能|不能(?:提供|测量|确定|回答|判断|给出)",
    # Spanish
    r"\blo siento\b|\bno puedo\b|\bno es posible\b|\bme es imposible\b|\blamento\b|\bdisculp[ae]",
    # French
    r"\bdésolée?\b|\bje ne (?:peux|suis) pas\b|\bimpossible d|\bje regrette\b",
    # German
    r"\btut mir leid\b|\bleider\b|\bich kann\b[^.\n]{0,80}\bnicht\b"
    r"|\bkann ich\b[^.\n]{0,80}\bnicht\b"
    r"|\bnicht (?:möglich|in der lage)\b",
    # Portuguese, Italian, Japanese, Korean, Russian
    r"\bnão posso\b|\bdesculpe\b|\bmi dispiace\b|\bnon posso\b",
    "申し訳|できません|죄송|수 없습니다|извините|не могу",
)
_REFUSAL = re.compile("|".join(fold(phrase) for phrase in (*_ENGLISH, *_OTHERS)), re.IGNORECASE)


def refuses(text: str) -> bool:
    """Whether the text holds a phrase that declines to answer; says nothing of its numbers.

    Example:
        refuses("Lo siento, no puedo medirlo.") is True.
    """
    return _REFUSAL.search(fold(text)) is not None
