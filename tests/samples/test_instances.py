"""Detection of all instances: boxes against SciPy's, in both views, from suite to report."""

import itertools

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import ndimage

from medvision.analysis.plots import truth_plots
from medvision.analysis.read_run import read_runs
from medvision.catalog.dataset import load_dataset
from medvision.cli import main
from medvision.errors import UsageError
from medvision.frames import SLICE_AXIS, VOLUME_PLANES
from medvision.protocols import Filters, Instances, load_protocol
from medvision.samples import samples_from_table
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.samples.suite_check import check_suite
from medvision.tasks import Task
from tests.samples.lesions import build_tables

SHAPE = (64, 56, 40)
AFFINES = {
    "straight": np.diag([0.7, 1.3, 2.5, 1.0]),
    "permuted": np.array([[0, 0, 0.9, 0], [-1.1, 0, 0, 0], [0, -2.0, 0, 3], [0, 0, 0, 1.0]]),
}
SUITE = 'name = "all"\nconfigs = [{task = "detection", instances = "all"}]\n'


def scattered(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.uint8)
    for _ in range(14):
        start = [int(rng.integers(0, high - 8)) for high in SHAPE]
        size = rng.integers(3, 18, 3)
        labels[tuple(slice(s, s + int(n)) for s, n in zip(start, size, strict=True))] = 1
    for start in (2, 20, 40):  # three in a row, for sure
        labels[48:62, start : start + 12, 24:36] = 1
        labels[48:62, start + 12 : start + 15, 24:36] = 0
    return labels


@pytest.fixture(scope="module")
def lesions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesions")
    volumes = {
        name: (scattered(seed), affine) for seed, (name, affine) in enumerate(AFFINES.items())
    }
    (folder / "all.toml").write_text(SUITE, encoding="utf-8")
    build_tables(folder, volumes, {"1": "liver tumor"}, 1)
    return folder


def asked(folder, protocol="medvision", **settings):
    configs = (TaskConfig(task=Task.DETECTION, **settings),)
    suite = Suite(name="t", configs=configs, cap_per_config=None)
    tables = table_folders([folder / "tables"])
    return select_samples(suite, tables, split="all", protocol=load_protocol(protocol))


def boxes_by_scipy(folder, *, is_original):
    """(case, plane, slice) to the boxes, in px as shown, of large regions where there are two."""
    found = {}
    for name in AFFINES:
        canonical = nib.as_closest_canonical(nib.load(folder / "masks" / f"{name}.nii.gz"))
        is_lesion = np.asarray(canonical.dataobj) == 1
        for plane in VOLUME_PLANES:
            for index, slice_ in enumerate(np.moveaxis(is_lesion, SLICE_AXIS[plane], 0)):
                shown = slice_ if is_original else slice_.T[::-1, ::-1]
                numbered, n_regions = ndimage.label(shown)
                boxes = {
                    (x.start, y.start, x.stop, y.stop)
                    for y, x in ndimage.find_objects(numbered)
                    if x.stop - x.start >= 10 and y.stop - y.start >= 10
                }
                if n_regions > 1 and len(boxes) > 1:
                    found[name, str(plane), index] = boxes
    return found


@pytest.mark.parametrize("protocol", ["medvision", "paper"])
def test_the_boxes_are_scipys_on_every_plane_of_every_affine(lesions, protocol):
    expected = boxes_by_scipy(lesions, is_original=protocol == "paper")
    selection = asked(lesions, protocol, instances="all")
    found = {}
    for sample in selection.samples:
        on = sample.geometry
        boxes = np.reshape(sample.truth, (-1, 4)) * ([on.width_px, on.height_px] * 2)
        x0, y0, x1, y1 = boxes.T
        px = np.stack([x0, on.height_px - y1, x1, on.height_px - y0], axis=1)
        assert np.allclose(px, np.rint(px), atol=1e-9)
        key = sample.case_id, sample.plane, sample.slice_index
        found[key] = set(map(tuple, np.rint(px).astype(int).tolist()))
    assert found == expected
    assert len(found) == len(selection.samples) > 30
    assert max(map(len, found.values())) >= 3
    assert {sample.task for sample in selection.samples} == {Task.INSTANCES}


def test_single_boxes_and_lists_of_boxes_share_no_sample(lesions):
    """What one leaves out for its number of components, and only that, the other may ask."""
    one, every = asked(lesions), asked(lesions, instances="all")
    assert {s.sample_id for s in one.samples}.isdisjoint(s.sample_id for s in every.samples)
    n_several = one.dropped["detection: several_components"]
    few = every.dropped["instances: fewer_than_2_boxes_of_10_px"]
    # `several_components` counts rows of components, the list one row a label and slice.
    assert n_several >= 2 * (len(every.samples) + few) > 0
    assert every.dropped["instances: one_component"] > 0


def test_a_protocol_may_ask_for_all_and_a_suite_has_the_last_word(lesions, tmp_path):
    text = 'name = "mine"\nversion = "1"\n[filters]\ninstances = "all"\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    mine = str(tmp_path / "mine.toml")
    assert {s.task for s in asked(lesions, mine).samples} == {Task.INSTANCES}
    assert {s.task for s in asked(lesions, mine, instances="one").samples} == {Task.DETECTION}
    area = TaskConfig(task=Task.AREA)
    assert area.under(Filters(instances=Instances.ALL)) == area


def several_by_scipy(folder):
    found = {}
    for name in AFFINES:
        canonical = nib.as_closest_canonical(nib.load(folder / "masks" / f"{name}.nii.gz"))
        for plane in VOLUME_PLANES:
            slices = np.moveaxis(np.asarray(canonical.dataobj) == 1, SLICE_AXIS[plane], 0)
            for index, slice_ in enumerate(slices):
                _, n_regions = ndimage.label(slice_)
                if n_regions > 1:
                    found[name, str(plane), index] = n_regions
    return found


@pytest.mark.parametrize("task", ["detection", "tl"])
def test_the_paper_lists_structures_in_several_pieces_beside_the_samples(
    lesions, tmp_path, capsys, task
):
    words = ["eval", "--tables", lesions / "tables", "--task", task, "--split", "all"]
    words += ["--model", "baseline/oracle", "--protocol", "paper", "--run", tmp_path / "run"]
    assert main([str(word) for word in words]) == 0
    rows = pq.read_table(tmp_path / "run" / "in_pieces.parquet").to_pylist()
    found = {(r["case_id"], r["plane"], r["slice_index"]): r["n_components"] for r in rows}
    expected = several_by_scipy(lesions)
    assert found == expected
    assert len(rows) == len(expected)
    assert {(row["task"], row["label"]) for row in rows} == {(task, "liver tumor")}
    samples = pq.read_table(tmp_path / "run" / "samples.parquet").to_pylist()
    asked = {(one["case_id"], one["plane"], one["slice_index"]) for one in samples}
    assert asked.isdisjoint(expected)
    line = f"{len(expected)} structures in several pieces: not asked, listed in in_pieces.parquet"
    assert line in capsys.readouterr().out


def test_other_protocols_count_them_only(lesions):
    assert asked(lesions).in_pieces is None
    assert asked(lesions, "paper", instances="all").in_pieces is None


def test_a_numbered_task_of_boxes_is_one_of_all_boxes_too():
    dataset = load_dataset("KiTS23")
    assert dataset.task("instances", "01") == dataset.task("detection", "01")
    lines = [
        TaskConfig(task=Task.DETECTION, dataset="KiTS23", task_id="01", instances=instances)
        for instances in ("one", "all")
    ]
    assert check_suite(Suite(name="s", configs=tuple(lines)), known={"KiTS23"}, others=()) == []


def test_only_detection_has_instances():
    with pytest.raises(UsageError, match="option of the task detection, found tl"):
        TaskConfig(task=Task.TUMOR_LESION, instances="all")


@pytest.mark.parametrize(
    ("protocol", "style"), [*itertools.product(("medvision", "paper"), ("direct", "cot"))]
)
def test_the_oracle_finds_every_box(lesions, tmp_path, protocol, style):
    run = tmp_path / "run"
    words = ["eval", "--suite", lesions / "all.toml", "--tables", lesions / "tables"]
    words += ["--split", "all", "--model", "baseline/oracle", "--protocol", protocol]
    words += ["--style", style, "--run", run]
    assert main([str(word) for word in words]) == 0
    scores = pq.read_table(run / "scores.parquet")
    assert scores["task"].unique().to_pylist() == ["instances"]
    for name in ("precision", "recall", "f1"):
        assert set(scores[name].to_pylist()) == {1.0}
    assert scores["iou"].null_count == len(scores)


def test_the_report_tells_of_all_instances_apart_from_single_boxes(lesions, tmp_path):
    (tmp_path / "both.toml").write_text(
        'name = "both"\nconfigs = [{task = "detection"}, {task = "detection", instances = "all"}]',
        encoding="utf-8",
    )
    run = tmp_path / "run"
    words = ["eval", "--suite", tmp_path / "both.toml", "--tables", lesions / "tables"]
    words += ["--split", "all", "--model", "baseline/noisy-oracle:0.3", "--run", run]
    assert main([str(word) for word in words]) == 0
    samples = samples_from_table(pq.read_table(run / "samples.parquet"))
    assert {sample.task for sample in samples} == {Task.DETECTION, Task.INSTANCES}
    drawn = [plot["task"] for plot in truth_plots(read_runs([run]), max_points=9)]
    assert drawn == ["detection"]  # a plot of numbers cannot show lists
    assert main(["report", str(run), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Detection of every instance" in page
    assert "matched one to one" in page
