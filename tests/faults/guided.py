"""`python -m tests.faults.guided MINUTES [TARGET ...]`: changed texts, led by what they reach.

atheris follows the lines of our parsers that a changed file reaches, and goes on from those that
reach new ones. It is no dependency: without it (`pip install atheris`) nothing is tried. Readers
that numba compiles are for `tests.faults.fuzz`: it cannot read code that atheris has changed.
Nothing of the package may be imported above, as modules are changed when they are imported.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from tests.faults.system import how_it_ended, silence

PURE = ("labels", "declarations", "suites", "plans", "result files", "biometrics")


def lead(name: str, seconds: float, out: Path) -> None:
    """In a process of its own, which ends in here: try, and write what came of it."""
    import atheris

    silence()
    with atheris.instrument_imports(include=["medvision"]):
        from tests.faults import fuzz
    target = fuzz.TARGETS[name]
    # One file each, and none that is packed: changes would be seen by the unpacker alone.
    plain = [s for s in fuzz.seeds_of(target) if len(s) == 1 and not min(s).endswith(".gz")]
    (corpus := out / "corpus").mkdir()
    for number, files in enumerate(plain):
        (corpus / str(number)).write_bytes(bytes([number]) + files[min(files)])
    found, end_s = fuzz.Found(), time.monotonic() + seconds

    def one(data: bytes) -> None:
        """The first byte chooses the seed, the others are its file."""
        file = min(plain[data[0] % len(plain)]) if data else min(plain[0])
        told = fuzz.tried(target, {file: data[1:]}, out)
        if told not in ("read", "refused"):
            (out / f"find-{found.tries}").write_bytes(data)
            found.add(found.tries, told)
        found.read += told == "read"
        found.tries += 1
        if time.monotonic() > end_s:
            told_all = [found.tries, found.read, found.finds]
            (out / "found.json").write_text(json.dumps(told_all), encoding="utf-8")
            os._exit(0)  # it would go on for ever

    fuzz.limit_memory()
    limits = [f"-timeout={fuzz.LIMIT_S:.0f}", "-rss_limit_mb=4096", "-max_len=65536"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={out}/", str(corpus)], one)
    atheris.Fuzz()


def main() -> int:
    """Run targets; 1 if there was a find, whose file stays."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.guided", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(PURE))
    parser.add_argument("--page", action="store_true", help="write the page's rows")
    given = parser.parse_args()
    if find_spec("atheris") is None:
        print("guided: atheris is not installed, nothing is tried")  # noqa: T201
        return 0
    names, n_finds = given.targets or list(PURE), 0
    context = multiprocessing.get_context("spawn")
    for name in names:
        out = Path(tempfile.mkdtemp(prefix="guided-"))
        seconds = 60 * given.minutes / len(names)
        process = context.Process(target=lead, args=(name, seconds, out))
        process.start()
        process.join()
        n_finds += _told(name, out, process.exitcode or 0, to_page=given.page)
    return int(n_finds > 0)


def _told(name: str, out: Path, status: int, *, to_page: bool) -> int:
    from tests.faults import fuzz

    found = fuzz.Found()
    if status == 0:
        tries, read, finds = json.loads((out / "found.json").read_text(encoding="utf-8"))
        found = fuzz.Found(tries, read, {what: tuple(at) for what, at in finds.items()})
    else:
        found.add(0, how_it_ended(status))
        found.tries += 1
    row = fuzz.row(f"{name}, guided", found)
    print(row, *found.finds.items(), out if found.finds else "", sep="\n    ", flush=True)  # noqa: T201
    if not found.finds:
        shutil.rmtree(out)
    if to_page:
        fuzz.TABLE.put(row)
    return len(found.finds)


if __name__ == "__main__":
    sys.exit(main())
