"""Whether text is an address that can be asked; nothing is looked up."""

from collections.abc import Collection
from urllib.parse import urlsplit


def is_address(url: str, schemes: Collection[str]) -> bool:
    """Whether a URL has one of the schemes, a host and, if any, a port that is a number.

    Example:
        >>> is_address("http://host:8000/v1", {"http"}), is_address("http://host:x", {"http"})
        (True, False)
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # which raises where it is none
    except ValueError:
        return False
    return bool(parts.hostname) and parts.scheme in schemes
