"""How long a server asks to wait, for all that speaks HTTP."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

HTTP_LIBRARIES = ("httpx2", "httpx")
"""openai 3 brings the first and speaks HTTP through it, openai 2 the second."""


def retry_after_s(text: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait, in either of its two forms.

    A date without a zone is UTC. None where nothing is asked, or nothing that can be read.

    Example:
        >>> retry_after_s("1.5"), retry_after_s(None), retry_after_s("soon")
        (1.5, None, None)
    """
    seconds = number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def number(text: str | None) -> float | None:
    """A header's finite number of at least 0; None where it is none.

    Example:
        >>> number("250"), number("-1"), number("nan")
        (250.0, None, None)
    """
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None
