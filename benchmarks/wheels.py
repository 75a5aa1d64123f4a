"""`python -m benchmarks.wheels [PYTHON ...]`: the wheel, installed where nothing else is.

Builds the wheel from a copy of the sources, looks for its licence file, and for each interpreter
installs it into an empty environment and runs `medvision demo` there. Each extra is then installed
alone, into a copy of that environment, and what needs it is imported. Interpreters are those of
`VERSIONS` on the path unless they are given. Prints a row each; 1 if anything failed.
What pip is told by its variables (`PIP_CONSTRAINT`) holds here too.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("LICENSE", "README.md", "pyproject.toml", "src")
VERSIONS = ("3.11", "3.12", "3.13")

LIMIT_S = 1200
"""For one command. pip tries version after version where those of an index do not fit together."""

EXTRAS = {
    "formats": "SimpleITK medvision.volumes.dicom medvision.volumes.conversions",
    "figures": "fpdf medvision.cli.report",
    "dicom": "highdicom pydicom medvision.volumes.dicom_seg medvision.volumes.rtstruct",
    "fetch": "gdown huggingface_hub py7zr rarfile backports.zstd medvision.fetch.archives",
    "synapse": "synapseclient medvision.fetch.hosts",
    "wandb": "wandb",
    "hf": "accelerate peft torch transformers medvision.models.hf",
    "train": "accelerate datasets peft tensorboard torch transformers trl medvision.train.sft",
    "qlora": "bitsandbytes medvision.models.in_process.weights",
}
"""Extra to what is imported: what it brings, and the modules that need it."""

LARGE = ("hf", "train", "qlora")
"""Extras that bring torch: gigabytes, so only where they are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was tried and how it went.

    Attributes:
        seconds: Installing included.
        fault: The end of what a failed command said, else "".
    """

    python: str
    what: str
    seconds: float
    fault: str

    def __str__(self) -> str:
        told = "ok" if not self.fault else "FAILED\n" + self.fault
        return f"{self.python:<10}{self.what:<30}{self.seconds:>5.0f} s  {told}"


def fault_of(commands: Sequence[Sequence[object]], place: Path) -> str:
    """Run commands in a folder up to the first that fails; the end of what that one said."""
    own = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    outside = {name: value for name, value in os.environ.items() if name not in own}
    for words in commands:
        told = shlex.join(map(str, words))
        try:
            ran = subprocess.run(
                [str(word) for word in words],
                cwd=place,
                env=outside,
                check=False,
                timeout=LIMIT_S,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            return f"{told}: no end within {LIMIT_S} s"
        if ran.returncode:
            return f"{told}: exit {ran.returncode}\n{ran.stdout[-2000:]}"
    return ""


def build_wheel(place: Path) -> Path:
    """The wheel, from a copy: a build leaves files among the sources.

    Raises:
        SystemExit: It cannot be built, or lacks its licence file.
    """
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, place / name)
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", place, place]
    if fault := fault_of([words], place):
        sys.exit(fault)
    wheel = next(place.glob("medvision-*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        sys.exit(f"{wheel.name}: expected the licence file in it, found {len(names)} other files")
    return wheel


def tried(python: str, wheel: Path, extras: Sequence[str], place: Path) -> Iterator[Row]:
    """Rows of an interpreter: the bare wheel, and each extra on a copy of its environment."""
    version = subprocess.check_output([python, "-V"], encoding="utf-8").split()[1]

    def row(what: str, *commands: Sequence[object]) -> Row:
        begun_s = time.monotonic()
        fault = fault_of(commands, place)
        seconds = time.monotonic() - begun_s
        return Row(python=version, what=what, seconds=seconds, fault=fault)

    bare = place / "bare"
    install = ("-m", "pip", "install", "-q", "--disable-pip-version-check")
    yield row(
        "wheel, medvision demo",
        (python, "-m", "venv", bare),
        (bare / "bin/python", *install, wheel),
        (bare / "bin/medvision", "demo"),
    )
    for extra in extras:
        with_extra = place / extra
        # Links cost neither time nor room, and pip replaces files, so the bare one stays as it is.
        shutil.copytree(bare, with_extra, symlinks=True, copy_function=os.link)
        own_python = with_extra / "bin/python"
        yield row(
            f"extra {extra}",
            (own_python, *install, f"{wheel}[{extra}]"),
            (own_python, "-c", f"import {', '.join(EXTRAS[extra].split())}"),
        )
        shutil.rmtree(with_extra)


def interpreters() -> list[str]:
    """Those on the path that start; a version manager leaves names there that do not."""
    named = [shutil.which(f"python{version}") for version in VERSIONS]
    return [one for one in named if one and not fault_of([(one, "-V")], ROOT)]


def main() -> int:
    """Try all and print a row each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wheels", description=__doc__)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="interpreters to try")
    parser.add_argument("--extra", action="append", choices=EXTRAS, help="these extras alone")
    parser.add_argument("--large", action="store_true", help=f"also the extras {', '.join(LARGE)}")
    given = parser.parse_args()
    extras = given.extra or [name for name in EXTRAS if given.large or name not in LARGE]
    pythons = given.pythons or interpreters()
    n_failed = 0
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "sources"
        sources.mkdir()
        wheel = build_wheel(sources)
        print(f"{wheel.name}: with its licence file", flush=True)
        for number, python in enumerate(pythons):
            place = Path(folder) / str(number)
            place.mkdir()
            for row in tried(python, wheel, extras, place):
                print(row, flush=True)
                n_failed += bool(row.fault)
            shutil.rmtree(place)
    if not pythons:
        print(f"none of Python {', '.join(VERSIONS)} is on the path; name interpreters")
    return int(n_failed > 0 or not pythons)


if __name__ == "__main__":
    sys.exit(main())
