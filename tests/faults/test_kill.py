"""Commands disturbed at random moments, run again, and compared with whole runs.

One moment each here; `python -m tests.faults.reliability` tries many and writes the table of
`docs/reliability.md`.
"""

import pytest

from tests.faults.harness import COMMANDS, TESTS, Found

OTHERS = [("two at once", "fetch"), ("disk full", "import results"), ("read-only", "describe")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_loses_nothing(study, tmp_path, command):
    assert TESTS["killed"](study, tmp_path, COMMANDS[command], n=1, seed=3) == Found(tries=1)


@pytest.mark.parametrize(("test", "command"), OTHERS)
def test_other_faults_lose_nothing(study, tmp_path, test, command):
    assert TESTS[test](study, tmp_path, COMMANDS[command], n=1, seed=3) == Found(tries=1)
