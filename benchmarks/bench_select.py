"""Selecting samples from a large table, beside going through it row by row.

Run from the repository root: python -m benchmarks.bench_select [--rows 300000]. The alternative
goes through the rows one by one, makes an id of each that passes the filters, then draws; both
give the same samples.
"""

import argparse
import hashlib
import json
import platform
import resource
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import nibabel as nib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medvision.cli import main as medvision
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.read import read_cases, read_regions
from medvision.tasks import Task

CAP = 1000
SEED = 1024
SIDE = 48


def written_tables(folder, n_rows):
    """Tables of one small case, its region rows repeated over slice numbers up to `n_rows`."""
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint8)
    labels[8:40, 10:36, 4:44] = 1
    labels[20:34, 14:30, 10:30] = 2
    affine = np.diag([0.8, 0.9, 2.0, 1.0])
    for kind, array in (("images", labels.astype(np.int16) * 40), ("masks", labels)):
        (folder / kind).mkdir()
        nib.save(nib.Nifti1Image(array, affine), folder / kind / "c0.nii.gz")
    (folder / "labels.json").write_text(json.dumps({"1": "liver", "2": "liver tumor"}))
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", folder / "labels.json", "--name", "bench", "--modality", "CT"]
    words += ["--target-labels", "2", "--out", folder / "tables"]
    if medvision([str(word) for word in words]):
        raise RuntimeError(folder)
    for path in (folder / "tables" / "regions").glob("**/*.parquet"):
        rows = pq.read_table(path, partitioning=None)
        times = -(-n_rows // (3 * rows.num_rows))
        repeated = pa.concat_tables([rows] * times).combine_chunks()
        place = repeated.column_names.index("slice_index")
        numbers = pa.array(np.arange(repeated.num_rows), pa.int32())
        pq.write_table(repeated.set_column(place, "slice_index", numbers), path)
    return folder / "tables"


def row_by_row(tables):
    """Ids of the drawn detection samples, one row after the other."""
    images = {row["case_id"]: row["images"] for row in read_cases(tables).to_pylist()}
    ids = []
    for row in read_regions(tables).to_pylist():
        sides = (row["x1_px"] - row["x0_px"], row["y1_px"] - row["y0_px"])
        if row["n_components"] == 1 and min(sides) >= 10:
            for image in images[row["case_id"]]:
                parts = (row["dataset"], row["cohort"], row["case_id"], image["image_id"])
                what = f"{row['label_id']}.{row['component']}"
                parts += (row["plane"], str(row["slice_index"]), what, "detection")
                ids.append("/".join(quote(part, safe="") for part in parts))
    ranked = sorted(ids, key=lambda one: hashlib.sha256(f"{SEED}/{one}".encode()).digest())
    return set(ranked[:CAP])


def main():
    """Print seconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    args = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        tables = written_tables(Path(name), args.rows)
        suite = Suite(
            name="b", configs=(TaskConfig(task=Task.DETECTION),), cap_per_config=CAP, seed=SEED
        )
        seconds = {}
        start_s = time.perf_counter()
        found = select_samples(suite, table_folders([tables]), split="all")
        seconds["by column"] = time.perf_counter() - start_s
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start_s = time.perf_counter()
        expected = row_by_row(tables)
        seconds["row by row"] = time.perf_counter() - start_s
        if {sample.sample_id for sample in found.samples} != expected:
            raise RuntimeError(tables)
        n_rows = read_regions(tables, columns=["label"]).num_rows
        print(f"{n_rows} rows, {CAP} samples drawn; peak memory {peak_mib:.0f} MiB by column")
        for way, taken_s in seconds.items():
            print(f"{way:12} {taken_s:7.2f} s")
        print(f"ratio {seconds['row by row'] / seconds['by column']:.1f}")


if __name__ == "__main__":
    main()
