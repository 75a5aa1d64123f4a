"""Any server that speaks the OpenAI chat protocol, through the async `openai` client."""

import asyncio
import base64
import logging
import os
import random
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from medvision.errors import UsageError
from medvision.models.addresses import is_address
from medvision.models.base import (
    ALL_TASKS,
    ErrorKind,
    Failure,
    Json,
    Question,
    Reply,
    chat_messages,
    error_reply,
)
from medvision.models.completion import MAX_BODY_BYTES, reply_from_body
from medvision.models.generation import Generation
from medvision.models.limits import Breaker, BreakerPolicy, Pace, Pacer, RetryPolicy
from medvision.tasks import Task

if TYPE_CHECKING:
    import openai

logger = logging.getLogger(__name__)

NO_KEY = "none"
"""Sent to a server of one's own when no key is set: the protocol wants some text there."""

SECRET_CHARACTERS = 8
"""A key of at least so many is blotted out wherever the server repeats it."""

_RUN_ENDING_CODES = frozenset({403, 404})
_UNPAID = 402

MAX_MESSAGE_CHARACTERS = 500
"""Of a server's words on an error, as they are stored."""

ADAPTED = {
    "max_tokens": ("max_tokens", "with max_completion_tokens"),
    "temperature": ("temperature", "without it: its own setting holds"),
    "top_p": ("top_p", "without it: its own setting holds"),
    "seed": ("seed", "without one"),
    "system": ("the system role", "with the system text before the question"),
    "detail": ("detail", "without it"),
}
"""Settings that some servers reject, and what is done then."""

_NAMED_AS = {
    # Every server speaks of max_tokens now and then; those that want the new name say it.
    "max_tokens": r"\bmax_completion_tokens\b",
    # Not any "system": "too large for this system". Chat templates and Google name it otherwise.
    "system": r"\bsystem\b.{0,20}\b(?:role|prompt|message|instruction)|\brole.{0,60}\bsystem\b"
    r"|developer instruction|\broles must alternate|valid role: user",
    # Not the key under which FastAPI, and with it many servers, states any error.
    "detail": r"\bdetail\b(?!['\"]\s*:)",
}
"""Where the setting's own name is not the word by which servers reject it: how they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where a model is and how it is asked.

    Attributes:
        name: The name the server knows.
        base_url: Of the server; None for OpenAI's own. Never part of a key, never stored.
        api_key_env: Environment variable that holds the key. A server given by `base_url`
            works without one.
        revision: Which version of the weights it serves, where known.
        max_in_flight: Requests under way at once, at most.
    """

    name: str
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    revision: str = ""
    generation: Generation = field(default_factory=Generation)
    max_in_flight: int = 32
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        if not self.name:
            msg = "expected openai/NAME with the name that the server knows, found no name"
            raise UsageError(msg)
        url = self.base_url
        if url is not None and not (
            is_address(url, {"http", "https"}) and url.isprintable() and " " not in url
        ):
            # Its words may hold a password.
            msg = (
                "expected a base URL that starts with http:// or https:// and names a host, such "
                "as http://HOST:PORT/v1"
            )
            raise UsageError(msg)


class OpenAIServer:
    """A served model. Connections open with the first question and close with `aclose`."""

    def __init__(self, settings: ServerSettings) -> None:
        """Read the key from the environment.

        Raises:
            UsageError: No key is set and the server is OpenAI's own.
        """
        self._settings = settings
        self._generation_key = settings.generation.as_key()
        self._key = _key_from_environment(settings)
        self._rng = random.Random()  # noqa: S311 (spreads retries, guards nothing)
        self._rejected: frozenset[str] = frozenset()
        self._seen_failures: set[tuple[ErrorKind, int | None]] = set()
        self._start()

    def _start(self) -> None:
        self._client: openai.AsyncOpenAI | None = None
        self._breaker = Breaker(self._settings.breaker)
        self._pacer = Pacer(self._settings.pace, self._settings.max_in_flight)
        self._any_answer = False

    @property
    def model_id(self) -> str:
        """openai/NAME."""
        return f"openai/{self._settings.name}"

    @property
    def revision(self) -> str:
        """As declared; a server does not say."""
        return self._settings.revision

    @property
    def settings(self) -> Json:
        """Generation settings as they enter a key."""
        return self._generation_key

    @property
    def tasks(self) -> frozenset[Task]:
        """All."""
        return ALL_TASKS

    def key_inputs(self, question: Question) -> Json:  # noqa: ARG002
        """Nothing beyond the prompt and the picture."""
        return {}

    async def aclose(self) -> None:
        """Close connections and forget what was found out about the server."""
        if self._client is not None:
            await self._client.close()
        self._start()

    async def reply(self, question: Question, image_png: bytes) -> Reply:
        """Ask one question, again and again where that may help.

        Raises:
            AccessRefusedError: The key, the model or the address is not accepted.
            ServerDeadError: The server cannot be reached any more.
        """
        image_url = "data:image/png;base64," + base64.b64encode(image_png).decode("ascii")
        retry = self._settings.retry
        left_s = retry.deadline_s
        attempt = 0
        while True:
            attempt += 1
            outcome, took_s = await self._attempt(question, image_url, left_s)
            if isinstance(outcome, Reply):
                self._note_answer(outcome)
                return replace(outcome, attempts=attempt)
            self._note_failure(outcome)
            delay_s = retry.delay_s(attempt, outcome.retry_after_s, self._rng)
            left_s -= took_s + delay_s
            if not outcome.is_retried or attempt >= retry.max_attempts or left_s <= 0:
                return error_reply(
                    outcome.kind,
                    http_code=outcome.http_code,
                    attempts=attempt,
                    message=self._without_key(outcome.server_text)[:MAX_MESSAGE_CHARACTERS],
                )
            if outcome.kind is ErrorKind.RATE_LIMITED:
                self._pacer.throttled(min(outcome.retry_after_s or 0.0, retry.retry_after_cap_s))
            await self._breaker.wait(delay_s)

    def _request(self, question: Question, image_url: str) -> Json:
        """A request without what the server is known to reject."""
        generation, rejected = self._settings.generation, self._rejected
        if "detail" in rejected:
            question = replace(question, image_detail="")
        if "system" in rejected and question.system_text:
            words = f"{question.system_text}\n\n{question.prompt_text}"
            question = replace(question, system_text="", prompt_text=words)
        seed = None if generation.seed is None else generation.seed + question.repeat
        newer = "max_tokens" in rejected
        optional = {
            "temperature": None if "temperature" in rejected else generation.temperature,
            "max_completion_tokens" if newer else "max_tokens": generation.max_tokens,
            "top_p": None if "top_p" in rejected else generation.top_p,
            "seed": None if "seed" in rejected else seed,
            "stop": list(generation.stop) or None,
            "extra_body": dict(generation.extra_body) or None,
        }
        return {
            "model": self._settings.name,
            "messages": chat_messages(question, image_url),
            **{name: value for name, value in optional.items() if value is not None},
        }

    async def _attempt(
        self, question: Question, image_url: str, left_s: float
    ) -> "tuple[Reply | Failure, float]":
        """One request, in its turn, and the seconds it took, waiting for the turn left out.

        A setting that the server rejects is left out at once and for all questions. What this
        request used decides, not what others have found out meanwhile: of many under way, each
        is sent again without it.
        """
        async with self._pacer.turn():
            self._breaker.check()
            start_s = time.monotonic()
            timeout_s = min(self._settings.retry.request_timeout_s, left_s)
            for _ in range(1 + len(ADAPTED)):
                request, used = self._request(question, image_url), self._rejected
                outcome = await self._send(request, timeout_s)
                rejected = _rejected_setting(outcome, request, used)
                if rejected is None:
                    break
                if rejected not in self._rejected:
                    self._rejected |= {rejected}
                    logger.warning(
                        "%s: the server rejects %s; asking %s", self.model_id, *ADAPTED[rejected]
                    )
            return outcome, time.monotonic() - start_s

    async def _send(self, request: Json, timeout_s: float) -> "Reply | Failure":
        import openai

        from medvision.models import failures

        start_s = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                body, content_type = await self._exchange(request)
        except TimeoutError:
            return Failure(kind=ErrorKind.TIMEOUT)
        except openai.APIStatusError as error:
            return failures.failure_of_status(error)
        except failures.TRANSPORT_ERRORS as error:
            return failures.failure_of_transport(error)
        if len(body) > MAX_BODY_BYTES:
            return error_reply(ErrorKind.OVERSIZED, http_code=200)
        outcome = reply_from_body(body, content_type)
        if not isinstance(outcome, Reply):
            return outcome
        return replace(
            outcome,
            text=self._without_key(outcome.text),
            reasoning=self._without_key(outcome.reasoning),
            finish_reason=self._without_key(outcome.finish_reason),
            latency_s=time.perf_counter() - start_s,
            http_code=200,
        )

    async def _exchange(self, request: Json) -> tuple[bytes, str]:
        """Body and content type of one response, no more than a little over the largest size."""
        chat = self._connected().chat.completions.with_streaming_response
        body = bytearray()
        async with chat.create(**request) as response:
            async for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    break
            return bytes(body), response.headers.get("content-type", "")

    def _connected(self) -> "openai.AsyncOpenAI":
        if self._client is None:
            import openai

            from medvision.models.http_client import http_client

            retry = self._settings.retry
            seconds = openai.Timeout(retry.request_timeout_s, connect=retry.connect_timeout_s)
            self._client = openai.AsyncOpenAI(
                api_key=self._key,
                base_url=self._settings.base_url or "https://api.openai.com/v1",
                max_retries=0,
                timeout=seconds,
                http_client=http_client(),
            )
        return self._client

    def _note_answer(self, reply: Reply) -> None:
        if reply.is_answer:
            self._breaker.answered()
            self._any_answer = True
        else:
            self._breaker.reached()
        self._pacer.answered((reply.prompt_tokens or 0) + (reply.completion_tokens or 0))

    def _note_failure(self, failure: "Failure") -> None:
        if failure.kind is ErrorKind.CONNECTION:
            self._breaker.unreachable()
        elif failure.http_code is not None:
            self._breaker.reached()
        if failure.is_retried:
            self._breaker.fruitless(is_throttled=failure.kind is ErrorKind.RATE_LIMITED)
        self._log_once(failure)
        code = failure.http_code or 0
        # 402 also stands inside a response of 200, and after answers.
        if code == _UNPAID or (code in _RUN_ENDING_CODES and not self._any_answer):
            from medvision.models import failures

            raise failures.access_refused(code)

    def _log_once(self, failure: "Failure") -> None:
        """Log the first failure of each sort with the server's words, the key blotted out."""
        sort = (failure.kind, failure.http_code)
        if sort in self._seen_failures:
            return
        self._seen_failures.add(sort)
        words = self._without_key(failure.server_text)
        code = f", HTTP {failure.http_code}" if failure.http_code else ""
        told = f": {words[:300]}" if words else ""
        logger.warning("%s: first failure %s%s%s", self.model_id, failure.kind, code, told)

    def _without_key(self, words: str) -> str:
        # A word as short as "EMPTY", or a digit, guards nothing and may be part of an answer.
        is_secret = len(self._key) >= SECRET_CHARACTERS
        return words.replace(self._key, "***") if is_secret else words


def _rejected_setting(
    outcome: Reply | Failure, request: Json, rejected: frozenset[str]
) -> str | None:
    """The setting that a failure names, if this request used it."""
    if isinstance(outcome, Reply) or outcome.http_code not in {400, 422}:
        return None
    words = outcome.server_text.lower()
    roles = {message["role"] for message in request["messages"]}
    content = request["messages"][-1]["content"]
    used = {
        "max_tokens": "max_tokens" in request,
        "temperature": "temperature" in request,
        "top_p": "top_p" in request,
        "seed": "seed" in request,
        "system": "system" in roles,
        "detail": any("detail" in part.get("image_url", {}) for part in content),
    }
    for name, is_used in used.items():
        named_as = _NAMED_AS.get(name, rf"\b{name}\b")
        if is_used and name not in rejected and re.search(named_as, words):
            return name
    return None


def _key_from_environment(settings: ServerSettings) -> str:
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key and settings.base_url is None:
        msg = (
            f"expected an API key in the environment variable {settings.api_key_env}, found none; "
            "set it, or name a server of your own with --base-url"
        )
        raise UsageError(msg)
    if not key.isascii() or not key.isprintable():
        msg = f"expected plain characters in {settings.api_key_env}, found others; set it anew"
        raise UsageError(msg)
    return key or NO_KEY
