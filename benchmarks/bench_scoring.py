"""Seconds and memory to read, score and aggregate one million stored replies.

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
from medvision.models import Reply, RequestRow, ResponseStatus, ResponseStore
from medvision.models.run_folder import store_path
from medvision.samples import SAMPLE_SCHEMA
from medvision.scoring import GROUPINGS, aggregate, group_averages
from medvision.scoring.score_run import score_run
from medvision.table.manifest import write_manifest

N_DATASETS = 22
TASKS = np.array(["detection", "tl", "ad", "area"])
UNITS = np.array(["relative", "mm", "deg", "mm2"])
N_VALUES = np.array([4, 2, 1, 1])
TASK_SHARES = (0.6, 0.2, 0.1, 0.1)


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


def drawn_samples(rng, n_rows, n_subjects):
    """Samples of a synthetic run, and the code of each one's task."""
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
        "label": (labels := labels_of_datasets(rng, dataset, n_rows)),
        "name": labels,
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
    return pa.table([columns[f.name] for f in SAMPLE_SCHEMA], schema=SAMPLE_SCHEMA), task


def write_inputs(folder, n_rows, n_subjects):
    """Samples and answers of a synthetic run."""
    rng = np.random.default_rng(1)
    samples, task = drawn_samples(rng, n_rows, n_subjects)
    pq.write_table(samples, folder / "samples.parquet")
    values = number_lists(rng, task, spread=0.9).to_pylist()
    forms = rng.choice(len(FORMS), size=n_rows, p=FORM_SHARES)
    rows = zip(samples["sample_id"].to_pylist(), forms.tolist(), task.tolist(), values, strict=True)
    with ResponseStore(store_path(folder)) as store:
        replies = ((name, reply_text(form, TASKS[kind], v)) for name, form, kind, v in rows)
        write_replies(store, replies)
    family = {"name": "as_sent", "limits": None}
    write_manifest(folder, {"stage": "eval", "model": "m", "style": "direct", "family": family})


FORMS = ("asked", "sentence", "prose", "refusal")
FORM_SHARES = (0.9, 0.05, 0.03, 0.02)
WORDS = {
    "detection": "The structure lies in the box x0={}, y0={}, x1={}, y1={}.",
    "tl": "The major axis is {} mm and the minor axis is {} mm.",
    "ad": "I measure {}.",
    "area": "It covers {} mm².",
}


def reply_text(form, task, values):
    numbers = [f"{v:.4f}" if task == "detection" else f"{v:.2f}" for v in values]
    if FORMS[form] == "asked":
        return ", ".join(numbers)
    if FORMS[form] == "sentence":
        return WORDS[task].format(*numbers)
    if FORMS[form] == "prose":
        return "It is hard to tell from one slice; the structure looks enlarged to me."
    return "I'm sorry, but I cannot measure structures in medical images."


def write_replies(store, replies):
    requests, answers = [], []
    for sample_id, text in replies:
        requests.append(RequestRow(sample_id=sample_id, repeat=0, key=sample_id, prompt=""))
        answers.append((sample_id, Reply(status=ResponseStatus.OK, text=text)))
    store.set_requests(requests)
    store.put_many(answers, model="m")


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
    """Read and score the replies, then aggregate by every grouping, 1000 resamples each."""
    start, cpu_start = time.perf_counter(), time.process_time()
    scores = timed("read replies and score", score_run, folder)
    for name, by in GROUPINGS.items():
        timed(f"aggregate {name}", aggregate, scores, by)
    timed("group averages", group_averages, scores)
    print_row("all", start, cpu_start, " " * 14)
    child_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"largest further process: {child_gib:.2f} GiB")


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
