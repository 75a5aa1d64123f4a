"""Table rows to samples: the filters, the truths, and the seeded draw.

The tables hold everything; what a benchmark leaves out is decided, and counted, here.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from medvision.catalog.dataset import DatasetTask, declared_image, load_dataset, measured_image
from medvision.frames import relative_from_box_px
from medvision.samples.sample import Point, Sample, Task
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.read import (
    image_path,
    read_biometrics,
    read_cases,
    read_regions,
    tables_manifest,
)

MIN_BOX_SIDE_PX = 10
"""Detection asks only for boxes with both sides at least this long, as the paper does."""

MIN_AREA_PX = 200
"""The area task asks only for labels with at least so many pixels on the slice."""

Split = Literal["train", "test", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Samples of a run, and why rows of the tables were left out.

    Attributes:
        samples: In order of config, case, plane and slice.
        dropped: Number of candidate rows left out, by "task: reason".
    """

    samples: list[Sample]
    dropped: dict[str, int] = field(default_factory=dict)


def select_samples(
    suite: Suite,
    tables: dict[str, Path],
    *,
    split: Split = "test",
    limit: int | None = None,
    root: Path | None = None,
) -> Selection:
    """The samples that a suite asks for.

    Args:
        suite: Task configs and cap.
        tables: Dataset name to table folder. A config's dataset that is not among them is left
            out; a config without a dataset takes them all.
        split: Which subjects.
        limit: At most so many samples over all configs, drawn by the suite's seed.
        root: Data root that replaces the one the tables were built under.
    """
    dropped: Counter[str] = Counter()
    samples: list[Sample] = []
    for config in suite.configs:
        names = [config.dataset] if config.dataset else sorted(tables)
        for name in filter(tables.__contains__, names):
            left_out: Counter[str] = Counter()
            candidates = list(_candidates(config, tables[name], split, root, left_out))
            dropped.update({f"{config.task}: {why}": n for why, n in left_out.items() if n})
            samples += _drawn(candidates, suite.cap_per_config, suite.seed)
    return Selection(samples=_drawn(samples, limit, suite.seed), dropped=dict(dropped))


def _drawn(samples: list[Sample], count: int | None, seed: int) -> list[Sample]:
    """At most `count` samples, chosen by seed and id alone, in their original order."""
    if count is None or len(samples) <= count:
        return samples
    ranked = sorted(
        range(len(samples)),
        key=lambda i: hashlib.sha256(f"{seed}/{samples[i].sample_id}".encode()).digest(),
    )
    return [samples[i] for i in sorted(ranked[:count])]


def _candidates(
    config: TaskConfig, tables: Path, split: Split, root: Path | None, dropped: Counter[str]
) -> Iterator[Sample]:
    where = _expression(config, split)
    if config.task is Task.ANGLE_DISTANCE:
        rows = read_biometrics(tables, where)
    else:
        rows = read_regions(tables, where)
    cases = _Cases.read(config, tables, root)
    rows = _without_suspect_spacing(rows, config.task, cases, dropped)
    yield from BUILDERS[config.task](rows, config, cases, dropped)


def _expression(config: TaskConfig, split: Split) -> pc.Expression | None:
    terms = _declared_terms(config)
    if split != "all":
        terms.append(pc.field("split") == split)
    if config.planes:
        terms.append(pc.field("plane").isin([str(plane) for plane in config.planes]))
    if config.labels and config.task is not Task.ANGLE_DISTANCE:
        terms.append(pc.field("label").isin(list(config.labels)))
    expression = None
    for term in terms:
        expression = term if expression is None else expression & term
    return expression


def _declared_terms(config: TaskConfig) -> list[pc.Expression]:
    """What a task of the catalogue leaves of the rows: its cohort, its labels."""
    terms = []
    if config.metric_kind and config.task is Task.ANGLE_DISTANCE:
        terms.append(pc.field("metric_kind") == config.metric_kind)
    if config.task_id:
        task = _declared_task(config)
        terms.append(pc.field("cohort") == task.cohort)
        if task.label is not None:
            terms.append(pc.field("label_id") == task.label)
    return terms


def _declared_task(config: TaskConfig) -> DatasetTask:
    return load_dataset(config.dataset).task(config.task, config.task_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cases:
    """What samples need of `cases.parquet` and the manifest."""

    by_key: dict[tuple[str, str], dict[str, Any]]
    image_id: str
    description: str
    spacing_from: str
    tables: Path
    root: Path | None

    @classmethod
    def read(cls, config: TaskConfig, tables: Path, root: Path | None) -> "_Cases":
        rows = read_cases(tables).to_pylist()
        manifest = tables_manifest(tables)
        return cls(
            by_key={(row["cohort"], row["case_id"]): row for row in rows},
            image_id=_declared_task(config).image if config.task_id else "",
            description=manifest["description"],
            spacing_from=manifest["options"]["spacing_from"] or "",
            tables=tables,
            root=root,
        )

    def images(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The images of a row's case; of those, the one that the config's task names, if any."""
        images: list[dict[str, Any]] = self.by_key[row["cohort"], row["case_id"]]["images"]
        return [image for image in images if self.image_id in ("", image["image_id"])]

    def one_image(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The one image on which a row's structure is measured; none if the case lacks it.

        It is the one that the task or else the catalogue names, or the first.
        """
        images = self.images(row)
        declared = measured_image(row["dataset"], row["cohort"], row["label_id"])
        if declared is not None and not self.image_id:
            images = [image for image in images if image["image_id"] == declared] or images
        return images[:1]

    def describe(self, row: dict[str, Any], image: dict[str, Any]) -> str:
        """What an image is: as the catalogue says of it, else as the tables say of all."""
        declared = declared_image(row["dataset"], row["cohort"], image["image_id"])
        return declared.description if declared else self.description

    def path(self, image: dict[str, Any]) -> str:
        return str(image_path(image["uri"], self.tables, self.root))


def _without_suspect_spacing(
    rows: pa.Table, task: Task, cases: _Cases, dropped: Counter[str]
) -> pa.Table:
    """Rows of cases whose spacing can be trusted, for tasks that answer in mm."""
    suspect = [
        case["case_id"] for case in cases.by_key.values() if "spacing_suspect" in case["flags"]
    ]
    if task is Task.DETECTION or not suspect:
        return rows
    kept = rows.filter(pc.invert(pc.is_in(rows["case_id"], pa.array(suspect))))
    dropped["spacing_suspect"] += rows.num_rows - kept.num_rows
    return kept


def _keep(rows: pa.Table, mask: pa.Array, reason: str, dropped: Counter[str]) -> pa.Table:
    kept = rows.filter(mask)
    dropped[reason] += rows.num_rows - kept.num_rows
    return kept


def sample_id(row: dict[str, Any], image_id: str, what: str, task: str) -> str:
    """Id of a sample, from content: dataset/cohort/case/image/plane/slice/what/task."""
    parts = [row["dataset"], row["cohort"], row["case_id"], image_id, row["plane"]]
    parts += [str(row["slice_index"]), what, task]
    return "/".join(quote(part, safe="") for part in parts)


def _base(row: dict[str, Any], image: dict[str, Any], cases: _Cases) -> dict[str, Any]:
    """Fields of a sample that are the same for every task."""
    names = ["dataset", "cohort", "case_id", "subject_id", "split", "plane", "slice_index"]
    names += ["height_px", "width_px", "spacing_y_mm", "spacing_x_mm"]
    return {name: row[name] for name in names} | {
        "image_id": image["image_id"],
        "modality": image["modality"],
        "image_uri": cases.path(image),
        "image_sha256": image["sha256"],
        "description": cases.describe(row, image),
        "spacing_from": cases.spacing_from,
    }


def _region_sample(
    row: dict[str, Any], image: dict[str, Any], cases: _Cases, **values: Any
) -> Sample:
    what = f"{row['label_id']}.{row['component']}"
    return Sample(
        **_base(row, image, cases),
        **values,
        sample_id=sample_id(row, image["image_id"], what, values["task"]),
        label_id=row["label_id"],
        label=row["label"],
        component=row["component"],
        name=row["label"],
        metric_kind="",
        metric_key="",
    )


def _detection(
    rows: pa.Table, _config: TaskConfig, cases: _Cases, dropped: Counter[str]
) -> Iterator[Sample]:
    rows = _keep(rows, pc.equal(rows["n_components"], 1), "several_components", dropped)
    width = pc.subtract(rows["x1_px"], rows["x0_px"])
    height = pc.subtract(rows["y1_px"], rows["y0_px"])
    large = pc.greater_equal(pc.min_element_wise(width, height), MIN_BOX_SIDE_PX)
    rows = _keep(rows, large, "box_side_below_10_px", dropped)
    for row in rows.to_pylist():
        box = _box(row)
        truth = relative_from_box_px(box, row["height_px"], row["width_px"])
        for image in cases.images(row):
            yield _region_sample(
                row,
                image,
                cases,
                task=Task.DETECTION,
                unit="relative",
                truth=tuple(truth.tolist()),
                box_px=box,
                points=(),
            )


def _box(row: dict[str, Any]) -> tuple[float, ...]:
    """The box; () of imported rows without one."""
    edges = [row[name] for name in ("x0_px", "y0_px", "x1_px", "y1_px")]
    return () if None in edges else tuple(map(float, edges))


def _tumor_lesion(
    rows: pa.Table, _config: TaskConfig, cases: _Cases, dropped: Counter[str]
) -> Iterator[Sample]:
    target = pc.not_equal(rows["ellipse_status"], "not_target")
    rows = rows.filter(target)
    rows = _keep(rows, pc.equal(rows["n_components"], 1), "several_components", dropped)
    for status in rows["ellipse_status"].unique().to_pylist():
        if status != "ok":
            other = pc.not_equal(rows["ellipse_status"], status)
            rows = _keep(rows, other, f"ellipse_{status}", dropped)
    for row in rows.to_pylist():
        for image in cases.one_image(row):
            yield _region_sample(
                row,
                image,
                cases,
                task=Task.TUMOR_LESION,
                unit="mm",
                truth=(row["ellipse_major_mm"], row["ellipse_minor_mm"]),
                box_px=_box(row),
                points=axis_ends(row),
            )


def axis_ends(row: dict[str, Any]) -> tuple[Point, ...]:
    """End points of the axes; () of imported rows, which have lengths only."""
    if row["major_x0_px"] is None:
        return ()
    return tuple(
        Point(
            key=f"{axis} {end}",
            name=f"{axis} axis end {end}",
            x_px=row[f"{axis}_x{end}_px"],
            y_px=row[f"{axis}_y{end}_px"],
        )
        for axis in ("major", "minor")
        for end in (0, 1)
    )


def _area(
    rows: pa.Table, _config: TaskConfig, cases: _Cases, dropped: Counter[str]
) -> Iterator[Sample]:
    large = pc.greater_equal(rows["label_pixel_count"], MIN_AREA_PX)
    whole = pc.equal(rows["component"], 0)
    boxes = _boxes_around_all_components(rows.filter(large))
    rows = _keep(rows.filter(whole), large.filter(whole), "label_below_200_px", dropped)
    for row in rows.to_pylist():
        area_mm2 = row["label_pixel_count"] * row["spacing_y_mm"] * row["spacing_x_mm"]
        for image in cases.one_image(row):
            yield _region_sample(
                row,
                image,
                cases,
                task=Task.AREA,
                unit="mm2",
                truth=(area_mm2,),
                box_px=boxes[_slice_label_key(row)],
                points=(),
            )


_SLICE_LABEL = ("cohort", "case_id", "plane", "slice_index", "label_id")


def _slice_label_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _SLICE_LABEL)


def _boxes_around_all_components(rows: pa.Table) -> dict[tuple[Any, ...], tuple[float, ...]]:
    extremes = [("x0_px", "min"), ("y0_px", "min"), ("x1_px", "max"), ("y1_px", "max")]
    grouped = rows.group_by(list(_SLICE_LABEL)).aggregate(extremes)
    renamed = {f"{name}_{how}": name for name, how in extremes}
    return {
        _slice_label_key(row): _box({name: row[key] for key, name in renamed.items()})
        for row in grouped.to_pylist()
    }


def _angle_distance(
    rows: pa.Table, config: TaskConfig, cases: _Cases, dropped: Counter[str]
) -> Iterator[Sample]:
    del dropped
    if config.vertex_angles:
        rows = rows.filter(pc.is_valid(rows["vertex_value_deg"]))
    for row in rows.to_pylist():
        image = next(i for i in cases.images(row) if i["image_id"] == row["image_id"])
        task_word = "ad-vertex" if config.vertex_angles else str(Task.ANGLE_DISTANCE)
        value = row["vertex_value_deg"] if config.vertex_angles else row["value"]
        yield Sample(
            **_base(row, image, cases),
            sample_id=sample_id(row, image["image_id"], row["metric_key"], task_word),
            task=Task.ANGLE_DISTANCE,
            label_id=None,
            label=row["name"],
            component=None,
            name=row["name"],
            metric_kind="vertex_angle" if config.vertex_angles else row["metric_kind"],
            metric_key=row["metric_key"],
            unit=row["unit"],
            truth=(value,),
            box_px=(),
            points=tuple(Point(**point) for point in row["points"]),
        )


BUILDERS = {
    Task.DETECTION: _detection,
    Task.TUMOR_LESION: _tumor_lesion,
    Task.ANGLE_DISTANCE: _angle_distance,
    Task.AREA: _area,
}


def table_folders(paths: Iterable[Path]) -> dict[str, Path]:
    """Dataset name to table folder, for folders that hold complete tables."""
    return {tables_manifest(path)["name"]: path for path in paths}
