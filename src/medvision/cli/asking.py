"""Options that say how a model is asked: generation settings, pace and budget."""

import argparse
import json
import re
from dataclasses import replace
from typing import Any

from medvision.errors import UsageError
from medvision.models.generation import Generation
from medvision.models.limits import Budget, Pace, RetryPolicy
from medvision.models.profiles import ModelProfile
from medvision.models.runner import RunSettings


def add_generation(parser: argparse._ArgumentGroup) -> None:
    """How the model is to write."""
    parser.add_argument("--temperature", type=float, metavar="T", help="else the profile's, or 0")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="else the profile's, or 4096")
    parser.add_argument("--top-p", type=float, metavar="P")
    parser.add_argument("--seed", type=int, metavar="N", help="sent with requests; repeat k: N + k")
    parser.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="may be given again"
    )
    parser.add_argument("--extra-body", metavar="JSON", help="further fields of each request")


def generation_from(args: argparse.Namespace, profile: ModelProfile | None) -> Generation:
    """Generation settings: the command line's, else the profile's, else the usual ones.

    Raises:
        UsageError: A setting that cannot be.
    """
    usual = Generation()
    temperature = profile.temperature if profile else usual.temperature
    max_tokens = profile.max_tokens if profile else usual.max_tokens
    return Generation(
        temperature=temperature if args.temperature is None else args.temperature,
        max_tokens=max_tokens if args.max_tokens is None else args.max_tokens,
        top_p=args.top_p,
        seed=args.seed,
        stop=tuple(args.stop),
        extra_body=_json_object(args.extra_body) if args.extra_body else {},
    )


def _json_object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        msg = f"--extra-body: expected a JSON object, found {text!r} ({error})"
        raise UsageError(msg) from error
    if not isinstance(content, dict):
        msg = f"--extra-body: expected a JSON object, found {text!r}"
        raise UsageError(msg)
    return content


def add_spending(parser: argparse._ArgumentGroup) -> None:
    """How fast is asked, and how much may be spent."""
    parser.add_argument("--requests-per-min", type=float, metavar="N")
    parser.add_argument("--tokens-per-min", type=float, metavar="N")
    parser.add_argument(
        "--request-timeout", type=float, default=RetryPolicy().request_timeout_s, metavar="S"
    )
    parser.add_argument("--time-limit", type=float, metavar="S", help="of the whole command")
    parser.add_argument(
        "--budget",
        metavar="B",
        help="stop after so many tokens (200000, 200000tokens) or so much money (5.00), which "
        "needs both prices",
    )
    parser.add_argument("--price-in", type=float, metavar="P", help="of 1 M prompt tokens")
    parser.add_argument("--price-out", type=float, metavar="P", help="of 1 M completion tokens")


def pace_from(args: argparse.Namespace) -> Pace:
    """Limits per minute."""
    return Pace(requests_per_min=args.requests_per_min, tokens_per_min=args.tokens_per_min)


def retry_from(args: argparse.Namespace) -> RetryPolicy:
    """The usual tries, with the request's own time, and time for at least two of them.

    Raises:
        UsageError: No positive time.
    """
    usual = RetryPolicy()
    deadline_s = max(usual.deadline_s, 2 * args.request_timeout)
    return replace(usual, request_timeout_s=args.request_timeout, deadline_s=deadline_s)


def run_settings_from(args: argparse.Namespace) -> RunSettings:
    """How many questions at once, what may be spent, and for how long."""
    return RunSettings(
        concurrency=args.concurrency, budget=budget_from(args), time_limit_s=args.time_limit
    )


def budget_from(args: argparse.Namespace) -> Budget:
    """What may be spent: tokens where a whole number is given, else money.

    Raises:
        UsageError: Not a number, or money without prices.
    """
    max_tokens, max_money = None, None
    if args.budget is not None:
        found = re.fullmatch(r"(\d+)(?: ?tokens)?|(\d+\.\d*|\.\d+)", args.budget.strip())
        if found is None:
            msg = (
                "--budget: expected tokens (200000 or 200000tokens) or money with a decimal point "
                f"(5.00), found {args.budget!r}"
            )
            raise UsageError(msg)
        tokens, money = found.groups()
        max_tokens = int(tokens) if tokens else None
        max_money = float(money) if money else None
    return Budget(
        max_tokens=max_tokens,
        max_money=max_money,
        money_per_prompt_mtok=args.price_in,
        money_per_completion_mtok=args.price_out,
    )
