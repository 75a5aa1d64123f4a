"""Tokens of hosts, from the environment variables that their own clients read; in no log."""

import os
from collections.abc import Sequence

from medvision.catalog.source import SourceKind
from medvision.fetch.errors import MissingTokenError

VARIABLES: dict[SourceKind, tuple[str, ...]] = {
    SourceKind.HUGGINGFACE: ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    SourceKind.SYNAPSE: ("SYNAPSE_AUTH_TOKEN", "SYNAPSE_TOKEN"),
    SourceKind.KAGGLE: ("KAGGLE_API_TOKEN", "KAGGLE_KEY"),
}
"""Environment variables that may hold a host's token; the first one set counts."""

PAGES = {
    SourceKind.HUGGINGFACE: "https://huggingface.co/settings/tokens",
    SourceKind.SYNAPSE: "https://www.synapse.org/PersonalAccessTokens:",
    SourceKind.KAGGLE: "https://www.kaggle.com/settings",
}
"""Where a host gives out tokens."""


def token_of(kind: SourceKind) -> str:
    """The user's token for a kind of host; "" where none is set."""
    return next(filter(None, (os.environ.get(name) for name in VARIABLES.get(kind, ()))), "")


def needed_token(kind: SourceKind, item: str) -> str:
    """The user's token, where nothing goes without.

    Args:
        kind: The host.
        item: What is to be downloaded, for the message.

    Raises:
        MissingTokenError: None is set; the message says how to get and set one.
    """
    token = token_of(kind)
    if not token:
        msg = (
            f"{item}: needs a token of {kind}: accept the terms on its page, make a token at "
            f"{PAGES[kind]} and set {VARIABLES[kind][0]}"
        )
        raise MissingTokenError(msg)
    return token


def without_tokens(text: str) -> str:
    """A text in which no token stands, whatever a library has put into its message."""
    values = [os.environ.get(name, "") for names in VARIABLES.values() for name in names]
    return masked(text, [value for value in values if value])


def masked(text: str, secrets: Sequence[str]) -> str:
    """A text with stars in place of secrets.

    Example:
        >>> masked("GET /a?token=hf_abc failed", ["hf_abc"])
        'GET /a?token=*** failed'
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
