"""`python -m tests.faults.reliability [N] [COMMAND ...]`: the harness at N moments each.

Writes their rows of `docs/reliability.md` anew and leaves the others; `--test TEST` tries that one
alone. Where trl is installed, training is what is tried.
"""

import argparse
import sys
import tempfile
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

from medvision.cli import main
from tests.faults.conftest import Study, make_inputs, offered
from tests.faults.harness import COMMANDS, TESTS, Command, Found
from tests.faults.page import Table

TRAINING = "train sft"
ABOUT = """Each command is killed without warning (SIGKILL) at random moments of its time, started
twice at once in one folder, run where no file may grow beyond a random size (RLIMIT_FSIZE, which
stands for a full disk), or in folders that may not be written. Then it is run again, and what it
made is compared with that of a run that nobody disturbed. *Lost*: it does not come to its end.
*Wrong*: it makes something else. *Unclear*: a traceback, a message that is not one line, or files
left behind. `make reliability` makes this table anew,
`python -m tests.faults.reliability 20 COMMAND` the rows of one command.

| test | command | tries | lost | wrong | unclear |
|---|---|---|---|---|---|
"""
TABLE = Table("Commands, disturbed and run again", ABOUT, n_keys=2)


def n_tries(test: str, n_moments: int) -> int:
    """Moments and sizes are drawn anew; what is refused for want of rights is so every time."""
    tries = {"killed": n_moments, "disk full": n_moments // 2, "two at once": n_moments // 4}
    return max(1, tries.get(test, 1))


def row(test: str, name: str, found: Found) -> str:
    """A line of the table."""
    return f"| {test} | `{name}` | {' | '.join(map(str, found.numbers))} |"


def reliability(n_moments: int, names: list[str], tests: list[str]) -> bool:
    """Try commands and write their lines; whether all numbers of failures are 0."""
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        study = make_inputs(Path(folder) / "study")
        if main(study.build()) or main(study.eval()):
            return False
        others = set(names) - {TRAINING}
        with offered(study) if others else nullcontext():
            for name in names:
                command = COMMANDS[name] if name != TRAINING else _training(study)
                for test in tests:
                    place = Path(folder) / name / test
                    n = n_tries(test, n_moments)
                    found = TESTS[test](study, place, command, n=n, seed=1)
                    told = row(test, name, found)
                    print(told, found.notes, sep="\n", flush=True)  # noqa: T201
                    TABLE.put(told)
                    total += found.lost + found.wrong + found.unclear
    return total == 0


def _training(study: Study) -> Command:
    from tests.faults.training import training

    return training(study)


if __name__ == "__main__":
    # Training needs torch, which is in an environment of its own.
    known = [TRAINING] if find_spec("trl") else list(COMMANDS)
    parser = argparse.ArgumentParser(prog="python -m tests.faults.reliability", description=__doc__)
    parser.add_argument("moments", nargs="?", type=int, default=20)
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=", ".join(known))
    parser.add_argument("--test", action="append", choices=TESTS, help="only these")
    given = parser.parse_args()
    is_well = reliability(given.moments, given.commands or known, given.test or list(TESTS))
    sys.exit(0 if is_well else 1)
