"""Throughput of slice to picture to PNG for 512×512 axial slices, beside the bare library calls.

Run from the repository root: `python -m benchmarks.bench_render [--slices 240]`. Two processes,
each with its share of one volume. Rates are those of two cores with nothing else to do, by the CPU
time of a sample; what the clock said stands beside. Bare means: window or percentiles in NumPy,
grey PNG by OpenCV at its fastest level. Ours means `SlicePictures`, from a sample to PNG bytes.
Exits with 1 below 150 samples/s or 0.8 of the bare rate.
"""

import argparse
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
from PIL import Image
from PIL.features import version

from medvision.frames import Plane, SliceGeometry
from medvision.pictures.grey_levels import percentile_range
from medvision.pictures.render import (
    PixelGrid,
    RenderedImage,
    SlicePictures,
    on_grid,
    pixel_sha256,
    png_bytes,
    rendered,
)
from medvision.samples import Sample
from medvision.tasks import Task
from medvision.volumes import read_volume, slice_pixels

SIDE_PX, N_SLICES, N_PROCESSES = 512, 60, 2
LEAST_PER_S, LEAST_SHARE = 150.0, 0.8
WINDOW_HU = (-160.0, 240.0)
FASTEST_PNG = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of image."""

    modality: str
    label: str
    dtype: str


KINDS = {
    "CT int16, window": Kind(modality="CT", label="liver", dtype="int16"),
    "MRI int16, percentiles": Kind(modality="MRI", label="liver", dtype="int16"),
    "MRI float32, percentiles": Kind(modality="MRI", label="liver", dtype="float32"),
}


def body(rng: np.random.Generator, dtype: str) -> np.ndarray:
    """A body-like volume with smooth tissue and scanner noise, air around it, HU."""
    coarse = rng.normal(0, 1, (SIDE_PX // 16, SIDE_PX // 16, N_SLICES))
    planes = [
        cv2.resize(coarse[..., k], (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
        for k in range(N_SLICES)
    ]
    tissue = np.stack(planes, axis=-1) * 60 + 40
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX / 2
    inside = (x / 230) ** 2 + (y / 170) ** 2 <= 1
    volume = np.where(inside[..., None], tissue, -1000) + rng.normal(0, 15, tissue.shape)
    return np.asfortranarray(np.clip(volume, -1024, 3000).astype(dtype))


GEOMETRY = SliceGeometry(height_px=SIDE_PX, width_px=SIDE_PX, spacing_y_mm=0.7, spacing_x_mm=0.7)


def samples_of(image: Path, kind: Kind, count: int) -> list[Sample]:
    """As many samples of axial slices, one after another through the volume."""
    return [
        Sample(
            sample_id=f"bench//c/image/axial/{number % N_SLICES}/{number}/detection",
            task=Task.DETECTION, dataset="bench", cohort="", case_id="c", subject_id="c",
            split="test", image_id="image", modality=kind.modality, image_uri=str(image),
            image_sha256="", plane="axial", slice_index=number % N_SLICES,
            geometry=GEOMETRY, label_id=1, label=kind.label, component=0, name=kind.label,
            metric_kind="", metric_key="", unit="relative",
            truth=(0.1, 0.1, 0.9, 0.9), box_px=(), points=(),
        )
        for number in range(count)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of a number of samples in one process."""

    cpu_s: float
    wall_s: float


def ours(image: Path, kind: Kind, count: int) -> Cost:
    """Cost of `count` samples, volume already read."""
    pictures, samples = SlicePictures(), samples_of(image, kind, count)
    png_bytes(pictures.picture(samples[0]))
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    for sample in samples:
        png_bytes(pictures.picture(sample))
    return Cost(cpu_s=time.process_time() - start_cpu_s, wall_s=time.perf_counter() - start_s)


def bare(image: Path, kind: Kind, count: int) -> Cost:
    """Cost of as many slices with nothing but NumPy and OpenCV."""
    array = read_volume(image).array
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    for number in range(count):
        values = array[::-1, ::-1, number % N_SLICES].T
        low, high = WINDOW_HU if kind.modality == "CT" else np.percentile(values, (0.5, 99.5))
        levels = np.clip((values.astype(np.float32) - low) / (high - low), 0, 1) * 255
        cv2.imencode(".png", levels.astype(np.uint8), FASTEST_PNG)
    return Cost(cpu_s=time.process_time() - start_cpu_s, wall_s=time.perf_counter() - start_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Samples a second: of free cores, by CPU time, and as the clock measured."""

    free_per_s: float
    clock_per_s: float


def rate(call: Callable[[Path, Kind, int], Cost], image: Path, kind: Kind, count: int) -> Rate:
    """Rate of all processes together; by the clock the slowest decides."""
    each = count // N_PROCESSES
    with multiprocessing.get_context("spawn").Pool(N_PROCESSES) as pool:
        jobs = [pool.apply_async(call, (image, kind, each)) for _ in range(N_PROCESSES)]
        costs = [job.get() for job in jobs]
    total = N_PROCESSES * each
    return Rate(
        free_per_s=N_PROCESSES * total / sum(cost.cpu_s for cost in costs),
        clock_per_s=total / max(cost.wall_s for cost in costs),
    )


def mean_ms(call: Callable[[], object], repeats: int = 40) -> float:
    """Mean time of a call."""
    call()
    start_s = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start_s) / repeats * 1e3


def pillow_png(picture: np.ndarray) -> None:
    """The other common PNG writer, at its fastest level that compresses."""
    with tempfile.SpooledTemporaryFile(max_size=2**24) as stream:
        Image.fromarray(picture).save(stream, format="PNG", compress_level=1)


def where_time_goes(image: Path, kind: Kind) -> None:
    """Print what each step of one sample costs, in one process."""
    volume = read_volume(image)
    take = partial(slice_pixels, volume, Plane.AXIAL, N_SLICES // 2)
    values = take().pixels
    picture = rendered(values, modality=kind.modality, label=kind.label)
    shown = RenderedImage(pixels=picture, spacing_y_mm=0.7, spacing_x_mm=0.7)
    square = RenderedImage(pixels=picture, spacing_y_mm=1.4, spacing_x_mm=0.7)
    steps = {
        "slice of the volume": take,
        "percentiles": partial(percentile_range, values),
        "grey levels (in all)": partial(rendered, values, modality=kind.modality, label=kind.label),
        "PNG": partial(png_bytes, picture),
        "PNG by Pillow": partial(pillow_png, picture),
        "pixel digest": partial(pixel_sha256, picture),
        "square pixels, 2:1": partial(on_grid, square, PixelGrid(square=True)),
        "resize to 896x896": partial(on_grid, shown, PixelGrid(shape_hw=(896, 896))),
    }
    for name, call in steps.items():
        print(f"  {name:24} {mean_ms(call):7.2f} ms")
    print(f"  {'PNG size':24} {len(png_bytes(picture)) / 1e3:7.0f} kB")


def main() -> int:
    """Measure each kind of image; 1 when one is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=480, help="samples of each kind")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    args = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} CPUs, OpenCV {cv2.__version__}, zlib {version('zlib')}")
    rng, slow = np.random.default_rng(0), False
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            image = Path(folder) / f"{kind.dtype}.nii"
            nib.save(nib.Nifti1Image(body(rng, kind.dtype), np.diag([0.7, 0.7, 3, 1])), image)
            bare_rates, our_rates = [], []
            for _ in range(args.rounds):
                bare_rates.append(rate(bare, image, kind, args.slices))
                our_rates.append(rate(ours, image, kind, args.slices))
            best = max(our_rates, key=lambda found: found.free_per_s)
            bare_per_s = max(found.free_per_s for found in bare_rates)
            share = best.free_per_s / bare_per_s
            slow |= best.free_per_s < LEAST_PER_S or share < LEAST_SHARE
            print(
                f"{name}: {best.free_per_s:.0f} samples/s on {N_PROCESSES} cores "
                f"({best.clock_per_s:.0f} by the clock), bare {bare_per_s:.0f}/s, {share:.2f}"
            )
            where_time_goes(image, kind)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
