"""One model under the names that makers, hubs, routers and local servers give it."""

import re
from collections import Counter

_PACKED = r"v|fp|bf|int|q|bit|nvfp|mxfp"
_OF_A_RELEASE = re.compile(
    r"\d+|latest|preview|exp|experimental|stable|free|online|hf|instruct|it|awq|gptq|mlx|gguf|"
    rf"k|m|s|l|{_PACKED}"
)
"""Words that tell releases and packings of one model apart, not models: dates, "latest", "fp8"."""

_WORDS = re.compile(r"[a-z]+|\d+")


def words_of(name: str) -> tuple[str, ...]:
    """Letters and numbers of a name, whatever stands between them.

    Example:
        >>> words_of("Qwen2.5-VL-7B") == words_of("qwen2.5vl:7b") == words_of("qwen-2_5 vl 7b")
        True
    """
    return tuple(_WORDS.findall(name.casefold()))


def is_same_model(asked: str, named: str) -> bool:
    """Whether a server's name for a model is the one asked for, or a release of it.

    Makers, folders and routers before the last slash do not count, nor does the order of words.

    Example:
        >>> is_same_model("openai/gpt-4o", "gpt-4o-2024-08-06")
        True
        >>> is_same_model("gpt-4o", "gpt-4o-mini"), is_same_model("gpt-4", "gpt-4.1-2025-04-14")
        (False, False)
    """
    ours, theirs = (Counter(words_of(name.rpartition("/")[2])) for name in (asked, named))
    shared = ours & theirs
    extra = [*(ours - shared).elements(), *(theirs - shared).elements()]
    if not shared or not all(_OF_A_RELEASE.fullmatch(word) for word in extra):
        return False
    # A short number more is another model, unless it is a year's month or day or a packing's bits.
    n_short = sum(word.isdigit() and len(word) < 3 for word in extra)
    n_years = sum(re.fullmatch(r"20\d\d", word) is not None for word in extra)
    n_packings = sum(re.fullmatch(_PACKED, word) is not None for word in extra)
    return n_short <= 2 * n_years + n_packings
