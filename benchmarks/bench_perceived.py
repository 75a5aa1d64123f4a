"""Perceived size against the real image processors on many sizes, and what the rules cost.

Run from the repository root: `python -m benchmarks.bench_perceived [--sizes 300]`. Exits with 1
if any canvas or content differs from what a processor produced.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.hf_processors import (
    PEERS,
    Peer,
    asked_hw,
    edge_accuracy_px,
    log_uniform_sizes,
    perceived_by_rule,
    seen_extent,
)
from medvision.pictures.perceived import FAMILIES, perceived_size, picture_to_send

LIMITS = {
    "claude": {"long_edge_px": 1568, "max_tokens": 1600},
    "openai_patch": {"long_edge_px": 2048, "patch_budget": 1536},
}


def compare(name: str, peer: Peer, count: int) -> int:
    """Print one row; return how many sizes differ."""
    processor, differing, worst_px = peer.build(), 0, 0.0
    start_s = time.perf_counter()
    for size_hw in log_uniform_sizes(count, seed=f"bench {name}"):
        perceived = perceived_by_rule(peer, *size_hw)
        seen = seen_extent(peer, processor, *asked_hw(peer, *size_hw))
        pairs = zip(seen.box_px, perceived.content_box_px, strict=True)
        off_px = max(abs(found - stated) for found, stated in pairs)
        worst_px = max(worst_px, off_px)
        if seen.canvas_hw != perceived.canvas_hw or off_px > edge_accuracy_px(peer, *size_hw):
            differing += 1
            print(f"  differs at {size_hw}: seen {seen}, stated {perceived}")
    seconds = time.perf_counter() - start_s
    print(f"{name:16} {count:6} {differing:10} {worst_px:14.4f} {seconds:6.1f}")
    return differing


def record(path: Path, count: int) -> None:
    """Write what the processors that need torchvision make, for tests where there is none."""
    sizes = {
        name: {
            "{}x{}".format(*size_hw): [seen.canvas_hw, [round(edge, 2) for edge in seen.box_px]]
            for size_hw in log_uniform_sizes(count, seed=f"record {name}")
            if (seen := seen_extent(peer, processor, *asked_hw(peer, *size_hw)))
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
    parser.add_argument("--record", type=Path, help="write what is seen to this file instead")
    options = parser.parse_args()
    count = options.sizes
    if options.record:
        record(options.record, count)
        return 0
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, 16-4000 px")
    print(f"{'processor':16} {'sizes':>6} {'differing':>10} {'worst edge px':>14} {'s':>6}")
    differing, absent = 0, []
    for name in options.only:
        try:
            differing += compare(name, PEERS[name], count)
        except ImportError:
            absent.append(name)
    if absent:
        print(f"not compared, as they need torch and torchvision: {', '.join(absent)}")
    cost()
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
