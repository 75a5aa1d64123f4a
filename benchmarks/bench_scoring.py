"""Seconds and memory to score and aggregate one million answers.

Run: python benchmarks/bench_scoring.py [rows] [subjects]

The inputs are written to a temporary folder by a process of their own, so that the peak memory
printed is of reading, scoring and aggregating alone.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medvision.catalog.anatomy import anatomy_facts
from medvision.samples import SAMPLE_SCHEMA
from medvision.scoring import ANSWER_SCHEMA, GROUPINGS, aggregate, group_average, score_table

N_DATASETS = 22
TASKS = np.array(["detection", "tl", "ad", "area"])
UNITS = np.array(["relative", "mm", "deg", "mm2"])
N_VALUES = np.array([4, 2, 1, 1])
TASK_SHARES = (0.6, 0.2, 0.1, 0.1)
STATUSES = np.array(["ok", "no_number", "wrong_count", "refused", "truncated"])
STATUS_SHARES = (0.9, 0.04, 0.03, 0.02, 0.01)


def labels_of_datasets(rng, dataset, n_rows):
    """Text column: each data set has ten labels of its own."""
    labels = sorted(anatomy_facts().group_of_label)
    codes = (dataset * 10 + rng.integers(10, size=n_rows)) % len(labels)
    return pa.array(labels).take(pa.array(codes))


def chosen(rng, values, n_rows, shares=None):
    """Text column drawn from few values."""
    codes = rng.choice(len(values), size=n_rows, p=shares)
    return pa.array([str(value) for value in values]).take(pa.array(codes))


def number_lists(rng, task, *, spread):
    """Truth-like numbers for each row's task: boxes inside [0, 1], sizes of 10 to 100."""
    n_rows = len(task)
    numbers = rng.uniform(10, 100, (n_rows, 4))
    low = rng.uniform(0, 0.5, (n_rows, 2)) * spread
    boxes = np.concatenate([low, low + rng.uniform(0.05, 0.5, (n_rows, 2))], axis=1)
    numbers[task == 0] = boxes[task == 0]
    length = N_VALUES[task]
    kept = np.arange(4) < length[:, None]
    offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers[kept]))


def write_inputs(folder, n_rows, n_subjects):
    """Samples and answers of a synthetic run."""
    rng = np.random.default_rng(1)
    task = rng.choice(len(TASKS), size=n_rows, p=TASK_SHARES)
    subject = rng.integers(n_subjects, size=n_rows)
    dataset = subject % N_DATASETS
    sides = rng.integers(10, 120, (n_rows, 2))
    box = np.concatenate([np.zeros((n_rows, 2)), sides], axis=1)
    box_px = pa.ListArray.from_arrays(
        pa.array(np.arange(n_rows + 1, dtype=np.int32) * 4), pa.array(box.ravel())
    )
    ids = pa.array([f"set{s}//case/image/axial/0/{i}/x" for i, s in enumerate(dataset)])
    columns = {
        "sample_id": ids,
        "task": pa.array(TASKS.tolist()).take(pa.array(task)),
        "dataset": pa.array([f"set{s}" for s in dataset]),
        "subject_id": pa.array([f"subject_{s:06d}" for s in subject]),
        "modality": pa.array(["CT", "MRI", "PET"]).take(pa.array(dataset % 3)),
        "plane": chosen(rng, ["axial", "coronal", "sagittal"], n_rows),
        "label": labels_of_datasets(rng, dataset, n_rows),
        "unit": pa.array(UNITS.tolist()).take(pa.array(task)),
        "height_px": pa.array(np.full(n_rows, 512, dtype=np.int32)),
        "width_px": pa.array(np.full(n_rows, 512, dtype=np.int32)),
        "spacing_y_mm": pa.array(np.full(n_rows, 0.8)),
        "spacing_x_mm": pa.array(np.full(n_rows, 0.8)),
        "truth": number_lists(rng, task, spread=1.0),
        "box_px": box_px,
    }
    empty = pa.array([""]).take(pa.array(np.zeros(n_rows, dtype=np.int64)))
    for field in SAMPLE_SCHEMA:
        default = empty if field.type == pa.string() else pa.nulls(n_rows, field.type)
        columns.setdefault(field.name, default)
    samples = pa.table([columns[f.name] for f in SAMPLE_SCHEMA], schema=SAMPLE_SCHEMA)
    pq.write_table(samples, folder / "samples.parquet")
    values = number_lists(rng, task, spread=0.9)
    status = chosen(rng, STATUSES, n_rows, STATUS_SHARES)
    response = pa.array(["ok"]).take(pa.array(np.zeros(n_rows, dtype=np.int64)))
    repeat = pa.array(np.zeros(n_rows, dtype=np.int32))
    answers = [ids, repeat, response, status, values, status, values]
    pq.write_table(pa.table(answers, schema=ANSWER_SCHEMA), folder / "answers.parquet")


def peak_gib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(what, function, *args, **kwargs):
    start, cpu_start = time.perf_counter(), time.process_time()
    result = function(*args, **kwargs)
    print_row(what, start, cpu_start, f"{result.num_rows:>9} rows")
    return result


def print_row(what, start, cpu_start, note):
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    print(f"{what:<26} {seconds:7.2f} s {cpu_seconds:7.2f} CPU s  {note}  {peak_gib():.2f} GiB")


def measure(folder):
    """Read, score and aggregate by every grouping, 1000 resamples each."""
    start, cpu_start = time.perf_counter(), time.process_time()
    samples = timed("read samples", pq.read_table, folder / "samples.parquet")
    answers = timed("read answers", pq.read_table, folder / "answers.parquet")
    scores = timed("score", score_table, samples, answers)
    del samples, answers
    for name, by in GROUPINGS.items():
        timed(f"aggregate {name}", aggregate, scores, by)
    timed("group average", group_average, scores)
    print_row("all", start, cpu_start, " " * 14)


def main():
    if len(sys.argv) == 5:
        write_inputs(Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]))
        return
    n_rows, n_subjects = [*sys.argv[1:], *["1000000", "5000"][len(sys.argv) - 1 :]][:2]
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f}, numpy {np.__version__}")
    print(f"{n_rows} rows, {n_subjects} subjects")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # inputs in a process of their own: see above
            [sys.executable, __file__, folder, "write", n_rows, n_subjects], check=True
        )
        measure(Path(folder))


if __name__ == "__main__":
    main()
