"""Plans with a part that is not what a plan has: one line that says what, never a traceback."""

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvision.errors import UsageError
from medvision.table.plan_import import import_plan

INFO = {
    "voxel_size": [0.5, 0.5, 2.0],
    "affine": [[0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 2.0, 0], [0, 0, 0, 1]],
    "orientation": ["R", "A", "S"],
    "array_size": [60, 70, 50],
}
LINE = {"name": "", "element_keys": ["P1", "P2"], "element_map_name": "landmarks_map"}
MEASURED = {
    "metric_type": "distance",
    "metric_map_name": "lines_map",
    "metric_key": "L1",
    "metric_value": 12.5,
    "metric_unit": "mm",
}
BOX = {"min_coords": [3, 4], "max_coords": [9, 12], "mask_image_ratio": 0.01}
AXES = [
    {"metric_key": "L-1-2", "metric_value": 9.5},
    {"metric_key": "L-3-4", "metric_value": 4.5},
]


def task(number, profile, **more):
    case = {
        "case_ID": "a",
        "image_file": "images/a.nii.gz",
        "mask_file": "masks/a.nii.gz",
        "image_file_info": INFO,
        "mask_file_info": INFO,
        "slice_profiles_x": [],
        "slice_profiles_y": [],
        "slice_profiles_z": [{"slice_idx": 7, "slice_profile": profile}],
    }
    return {
        "task_ID": number,
        "image_modality": "CT",
        "image_description": "scan",
        "task_type": "x",
        "labels_map": {"1": "liver"},
        "train_cases": [case],
        "test_cases": [{**case, "case_ID": "b"}],
        **more,
    }


PLAN = {
    "dataset_info": {"dataset": "odd"},
    "tasks": [
        task("01", [{"label": 1, "bboxes": [BOX]}]),
        task("02", [{"label": 1, "pixel_count": 40, "ROI_area": 20.0}]),
        task("03", [AXES], target_label=1),
        task("04", [MEASURED], landmarks_map={"P1": "a", "P2": "b"}, lines_map={"L1": LINE}),
    ],
}


def places(value, at=()):
    """Every place in a plan, from the top down."""
    yield at
    entries = value.items() if isinstance(value, dict) else ()
    entries = enumerate(value) if isinstance(value, list) else entries
    for key, inner in entries:
        yield from places(inner, (*at, key))


ODD = st.one_of(
    st.sampled_from([None, True, "", "x", "\ud800", -1, 0, 10**30, 1e308, float("nan"), [], {}]),
    st.lists(st.integers(-9, 99), max_size=4),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
    st.just("remove"),
)


def imported(content):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        path.write_text(json.dumps(content))
        return import_plan(path, Path(folder) / "out")


def test_the_plan_itself_is_imported_whole():
    tasks = imported(PLAN)
    assert [(one.n_cases, one.n_rows) for one in tasks] == [(2, 2)] * 4
    assert all(one.problems == () for one in tasks)


@settings(max_examples=150)
@given(place=st.sampled_from(sorted(places(PLAN), key=str)), odd=ODD)
def test_an_odd_part_is_a_line_about_the_file_or_about_its_case(place, odd):
    content = copy.deepcopy(PLAN)
    if not place:
        content = odd
    else:
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        if odd == "remove":
            del inner[place[-1]]
        else:
            inner[place[-1]] = odd
    try:
        told = [problem.message for one in imported(content) for problem in one.problems]
    except UsageError as error:
        told = [str(error)]
    assert all("\n" not in line for line in told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda plan: plan["tasks"][0].update(labels_map=[]),
            r"task 1: labels_map: expected an ob",
        ),
        (
            lambda plan: plan["tasks"][1].update(test_cases={}),
            r"task 2: test_cases: expected a list",
        ),
        (lambda plan: plan["tasks"][0]["train_cases"].append(3), r"train_cases\[1\]: expected an "),
        (lambda plan: plan["tasks"].append(plan["tasks"][0]), r"task 5: .* found '01' again"),
        (lambda plan: plan["tasks"][0].update(task_ID="../x"), r"task_ID of the plan: expected a"),
    ],
)
def test_a_plan_of_another_shape_says_where(change, told):
    content = copy.deepcopy(PLAN)
    change(content)
    with pytest.raises(UsageError, match=told):
        imported(content)


def test_lists_in_lists_too_deep_are_no_plan(tmp_path):
    (tmp_path / "plan.json").write_text("[" * 100_000)
    with pytest.raises(UsageError, match="cannot read the benchmark plan"):
        import_plan(tmp_path / "plan.json", tmp_path / "out")
