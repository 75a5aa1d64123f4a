"""Waits, pace, breaker and budget."""

import asyncio
import random
import time
from types import SimpleNamespace

import pytest

from medvision.errors import UsageError
from medvision.models import limits
from medvision.models.base import Reply, ResponseStatus, ServerDeadError
from medvision.models.limits import (
    Breaker,
    BreakerPolicy,
    Budget,
    Pace,
    Pacer,
    RetryPolicy,
    Spending,
)
from tests.model_server import LONG_S


@pytest.fixture
def clock(monkeypatch):
    """The clock of breakers and pacers: it stands still unless `now_s` is moved."""
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


def test_delay_doubles_up_to_its_ceiling_with_full_jitter():
    policy = RetryPolicy(first_delay_s=1.0, max_delay_s=6.0)
    rng = random.Random(0)
    for attempt, ceiling_s in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 6.0), (50, 6.0)]:
        delays = [policy.delay_s(attempt, None, rng) for _ in range(500)]
        assert 0 <= min(delays) < 0.1 * ceiling_s
        assert 0.9 * ceiling_s < max(delays) <= ceiling_s


def test_retry_after_is_the_least_wait_up_to_its_cap():
    policy = RetryPolicy(first_delay_s=1.0, retry_after_cap_s=20.0)
    rng = random.Random(0)
    assert 7.0 <= policy.delay_s(1, 7.0, rng) <= 8.0
    assert 20.0 <= policy.delay_s(1, 1e6, rng) <= 21.0


@pytest.mark.parametrize(
    "changes", [{"max_attempts": 0}, {"request_timeout_s": 0.0}, {"deadline_s": -1.0}]
)
def test_retry_policy_refuses_what_cannot_be(changes):
    with pytest.raises(UsageError, match="expected"):
        RetryPolicy(**changes)


def test_pace_refuses_zero():
    with pytest.raises(UsageError, match="expected a positive tokens_per_min, found 0"):
        Pace(tokens_per_min=0)


def test_breaker_opens_after_failures_in_a_row_over_some_time(clock):
    breaker = Breaker(BreakerPolicy(n_failures=3, for_at_least_s=5.0))
    for _ in range(10):
        breaker.unreachable()
    clock.now_s += 4.5
    breaker.check()
    clock.now_s += 0.5
    breaker.unreachable()
    with pytest.raises(ServerDeadError, match="found none in 11 connections in a row"):
        breaker.check()


def test_breaker_stays_closed_while_something_comes_through():
    breaker = Breaker(BreakerPolicy(n_failures=3, for_at_least_s=0.0))
    for _ in range(20):
        breaker.unreachable()
        breaker.unreachable()
        breaker.reached()
    breaker.check()
    assert breaker.is_open is False


def test_breaker_opens_after_many_attempts_without_one_answer(clock):
    breaker = Breaker(BreakerPolicy(n_fruitless=4, fruitless_for_at_least_s=300.0))
    for _ in range(20):
        breaker.fruitless()
        breaker.reached()
    clock.now_s += 299.0
    breaker.check()
    clock.now_s += 1.0
    breaker.fruitless()
    with pytest.raises(ServerDeadError, match=r"found none in 21 attempts over 300 s in a row"):
        breaker.check()


def test_answers_and_rate_limits_keep_the_breaker_closed():
    breaker = Breaker(BreakerPolicy(n_fruitless=4, fruitless_for_at_least_s=0.0))
    for _ in range(20):
        for _ in range(3):
            breaker.fruitless()
        breaker.answered()
    for _ in range(20):
        breaker.fruitless(is_throttled=True)
    assert breaker.is_open is False
    breaker.fruitless()
    assert breaker.is_open is True


def test_opening_breaker_ends_waits():
    async def scenario() -> float:
        breaker = Breaker(BreakerPolicy(n_failures=1, for_at_least_s=0.0))
        waiting = asyncio.create_task(breaker.wait(10 * LONG_S))
        await asyncio.sleep(0)
        breaker.unreachable()
        with pytest.raises(ServerDeadError):
            await waiting
        return 1.0

    assert asyncio.run(asyncio.wait_for(scenario(), LONG_S)) == 1.0


def seconds_of_turns(pacer: Pacer, n: int, n_tokens: int = 0) -> float:
    """Time from before the first turn to the last one's beginning."""

    async def one(began_s: list[float]) -> None:
        async with pacer.turn():
            began_s.append(time.monotonic())
        pacer.answered(n_tokens)

    async def scenario() -> float:
        began_s = [time.monotonic()]
        await asyncio.gather(*[one(began_s) for _ in range(n)])
        return max(began_s) - began_s[0]

    return asyncio.run(scenario())


def test_requests_are_spaced_at_their_pace():
    took_s = seconds_of_turns(Pacer(Pace(requests_per_min=3000), 10), 11)
    assert took_s >= 10 * 60 / 3000 - 0.001


def test_tokens_are_spaced_at_their_pace():
    # 6 replies of 100 tokens at 60,000 a minute take 0.1 s each, once the first has come.
    took_s = seconds_of_turns(Pacer(Pace(tokens_per_min=60_000), 1), 6, n_tokens=100)
    assert took_s >= 5 * 0.1 - 0.001


def test_no_more_in_flight_than_allowed_and_fewer_after_complaints(clock):
    async def most_at_once(pacer: Pacer) -> int:
        now = most = 0

        async def one() -> None:
            nonlocal now, most
            async with pacer.turn():
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.001)
                now -= 1

        await asyncio.gather(*[one() for _ in range(50)])
        return most

    pacer = Pacer(Pace(), 8)
    assert asyncio.run(most_at_once(pacer)) == 8
    pacer.throttled()
    clock.now_s += 0.9
    pacer.throttled()
    assert asyncio.run(most_at_once(pacer)) == 4
    clock.now_s += 0.1
    pacer.throttled()
    assert asyncio.run(most_at_once(pacer)) == 2
    for _ in range(100):
        pacer.answered(0)
    assert asyncio.run(most_at_once(pacer)) == 8


def test_turn_given_up_while_waiting_is_passed_on():
    async def scenario() -> None:
        pacer = Pacer(Pace(), 1)
        async with pacer.turn():
            waiting = [asyncio.create_task(_take(pacer)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*waiting[1:]), LONG_S)
        assert waiting[0].cancelled()

    async def _take(pacer: Pacer) -> None:
        async with pacer.turn():
            await asyncio.sleep(0)

    asyncio.run(scenario())


def reply(prompt_tokens: int, completion_tokens: int) -> Reply:
    return Reply(
        status=ResponseStatus.OK,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


def test_budget_in_tokens_is_spent_when_reached():
    spending = Spending(Budget(max_tokens=30))
    spending.add(reply(10, 19))
    assert not spending.is_exhausted
    spending.add(reply(1, 0))
    assert spending.is_exhausted


def test_budget_in_money_counts_both_prices():
    spending = Spending(
        Budget(max_money=1.0, money_per_prompt_mtok=2.0, money_per_completion_mtok=10.0)
    )
    spending.add(reply(100_000, 79_000))
    assert spending.money == pytest.approx(0.99)
    assert not spending.is_exhausted
    spending.add(reply(0, 1_000))
    assert spending.is_exhausted


def test_budget_in_money_needs_prices():
    with pytest.raises(UsageError, match="needs the price of prompt and of completion tokens"):
        Budget(max_money=1.0)
