"""Perceived size against the real image processors on many sizes, and what the rules cost.

Run from the repository root: `python -m benchmarks.bench_perceived [--sizes 300]`. Every size goes
through the whole processor, and what comes out is measured: no size is taken from the processor's
own functions. With `--results FILE`, what was compared is kept there as it is found, one line of
JSON a processor, and not compared again while rules, peers and libraries are the same. Exits with 1
if any canvas or content differs from what a processor produced, or a processor is not there.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks import hf_processors
from benchmarks.hf_processors import (
    PEERS,
    asked_hw,
    edge_accuracy_px,
    log_uniform_sizes,
    perceived_by_rule,
    seen_extent,
)
from medvision.models.in_process import seen
from medvision.pictures import perceived
from medvision.pictures.perceived import FAMILIES, perceived_size, picture_to_send

LIMITS = {
    "claude": {"long_edge_px": 1568, "max_tokens": 1600},
    "openai_patch": {"long_edge_px": 2048, "patch_budget": 1536},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A rule and a processor on as many sizes.

    Attributes:
        worst_px: The largest distance of an edge seen from the edge stated.
        code: Digest of rules, peers and versions of libraries that were compared.
    """

    processor: str
    family: str
    sizes: int
    differing: int
    worst_px: float
    seconds: float
    code: str

    def __str__(self) -> str:
        return (
            f"{self.processor:16} {self.family:16} {self.sizes:6} {self.differing:10} "
            f"{self.worst_px:14.4f} {self.seconds:7.1f}"
        )


HEADER = (
    f"{'processor':16} {'family':16} {'sizes':>6} {'differing':>10} {'worst edge px':>14} {'s':>7}"
)


def code_compared() -> str:
    """Digest of all that a comparison depends on."""
    digest = hashlib.sha256()
    for path in sorted(Path(perceived.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for path in (hf_processors.__file__, seen.__file__):
        digest.update(Path(path).read_bytes())
    for library in ("transformers", "torch", "torchvision", "pillow", "numpy"):
        try:
            digest.update(f"{library} {version(library)}".encode())
        except PackageNotFoundError:
            digest.update(f"{library} is not there".encode())
    return digest.hexdigest()[:16]


def compare(name: str, count: int, code: str) -> Compared:
    """Put many sizes through a processor, and print each that differs from the rule."""
    peer = PEERS[name]
    processor, differing, worst_px = peer.build(), 0, 0.0
    start_s = time.perf_counter()
    for size_hw in log_uniform_sizes(count, seed=f"bench {name}"):
        stated = perceived_by_rule(peer, *size_hw)
        extent = seen_extent(peer, processor, *asked_hw(peer, *size_hw))
        pairs = zip(extent.box_px, stated.content_box_px, strict=True)
        off_px = max(abs(found - edge) for found, edge in pairs)
        worst_px = max(worst_px, off_px)
        if extent.canvas_hw != stated.canvas_hw or off_px > edge_accuracy_px(peer, *size_hw):
            differing += 1
            print(f"  {name} differs at {size_hw}: seen {extent}, stated {stated}")
    return Compared(
        processor=name,
        family=peer.family,
        sizes=count,
        differing=differing,
        worst_px=round(worst_px, 4),
        seconds=round(time.perf_counter() - start_s, 1),
        code=code,
    )


def kept_results(path: Path | None, count: int, code: str) -> dict[str, Compared]:
    """What an earlier run found of the same code on as many sizes."""
    if path is None or not path.exists():
        return {}
    kept: dict[str, Compared] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):  # a line that was cut off, and the one glued to it
            one = Compared(**json.loads(line))
            if (one.sizes, one.code) == (count, code):
                kept[one.processor] = one
    return kept


def compare_all(names: list[str], count: int, results: Path | None) -> list[Compared]:
    """Compare the processors that `results` has not, and print a closing table of all."""
    code = code_compared()
    done = kept_results(results, count, code)
    for name in names:
        if name in done:
            continue
        try:
            done[name] = compare(name, count, code)
        except ImportError as missing:
            print(f"  {name} is NOT compared: {str(missing).strip().splitlines()[0]}")
            continue
        print(f"  {name}: {done[name].differing} of {count} differ", flush=True)
        if results:
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(done[name])) + "\n")
    table = [done[name] for name in names if name in done]
    print(HEADER, *table, sep="\n")
    differing, seconds = sum(one.differing for one in table), sum(one.seconds for one in table)
    print(
        f"{len(table)} processors: {differing} differences in {count} sizes each, {seconds:.0f} s"
    )
    unchecked = ", ".join(name for name, family in FAMILIES.items() if not family.verified)
    print(f"families without a processor to compare with: {unchecked}")
    return table


def record(path: Path, count: int) -> None:
    """Write what the processors that need torchvision make, for tests where there is none."""
    sizes = {
        name: {
            "{}x{}".format(*size_hw): [extent.canvas_hw, [round(edge, 2) for edge in extent.box_px]]
            for size_hw in log_uniform_sizes(count, seed=f"record {name}")
            if (extent := seen_extent(peer, processor, *asked_hw(peer, *size_hw)))
        }
        for name, peer in PEERS.items()
        if peer.needs_torch and (processor := peer.build())
    }
    found = {"versions": {key: version(key) for key in ("transformers", "torchvision")}}
    path.write_text(json.dumps({**found, "seen": sizes}, separators=(",", ":")) + "\n", "utf-8")


def mean_us(call: Callable[[], object], repeats: int) -> float:
    """Mean time of a call, in microseconds."""
    start_s = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start_s) / repeats * 1e6


def cost() -> None:
    """Print the time of the rule and of preparing one 512×512 grey slice, per family."""
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    print(f"\n{'family':16} {'rule us':>8} {'picture us':>11}")
    for family in FAMILIES:
        limits = LIMITS.get(family)
        rule_us = mean_us(partial(perceived_size, family, 512, 512, limits), 2000)
        picture_us = mean_us(partial(picture_to_send, pixels, family, limits), 50)
        print(f"{family:16} {rule_us:8.1f} {picture_us:11.0f}")


def main() -> int:
    """Compare every peer, then print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, default=300, help="random sizes per processor")
    parser.add_argument("--only", nargs="*", default=list(PEERS), help="names of processors")
    parser.add_argument("--results", type=Path, help="keep and reuse what was compared here")
    parser.add_argument("--record", type=Path, help="write what is seen to this file instead")
    options = parser.parse_args()
    count = options.sizes
    if options.record:
        record(options.record, count)
        return 0
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, 16-4000 px")
    table = compare_all(options.only, count, options.results)
    cost()
    return 1 if len(table) < len(options.only) or any(one.differing for one in table) else 0


if __name__ == "__main__":
    sys.exit(main())
