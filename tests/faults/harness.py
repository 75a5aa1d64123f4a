"""One harness: a command on a copy of the study, killed at a moment, run again, compared."""

import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from medvision.table.read import read_biometrics, read_cases, read_regions, read_structures
from tests.faults.conftest import Study

PAIR_S = 120


@dataclass(slots=True)
class Killed:
    """What came of tries: results lost, wrong results, messages that are no one line."""

    tries: int = 0
    lost: int = 0
    wrong: int = 0
    unclear: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A command on a study.

    Attributes:
        words: Of the command line.
        begin: Takes away what the command is to make.
        result: What it made, to be compared.
    """

    words: Callable[[Study], list[str]]
    begin: Callable[[Study], None]
    result: Callable[[Study], object]


def _tables(study: Study) -> object:
    reads = (read_cases, read_structures, read_regions, read_biometrics)
    return [read(study.tables).to_pylist() for read in reads]


def _scores(study: Study) -> object:
    return pq.read_table(study.run / "scores.parquet", partitioning=None).to_pylist()


def _report(study: Study) -> object:
    html = (study.run / "report" / "report.html").read_text("utf-8")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC|[\d-]+T[\d:+]+", "", html).replace(
        str(study.folder), ""
    )


def _remove(*names: str) -> Callable[[Study], None]:
    def remove(study: Study) -> None:
        for name in names:
            path = study.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    return remove


COMMANDS = {
    "build": Command(lambda study: study.build(), _remove("tables"), _tables),
    "eval": Command(lambda study: study.eval(), _remove("run"), _scores),
    "score": Command(
        lambda study: ["score", str(study.run)], _remove("run/scores.parquet"), _scores
    ),
    "report": Command(lambda study: ["report", str(study.run)], _remove("run/report"), _report),
}


def started(study: Study, command: str) -> subprocess.Popen:
    words = [sys.executable, "-m", "medvision.cli", *COMMANDS[command].words(study)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, encoding="utf-8", errors="replace", **pipes)


def whole_run(study: Study, place: Path, command: str) -> tuple[object, float]:
    """The command's result on a copy, and the seconds it takes."""
    copy = study.copy(place)
    COMMANDS[command].begin(copy)
    start_s = time.monotonic()
    process = started(copy, command)
    _, err = process.communicate(timeout=PAIR_S)
    assert process.returncode == 0, err
    return COMMANDS[command].result(copy), time.monotonic() - start_s


def tried(study: Study, place: Path, command: str, *, n_moments: int, seed: int) -> Killed:
    """Kill the command at random moments of its time; each time run it again and compare."""
    expected, took_s = whole_run(study, place / "whole", command)
    rng, found = random.Random(seed), Killed()
    for moment in range(n_moments):
        copy = study.copy(place / f"at-{moment}")
        COMMANDS[command].begin(copy)
        process = started(copy, command)
        time.sleep(took_s * rng.uniform(0.3, 1.0))  # Python has started by then
        process.kill()
        process.communicate()
        _count(copy, command, expected, found)
        shutil.rmtree(copy.folder)
    return found


def tried_in_pairs(study: Study, place: Path, command: str, *, n_pairs: int) -> Killed:
    """Start the command twice at once: each ends well or is told so in one line."""
    expected, _ = whole_run(study, place / "whole", command)
    found = Killed()
    for number in range(n_pairs):
        copy = study.copy(place / f"pair-{number}")
        COMMANDS[command].begin(copy)
        pair = [started(copy, command) for _ in range(2)]
        for process in pair:
            _, err = process.communicate(timeout=PAIR_S)
            is_told = len(err.strip().splitlines()) == 1 and "another process is" in err
            found.unclear += process.returncode != 0 and not is_told
        _count(copy, command, expected, found)
        shutil.rmtree(copy.folder)
    return found


def _count(copy: Study, command: str, expected: object, found: Killed) -> None:
    """Run the command again and count what is not as it should be."""
    again = started(copy, command)
    _, err = again.communicate(timeout=PAIR_S)
    found.tries += 1
    found.unclear += "Traceback" in err or bool(re.search(r"\.py:\d+\)", err))
    if again.returncode:
        found.lost += 1
    elif COMMANDS[command].result(copy) != expected:
        found.wrong += 1
    left = [path for path in copy.folder.rglob(".*") if not path.name.startswith(".removed")]
    found.unclear += bool(left)


def as_json(found: Killed) -> str:
    return json.dumps([found.tries, found.lost, found.wrong, found.unclear])
