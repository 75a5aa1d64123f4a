"""The paper's task lists as suites over the catalogue."""

import pytest

from medvision.catalog.check import Mistake
from medvision.catalog.dataset import dataset_names, load_dataset
from medvision.errors import UsageError
from medvision.frames import Plane
from medvision.samples.suite import Listed, load_suite, parse_suite, suite_names
from medvision.samples.suite_check import check_suite
from medvision.tasks import Task

# Configs, and test samples of dataset version 1.0.0, as published.
PUBLISHED = {
    "detection": (28, 1141131),
    "detection-plane-ood": (48, 2742065),
    "detection-target-ood": (15, 50439),
    "tl": (10, 2441),
    "tl-plane-ood": (20, 4978),
    "tl-target-ood": (7, 544),
    "ad": (5, 2380),
}


@pytest.mark.parametrize("name", [*PUBLISHED, "area", "ad-vertex"])
def test_every_suite_names_existing_tasks(name):
    suite = load_suite(name)
    assert suite.about
    assert suite.cap_per_config == 1000
    for config in suite.configs:
        dataset = load_dataset(config.dataset)
        task = dataset.task(config.task, config.task_id)
        assert task.cohort in {cohort.name for cohort in dataset.cohorts}
    assert check_suite(suite, dataset_names(), []) == []


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_suites_carry_the_published_counts(name, published):
    configs = load_suite(name).configs
    assert (len(configs), sum(c.published_test_count for c in configs)) == published


def test_numbers_of_the_lists_that_are_no_test_counts_say_what_they_are():
    kinds = {
        name: sorted({c.listed_is for c in load_suite(name).configs if c.listed_count is not None})
        for name in PUBLISHED
    }
    assert kinds == {
        "detection": [Listed.UNKNOWN],
        "detection-plane-ood": [Listed.UNKNOWN],
        "detection-target-ood": [Listed.COPY],
        "tl": [Listed.TRAIN],
        "tl-plane-ood": [],
        "tl-target-ood": [],
        "ad": [Listed.PREDECESSOR],
    }
    copied = [c for c in load_suite("detection-target-ood").configs if c.listed_count is not None]
    assert len(copied) == 9
    assert {c.dataset for c in copied} == {"ISLES24", "AMOS22", "BCV15"}


def test_planes_of_the_suites():
    for name in ("detection", "tl", "area", "tl-target-ood"):
        assert {p for c in load_suite(name).configs for p in c.planes} == {Plane.AXIAL}
    for name in ("detection-plane-ood", "tl-plane-ood"):
        planes = {p for c in load_suite(name).configs for p in c.planes}
        assert planes == {Plane.SAGITTAL, Plane.CORONAL}


def test_area_asks_on_the_images_of_detection_and_states_no_counts():
    boxes, areas = load_suite("detection").configs, load_suite("area").configs
    assert [(c.dataset, c.task_id) for c in areas] == [(c.dataset, c.task_id) for c in boxes]
    assert {c.published_test_count for c in areas} == {None}
    assert {c.task for c in areas} == {Task.AREA}


def test_ad_vertex_asks_for_unfolded_angles():
    (config,) = load_suite("ad-vertex").configs
    assert config.vertex_angles
    assert config.dataset == "Ceph-Biometrics-400"


CONFIG = 'name = "x"\n[[configs]]\n'


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('task = "tl"\ndataset = "nothing"', Mistake.UNKNOWN_DATASET),
        ('task = "tl"\ndataset = "BCV15"\ntask_id = "01"', Mistake.UNKNOWN_TASK),
        ('task = "detection"\ndataset = "MSD"\ntask_id = "15"', Mistake.UNKNOWN_TASK),
        (
            'task = "detection"\ndataset = "CAMUS"\ntask_id = "01"\nplanes = ["coronal"]',
            Mistake.PLANE_NOT_MEASURED,
        ),
        ('task = "detection"\ndataset = "KiTS23"\nlabels = ["liver"]', Mistake.UNKNOWN_LABEL),
        (
            'task = "tl"\ndataset = "MSD"\ntask_id = "06"\n[[configs]]\n'
            'task = "tl"\ndataset = "MSD"\ntask_id = "06"',
            Mistake.CONFIG_REPEATED,
        ),
    ],
)
def test_planted_mistakes_in_suites_are_found_by_name(text, mistake):
    findings = check_suite(parse_suite(CONFIG + text, "x"), dataset_names(), ["phantom-head"])
    assert [finding.mistake for finding in findings] == [mistake]


def test_phantoms_and_tables_at_hand_need_no_declaration():
    text = 'task = "tl"\ndataset = "phantom-head"\n[[configs]]\ntask = "area"'
    assert check_suite(parse_suite(CONFIG + text, "x"), dataset_names(), ["phantom-head"]) == []


def test_damaged_suite_files_are_usage_errors():
    with pytest.raises(UsageError, match="f: expected TOML"):
        parse_suite("name = ", "f")
    with pytest.raises(UsageError, match="f: missing key 'configs'"):
        parse_suite('name = "x"', "f")
    with pytest.raises(
        UsageError, match=r'f: configs\[0\]\.planes\[0\]: expected one of .*"oblique"'
    ):
        parse_suite(CONFIG + 'task = "tl"\nplanes = ["oblique"]', "f")


def test_catalogue_and_suites_name_every_list():
    assert set(suite_names()) == {*PUBLISHED, "area", "ad-vertex", "demo", "demo-real"}
