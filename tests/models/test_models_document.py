"""docs/models.md names options that exist and numbers that hold."""

import re
from pathlib import Path

import pytest

from medvision.cli import main
from medvision.models import BreakerPolicy, Generation, RetryPolicy, RunSettings

DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"
TEXT = " ".join(DOCUMENT.read_text(encoding="utf-8").split())


@pytest.fixture
def options(capsys):
    for command in ("eval", "score", "doctor"):
        main([command, "--help"])
    shim = (Path(__file__).parents[2] / "examples" / "shims" / "openai_shim.py").read_text(
        encoding="utf-8"
    )
    return set(re.findall(r"--[a-z0-9][a-z0-9-]+", capsys.readouterr().out + shim))


def test_options_named_exist(options):
    named = set(re.findall(r"--[a-z0-9][a-z0-9-]+", TEXT))
    assert len(named) > 20
    assert named <= options


def test_numbers_stated_are_the_ones_in_force():
    retry, breaker = RetryPolicy(), BreakerPolicy()
    assert f"at most {retry.max_attempts} times and {retry.deadline_s / 60:.0f} minutes" in TEXT
    assert (breaker.n_failures, breaker.for_at_least_s) == (10, 5.0)
    assert "10 connections in a row over 5 s" in TEXT
    assert (breaker.n_fruitless, breaker.fruitless_for_at_least_s) == (50, 300.0)
    assert "50 attempts in a row over 5 minutes" in TEXT
    assert breaker.throttled_for_at_least_s == 3600.0
    assert f"`--concurrency` ({RunSettings().concurrency})" in TEXT
    assert f"`--max-tokens` ({Generation().max_tokens}," in TEXT
