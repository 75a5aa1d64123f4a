"""One harness: a command on a copy of the study, disturbed at random, run again, compared.

Commands are killed without warning, started twice at once, cut off by a limit of file sizes that
stands for a full disk, and run on folders that may not be written. Whatever comes of that, the same
command, run again, makes what it makes undisturbed.
"""

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
from tests.faults.system import limited, obey_permissions

PAIR_S = 300


@dataclass(slots=True)
class Found:
    """What came of tries: results lost, wrong results, messages that are no one line.

    Attributes:
        notes: What was lost, wrong or unclear, for whoever looks into it.
    """

    tries: int = 0
    lost: int = 0
    wrong: int = 0
    unclear: int = 0
    notes: str = ""

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """As the table has them."""
        return self.tries, self.lost, self.wrong, self.unclear


@dataclass(frozen=True, slots=True)
class Command:
    """A command on a study.

    Attributes:
        words: Of the command line.
        makes: What it writes, below the study's folder; taken away before it begins.
        result: What it made, to be compared, from the study and what was printed.
    """

    words: Callable[[Study], list[str]]
    makes: tuple[str, ...]
    result: Callable[[Study, str], object]


def _tables(folder: Path) -> object:
    reads = (read_cases, read_structures, read_regions, read_biometrics)
    return [read(folder).to_pylist() for read in reads]


def _scores(run: Path) -> object:
    # As text: a number that is not known is not equal to itself.
    return repr(pq.read_table(run / "scores.parquet", partitioning=None).to_pylist())


def _report(study: Study, _out: str) -> object:
    html = (study.run / "report" / "report.html").read_text("utf-8")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC|[\d-]+T[\d:+]+", "", html).replace(
        str(study.folder), ""
    )


def _files(folder: Path) -> object:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".fetched" not in path.parts and path.name != "manifest.json"
    }


def _words(*words: str) -> Callable[[Study], list[str]]:
    """Words of a command line; {folder} and {inputs} are the study's."""

    def of(study: Study) -> list[str]:
        return [word.format(folder=study.folder, inputs=study.inputs) for word in words]

    return of


COMMANDS = {
    "fetch": Command(
        _words("fetch", "toy", "--catalog", "{inputs}/catalog", "--root", "{folder}/data",
               "--accept-licence"),
        ("data",), lambda study, _: _files(study.folder / "data" / "raw" / "toy")),
    "describe": Command(
        _words("describe", "{inputs}/tree", "--out", "{folder}/described/own.toml"),
        ("described",), lambda study, _: _files(study.folder / "described")),
    "build": Command(lambda study: study.build(), ("tables",), lambda s, _: _tables(s.tables)),
    "import plan": Command(
        _words("import", "plan", "{inputs}/plan.json", "--out", "{folder}/plan"), ("plan",),
        lambda s, _: {at.name: _tables(at) for at in sorted((s.folder / "plan").glob("*Task*"))}),
    "eval": Command(lambda study: study.eval(), ("run",), lambda s, _: _scores(s.run)),
    "import results": Command(
        _words("import", "results", "{inputs}/model", "--out", "{folder}/imported"),
        ("imported",), lambda study, _: _scores(study.folder / "imported")),
    "score": Command(_words("score", "{folder}/run"), ("run/scores.parquet",),
                     lambda s, _: _scores(s.run)),
    "analyse": Command(_words("analyse", "{folder}/run", "--json"), ("run/scores.parquet",),
                       lambda _, out: out),
    "report": Command(_words("report", "{folder}/run"), ("run/report",), _report),
}  # fmt: skip


def started(study: Study, command: Command, **given: object) -> subprocess.Popen:
    words = [sys.executable, "-m", "medvision.cli", *command.words(study)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, encoding="utf-8", errors="replace", **pipes, **given)


def begun(study: Study, place: Path, command: Command) -> Study:
    """A copy of the study without what the command makes."""
    copy = study.copy(place)
    for name in command.makes:
        path = copy.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return copy


@dataclass(frozen=True, slots=True)
class Whole:
    """An undisturbed run: what it makes, its seconds, and the sizes of the files it writes."""

    result: object
    seconds: float
    sizes: tuple[int, ...]


def whole_run(study: Study, place: Path, command: Command) -> Whole:
    copy = begun(study, place, command)
    start_s = time.monotonic()
    process = started(copy, command)
    out, err = process.communicate(timeout=PAIR_S)
    seconds = time.monotonic() - start_s
    assert process.returncode == 0, err
    made = (path for name in command.makes for path in [copy.folder / name])
    files = [one for path in made for one in (path.rglob("*") if path.is_dir() else [path])]
    sizes = {one.stat().st_size for one in files if one.is_file()}
    result = command.result(copy, out)
    shutil.rmtree(copy.folder)
    return Whole(result, seconds, tuple(sorted(sizes)))


def killed(study: Study, place: Path, command: Command, *, n: int, seed: int) -> Found:
    """Kill the command at random moments of its time."""
    whole = whole_run(study, place / "whole", command)
    rng, found = random.Random(seed), Found()
    for moment in range(n):
        copy = begun(study, place / f"at-{moment}", command)
        process = started(copy, command)
        time.sleep(whole.seconds * rng.uniform(0.3, 1.0))  # Python has started by then
        process.kill()
        process.communicate()
        _count(copy, command, whole, found)
    return found


def in_pairs(study: Study, place: Path, command: Command, *, n: int, seed: int) -> Found:
    """Start the command twice at once: each ends well or is told so in one line."""
    whole, found = whole_run(study, place / "whole", command), Found()
    for number in range(n):
        copy = begun(study, place / f"pair-{number}", command)
        pair = [started(copy, command) for _ in range(2)]
        for process in pair:
            _ended_or_told(process, "another process is", found)
        _count(copy, command, whole, found)
    return found


def disk_full(study: Study, place: Path, command: Command, *, n: int, seed: int) -> Found:
    """Let no file grow beyond a size, as a full disk does: each file it writes is cut once."""
    whole = whole_run(study, place / "whole", command)
    rng, found = random.Random(seed), Found()
    for number in range(n):
        copy = begun(study, place / f"full-{number}", command)
        most = 0 if number == 0 else rng.randrange(1, max(2, rng.choice(whole.sizes or (2,))))
        process = started(copy, command, preexec_fn=limited(most))
        told = r"ulimit -f|[Ff]ree some|check the disk|is full|No usable temp"
        _ended_or_told(process, told, found)
        _count(copy, command, whole, found)
    return found


def read_only(study: Study, place: Path, command: Command, *, n: int, seed: int) -> Found:
    """Run it where nothing may be written: it ends well or says so in one line."""
    whole, found = whole_run(study, place / "whole", command), Found()
    for number in range(n):
        copy = begun(study, place / f"locked-{number}", command)
        _let_write(copy.folder, may=False)
        process = started(copy, command, preexec_fn=obey_permissions)
        _ended_or_told(process, r"[Pp]ermission denied|cannot be written", found)
        _let_write(copy.folder, may=True)
        _count(copy, command, whole, found)
    return found


TESTS = {"killed": killed, "two at once": in_pairs, "disk full": disk_full, "read-only": read_only}


def _let_write(folder: Path, *, may: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o755 if path.is_dir() else 0o644) if may else 0o555)


def _ended_or_told(process: subprocess.Popen, told: str, found: Found) -> None:
    """Wait; note whoever neither ends well nor says in one line what fits a pattern."""
    _, err = process.communicate(timeout=PAIR_S)
    is_one_line = len(err.strip().splitlines()) == 1 and not re.search(r"\.py:\d+\)", err)
    is_told = is_one_line and re.search(told, err) is not None
    _note_unclear(found, err, is_clear=process.returncode == 0 or is_told)


def _note_unclear(found: Found, err: str, *, is_clear: bool) -> None:
    if not is_clear:
        found.unclear += 1
        found.notes += f"unclear: {err[-1500:]}\n"


def _count(copy: Study, command: Command, whole: Whole, found: Found) -> None:
    """Run the command again and count what is not as it should be; the copy goes."""
    again = started(copy, command)
    out, err = again.communicate(timeout=PAIR_S)
    found.tries += 1
    is_clear = "Traceback" not in err and not re.search(r"\.py:\d+\)", err)
    _note_unclear(found, err, is_clear=is_clear)
    if again.returncode:
        found.lost += 1
        found.notes += f"lost: {err[-1500:]}\n"
    elif command.result(copy, out) != whole.result:
        found.wrong += 1
        found.notes += "wrong\n"
    hidden = (path for path in copy.folder.rglob(".*") if not path.name.startswith(".removed"))
    left = [str(path) for path in hidden if path.name not in KEPT]
    _note_unclear(found, f"left behind: {left}", is_clear=not left)
    shutil.rmtree(copy.folder)


KEPT = (".fetched",)
"""Hidden folders that are meant to stay."""
