import dataclasses
import shutil

import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.frames import Plane
from medvision.table.read import read_cases
from medvision.tasks import Task
from medvision.train.config import DataConfig, HeldOutConfig, TaskMix, ValidationConfig
from medvision.train.errors import ConfigError, LeakError, NoSamplesError
from medvision.train.selection import training_samples


def rebuilt(study_tables, folder, name, cases):
    """Tables of some of the study's cases, under a name; `cases` gives each its new name."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
        for old, new in cases.items():
            source = study_tables.parent / kind / f"{old}.nii.gz"
            shutil.copy(source, folder / kind / f"{new}.nii.gz")
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", study_tables.parent / "labels.json", "--name", name]
    words += ["--modality", "CT", "--target-labels", "2", "--out", folder / "tables"]
    assert main([str(word) for word in words]) == 0
    return folder / "tables"


def subjects(entries):
    return {
        pair
        for entry in entries
        for pair in zip(entry["dataset"].to_pylist(), entry["subject_id"].to_pylist(), strict=True)
    }


def validation_subjects(found):
    return {(one.dataset, one.subject_id) for one in found.validation}


def split_subjects(tables, split):
    rows = read_cases(tables).to_pylist()
    return {(row["dataset"], row["subject_id"]) for row in rows if row["split"] == split}


def test_training_and_validation_share_the_train_split_without_overlap(sft_config, study_tables):
    found = training_samples(sft_config())
    train, validation = subjects(found.train), validation_subjects(found)
    assert train | validation == split_subjects(study_tables, "train")
    assert not train & validation
    assert len(validation) == 1
    assert found.n_test_subjects == found.n_test_volumes == 3


def test_without_a_validation_share_all_is_trained_on(sft_config, study_tables):
    config = sft_config(validation=ValidationConfig(subject_frac=0.0))
    found = training_samples(config)
    assert subjects(found.train) == split_subjects(study_tables, "train")
    assert found.validation == []


def test_entries_ask_for_their_task_planes_labels_and_cap(sft_config):
    config = sft_config()
    tasks = (
        TaskMix(task=Task.DETECTION, cap=20, planes=(Plane.CORONAL,)),
        TaskMix(task=Task.DETECTION, labels=("liver",)),
    )
    data = dataclasses.replace(config.data, tasks=tasks, planes=(Plane.AXIAL,))
    capped, livers = training_samples(dataclasses.replace(config, data=data)).train
    assert len(capped) == 20
    assert set(capped["plane"].to_pylist()) == {"coronal"}
    assert set(livers["label"].to_pylist()) == {"liver"}
    assert set(livers["plane"].to_pylist()) == {"axial"}
    again = training_samples(dataclasses.replace(config, data=data)).train[0]
    assert again.equals(capped)


def test_a_scan_that_another_dataset_tests_on_is_dropped_and_counted(
    sft_config, study_tables, tmp_path
):
    train_case = sorted(split_subjects(study_tables, "train"))[0][1]
    tables = rebuilt(study_tables, tmp_path / "other", "other", {train_case: "zz"})
    cases = pq.read_table(tables / "cases.parquet", partitioning=None)
    moved = cases.set_column(cases.column_names.index("split"), "split", [["test"]])
    pq.write_table(moved, tables / "cases.parquet")
    config = sft_config(held_out=HeldOutConfig(tables=(str(tables),)))
    found = training_samples(config)
    assert ("study 1", train_case) not in subjects(found.train) | validation_subjects(found)
    everything = training_samples(sft_config(validation=ValidationConfig(subject_frac=0.0)))
    n_of_case = sum(entry["subject_id"].to_pylist().count(train_case) for entry in everything.train)
    assert found.dropped["volume_in_a_test_set"] == n_of_case > 0


def test_a_test_subject_of_another_split_of_the_same_data_is_refused(
    sft_config, study_tables, tmp_path
):
    train = [name for _, name in sorted(split_subjects(study_tables, "train"))]
    fewer = rebuilt(study_tables, tmp_path / "fewer", "study 1", {name: name for name in train})
    assert split_subjects(fewer, "test")
    config = sft_config(held_out=HeldOutConfig(tables=(str(fewer),)))
    with pytest.raises(LeakError, match=r"found test subject 'c\d' of 'study 1'"):
        training_samples(config)


def test_a_suite_whose_tables_are_not_named_cannot_be_checked(sft_config):
    config = sft_config(held_out=HeldOutConfig(suites=("demo",)))
    with pytest.raises(ConfigError, match="'demo' asks for phantom-abdomen"):
        training_samples(config)


def test_a_suite_over_the_tables_at_hand_is_checked(sft_config, tmp_path):
    suite = tmp_path / "own.toml"
    suite.write_text('name = "own"\n[[configs]]\ntask = "tl"\ndataset = "study 1"\n')
    found = training_samples(sft_config(held_out=HeldOutConfig(suites=(str(suite),))))
    assert found.n_test_subjects == 3


@pytest.mark.parametrize(
    ("mix", "error", "message"),
    [
        (TaskMix(task=Task.ANGLE_DISTANCE), NoSamplesError, "found none for ad"),
        (TaskMix(task=Task.DETECTION, dataset="elsewhere"), ConfigError, "no table of dataset"),
    ],
)
def test_an_entry_without_samples_is_refused(sft_config, mix, error, message):
    config = sft_config()
    data = dataclasses.replace(config.data, tasks=(mix,))
    with pytest.raises(error, match=message):
        training_samples(dataclasses.replace(config, data=data))


def test_two_folders_of_one_dataset_are_refused(sft_config, study_tables, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(study_tables, copy)
    data = DataConfig(tables=(str(study_tables), str(copy)), tasks=(TaskMix(task=Task.DETECTION),))
    with pytest.raises(ConfigError, match="one folder for each dataset"):
        training_samples(sft_config(data=data))


def test_validation_questions_take_turns_between_tasks(sft_config):
    config = sft_config(validation=ValidationConfig(subject_frac=0.2, samples=10))
    drawn = training_samples(config).validation
    assert sorted(str(one.task) for one in drawn) == ["detection"] * 5 + ["tl"] * 5
    assert training_samples(config).validation == drawn


def test_a_volume_shared_with_validation_is_dropped_from_training(
    sft_config, study_tables, tmp_path
):
    (held,) = validation_subjects(training_samples(sft_config()))
    twin = rebuilt(study_tables, tmp_path / "twin", "twin", {held[1]: "a0", "c0": "b0"})
    cases = pq.read_table(twin / "cases.parquet", partitioning=None).to_pylist()
    if {case["split"] for case in cases if case["case_id"] == "a0"} != {"train"}:
        pytest.fail("the twin must be a training case")
    data = dataclasses.replace(sft_config().data, tables=(str(study_tables), str(twin)))
    found = training_samples(sft_config(data=data))
    assert ("twin", "a0") not in subjects(found.train)


def test_2d_images_are_in_whatever_their_projection(sft_config, tmp_path):
    from medvision.demo import phantom_tables

    tables = dict(phantom_tables(tmp_path, lambda _: None, n_cases=4))
    data = DataConfig(
        tables=(str(tables["phantom-xray"]), str(tables["phantom-head"])),
        tasks=(TaskMix(task=Task.ANGLE_DISTANCE), TaskMix(task=Task.DETECTION)),
    )
    measured, boxes = training_samples(sft_config(data=data)).train
    assert set(measured["plane"].to_pylist()) == {"sagittal"}
    assert set(boxes["plane"].to_pylist()) == {"axial"}
