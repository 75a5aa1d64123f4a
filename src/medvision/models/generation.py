"""How a model is to write: the same settings for served models and for those in this process."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medvision.errors import UsageError
from medvision.models.base import Json

_RESERVED = frozenset(
    {"messages", "model", "n", "stream", "temperature", "max_tokens", "top_p", "seed", "stop"}
)
"""Fields of a request that have an option of their own or are set by us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """How the model is to write: everything here is part of every request's key.

    Attributes:
        temperature: None leaves it to the server (some models accept no other value).
        max_tokens: Most tokens of one reply, reasoning included; None leaves it to the server.
        top_p: None leaves it to the server.
        seed: Of the first repeat; repeat n is sent seed + n. None sends none.
        stop: Strings at which the server stops writing.
        extra_body: Further fields of the request, for a server's own options.
    """

    temperature: float | None = 0.0
    max_tokens: int | None = 4096
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            msg = f"expected at least 1 token, found max_tokens={self.max_tokens}"
            raise UsageError(msg)
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            msg = f"expected a temperature of at least 0, found {self.temperature}"
            raise UsageError(msg)
        if self.top_p is not None and not 0 < self.top_p <= 1:
            msg = f"expected a top_p above 0 and at most 1, found {self.top_p}"
            raise UsageError(msg)
        taken = sorted(_RESERVED & set(self.extra_body))
        if taken:
            msg = f"extra_body: expected options of the server, found {taken}, which are set apart"
            raise UsageError(msg)

    def as_key(self) -> Json:
        """These settings as they enter a key."""
        return {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "top_p": self.top_p,
            "seed": self.seed,
            "stop": list(self.stop),
            "extra_body": dict(self.extra_body),
        }
