"""Speed of region annotation: boxes against a naive loop and against unpacking, ellipses.

Run: python benchmarks/bench_regions.py [LABELS.nii.gz]
"""

import argparse
import gzip
import os
import platform
import statistics
import time

import cv2
import nibabel
import numpy as np
from isal import igzip
from scipy import ndimage

from medvision.annotate.components import label_components
from medvision.annotate.ellipse import fit_ellipses
from medvision.annotate.label_memory import dense_labels
from medvision.annotate.regions import native_region_table, region_table
from medvision.frames import VOLUME_PLANES, display_view


def seconds(function, repeats=7):
    """Median time of a call, after one call to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def naive_components(label_map):
    """Number of components on the three planes, by a loop over slices and labels."""
    n_components = 0
    for axis in range(3):
        for pixels in np.moveaxis(label_map, axis, 0):
            for label in np.unique(pixels):
                if label:
                    numbered, _ = ndimage.label(pixels == label)
                    n_components += len(ndimage.find_objects(numbered))
    return n_components


def parcellated_head(shape=(181, 217, 181), n_labels=116, seed=0):
    """Voronoi cells of seeds in a thick shell of an ellipsoid, uint8, Fortran order."""
    rng = np.random.default_rng(seed)
    center, radius = np.array(shape) / 2, np.array(shape) * 0.42
    seeds = rng.normal(size=(n_labels, 3))
    seeds *= rng.uniform(0.4, 1.0, (n_labels, 1)) / np.linalg.norm(seeds, axis=1, keepdims=True)
    label_map = np.zeros(shape, dtype=np.uint8, order="F")
    for i in range(shape[0]):
        plane = np.stack(np.meshgrid([i], *map(np.arange, shape[1:]), indexing="ij"), -1)[0]
        unit = (plane - center) / radius
        distance = np.linalg.norm(unit, axis=-1)
        wavy = distance + 0.04 * np.sin(plane.sum(-1) / 3) * np.cos(plane[..., 1] / 4)
        inside = (wavy > 0.3) & (wavy < 1)
        to_seeds = np.stack([((unit[inside] - seed) ** 2).sum(-1) for seed in seeds])
        label_map[i][inside] = 1 + to_seeds.argmin(0)
    return label_map


def organs(shape=(512, 512, 300), n_labels=40, seed=1):
    """Tilted, rippled ellipsoids of many sizes, uint8, Fortran order."""
    rng = np.random.default_rng(seed)
    label_map = np.zeros(shape, dtype=np.uint8, order="F")
    for label in range(1, n_labels + 1):
        radius = rng.uniform(0.03, 0.16, 3) * shape
        center = rng.uniform(0.2, 0.8, 3) * shape
        low = np.maximum(center - radius, 0).astype(int)
        high = np.minimum(center + radius + 1, shape).astype(int)
        box = tuple(slice(*bounds) for bounds in zip(low, high, strict=True))
        i, j, k = np.ogrid[box]
        u, v, w = ((at - c) / r for at, c, r in zip((i, j, k), center, radius, strict=True))
        ripple = 0.1 * np.sin(i / 5 + label) * np.cos(j / 7) * np.sin(k / 6)
        label_map[box][u * u + v * v + w * w + 0.5 * u * v + ripple <= 0.8] = label
    return label_map


def show_boxes(name, label_map):
    fast_s = seconds(lambda: region_table(label_map, (1, 1, 1)))
    start = time.perf_counter()
    n_components = naive_components(np.asarray(label_map))
    naive_s = time.perf_counter() - start
    table = region_table(label_map, (1, 1, 1))
    agrees = "same" if table.num_rows == n_components else "DIFFERENT"
    print(f"{name}: {table.num_rows} components ({agrees} number as the naive loop)")
    for plane in VOLUME_PLANES:
        print(f"  {plane}: {table.column('plane').to_pylist().count(plane)}")
    print(f"  region_table {fast_s * 1e3:.1f} ms, naive loop {naive_s:.2f} s")
    print(f"  {naive_s / fast_s:.0f} times faster (target: at least 60)")


def show_unpacking(label_map):
    packed = gzip.compress(label_map.tobytes(order="F"), compresslevel=6)
    for dtype in ("uint8", "int16", "int32"):
        stored = label_map.astype(dtype, order="F")
        data = packed if dtype == "uint8" else gzip.compress(stored.tobytes("F"), compresslevel=6)
        unpack_s = seconds(lambda data=data: igzip.decompress(data), 5)
        boxes_s = seconds(lambda stored=stored: region_table(stored, (1, 1, 1)), 5)
        filled_frac = np.count_nonzero(label_map) / label_map.size
        print(f"organs {dtype}, {label_map.shape}, {filled_frac:.0%} filled: ", end="")
        print(f"unpack {unpack_s * 1e3:.0f} ms, region_table {boxes_s * 1e3:.0f} ms, ", end="")
        print(f"{boxes_s / unpack_s:.2f} times the unpacking (target: at most 4)")


def show_ellipses(label_map):
    """Time per ellipse on axial slices, less the two OpenCV calls on the same masks."""
    labels = dense_labels(label_map)
    stack = display_view(labels.array, VOLUME_PLANES[2])
    targets = np.unique(label_map).astype(np.int64)
    found = label_components(labels, stack, 0, targets[targets != 0])
    ours_s = seconds(lambda: fit_ellipses(found.runs, found.box_xyxy_px, (0.7, 1.3)))
    sides = found.box_xyxy_px[:, 2:] - found.box_xyxy_px[:, :2]
    masks, contours = [], []
    for index in np.flatnonzero(sides.min(axis=1) >= 3):
        x0, y0, x1, y1 = found.box_xyxy_px[index]
        pixels = stack[found.slice_index[index], y0:y1, x0:x1] == found.label_id[index]
        masks.append(np.ascontiguousarray(pixels).astype(np.uint8))
        found_contours = cv2.findContours(masks[-1], cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        points = max(found_contours, key=len)
        if len(points) >= 5:
            contours.append((points * np.array([0.7, 1.3])).astype(np.float32))

    def opencv():
        for mask in masks:
            cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for points in contours:
            cv2.fitEllipse(points)

    opencv_s, n = seconds(opencv), len(contours)
    beyond_us = (ours_s - opencv_s) / n * 1e6
    print(
        f"{n} ellipses: {ours_s / n * 1e6:.1f} us each, OpenCV {opencv_s / n * 1e6:.1f} us: ",
        end="",
    )
    print(f"{beyond_us:.1f} us beyond OpenCV (target: at most 40)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", nargs="?", help="a NIfTI label map to time as well")
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, ", end="")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, OpenCV {cv2.__version__}")
    start = time.perf_counter()
    native_region_table(np.ones((9, 9), dtype=np.uint8), (1, 1), "native", [1])
    print(f"first call (compiles, or loads what was compiled): {time.perf_counter() - start:.2f} s")
    head = parcellated_head()
    show_boxes("parcellated head", head)
    show_ellipses(head)
    if arguments.labels:
        image = nibabel.as_closest_canonical(nibabel.load(arguments.labels))
        label_map = np.asanyarray(image.dataobj)
        show_boxes(arguments.labels, label_map)
        show_ellipses(label_map)
    show_unpacking(organs())


if __name__ == "__main__":
    main()
