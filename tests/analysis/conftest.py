"""Scored runs over slices of one drawn body: known truths, answers of several kinds."""

import math

import numpy as np
import pyarrow as pa
import pytest

from medvision.analysis import RunScores
from medvision.frames import SliceGeometry, relative_from_box_px
from medvision.samples import Point, sample_table
from medvision.scoring.alignment import ANSWER_SCHEMA
from medvision.scoring.score_table import score_table
from medvision.tasks import MetricKind, Task
from tests.builders import sample

REPLY_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("repeat", pa.int32()),
        ("prompt", pa.string()),
        ("text", pa.string()),
    ]
)

GRIDS = {
    "axial": SliceGeometry(height_px=160, width_px=200, spacing_y_mm=1.6, spacing_x_mm=1.6),
    "coronal": SliceGeometry(height_px=70, width_px=200, spacing_y_mm=4.0, spacing_x_mm=1.6),
    "sagittal": SliceGeometry(height_px=70, width_px=160, spacing_y_mm=4.0, spacing_x_mm=1.6),
}
LABELS = ["liver", "left kidney", "spleen", "aorta", "urinary bladder"]


def plane_of(number):
    return ("axial", "coronal", "sagittal")[number % 3]


def drawn(task, number, **changes):
    """A sample of one of 17 cases in two datasets, on a plane and of a label by its number."""
    dataset, modality = ("Drawn-CT", "CT") if number % 4 else ("Drawn-MR", "MRI")
    plane = changes.get("plane", plane_of(number))
    label = LABELS[number % len(LABELS)]
    fields = {
        "dataset": dataset,
        "modality": modality,
        "case_id": f"case_{number % 17:03d}",
        "subject_id": f"subject_{number % 17:03d}",
        "image_uri": f"/data/{dataset}/case_{number % 17:03d}.nii.gz",
        "plane": plane,
        "geometry": GRIDS[plane],
        "name": label,
        "description": "drawn scan",
    }
    fields |= {} if task is Task.ANGLE_DISTANCE else {"label": label}
    return sample(task, number=number, **fields | changes)


def box_of(number, rng):
    grid, side = GRIDS[plane_of(number)], (0.16, 0.27, 0.42)[number % 3]
    width, height = grid.width_px * side, grid.height_px * side
    x0 = rng.uniform(0, grid.width_px - width)
    y0 = rng.uniform(0, grid.height_px - height)
    return [float(round(v)) for v in (x0, y0, x0 + width, y0 + height)]


def detection(number, rng):
    grid, box = GRIDS[plane_of(number)], box_of(number, rng)
    truth = relative_from_box_px(box, grid.height_px, grid.width_px)
    return drawn(Task.DETECTION, number, box_px=box, truth=truth.tolist())


def lesion(number, rng):
    grid = GRIDS[plane_of(number)]
    x, y = grid.width_px * 0.5, grid.height_px * 0.5
    major_mm, turn = rng.uniform(12, 110), rng.uniform(-1.2, 1.2)
    minor_mm = major_mm * rng.uniform(0.4, 0.95)
    spacing_mm = np.array([grid.spacing_x_mm, grid.spacing_y_mm])
    across = np.array([math.cos(turn), math.sin(turn)]) / spacing_mm
    down = np.array([-math.sin(turn), math.cos(turn)]) / spacing_mm
    ends = [-across * major_mm, across * major_mm, -down * minor_mm, down * minor_mm]
    names = ("major 0", "major 1", "minor 0", "minor 1")
    return drawn(
        Task.TUMOR_LESION,
        number,
        label="liver tumor",
        name="liver tumor",
        truth=[major_mm, minor_mm],
        points=[
            Point(key=name, name=name, x_px=x + end[0] / 2, y_px=y + end[1] / 2)
            for name, end in zip(names, ends, strict=True)
        ],
        box_px=[x - 10, y - 10, x + 10, y + 10],
    )


def measurement(number, rng):
    """A distance between two landmarks, or the angle of two lines that share one."""
    grid = GRIDS["sagittal"]
    places = rng.uniform(0.15, 0.85, (3, 2)) * [grid.width_px, grid.height_px]
    sella, nasion, point_a = (
        Point(key=key, name=key, x_px=float(at[0]), y_px=float(at[1]))
        for key, at in zip(("sella", "nasion", "point A"), places, strict=True)
    )
    scale = np.array([grid.spacing_x_mm, grid.spacing_y_mm])
    u, v = (places[0] - places[1]) * scale, (places[2] - places[1]) * scale
    if number % 2:
        return drawn(
            Task.ANGLE_DISTANCE,
            number,
            plane="sagittal",
            metric_key="sn",
            name="sella–nasion distance",
            truth=[float(np.linalg.norm(u))],
            points=[sella, nasion],
        )
    cosine = abs(u @ v) / np.linalg.norm(u) / np.linalg.norm(v)
    return drawn(
        Task.ANGLE_DISTANCE,
        number,
        plane="sagittal",
        metric_kind=MetricKind.ANGLE,
        metric_key="sna",
        name="SNA angle",
        unit="deg",
        truth=[math.degrees(math.acos(min(1.0, cosine)))],
        points=[sella, nasion, nasion, point_a],
    )


def area(number, rng):
    area_mm2 = float(rng.uniform(300, 12000))
    return drawn(Task.AREA, number, truth=[area_mm2], box_px=box_of(number, rng))


DRAWN = {
    Task.DETECTION: detection,
    Task.TUMOR_LESION: lesion,
    Task.ANGLE_DISTANCE: measurement,
    Task.AREA: area,
}


def build_samples(counts, seed=7):
    rng = np.random.default_rng(seed)
    return sample_table(
        DRAWN[Task(task)](number, rng) for task, count in counts.items() for number in range(count)
    )


def answered(row, kind, rng):
    """(response_status, status, values, text) of one kind of model to one sample."""
    truth = row["truth"]
    if kind == "exact":
        return "ok", "ok", truth, ", ".join(f"{value:.4f}" for value in truth)
    if kind == "broken":
        return "error", None, None, None
    if kind == "silent":
        return "ok", "empty", None, ""
    luck = rng.uniform()
    if kind == "clumsy" and luck < 0.3:
        failures = [
            ("ok", "no_number", "I can see the structure clearly in the middle of the image."),
            ("refused", "refused", "I'm sorry, but I can't help with medical images."),
            ("truncated", "truncated", "<think>Let me look at the edges of the organ first"),
            ("ok", "wrong_count", "about 12, 13 or 14"),
        ]
        response, status, text = failures[int(luck / 0.3 * 4)]
        return response, status, None, text
    if row["task"] == "detection":
        spread = 0.16 if kind == "clumsy" else 0.05
        low = np.clip(np.array(truth[:2]) + rng.normal(0, spread, 2), 0, 0.85)
        high = np.clip(np.array(truth[2:]) + rng.normal(0, spread, 2), low + 0.05, 1)
        values = [round(float(value), 4) for value in (*low, *high)]
        return "ok", "ok", values, f"<answer>{values}</answer>"
    if kind == "clumsy":
        values = [float(rng.choice([5, 10, 25, 30, 50, 90])) for _ in truth]
    else:
        values = [float(value * rng.lognormal(0, 0.15)) for value in truth]
        values = [min(value, 89.0) for value in values] if row["unit"] == "deg" else values
    text = "The result is <answer>" + ", ".join(f"{value:.2f}" for value in values) + "</answer>"
    return "ok", "ok", values, text


def build_run(name, samples, kind="good", *, seed=3, is_baseline=False, texts=None):
    rng = np.random.default_rng(seed)
    answers, replies = [], []
    for row in samples.to_pylist():
        response, status, values, text = answered(row, kind, rng)
        recovered = status == "wrong_count" and row["task"] != "detection"
        answers.append(
            {
                "sample_id": row["sample_id"],
                "repeat": 0,
                "response_status": response,
                "status": status,
                "values": values,
                "recovered_status": "ok" if recovered else status,
                "recovered_values": [12.0] * len(row["truth"]) if recovered else values,
            }
        )
        prompt = f"Where is the {row['name']}?\nAnswer as <answer>…</answer>."
        replies.append(
            {
                "sample_id": row["sample_id"],
                "repeat": 0,
                "prompt": prompt,
                "text": (texts or {}).get(row["sample_id"], text),
            }
        )
    return RunScores(
        name=name,
        model=f"baseline/{name}" if is_baseline else f"openai/{name}",
        is_baseline=is_baseline,
        scores=score_table(samples, pa.Table.from_pylist(answers, schema=ANSWER_SCHEMA)),
        samples=samples,
        replies=pa.Table.from_pylist(replies, schema=REPLY_SCHEMA),
        manifest={"model": name, "style": "direct", "created_at": "2026-11-23T20:02:11+00:00"},
    )


def drawn_body(row):
    """A picture of the sample's slice: a bright ellipse on black, brighter inside the box."""
    height, width = row["height_px"], row["width_px"]
    y, x = np.mgrid[0:height, 0:width]
    inside = ((x - width / 2) / (0.46 * width)) ** 2 + ((y - height / 2) / (0.46 * height)) ** 2 < 1
    picture = np.where(inside, 110 + 25 * np.sin(x / 7.0 + row["slice_index"]) * np.cos(y / 5.0), 8)
    if len(row["box_px"]) == 4:
        x0, y0, x1, y1 = (int(value) for value in row["box_px"])
        picture[y0:y1, x0:x1] += 45
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def make_samples():
    return build_samples


@pytest.fixture(scope="session")
def make_run():
    return build_run


@pytest.fixture(scope="session")
def picture():
    return drawn_body
