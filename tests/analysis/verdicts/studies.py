"""Runs with one known defect each, over the same questions of sixty subjects."""

import dataclasses

import numpy as np
import pyarrow as pa

from medvision.analysis import RunScores
from medvision.frames import SliceGeometry, relative_from_point_px
from medvision.replies import AnswerStatus
from medvision.samples import Point, sample_table, samples_from_table
from medvision.samples.pixel_size import (
    PIXEL_SIZE_POWERS,
    of_pixel_size,
    with_pixel_size_scaled,
)
from medvision.scoring.alignment import ANSWER_SCHEMA
from medvision.scoring.score_table import score_table
from medvision.tasks import MetricKind, Task
from tests.builders import sample

N_SUBJECTS = 60
PLANES = ("axial", "coronal", "sagittal")
GEOMETRY = SliceGeometry(height_px=256, width_px=256, spacing_y_mm=0.8, spacing_x_mm=0.8)
FINE = SliceGeometry(height_px=256, width_px=256, spacing_y_mm=0.5, spacing_x_mm=0.5)
SCANNERS = ("A", "B", "C")


def questions(n_subjects=N_SUBJECTS, seed=0):
    """Boxes of every size, lesions, areas and SNA angles: a question of each on each plane."""
    rng = np.random.default_rng(seed)
    found = []
    for subject in range(n_subjects):
        for at, plane in enumerate(PLANES):
            where = {
                "subject_id": f"s{subject:03d}",
                "case_id": f"c{subject:03d}",
                "plane": plane,
                "geometry": GEOMETRY if subject % 2 else FINE,
            }
            for again in range(2):
                number = (subject * 3 + at) * 2 + again
                side = np.sqrt(rng.choice([0.02, 0.07, 0.2]) * rng.uniform(0.7, 1.3))
                x, y = rng.uniform(0, 1 - side, 2)
                box = (x, y, x + side, y + side)
                box_px = tuple(float(value * 256) for value in box)
                found.append(sample("detection", number=number, truth=box, box_px=box_px, **where))
                major = float(rng.lognormal(3.6, 0.6))
                lesion = {"label": "kidney tumor", "name": "kidney tumor"}
                axes = (major, major * float(rng.uniform(0.5, 0.95)))
                found.append(sample("tl", number=number, truth=axes, **lesion, **where))
                area = float(rng.lognormal(6, 0.7))
                found.append(sample("area", number=number, truth=(area,), **where))
                sna = {"metric_kind": MetricKind.VERTEX_ANGLE, "metric_key": "SNA", "unit": "deg"}
                angle = float(rng.normal(82, 4))
                found.append(
                    sample("ad", number=number, truth=(angle,), **sna, name="SNA angle", **where)
                )
    return found


def exact(one, rng):
    """The truth with an error too small to matter to anything."""
    return noisy(one, rng, 0.01)


def noisy(one, rng, share):
    truth = np.array(one.truth)
    if one.task is Task.DETECTION:
        sides = np.tile(truth[2:] - truth[:2], 2)
        return np.clip(truth + share * sides * rng.standard_normal(4), 0, 1)
    if one.unit == "deg":
        return truth + 8 * share * rng.standard_normal(1)
    return truth * (1 + share * rng.standard_normal(len(truth)))


def sure(one, rng):
    return noisy(one, rng, 0.05)


def five_values(one, rng):
    """Whatever is seen, one of five numbers."""
    if one.task is Task.DETECTION:
        return exact(one, rng)
    scale = {"mm": 35.0, "mm2": 400.0, "deg": 82.0}[one.unit]
    return scale * rng.choice([0.6, 0.8, 1.0, 1.2, 1.5]) * np.ones(len(one.truth))


def rounded(one, rng):
    """Few numbers that follow the truth: rounded to tens, no collapse."""
    values = sure(one, rng)
    return values if one.task is Task.DETECTION or one.unit == "deg" else np.round(values, -1) + 1


def large_only(one, rng):
    """Boxes of large targets; of others a guess beside it."""
    values = sure(one, rng)
    if one.task is Task.DETECTION and one.truth[2] - one.truth[0] < 0.3:
        return (values + 0.6) % 0.8 * [1, 1, 0, 0] + [0, 0, 0.9, 0.9]
    return values


def not_coronal(one, rng):
    """Twice as far off on coronal slices, and boxes beside the target."""
    if one.plane != "coronal":
        return sure(one, rng)
    if one.task is Task.DETECTION:
        return np.array([0.0, 0.0, 0.5, 0.5])
    return noisy(one, rng, 0.4)


def ten_percent(one, rng):
    """Ten per cent too large."""
    values = sure(one, rng)
    return values if one.task is Task.DETECTION else values * 1.1


def to_the_middle(one, rng):
    """Half of the way to the mean."""
    values = sure(one, rng)
    if one.task is Task.DETECTION:
        return values
    middle = {"mm": 40.0, "mm2": 500.0, "deg": 82.0}[one.unit]
    return (values + middle) / 2


def scanner_of(one):
    return SCANNERS[int(one.subject_id[1:]) % len(SCANNERS)]


def one_scanner(one, rng):
    """Right for scanner A only."""
    if scanner_of(one) == "A":
        return sure(one, rng)
    if one.task is Task.DETECTION:
        return np.array([0.0, 0.0, 0.5, 0.5])
    return noisy(one, rng, 0.5)


def guessed_pixel_size(one, rng):
    """Right in pixels, turned into millimetres by a pixel size of its own, whatever is stated."""
    if one.task is Task.DETECTION or one.unit == "deg":
        return sure(one, rng)
    power = PIXEL_SIZE_POWERS[one.unit]
    return sure(one, rng) * (0.65 / one.geometry.spacing_x_mm) ** power


def asked_with_pixel_sizes(name, samples, answer, *, seed=1, factors=(0.5, 2.0)):
    """A run with its lengths and areas asked again, the pixel size scaled, and once without it."""
    asked = of_pixel_size(sample_table(samples), tuple(Task))

    def again(factor, answered, *, withheld=False):
        scaled = samples_from_table(with_pixel_size_scaled(asked, factor))
        found = run(name, scaled, answered, seed=seed + int(10 * factor))
        stated = {"spacing_scale": factor, "spacing_withheld": withheld}
        return dataclasses.replace(found, manifest=found.manifest | stated)

    return dataclasses.replace(
        run(name, samples, answer, seed=seed),
        asked_again=(
            *(again(factor, answer) for factor in factors),
            again(1.0, guessed_pixel_size, withheld=True),
        ),
    )


def run(name, samples, answer, *, seed=1, unread=0.0, repeats=1, model=""):
    """A scored run whose replies are what `answer` says, a share of them not readable."""
    rng = np.random.default_rng(seed)
    rows = []
    for repeat in range(repeats):
        for one in samples:
            values = [float(value) for value in answer(one, rng)]
            if one.task is Task.DETECTION:
                x0, x1 = sorted(values[::2])
                y0, y1 = sorted(values[1::2])
                values = [x0, y0, max(x1, x0 + 1e-3), max(y1, y0 + 1e-3)]
            else:
                values = [max(0.0, value) for value in values]
            is_read = rng.uniform() >= unread
            reading = ["ok", values] if is_read else [str(AnswerStatus.NO_NUMBER), []]
            rows.append([one.sample_id, repeat, "ok", *reading, *reading])
    columns = dict(zip(ANSWER_SCHEMA.names, zip(*rows, strict=True), strict=True))
    answers = pa.table(columns, schema=ANSWER_SCHEMA)
    scores = score_table(sample_table(samples), answers)
    scanners = {one.sample_id: scanner_of(one) for one in samples}
    scanner = pa.array([scanners[name] for name in scores["sample_id"].to_pylist()])
    ok = [status == "ok" for status in scores["status"].to_pylist()]
    text = [str(values) if read else "I cannot tell." for values, read in
            zip(scores["values"].to_pylist(), ok, strict=True)]  # fmt: skip
    replies = pa.table(
        {
            "sample_id": scores["sample_id"],
            "repeat": scores["repeat"],
            "prompt": pa.array([""] * len(text)),
            "text": pa.array(text),
        }
    )
    return RunScores(
        name=name,
        model=model or f"openai/{name}",
        is_baseline=model.startswith("baseline/"),
        scores=scores.append_column("subject_scanner", scanner),
        samples=sample_table(samples),
        replies=replies,
        manifest={"style": "direct"},
    )


def reasoned(name, samples, *, seed, place_mm=0.0, arithmetic=0.0):
    """A run of lesion sizes by stated end points, with errors of either kind."""
    rng = np.random.default_rng(seed)
    lesions = [with_axes(one, rng) for one in samples if one.task is Task.TUMOR_LESION]
    answers, texts = {}, []
    for one in lesions:
        on = one.geometry
        size_mm = np.array([on.width_px * on.spacing_x_mm, on.height_px * on.spacing_y_mm])
        pixels = [(point.x_px, point.y_px) for point in one.points]
        at = relative_from_point_px(pixels, on.height_px, on.width_px)
        at = np.round(at + place_mm * rng.standard_normal(at.shape) / size_mm, 4)
        lengths = [
            float(np.hypot(*((b - a) * size_mm))) for a, b in zip(at[::2], at[1::2], strict=True)
        ]
        stated = [length * (1 + arithmetic * rng.choice([-1, 1])) for length in lengths]
        answers[one.sample_id] = stated
        ends = [f"({x:.4f}, {y:.4f})" for x, y in at]
        texts.append(
            f"End points of the major axis: {ends[0]} and {ends[1]}.\n"
            f"End points of the minor axis: {ends[2]} and {ends[3]}.\n"
            + "".join(
                f"sqrt({length:.3f}^2 + 0.000^2) = {said:.2f} mm.\n"
                for length, said in zip(lengths, stated, strict=True)
            )
            + f"<answer>{stated[0]:.2f}, {stated[1]:.2f}</answer>"
        )
    found = run(name, lesions, lambda one, _: answers[one.sample_id])
    replies = found.replies.set_column(3, "text", pa.array(texts))
    return dataclasses.replace(
        found, replies=replies, manifest={"style": "cot", "family": {"name": "as_sent"}}
    )


def with_axes(one, rng):
    """The sample with end points that are as far apart as its truth says, anywhere."""
    on = one.geometry
    points = []
    turn = rng.uniform(0, np.pi)
    for axis, (length, angle) in enumerate(zip(one.truth, (turn, turn + np.pi / 2), strict=True)):
        half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
        for end, sign in enumerate((-1, 1)):
            x, y = 120 + sign * half / (on.spacing_x_mm, on.spacing_y_mm)
            key = f"{('major', 'minor')[axis]} {end}"
            points.append(Point(key=key, name=key, x_px=float(x), y_px=float(y)))
    return dataclasses.replace(one, points=tuple(points))
