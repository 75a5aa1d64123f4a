"""A small synthetic run: samples and answers as tables, from a few words per row."""

import numpy as np
import pyarrow as pa
import pytest

from medvision.frames import SliceGeometry
from medvision.scoring import ANSWER_SCHEMA, score_table
from medvision.tasks import TASKS, Task
from tests.builders import samples_table

GEOMETRY = SliceGeometry(height_px=300, width_px=400, spacing_y_mm=0.5, spacing_x_mm=0.5)


def answer_row(sample_id, values=None, *, status=None, repeat=0, response="ok", recovered=None):
    """An answer: ok with values, else of the given status; recovered is the same unless given."""
    status = status or ("ok" if values is not None else "no_number")
    values = list(values) if values is not None and status == "ok" else []
    recovered = recovered if recovered is not None else values
    return {
        "sample_id": sample_id,
        "repeat": repeat,
        "response_status": response,
        "status": None if response == "error" else status,
        "values": None if response == "error" else values,
        "recovered_status": None if response == "error" else ("ok" if recovered else status),
        "recovered_values": None if response == "error" else list(recovered),
    }


@pytest.fixture
def make_samples():
    def build(rows):
        return samples_table(
            {"sample_id": f"s{at}", "geometry": GEOMETRY, **row} for at, row in enumerate(rows)
        )

    return build


@pytest.fixture
def make_answers():
    def build(rows):
        return pa.Table.from_pylist([answer_row(**row) for row in rows], ANSWER_SCHEMA)

    return build


@pytest.fixture
def make_scores(make_samples, make_answers):
    """Score rows from (sample fields, answer fields) pairs, one answer each."""

    def build(pairs):
        answers = [{"sample_id": f"s{at}", **answer} for at, (_, answer) in enumerate(pairs)]
        return score_table(make_samples([sample for sample, _ in pairs]), make_answers(answers))

    return build


@pytest.fixture
def mixed_pairs():
    """600 samples of all tasks, subjects and kinds of reply, none an error of the harness."""
    rng = np.random.default_rng(7)
    labels = ["liver", "spleen", "liver tumor", "kidney cyst", "crown", "unheard of"]
    pairs = []
    for _ in range(600):
        task = str(rng.choice(list(Task)))
        truth, values = _numbers(rng, task), _numbers(rng, task)
        sample = {
            "task": task,
            "truth": truth,
            "dataset": str(rng.choice(["one", "two"])),
            "subject_id": f"subject{rng.integers(12)}",
            "plane": str(rng.choice(["axial", "coronal"])),
            "box_px": [] if task == "ad" else [0.0, 0.0, *map(float, rng.integers(20, 200, 2))],
        }
        if task == "ad":
            is_angle = bool(rng.integers(2))
            sample |= {"unit": "deg" if is_angle else "mm"}
            sample |= {"metric_kind": "angle" if is_angle else "distance"}
        else:
            sample |= {"label": str(rng.choice(labels))}
        kind = rng.choice(["ok", "no_number", "refused", "truncated", "recovered"], p=_SHARES)
        pairs.append((sample, _reply(kind, values)))
    return pairs


_SHARES = [0.7, 0.1, 0.05, 0.05, 0.1]


BOXES = np.array([[0.1, 0.1, 0.3, 0.4], [0.15, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.8]])


def _numbers(rng, task):
    if task == "count":
        return [float(rng.integers(1, 6))]
    if not TASKS[Task(task)].is_box:
        small = task == "ad" and rng.random() < 0.2
        return rng.uniform(0.01, 0.2 if small else 90, TASKS[Task(task)].n_values).round(2).tolist()
    if task == "instances":
        boxes = rng.choice(BOXES, rng.integers(1, 4), replace=False)
        return (boxes + rng.uniform(0, 0.02, boxes.shape)).ravel().tolist()
    corners = np.sort(rng.uniform(0, 0.99, (2, 2)), axis=1)
    return [corners[0, 0], corners[1, 0], corners[0, 1] + 1e-3, corners[1, 1] + 1e-3]


def _reply(kind, values):
    if kind == "ok":
        return {"values": values}
    if kind == "recovered":
        return {"status": "no_number", "recovered": values}
    response = kind if kind in ("refused", "truncated") else "ok"
    return {"status": "no_number", "response": response}
