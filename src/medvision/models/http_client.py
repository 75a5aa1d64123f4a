"""The HTTP client below `openai`: as the latter makes it, but no failure is read whole."""

from collections.abc import AsyncIterator
from typing import Any

import openai

MAX_FAILURE_BYTES = 64_000
"""Of the body of a response that is no success; what is beyond it is never received."""


def http_client() -> Any:
    """A client for `openai.AsyncOpenAI`, of the HTTP library that its version speaks through."""
    return openai.DefaultAsyncHttpxClient(event_hooks={"response": [_cut_failure]})


async def _cut_failure(response: Any) -> None:
    """Put the beginning of a failure's body in place of its whole stream."""
    if response.status_code >= 300:
        cut = type(response)(response.status_code, content=_beginning(response.stream))
        response.stream = cut.stream


async def _beginning(stream: Any) -> AsyncIterator[bytes]:
    n_bytes = 0
    try:
        async for chunk in stream:
            yield chunk
            n_bytes += len(chunk)
            if n_bytes >= MAX_FAILURE_BYTES:
                return
    finally:
        await stream.aclose()
