"""How long `medvision --help` takes, beside Python that does nothing, and each command's help.

Run from the repository root: `python -m benchmarks.bench_help [--times 15]`. Exits with 1 if
`medvision --help` takes 0.3 s or more.
"""

import argparse
import platform
import subprocess
import sys
import time
from statistics import median

from medvision.cli import COMMANDS

MOST_S = 0.3


def seconds(words, times):
    """Median wall time of a Python process."""
    taken_s = []
    for _ in range(times):
        start_s = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        taken_s.append(time.perf_counter() - start_s)
    return median(taken_s)


def main():
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=15)
    times = parser.parse_args().times
    print(f"{platform.machine()}, Python {platform.python_version()}, median of {times}")
    nothing_s = seconds(["-c", "pass"], times)
    print(f"{'python -c pass':26} {nothing_s:6.3f} s")
    help_s = seconds(["-m", "medvision.cli", "--help"], times)
    print(f"{'medvision --help':26} {help_s:6.3f} s, ratio {help_s / nothing_s:.1f}")
    for name in COMMANDS:
        taken_s = seconds(["-m", "medvision.cli", name, "--help"], min(times, 3))
        print(f"{f'medvision {name} --help':26} {taken_s:6.3f} s, ratio {taken_s / nothing_s:.1f}")
    return 1 if help_s >= MOST_S else 0


if __name__ == "__main__":
    sys.exit(main())
