"""Commands killed without warning at random moments, run again, and compared with whole runs.

A few moments here; `python -m tests.faults.reliability` tries many and writes the table of
`docs/reliability.md`.
"""

import pytest

from tests.faults.harness import COMMANDS, Killed, tried


@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_loses_nothing(study, tmp_path, command):
    found = tried(study, tmp_path, command, n_moments=2, seed=3)
    assert found == Killed(tries=2)
