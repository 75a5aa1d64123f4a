"""Options that say how a model is asked: generation settings, pace and budget."""

import json
import re
from dataclasses import dataclass, replace
from typing import Annotated

from medvision.cli.options import Option
from medvision.errors import UsageError
from medvision.models.generation import Generation
from medvision.models.limits import Budget, Pace, RetryPolicy
from medvision.models.profiles import ModelProfile
from medvision.models.runner import RunSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationOptions:
    """How the model is to write."""

    temperature: Annotated[float | None, Option("T", help="else the profile's, or 0")] = None
    max_tokens: Annotated[int | None, Option("N", help="else the profile's, or 4096")] = None
    top_p: Annotated[float | None, Option("P")] = None
    seed: Annotated[int | None, Option("N", help="sent with requests; repeat k: N + k")] = None
    stop: Annotated[tuple[str, ...], Option("TEXT", help="may be given again", repeated=True)] = ()
    extra_body: Annotated[str | None, Option("JSON", help="further fields of each request")] = None

    def generation(self, profile: ModelProfile | None) -> Generation:
        """Generation settings: the command line's, else the profile's, else the usual ones.

        Raises:
            UsageError: A setting that cannot be.
        """
        usual = profile or Generation()
        extra_body: object = {}
        if self.extra_body:
            try:
                extra_body = json.loads(self.extra_body)
            except ValueError:
                extra_body = None
        if not isinstance(extra_body, dict):
            msg = f"--extra-body: expected a JSON object, found {self.extra_body!r}"
            raise UsageError(msg)
        return Generation(
            temperature=usual.temperature if self.temperature is None else self.temperature,
            max_tokens=usual.max_tokens if self.max_tokens is None else self.max_tokens,
            top_p=self.top_p,
            seed=self.seed,
            stop=self.stop,
            extra_body=extra_body,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOptions:
    """How fast is asked, and how much may be spent."""

    concurrency: Annotated[int, Option("N")] = 32
    requests_per_min: Annotated[float | None, Option("N")] = None
    tokens_per_min: Annotated[float | None, Option("N")] = None
    request_timeout: Annotated[float, Option("S")] = RetryPolicy().request_timeout_s
    time_limit: Annotated[float | None, Option("S", help="of the whole command")] = None
    budget: Annotated[
        str | None,
        Option(
            "B",
            help="stop after so many tokens (200000, 200000tokens) or so much money (5.00), which "
            "needs both prices",
        ),
    ] = None
    price_in: Annotated[float | None, Option("P", help="of 1 M prompt tokens")] = None
    price_out: Annotated[float | None, Option("P", help="of 1 M completion tokens")] = None

    def pace(self) -> Pace:
        """Limits per minute."""
        return Pace(requests_per_min=self.requests_per_min, tokens_per_min=self.tokens_per_min)

    def retry_policy(self) -> RetryPolicy:
        """The usual tries, with the request's own time, and time for at least two of them.

        Raises:
            UsageError: No positive time.
        """
        usual = RetryPolicy()
        # A deadline below two requests would end a question after its first slow failure.
        deadline_s = max(usual.deadline_s, 2 * self.request_timeout)
        return replace(usual, request_timeout_s=self.request_timeout, deadline_s=deadline_s)

    def run_settings(self) -> RunSettings:
        """How many questions at once, what may be spent, and for how long.

        Raises:
            UsageError: A number that cannot be, or money without prices.
        """
        return RunSettings(
            concurrency=self.concurrency,
            budget=self.spending_limits(),
            time_limit_s=self.time_limit,
        )

    def spending_limits(self) -> Budget:
        """What may be spent: tokens where a whole number is given, else money.

        Raises:
            UsageError: Not a number, or money without prices.
        """
        max_tokens, max_money = None, None
        if self.budget is not None:
            # The point tells money from tokens: "5" is five tokens, "5." is money.
            found = re.fullmatch(r"(\d{1,18})(?: ?tokens)?|(\d+\.\d*|\.\d+)", self.budget.strip())
            if found is None:
                msg = (
                    "--budget: expected tokens (200000 or 200000tokens) or money with a decimal "
                    f"point (5.00), found {self.budget!r}"
                )
                raise UsageError(msg)
            tokens, money = found.groups()
            max_tokens = int(tokens) if tokens else None
            max_money = float(money) if money else None
        return Budget(
            max_tokens=max_tokens,
            max_money=max_money,
            money_per_prompt_mtok=self.price_in,
            money_per_completion_mtok=self.price_out,
        )
