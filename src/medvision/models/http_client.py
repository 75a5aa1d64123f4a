"""The HTTP client below `openai`: as the latter makes it, but no failure is read whole."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.request import getproxies

import openai

from medvision.errors import UsageError
from medvision.models.addresses import is_address

PROXIED = frozenset({"http", "https", "all"})
PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})

MAX_FAILURE_BYTES = 64_000
"""Of the body of a response that is no success; what is beyond it is never received."""


def http_client() -> Any:
    """A client for `openai.AsyncOpenAI`, of the HTTP library that its version speaks through.

    Raises:
        UsageError: A proxy of the environment is no address. Its words may hold a password, and
            are not told.
    """
    for scheme, address in getproxies().items():
        if scheme not in PROXIED:
            continue
        if not is_address(address if "://" in address else f"http://{address}", PROXY_SCHEMES):
            name = f"{scheme.upper()}_PROXY"
            schemes = ", ".join(sorted(PROXY_SCHEMES))
            msg = (
                f"{name} of the environment: expected an address such as http://HOST:PORT (of "
                f"{schemes}), found something else; set it right, or unset it"
            )
            raise UsageError(msg)
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
