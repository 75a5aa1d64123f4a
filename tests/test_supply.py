"""What checks the supply: extras that are tried, and what an audit says of weaknesses."""

import json
import tomllib
from pathlib import Path

import pytest

from benchmarks import wheels
from benchmarks.audit import UNREACHABLE, audit
from benchmarks.wheels import EXTRAS, fault_of

CHECKED = {"name": "a", "version": "1.0", "vulns": []}
WEAK = {"name": "b", "version": "2.0", "vulns": [{"id": "X-1", "fix_versions": ["2.1", "3.0"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c"}


def test_each_extra_of_users_is_tried():
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    declared = tomllib.loads(pyproject.read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(declared) - {"dev"}


def test_a_command_that_fails_is_told_with_what_it_said(tmp_path):
    commands = [("echo", "well"), ("sh", "-c", "echo wrong >&2; exit 3"), ("echo", "never")]
    told = "sh -c 'echo wrong >&2; exit 3': exit 3\nwrong\n"
    assert fault_of(commands, tmp_path) == told
    assert fault_of(commands[:1], tmp_path) == ""


def test_a_command_without_end_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "LIMIT_S", 0.2)
    assert fault_of([("sleep", "60")], tmp_path) == "sleep 60: no end within 0.2 s"


@pytest.mark.parametrize(
    ("dependencies", "status", "lines"),
    [
        ([CHECKED], 0, ["audit: 1 packages checked, 0 weaknesses"]),
        (
            [CHECKED, WEAK, SKIPPED],
            1,
            [
                "b 2.0: X-1, mended in 2.1, 3.0",
                "audit: 2 packages checked, 1 weaknesses",
                "audit: not in the database: c",
            ],
        ),
        ([SKIPPED, SKIPPED], 2, [UNREACHABLE]),
    ],
)
def test_an_audit_fails_for_weaknesses_and_where_nothing_was_checked(
    capsys, dependencies, status, lines
):
    assert audit(json.dumps({"dependencies": dependencies})) == status
    assert capsys.readouterr().out.splitlines() == lines


def test_an_audit_that_ended_early_checked_nothing(capsys):
    assert audit("") == 2
    assert capsys.readouterr().out.splitlines() == [UNREACHABLE]
