"""How fast, how long and how much is asked: retries, pace, budget, and when to give up."""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from medvision.errors import UsageError
from medvision.models.base import Reply, ServerDeadError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long one question is tried.

    Attributes:
        max_attempts: Requests sent for one question, at most.
        request_timeout_s: For one request, from sending to the reply's last byte.
        connect_timeout_s: For reaching the server at all.
        deadline_s: For one question with all its attempts and waits.
        first_delay_s: Ceiling of the random wait before the second attempt; doubles from there.
        max_delay_s: Ceiling of that ceiling.
        retry_after_cap_s: Longest wait a server's Retry-After is obeyed for.
    """

    max_attempts: int = 8
    request_timeout_s: float = 300.0
    connect_timeout_s: float = 10.0
    deadline_s: float = 1800.0
    first_delay_s: float = 0.5
    max_delay_s: float = 30.0
    retry_after_cap_s: float = 120.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            msg = f"expected at least 1 attempt, found max_attempts={self.max_attempts}"
            raise UsageError(msg)
        for name in ("request_timeout_s", "connect_timeout_s", "deadline_s"):
            if not getattr(self, name) > 0:  # NaN is none either
                msg = f"expected a positive time, found {name}={getattr(self, name)}"
                raise UsageError(msg)

    def delay_s(self, attempt: int, retry_after_s: float | None, rng: random.Random) -> float:
        """Wait after the `attempt`-th failure (1 is the first): exponential with full jitter.

        A Retry-After is the least to wait, up to its cap; the jitter comes on top of it, so that
        those who were sent away together do not come back together.
        """
        ceiling_s = min(self.max_delay_s, self.first_delay_s * 2.0 ** min(attempt - 1, 30))
        floor_s = min(retry_after_s or 0.0, self.retry_after_cap_s)
        return floor_s + rng.uniform(0.0, ceiling_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a server counts as dead: number and time must both be reached.

    A restart that cuts every open connection at once is survived, and so are minutes of errors.

    Attributes:
        n_failures: Connection failures in a row, over all questions, nothing coming through.
        for_at_least_s: Time from the first of them to the last.
        n_fruitless: Failed attempts of any kind in a row, without one answer among them.
        fruitless_for_at_least_s: Time from the first of them to the last.
        throttled_for_at_least_s: The same, where the last was one of "too many requests".
    """

    n_failures: int = 10
    for_at_least_s: float = 5.0
    n_fruitless: int = 50
    fruitless_for_at_least_s: float = 300.0
    throttled_for_at_least_s: float = 3600.0


@dataclass(slots=True)
class _Streak:
    """Failures in a row, and when the first of them was."""

    n: int = 0
    first_s: float = 0.0

    def add(self) -> None:
        if not self.n:
            self.first_s = time.monotonic()
        self.n += 1

    def reaches(self, n: int, for_at_least_s: float) -> bool:
        return self.n >= n and self.lasted_s >= for_at_least_s

    @property
    def lasted_s(self) -> float:
        return time.monotonic() - self.first_s if self.n else 0.0


class Breaker:
    """Opens, for good, when the server stops being reachable or stops answering."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._unreachable = _Streak()
        self._fruitless = _Streak()
        self._opened = asyncio.Event()
        self._found = ""

    @property
    def is_open(self) -> bool:
        """Whether the server was found dead."""
        return self._opened.is_set()

    def reached(self) -> None:
        """The server said something: it can be reached."""
        self._unreachable = _Streak()

    def answered(self) -> None:
        """The server gave an answer: it lives."""
        self._unreachable, self._fruitless = _Streak(), _Streak()

    def unreachable(self) -> None:
        """One more connection failed."""
        self._unreachable.add()
        if self._unreachable.reaches(self._policy.n_failures, self._policy.for_at_least_s):
            self._open(f"expected a server, found none in {self._unreachable.n} connections")

    def fruitless(self, *, is_throttled: bool = False) -> None:
        """One more attempt failed that another might have answered."""
        self._fruitless.add()
        policy = self._policy
        least_s = policy.fruitless_for_at_least_s
        if is_throttled:
            least_s = policy.throttled_for_at_least_s
        if self._fruitless.reaches(policy.n_fruitless, least_s):
            n, lasted_s = self._fruitless.n, self._fruitless.lasted_s
            self._open(f"expected answers, found none in {n} attempts over {lasted_s:.0f} s")

    def _open(self, found: str) -> None:
        self._found = self._found or found
        self._opened.set()

    def check(self) -> None:
        """Pass while closed.

        Raises:
            ServerDeadError: It is open.
        """
        if self.is_open:
            msg = (
                f"{self._found} in a row; check that the server runs, what its log says and that "
                "--base-url names it, then repeat the same command"
            )
            raise ServerDeadError(msg)

    async def wait(self, delay_s: float) -> None:
        """Wait, but no longer than until the breaker opens.

        Raises:
            ServerDeadError: It opened.
        """
        try:
            async with asyncio.timeout(delay_s):
                await self._opened.wait()
        except TimeoutError:
            return
        self.check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Limits that a provider sets per minute; None is no limit."""

    requests_per_min: float | None = None
    tokens_per_min: float | None = None

    def __post_init__(self) -> None:
        for name in ("requests_per_min", "tokens_per_min"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                msg = f"expected a positive {name}, found {value}"
                raise UsageError(msg)


class Pacer:
    """Lets requests out no faster than the pace, and fewer at a time while the server complains.

    Requests are spaced evenly. Tokens are charged by the running mean when a request goes out
    and settled when its reply states the true number. After "too many requests" the number in
    flight is halved (at most once a second), and grows back by one per round of successes.
    """

    def __init__(self, pace: Pace, max_in_flight: int) -> None:
        self._pace = pace
        self._max_in_flight = max_in_flight
        self._allowed = float(max_in_flight)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._last_cut_s = float("-inf")
        self._closed_until_s = 0.0
        self._next_request_s = 0.0
        self._next_token_s = 0.0
        self._mean_tokens = 0.0

    @property
    def allowed_in_flight(self) -> int:
        """How many requests may be under way at this moment."""
        return max(1, int(self._allowed))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one of the places in flight, entered at the pace."""
        while self._in_flight >= self.allowed_in_flight:
            await self._place_free()
        self._in_flight += 1
        try:
            await self._wait_for_slot()
            yield
        finally:
            self._in_flight -= 1
            self._wake()

    def throttled(self, wait_s: float = 0.0) -> None:
        """The server asked for fewer requests, and for none during `wait_s`."""
        now_s = time.monotonic()
        self._closed_until_s = max(self._closed_until_s, now_s + wait_s)
        if now_s - self._last_cut_s >= 1.0:
            self._last_cut_s = now_s
            self._allowed = max(1.0, self._allowed / 2)

    def answered(self, n_tokens: int) -> None:
        """A reply came that cost so many tokens, prompt and completion."""
        if self._allowed < self._max_in_flight:
            self._allowed = min(float(self._max_in_flight), self._allowed + 1 / self._allowed)
            self._wake()
        if self._pace.tokens_per_min:
            self._next_token_s += (n_tokens - self._mean_tokens) * 60 / self._pace.tokens_per_min
            self._mean_tokens += 0.1 * (n_tokens - self._mean_tokens)

    async def _place_free(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            else:
                self._wake()
            raise

    def _wake(self) -> None:
        free = self.allowed_in_flight - self._in_flight
        while self._waiting and free > 0:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1

    async def _wait_for_slot(self) -> None:
        now_s = time.monotonic()
        at_s = max(now_s, self._closed_until_s)
        if self._pace.requests_per_min:
            at_s = max(at_s, self._next_request_s)
            self._next_request_s = at_s + 60 / self._pace.requests_per_min
        if self._pace.tokens_per_min:
            at_s = max(at_s, self._next_token_s)
            cost_s = self._mean_tokens * 60 / self._pace.tokens_per_min
            self._next_token_s = max(at_s, self._next_token_s) + cost_s
        if at_s > now_s:
            await asyncio.sleep(at_s - now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may spend; None is no limit. Requests under way when it is spent still count.

    Attributes:
        max_tokens: Prompt and completion tokens together, as the server counts them.
        max_money: In the currency of the prices, which it needs.
        money_per_prompt_mtok: Price of a million prompt tokens.
        money_per_completion_mtok: Price of a million completion tokens.
    """

    max_tokens: int | None = None
    max_money: float | None = None
    money_per_prompt_mtok: float | None = None
    money_per_completion_mtok: float | None = None

    def __post_init__(self) -> None:
        prices = (self.money_per_prompt_mtok, self.money_per_completion_mtok)
        if self.max_money is not None and None in prices:
            msg = "a budget in money needs the price of prompt and of completion tokens"
            raise UsageError(msg)
        amounts = (self.max_tokens, self.max_money, *prices)
        if any(amount is not None and not 0 <= amount < math.inf for amount in amounts):
            msg = f"expected a budget and prices of at least 0, found {amounts}"
            raise UsageError(msg)

    @property
    def is_limited(self) -> bool:
        """Whether anything is limited."""
        return self.max_tokens is not None or self.max_money is not None


MOST_UNCOUNTED = 10
"""Answers without token counts, and none with, after which a budget is taken to be unkeepable."""


class Spending:
    """Adds up what a run costs."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._n_uncounted = 0

    def add(self, reply: Reply) -> None:
        """Count one reply's tokens."""
        self._n_uncounted += reply.is_answer and reply.prompt_tokens is None
        self.prompt_tokens += reply.prompt_tokens or 0
        self.completion_tokens += reply.completion_tokens or 0

    @property
    def money(self) -> float | None:
        """Money spent so far; None where no prices are given."""
        prompt_price = self._budget.money_per_prompt_mtok
        completion_price = self._budget.money_per_completion_mtok
        if prompt_price is None or completion_price is None:
            return None
        return (self.prompt_tokens * prompt_price + self.completion_tokens * completion_price) / 1e6

    @property
    def is_unknown(self) -> bool:
        """Whether there is a limit, and the server counts no tokens to hold against it."""
        counted = self.prompt_tokens + self.completion_tokens
        return self._budget.is_limited and not counted and self._n_uncounted >= MOST_UNCOUNTED

    @property
    def is_exhausted(self) -> bool:
        """Whether a limit is reached."""
        n_tokens = self.prompt_tokens + self.completion_tokens
        over_tokens = self._budget.max_tokens is not None and n_tokens >= self._budget.max_tokens
        money = self.money
        over_money = (
            self._budget.max_money is not None
            and money is not None
            and money >= self._budget.max_money
        )
        return over_tokens or over_money
