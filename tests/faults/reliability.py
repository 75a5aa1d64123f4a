"""`python -m tests.faults.reliability [N]`: the harness at N moments, as `docs/reliability.md`."""

import sys
import tempfile
from pathlib import Path

from medvision.cli import main
from tests.faults.conftest import make_inputs
from tests.faults.harness import COMMANDS, Killed, tried, tried_in_pairs

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD = """# Reliability

Each command is killed without warning (SIGKILL) at random moments of its time, or started twice at
once in one folder. Then it is run again, and what it made is compared with that of a run that
nobody disturbed. *Lost*: it does not come to its end. *Wrong*: it makes something else. *Unclear*:
a traceback, a message that is not one line, or files left behind. `make reliability` makes this
page anew.

| test | command | tries | lost | wrong | unclear |
|---|---|---|---|---|---|
"""


def row(test: str, command: str, found: Killed) -> str:
    """A line of the table."""
    numbers = (found.tries, found.lost, found.wrong, found.unclear)
    return f"| {test} | `{command}` | {' | '.join(map(str, numbers))} |\n"


def reliability(n_moments: int) -> bool:
    """Write the page; whether all numbers of failures are 0."""
    rows, total = [], 0
    with tempfile.TemporaryDirectory() as folder:
        study = make_inputs(Path(folder) / "study")
        if main(study.build()) or main(study.eval()):
            return False
        for command in COMMANDS:
            place = Path(folder) / command
            killed = tried(study, place / "killed", command, n_moments=n_moments, seed=1)
            paired = tried_in_pairs(study, place / "pairs", command, n_pairs=n_moments // 4)
            rows += [row("killed", command, killed), row("two at once", command, paired)]
            total += sum(one.lost + one.wrong + one.unclear for one in (killed, paired))
    PAGE.write_text(HEAD + "".join(rows), encoding="utf-8")
    return total == 0


if __name__ == "__main__":
    sys.exit(0 if reliability(int(sys.argv[1]) if len(sys.argv) > 1 else 20) else 1)
