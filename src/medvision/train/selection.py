"""Samples to train on and to validate on: the train split only, with nothing of any test set."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from medvision.samples import Sample, samples_from_table
from medvision.samples.candidates import (
    Candidates,
    candidate_table,
    candidates,
    draw_candidates,
)
from medvision.samples.draw import draw_rank
from medvision.samples.select import table_folders
from medvision.samples.suite import TaskConfig, load_suite
from medvision.table.read import read_cases
from medvision.train.config import DataConfig, HeldOutConfig, SftConfig, TaskMix, ValidationConfig
from medvision.train.errors import ConfigError, LeakError, NoSamplesError

logger = logging.getLogger(__name__)

Subject = tuple[str, str]
"""Dataset and subject id."""

CaseRow = Mapping[str, Any]
"""A row of `cases.parquet`."""

Entry = list[Candidates]
"""What one entry of the mixture asks for, by table folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSamples:
    """What a run learns from and is measured on.

    Attributes:
        train: Samples of each entry of the mixture, in table order; columns as in `SAMPLE_SCHEMA`.
        validation: Questions about held-out subjects: the entries take turns, drawn by seed.
        dropped: Samples left out, by reason, those of validation subjects not counted.
        n_test_subjects: Subjects of test sets that training samples were compared with.
        n_test_volumes: Volumes of test sets, by fingerprint, likewise.
    """

    train: tuple[pa.Table, ...]
    validation: list[Sample]
    dropped: dict[str, int]
    n_test_subjects: int
    n_test_volumes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """Who is tested: subjects by name, and volumes by the hash of their voxels."""

    subjects: frozenset[Subject]
    fingerprints: frozenset[str]


def training_samples(config: SftConfig, root: Path | None = None) -> TrainingSamples:
    """Select, check against every test set, and hold out validation subjects.

    Args:
        config: Tables, mixture, what is held out.
        root: Data root that replaces the one the tables were built under.

    Raises:
        LeakError: A test subject of any table or suite is among the training subjects.
        NoSamplesError: Nothing is left to train on, or to validate on where that is asked for.
    """
    data = config.data
    tables = _tables(data)
    cases = {name: read_cases(folder).to_pylist() for name, folder in tables.items()}
    test = held_out_test_set(data, config.held_out)
    dropped: Counter[str] = Counter()
    entries = [_selected(mix, config, tables, root, dropped) for mix in data.tasks]
    for case in _used_cases(entries, cases):
        if case["split"] != "train" or _subject(case) in test.subjects:
            msg = (
                f"expected training subjects only, found test subject {case['subject_id']!r} of "
                f"{case['dataset']!r} (case {case['case_id']}): the tables named in data and "
                "held_out split it differently; build them from the same list of subjects"
            )
            raise LeakError(msg)
    entries = _without(entries, cases, _has_fingerprint(test.fingerprints), dropped, "a_test_set")
    held = _validation_subjects(entries, cases, config.validation, data.seed)
    validation = [_of_cases(entry, cases, lambda case: _subject(case) in held) for entry in entries]
    train = [_of_cases(entry, cases, lambda case: _subject(case) not in held) for entry in entries]
    held_volumes = {case["volume_fingerprint"] for case in _used_cases(validation, cases)}
    is_held = _has_fingerprint(held_volumes - {"", None})
    train = _without(train, cases, is_held, dropped, "validation")
    _refuse_empty(train, validation, config)
    salt = f"{data.seed}/train"
    return TrainingSamples(
        train=tuple(
            candidate_table(draw_candidates(entry, mix.cap or None, salt))
            for entry, mix in zip(train, data.tasks, strict=True)
        ),
        validation=_validation_draw(validation, config.validation.samples, salt),
        dropped={reason: count for reason, count in dropped.items() if count},
        n_test_subjects=len(test.subjects),
        n_test_volumes=len(test.fingerprints),
    )


def _tables(data: DataConfig) -> dict[str, Path]:
    """Dataset name to table folder; two folders of one dataset could not be told apart."""
    paths = [Path(folder) for folder in data.tables]
    tables = table_folders(paths)
    if len(tables) != len(paths):
        msg = f"data: tables: expected one folder for each dataset, found {len(paths)} folders of "
        msg += f"{', '.join(sorted(tables))}"
        raise ConfigError(msg)
    return tables


def _selected(
    mix: TaskMix,
    config: SftConfig,
    tables: Mapping[str, Path],
    root: Path | None,
    dropped: Counter[str],
) -> Entry:
    if mix.dataset and mix.dataset not in tables:
        msg = f"data: tasks: no table of dataset {mix.dataset!r}; tables hold {', '.join(tables)}"
        raise ConfigError(msg)
    task = TaskConfig(
        task=mix.task, dataset=mix.dataset, labels=mix.labels, vertex_angles=mix.vertex_angles
    )
    left_out: Counter[str] = Counter()
    entry = [
        candidates(
            task,
            tables[name],
            left_out,
            split="train",
            root=root,
            volume_planes=mix.planes or config.data.planes,
            protocol=config.questions,
        )
        for name in ([mix.dataset] if mix.dataset else sorted(tables))
    ]
    dropped.update({f"{mix.task}: {why}": count for why, count in left_out.items()})
    return entry


def held_out_test_set(data: DataConfig, held_out: HeldOutConfig) -> TestSet:
    """Test subjects and volumes of all tables and suites named.

    Raises:
        ConfigError: A suite asks for a dataset of which no table is named.
    """
    folders = [Path(folder) for folder in dict.fromkeys((*data.tables, *held_out.tables))]
    known = set(table_folders(folders))
    for name in held_out.suites:
        wanted = {config.dataset for config in load_suite(name).configs if config.dataset}
        if missing := sorted(wanted - known):
            msg = (
                f"held_out: suite {name!r} asks for {', '.join(missing)}, of which no table is "
                "named: its test subjects cannot be checked; add the folders to held_out.tables"
            )
            raise ConfigError(msg)
    subjects: set[Subject] = set()
    fingerprints: set[str] = set()
    for folder in folders:
        for case in read_cases(folder).to_pylist():
            if case["split"] == "test":
                subjects.add((case["dataset"], case["subject_id"]))
                fingerprints.add(case["volume_fingerprint"])
    return TestSet(subjects=frozenset(subjects), fingerprints=frozenset(fingerprints - {"", None}))


def _subject(case: CaseRow) -> Subject:
    return case["dataset"], case["subject_id"]


def _of_cases(
    entry: Entry, cases: Mapping[str, list[CaseRow]], is_wanted: Callable[[CaseRow], bool]
) -> Entry:
    """An entry's candidates of the cases that are wanted."""
    kept = []
    for part in entry:
        wanted = np.array([is_wanted(case) for case in cases[part.cases.dataset]], dtype=bool)
        kept.append(part.filter(wanted[part.case_numbers]))
    return kept


def _used_cases(entries: Sequence[Entry], cases: Mapping[str, list[CaseRow]]) -> Iterable[CaseRow]:
    """The cases that any candidate is of."""
    for part in (part for entry in entries for part in entry):
        for number in np.unique(part.case_numbers).tolist():
            yield cases[part.cases.dataset][number]


def _has_fingerprint(fingerprints: Iterable[str]) -> Callable[[CaseRow], bool]:
    known = frozenset(fingerprints)
    return lambda case: case["volume_fingerprint"] in known


def _without(
    entries: Sequence[Entry],
    cases: Mapping[str, list[CaseRow]],
    is_elsewhere: Callable[[CaseRow], bool],
    dropped: Counter[str],
    where: str,
) -> list[Entry]:
    """Candidates whose volume is nowhere else under whatever name; the others are counted."""
    kept = [_of_cases(entry, cases, lambda case: not is_elsewhere(case)) for entry in entries]
    dropped[f"volume_in_{where}"] += _count(entries) - _count(kept)
    return kept


def _count(entries: Sequence[Entry]) -> int:
    return sum(len(part) for entry in entries for part in entry)


def _validation_subjects(
    entries: Sequence[Entry],
    cases: Mapping[str, list[CaseRow]],
    validation: ValidationConfig,
    seed: int,
) -> set[Subject]:
    """The first share of each dataset's training subjects, ranked by a hash of their names."""
    if validation.subject_frac == 0:
        return set()
    by_dataset: dict[str, set[Subject]] = {}
    for case in _used_cases(entries, cases):
        by_dataset.setdefault(case["dataset"], set()).add(_subject(case))
    chosen: set[Subject] = set()
    for subjects in by_dataset.values():
        n_held = max(1, round(len(subjects) * validation.subject_frac))
        ranked = sorted(subjects, key=lambda one: draw_rank(f"{seed}/train", "/".join(one)))
        if len(ranked) > 1:
            chosen.update(ranked[:n_held])
    return chosen


def _validation_draw(entries: Sequence[Entry], count: int, salt: str) -> list[Sample]:
    """Questions to validate with, each once: the entries of the mixture take turns."""
    ranked = [
        sorted(
            samples_from_table(candidate_table(draw_candidates(entry, count, salt))),
            key=lambda sample: draw_rank(salt, sample.sample_id),
        )
        for entry in entries
    ]
    longest = max(map(len, ranked), default=0)
    turns = [entry[turn] for turn in range(longest) for entry in ranked if turn < len(entry)]
    unique = {sample.sample_id: sample for sample in turns}
    return sorted(list(unique.values())[:count], key=lambda sample: sample.image_uri)


def _refuse_empty(train: Sequence[Entry], validation: Sequence[Entry], config: SftConfig) -> None:
    empty = [
        f"{mix.task}{' of ' + mix.dataset if mix.dataset else ''}"
        for mix, entry in zip(config.data.tasks, train, strict=True)
        if not _count([entry])
    ]
    if empty:
        msg = (
            f"expected training samples for each entry of the mixture, found none for "
            f"{', '.join(empty)}; check labels, planes and tables, or remove the entry"
        )
        raise NoSamplesError(msg)
    if config.validation.subject_frac > 0 and not _count(validation):
        msg = (
            "expected subjects to validate on, but each dataset has a single training subject; "
            "add cases, or set validation.subject_frac = 0"
        )
        raise NoSamplesError(msg)
