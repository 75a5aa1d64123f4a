"""Candidates by column against loops over rows, on cases of one and of two images."""

import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow.parquet as pq
import pytest

from medvision.errors import UsageError
from medvision.frames import Plane
from medvision.samples import samples_from_table
from medvision.samples.candidates import candidate_table, candidates, draw_candidates
from medvision.samples.draw import drawn_places
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig
from medvision.table.read import read_cases, read_regions
from medvision.tasks import Task


@pytest.fixture(scope="module")
def two_images(study_tables, tmp_path_factory):
    """The study with a second image for most cases, and one case of suspect spacing."""
    tables = tmp_path_factory.mktemp("two") / "tables"
    shutil.copytree(study_tables, tables)
    cases = read_cases(tables)
    rows = cases.to_pylist()
    for number, row in enumerate(rows):
        row["images"][0]["uri"] = str(study_tables / row["images"][0]["uri"])
        if number != 3:
            second = row["images"][0] | {"image_id": "T2 / fat", "modality": "MRI"}
            row["images"].append(second)
        if number == 5:
            row["flags"] = ["spacing_suspect"]
    pq.write_table(type(cases).from_pylist(rows, cases.schema), tables / "cases.parquet")
    return tables


def asked(tables, config, **settings):
    found = candidates(config, tables, Counter(), split="all", **settings)
    return samples_from_table(found.table())


def naive(tables, task):
    """(sample_id, truth, box, modality) by loops, from the definitions."""
    images = {row["case_id"]: row["images"] for row in read_cases(tables).to_pylist()}
    suspect = {r["case_id"] for r in read_cases(tables).to_pylist() if r["flags"]}
    rows = read_regions(tables).to_pylist()
    made = []
    for row in rows:
        box = [row[f"{side}_px"] for side in ("x0", "y0", "x1", "y1")]
        width, height = row["width_px"], row["height_px"]
        if task == "detection":
            if row["n_components"] > 1 or min(box[2] - box[0], box[3] - box[1]) < 10:
                continue
            truth = (box[0] / width, 1 - box[3] / height, box[2] / width, 1 - box[1] / height)
        elif row["case_id"] in suspect:
            continue
        elif task == "tl":
            if row["ellipse_status"] != "ok" or row["n_components"] > 1:
                continue
            truth = (row["ellipse_major_mm"], row["ellipse_minor_mm"])
        else:
            if row["component"] or row["label_pixel_count"] < 200:
                continue
            key = ("case_id", "plane", "slice_index", "label_id")
            parts = [one for one in rows if all(one[name] == row[name] for name in key)]
            truth = (sum(one["area_mm2"] for one in parts),)
            corners = np.array(
                [[one[f"{s}_px"] for s in ("x0", "y0", "x1", "y1")] for one in parts]
            )
            box = [*corners[:, :2].min(axis=0).tolist(), *corners[:, 2:].max(axis=0).tolist()]
        of_case = images[row["case_id"]]
        for image in of_case if task == "detection" else of_case[:1]:
            what = f"{row['label_id']}.{row['component']}"
            parts = (row["dataset"], "", row["case_id"], image["image_id"], row["plane"])
            parts += (str(row["slice_index"]), what, task)
            sample_id = "/".join(quote(part, safe="") for part in parts)
            made.append((sample_id, truth, tuple(box), image["modality"]))
    return made


@pytest.mark.parametrize("task", [Task.DETECTION, Task.TUMOR_LESION, Task.AREA])
def test_columns_give_what_loops_give(two_images, task):
    found = asked(two_images, TaskConfig(task=task))
    expected = naive(two_images, str(task))
    assert [s.sample_id for s in found] == [row[0] for row in expected]
    assert [s.box_px for s in found] == [row[2] for row in expected]
    assert [s.modality for s in found] == [row[3] for row in expected]
    for sample, (_, truth, *_) in zip(found, expected, strict=True):
        assert sample.truth == pytest.approx(truth, rel=1e-12)
    assert len({s.case_id for s in found}) == (10 if task is Task.DETECTION else 9)


def test_images_are_read_where_the_tables_say(two_images):
    for sample in asked(two_images, TaskConfig(task=Task.TUMOR_LESION))[:20]:
        assert Path(sample.image_uri).is_file()
        assert sample.case_id in sample.image_uri


def test_planes_of_volumes_can_be_chosen(two_images):
    config = TaskConfig(task=Task.DETECTION)
    chosen = asked(two_images, config, volume_planes=(Plane.CORONAL, Plane.SAGITTAL))
    expected = [s for s in asked(two_images, config) if s.plane != "axial"]
    assert chosen == expected


def test_a_draw_over_several_lines_is_that_of_all_their_ids(two_images):
    found = [
        candidates(TaskConfig(task=task), two_images, Counter(), split="all")
        for task in (Task.DETECTION, Task.AREA, Task.TUMOR_LESION)
    ]
    whole = candidate_table(found)
    drawn = candidate_table(draw_candidates(found, 57, "7"))
    assert drawn.equals(whole.take(drawn_places(whole["sample_id"], 57, "7")))
    assert draw_candidates(found, None, "7") == found


def test_nothing_to_ask_is_an_empty_table(two_images):
    """The study has no landmarks; to ask for nothing but what it does not have is refused."""
    config = TaskConfig(task=Task.ANGLE_DISTANCE)
    found = candidates(config, two_images, Counter(), split="all")
    assert candidate_table([found]).num_rows == 0
    suite = Suite(name="t", configs=(config,))
    with pytest.raises(UsageError, match="ad: no measurement between landmarks"):
        select_samples(suite, table_folders([two_images]), split="all", limit=5)
    suite = Suite(name="t", configs=(TaskConfig(task=Task.AREA, labels=("spleen",)),))
    with pytest.raises(UsageError, match="no label 'spleen'"):
        select_samples(suite, table_folders([two_images]), split="all", limit=5)
