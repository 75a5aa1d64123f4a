"""`python -m tests.faults.fuzz MINUTES [TARGET ...]`: files of strangers, changed at random.

Every format that is read has a target (`tests.faults.targets`): files that read cleanly. They are
changed (`tests.faults.mutation`) and read, in a process beside this one that may be lost. What may
come of it is a value or an error of the project's own; anything else is a find: another exception,
no end within `LIMIT_S`, more memory than `MEMORY_BYTES`, the death of the process.

Try number N of a target is always the same, so `--again N` with its name shows a find once more.
"""

import argparse
import logging
import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from medvision.errors import MedVisionError
from tests.faults.mutation import mutated
from tests.faults.page import Table
from tests.faults.system import how_it_ended, silence
from tests.faults.targets import BROKEN, TARGETS, Target

ALL = TARGETS | BROKEN

LIMIT_S = 20.0
"""For one try: seeds are read in milliseconds."""

MEMORY_BYTES = 1 << 30
"""On top of what the process takes at its start: seeds hold some kilobytes."""

ABOUT = """Files of each kind that read cleanly are changed at random and read. A *find* is what is
neither a value nor a line that names the file: another exception, no end within 20 s, more memory
than 1 GiB, the death of the process. *Mended* are earlier finds, each of which is a test
(`tests/faults/test_finds.py`). *Guided*: changed by atheris, which goes on from files that reach
lines of code no other has reached. `make fuzz MINUTES=60` makes this table anew;
`python -m tests.faults.fuzz MINUTES --page add` makes further tries and adds them.

| target | tries | read | refused | finds | mended |
|---|---|---|---|---|---|
"""
TABLE = Table("Files of strangers, changed at random", ABOUT, n_keys=1)


@dataclass(slots=True)
class Found:
    """What came of a target's tries.

    Attributes:
        tries: Number of them.
        read: Those that gave a value; the others were refused in one of our own errors.
        finds: What went wrong to the number of the first try with it, and how often it did.
    """

    tries: int = 0
    read: int = 0
    finds: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, number: int, what: str) -> None:
        """Count a find."""
        first, times = self.finds.get(what, (number, 0))
        self.finds[what] = (first, times + 1)


def seeds_of(target: Target) -> list[dict[str, bytes]]:
    """Files of each seed: name below the folder to content."""
    found = []
    for write in target.seeds:
        with tempfile.TemporaryDirectory() as place:
            write(Path(place))
            files = sorted(path for path in Path(place).rglob("*") if path.is_file())
            found.append({str(path.relative_to(place)): path.read_bytes() for path in files})
    return found


def put(files: dict[str, bytes], folder: Path) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def changed_files(seeds: list[dict[str, bytes]], rng: random.Random) -> dict[str, bytes]:
    """One seed, one of its files changed."""
    files = dict(rng.choice(seeds))
    name = rng.choice(sorted(files))
    return files | {name: mutated(name, files[name], rng)}


def tried(target: Target, files: dict[str, bytes], place: Path) -> str:
    """What a target does with files: "read", "refused", or what it does wrong."""
    folder = place / "files"
    put(files, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(folder)
    except MedVisionError as error:
        return "memory ran out" if getattr(error, "reason", "") == "out_of_memory" else "refused"
    except Exception as error:  # noqa: BLE001 - what is looked for
        last = traceback.extract_tb(error.__traceback__)
        ours = [one for one in last if "/medvision/" in one.filename] or last
        return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "read"


def numbered(name: str, number: int) -> random.Random:
    """The draws of a try."""
    return random.Random(f"{name} {number}")


@dataclass(slots=True)
class Task:
    """A target's tries that are still to be made.

    Attributes:
        name: Of the target.
        number: The next try.
        n_most: All tries end before this number.
        seconds: What is left of its time.
    """

    name: str
    number: int
    n_most: int
    seconds: float


def serve(line: Connection, tasks: list[Task]) -> None:
    """In the other process: try after try, each told before and after."""
    silence()
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        all_seeds = {task.name: seeds_of(ALL[task.name]) for task in tasks}
        for name, seeds in all_seeds.items():
            tried(ALL[name], seeds[0], place)  # imports, which take memory
        limit_memory()
        for task in tasks:
            target, seeds = ALL[task.name], all_seeds[task.name]
            end_s = time.time() + task.seconds
            while task.number < task.n_most and time.time() < end_s:
                line.send((task.name, task.number))
                files = changed_files(seeds, numbered(task.name, task.number))
                line.send(tried(target, files, place))
                task.number += 1
        line.send(None)


def limit_memory() -> None:
    """Let no more be taken than `MEMORY_BYTES` beside what is taken now."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    now = 1024 * int(next(line for line in lines if line.startswith("VmData")).split()[1])
    resource.setrlimit(resource.RLIMIT_DATA, (now + MEMORY_BYTES, resource.RLIM_INFINITY))


def fuzzed(
    names: list[str],
    *,
    seconds: float = 1e9,
    n_most: int = 1 << 62,
    before: dict[str, Found] | None = None,
) -> dict[str, Found]:
    """Try targets, each for some time or so often, and add to what came of tries before."""
    found = {name: (before or {}).get(name, Found()) for name in names}
    tasks = [Task(name, found[name].tries, n_most, seconds) for name in names]
    while tasks:
        tasks = _until_lost(tasks, found)
    return found


def _until_lost(tasks: list[Task], found: dict[str, Found]) -> list[Task]:
    """Try until the other process is lost, or all is done; what is left to do."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(theirs, tasks), daemon=True)
    process.start()
    theirs.close()
    left = {task.name: task for task in tasks}
    name, begun_s = tasks[0].name, None
    try:
        while ours.poll(300 if begun_s is None else LIMIT_S):
            told = ours.recv()
            if told is None:
                return []
            if isinstance(told, tuple):
                if told[0] != name:
                    left.pop(name)
                    begun_s = None
                name, left[told[0]].number = told
                begun_s = begun_s or time.monotonic()
                continue
            _count(found[name], left[name], told)
        _count(found[name], left[name], f"no end within {LIMIT_S:g} s")
    except EOFError:
        process.join(10)
        _count(found[name], left[name], how_it_ended(process.exitcode or 0))
    finally:
        process.kill()
        process.join()
        ours.close()
    left[name].seconds -= time.monotonic() - (begun_s or 0.0)
    return list(left.values())


def _count(found: Found, task: Task, told: str) -> None:
    found.tries += 1
    found.read += told == "read"
    if told not in ("read", "refused"):
        found.add(task.number, told)
    task.number += 1


def again(name: str, number: int) -> None:
    """Make a try once more, in this process."""
    target = TARGETS[name]
    files = changed_files(seeds_of(target), numbered(name, number))
    place = Path(tempfile.mkdtemp())
    put(files, place)
    print(place)  # noqa: T201
    print(target.read(place))  # noqa: T201


def row(name: str, found: Found) -> str:
    """A line of the table."""
    from tests.faults.test_finds import FINDS

    mended = sum(one.target == name for one in FINDS)
    n_finds = len(found.finds)
    refused = found.tries - found.read - sum(times for _, times in found.finds.values())
    return f"| {name} | {found.tries} | {found.read} | {refused} | {n_finds} | {mended} |"


def told_before(name: str) -> Found:
    """What the page tells of a target; nothing where it tells of finds, which may be mended."""
    cells = TABLE.rows().get((name,), "||0|0|0|0|").split("|")
    tries, read, _, n_finds = map(int, cells[2:6])
    return Found() if n_finds else Found(tries, read)


def main(words: list[str] | None = None) -> int:
    """Run targets; 1 if there was a find."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all by default")
    parser.add_argument("--again", type=int, metavar="N", help="only this try of one target")
    parser.add_argument("--page", choices=["anew", "add"], help="write the page's rows")
    given = parser.parse_args(words)
    if given.again is not None:
        again(given.targets[0], given.again)
        return 0
    names = given.targets or list(TARGETS)
    n_finds = 0
    for name in names:
        before = told_before(name) if given.page == "add" else Found()
        seconds = 60 * given.minutes / len(names)
        found = fuzzed([name], seconds=seconds, before={name: before})[name]
        n_finds += len(found.finds)
        print(row(name, found), *found.finds.items(), sep="\n    ", flush=True)  # noqa: T201
        if given.page:
            TABLE.put(row(name, found))
    return int(n_finds > 0)


if __name__ == "__main__":
    sys.exit(main())
