"""Seconds and memory of all analyses over one million score rows, in two settings.

Run: python -m benchmarks.bench_analyses [rows] [subjects]

*one run*: every row is another question, with its chain of thought. *several runs*: a model asked
twice, `train-best` beside it, and the model asked again with half of the pixel size. Each setting
is analysed in a process of its own, so that the peak memory printed is of the analyses alone.

Beside them: the margins over `train-best` of 40,000 rows by a loop over rows, without intervals,
which have to be the same numbers.
"""

import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.bench_scoring import drawn_samples, print_row
from medvision.analysis import RunScores
from medvision.analysis.verdicts.analyse import ANALYSES, analyse
from medvision.analysis.verdicts.groups import GROUP_COLUMNS
from medvision.analysis.verdicts.margin import margin
from medvision.analysis.verdicts.rows import run_rows
from medvision.samples.pixel_size import of_pixel_size, with_pixel_size_scaled
from medvision.scoring.alignment import ANSWER_SCHEMA
from medvision.scoring.score_table import score_table
from medvision.table.schema import POINT_TYPE
from medvision.tasks import TASKS, Task

UNREAD_SHARE = 0.05
SCANNERS = ("A", "B", "C")
N_BY_ROWS = 40_000


def with_points(samples):
    """The samples, those of T/L with the end points of two axes."""
    names = ("major 0", "major 1", "minor 0", "minor 1")
    places = ((100.0, 100.0), (150.0, 130.0), (120.0, 130.0), (130.0, 100.0))
    points = [
        {"key": name, "name": name, "x_px": x, "y_px": y}
        for name, (x, y) in zip(names, places, strict=True)
    ]
    kinds = pa.array([[], points], pa.list_(POINT_TYPE))
    is_tl = pc.equal(samples["task"], "tl").cast(pa.int64())
    at = samples.column_names.index("points")
    return samples.set_column(at, "points", pc.take(kinds, is_tl))


def answered(rng, samples, *, repeats, noise):
    """Scores and replies of a model whose answers are the truths with so much noise."""
    truth = samples["truth"].combine_chunks()
    flat, length = np.asarray(truth.flatten()), np.asarray(pc.list_value_length(truth))
    offsets = pa.array(np.concatenate([[0], np.cumsum(length)]), pa.int32())
    answers, replies = [], []
    for repeat in range(repeats):
        said = np.round(flat * (1 + noise * rng.standard_normal(len(flat))), 2)
        # Boxes keep their corners in order: both of a pair are moved alike.
        values = pa.ListArray.from_arrays(offsets, pa.array(np.where(flat < 1, flat, said)))
        is_read = pa.array(rng.uniform(size=len(samples)) >= UNREAD_SHARE)
        status = pc.if_else(is_read, "ok", "no_number")
        values = pc.if_else(is_read, values, pa.scalar([], values.type))
        repeats_column = pa.repeat(pa.scalar(repeat, pa.int32()), len(samples))
        ok = pa.repeat(pa.scalar("ok"), len(samples))
        columns = [samples["sample_id"], repeats_column, ok, status, values, status, values]
        answers.append(pa.table(columns, names=ANSWER_SCHEMA.names).cast(ANSWER_SCHEMA))
        points = ", ".join(f"({x:.4f}, {x:.4f})" for x in (0.2, 0.3, 0.24, 0.27))
        text = pc.binary_join_element_wise(
            f"End points: {points}. sqrt(3^2 + 4^2) = 5.00 mm.",
            samples["subject_id"].cast(pa.string()),
            pc.if_else(is_read, "<answer>1</answer>", "I cannot tell"),
            " ",
        )
        prompt = pa.repeat(pa.scalar(""), len(samples))
        names = ["sample_id", "repeat", "prompt", "text"]
        replies.append(pa.table([samples["sample_id"], repeats_column, prompt, text], names=names))
    return score_table(samples, pa.concat_tables(answers)), pa.concat_tables(replies)


def write_run(folder, rng, samples, *, repeats=1, noise=0.2):
    """The tables of a run, with a scanner of each subject."""
    folder.mkdir(parents=True)
    scores, replies = answered(rng, samples, repeats=repeats, noise=noise)
    digit = pc.utf8_slice_codeunits(scores["subject_id"], -1)
    scanner = pc.take(pa.array(SCANNERS), pc.cast(digit, pa.int64()).to_numpy() % len(SCANNERS))
    scores = scores.append_column("subject_scanner", scanner)
    for name, table in (("scores", scores), ("samples", samples), ("replies", replies)):
        pq.write_table(table, folder / f"{name}.parquet")


def write_inputs(folder, setting, n_rows, n_subjects):
    """The runs of a setting, of `n_rows` score rows together."""
    rng = np.random.default_rng(2)
    if setting == "one":
        samples, _ = drawn_samples(rng, n_rows, n_subjects)
        write_run(folder / "model", rng, with_points(samples))
        return
    # Of each question: two rows of the model, two of train-best, two of three tenths asked again.
    samples, _ = drawn_samples(rng, int(n_rows / 4.6), n_subjects)
    write_run(folder / "model", rng, samples, repeats=2)
    write_run(folder / "train-best", rng, samples, repeats=2, noise=0.5)
    again = with_pixel_size_scaled(of_pixel_size(samples, tuple(Task)), 0.5)
    write_run(folder / "model" / "spacing-0.5", rng, again, repeats=2)


def read_run(folder, name, manifest, asked_again=()):
    """A run as the analyses get it."""
    tables = {
        name: pq.read_table(folder / f"{name}.parquet", partitioning=None)
        for name in ("scores", "samples", "replies")
    }
    return RunScores(
        name=name,
        model=f"baseline/{name}" if name == "train-best" else name,
        is_baseline=name == "train-best",
        manifest=manifest,
        asked_again=asked_again,
        **tables,
    )


def measure(folder, setting):
    """Each analysis alone, then all of them as the command runs them."""
    if setting == "one":
        runs = [read_run(folder / "model", "model", {"style": "cot"})]
    else:
        half = {"style": "direct", "spacing_scale": 0.5, "spacing_withheld": False}
        again = (read_run(folder / "model" / "spacing-0.5", "again", half),)
        runs = [
            read_run(folder / "model", "model", {"style": "direct"}, again),
            read_run(folder / "train-best", "train-best", {"style": "direct"}),
        ]
    n_rows = sum(run.scores.num_rows for one in runs for run in (one, *one.asked_again))
    print_row("inputs read", time.perf_counter(), time.process_time(), f"{n_rows:>9} rows")
    start, cpu_start = time.perf_counter(), time.process_time()
    rows = list(map(run_rows, runs))
    print_row("rows by task", start, cpu_start, f"{n_rows:>9} rows")
    for name, analysis in ANALYSES.items():
        start, cpu_start = time.perf_counter(), time.process_time()
        found = list(analysis.put(rows))
        print_row(name, start, cpu_start, f"{len(found):>5} verdicts")
    start, cpu_start = time.perf_counter(), time.process_time()
    found = analyse(runs)
    print_row("all", start, cpu_start, f"{len(found):>5} verdicts")
    if setting == "several":
        compare_with_rows(runs)


def margins_by_rows(model, best):
    """Mean margin of each task and group, row by row."""
    columns = ["sample_id", "repeat", "task", "unit", "status", "iou", "absolute_error"]
    columns += ["relative_error", *GROUP_COLUMNS]
    theirs = {
        (row["sample_id"], row["repeat"]): quality_of_row(row)
        for row in best.scores.select(columns).to_pylist()
    }
    sums = {}
    for row in model.scores.select(columns).to_pylist():
        gap = quality_of_row(row) - theirs[row["sample_id"], row["repeat"]]
        if not math.isnan(gap):
            for group in ("", *(f"{name}={row[name]}" for name in GROUP_COLUMNS)):
                total = sums.setdefault((row["task"], row["unit"], group), [0.0, 0])
                total[0] += gap
                total[1] += 1
    return {key: total / n for key, (total, n) in sums.items()}


def quality_of_row(row):
    """The headline measure of a row, larger is better."""
    headline = TASKS[Task(row["task"])].headline_column
    value = row[headline]
    if headline == "iou":
        return value or 0.0
    return math.nan if value is None else -value


def compare_with_rows(runs):
    """Time both ways on the first rows, and check that they agree."""
    few = [replace(run, scores=run.scores.slice(0, N_BY_ROWS), asked_again=()) for run in runs]
    start, cpu_start = time.perf_counter(), time.process_time()
    expected = margins_by_rows(*few)
    print_row("margins, row by row", start, cpu_start, f"{N_BY_ROWS:>9} rows")
    start, cpu_start = time.perf_counter(), time.process_time()
    found = [one for one in margin(list(map(run_rows, few))) if one.model == few[0].name]
    print_row("margins with intervals", start, cpu_start, f"{N_BY_ROWS:>9} rows")
    units = {"detection": "relative", "tl": "mm", "ad (deg)": "deg", "ad (mm)": "mm", "area": "mm2"}
    for one in found:
        by_rows = expected[one.task.partition(" ")[0], units[one.task], one.group]
        if not math.isclose(one.value, by_rows, rel_tol=1e-9, abs_tol=1e-12):
            msg = f"{one.task} {one.group}: {one.value} and, row by row, {by_rows}"
            raise SystemExit(msg)


def main():
    if len(sys.argv) > 3:
        part, folder, setting, *numbers = sys.argv[1:]
        if part == "write":
            write_inputs(Path(folder), setting, *map(int, numbers))
        else:
            measure(Path(folder), setting)
        return
    n_rows, n_subjects = [*sys.argv[1:], *["1000000", "5000"][len(sys.argv) - 1 :]][:2]
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f}, numpy {np.__version__}")
    print(f"{n_rows} rows, {n_subjects} subjects")
    for setting in ("one", "several"):
        print(f"{setting} run(s)")
        with tempfile.TemporaryDirectory() as folder:
            this = [sys.executable, "-m", "benchmarks.bench_analyses"]
            subprocess.run([*this, "write", folder, setting, n_rows, n_subjects], check=True)
            subprocess.run([*this, "measure", folder, setting], check=True)


if __name__ == "__main__":
    main()
