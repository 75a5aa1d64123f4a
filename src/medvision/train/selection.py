"""Samples to train on and to validate on: the train split only, with nothing of any test set."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medvision.samples import Sample
from medvision.samples.select import select_samples, table_folders
from medvision.samples.suite import Suite, TaskConfig, load_suite
from medvision.table.read import read_cases
from medvision.train.config import DataConfig, HeldOutConfig, SftConfig, TaskMix, ValidationConfig
from medvision.train.errors import ConfigError, LeakError, NoSamplesError

logger = logging.getLogger(__name__)

Subject = tuple[str, str]
"""Dataset and subject id."""

CaseKey = tuple[str, str, str]
"""Dataset, cohort and case id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSamples:
    """What a run learns from and is measured on.

    Attributes:
        train: Samples of each entry of the mixture, in table order.
        validation: The same of the held-out subjects.
        dropped: Samples left out, by reason, validation subjects not counted.
        n_test_subjects: Subjects of test sets that training samples were compared with.
        n_test_volumes: Volumes of test sets, by fingerprint, likewise.
    """

    train: tuple[list[Sample], ...]
    validation: tuple[list[Sample], ...]
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
    tables = _tables(config.data)
    selected = [_selected(mix, config.data, tables, root) for mix in config.data.tasks]
    dropped: Counter[str] = Counter()
    for _, reasons in selected:
        dropped.update(reasons)
    entries = [samples for samples, _ in selected]
    test = held_out_test_set(config.data, config.held_out)
    _refuse_test_subjects(entries, test)
    prints = _fingerprints(tables.values())
    entries = [_without_test_volumes(samples, test, prints, dropped) for samples in entries]
    validation_subjects = _validation_subjects(entries, config.validation, config.data.seed)
    validation = tuple([s for s in e if _subject(s) in validation_subjects] for e in entries)
    train = tuple([s for s in e if _subject(s) not in validation_subjects] for e in entries)
    train = _without_validation_volumes(train, validation, prints, dropped)
    _refuse_empty(train, validation, config)
    return TrainingSamples(
        train=tuple(
            _capped(samples, mix.cap, config.data.seed)
            for samples, mix in zip(train, config.data.tasks, strict=True)
        ),
        validation=validation,
        dropped=dict(dropped),
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
    mix: TaskMix, data: DataConfig, tables: dict[str, Path], root: Path | None
) -> tuple[list[Sample], Mapping[str, int]]:
    if mix.dataset and mix.dataset not in tables:
        msg = f"data: tasks: no table of dataset {mix.dataset!r}; tables hold {', '.join(tables)}"
        raise ConfigError(msg)
    task = TaskConfig(
        task=mix.task, dataset=mix.dataset, labels=mix.labels, vertex_angles=mix.vertex_angles
    )
    suite = Suite(name="train", configs=(task,), cap_per_config=None)
    selection = select_samples(suite, tables, split="train", root=root)
    planes = {str(plane) for plane in mix.planes or data.planes}
    pictures = _pictures(tables.values()) if planes else set()
    samples = [
        sample
        for sample in selection.samples
        if not planes or sample.plane in planes or _case(sample) in pictures
    ]
    return samples, selection.dropped


def _pictures(folders: Iterable[Path]) -> set[CaseKey]:
    """Cases that are 2D images, whatever plane they are projected on."""
    return {
        (case["dataset"], case["cohort"], case["case_id"])
        for folder in folders
        for case in read_cases(folder).to_pylist()
        if len(case["shape_ijk"]) == 2
    }


def _case(sample: Sample) -> CaseKey:
    return sample.dataset, sample.cohort, sample.case_id


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


def _subject(sample: Sample) -> Subject:
    return sample.dataset, sample.subject_id


def _refuse_test_subjects(entries: Sequence[list[Sample]], test: TestSet) -> None:
    for sample in (sample for entry in entries for sample in entry):
        if sample.split != "train" or _subject(sample) in test.subjects:
            msg = (
                f"expected training subjects only, found test subject {sample.subject_id!r} of "
                f"{sample.dataset!r} ({sample.sample_id}): the tables named in data and held_out "
                "split it differently; build them from the same list of subjects"
            )
            raise LeakError(msg)


def _fingerprints(folders: Iterable[Path]) -> dict[CaseKey, str]:
    return {
        (case["dataset"], case["cohort"], case["case_id"]): case["volume_fingerprint"]
        for folder in folders
        for case in read_cases(folder).to_pylist()
    }


def _fingerprint(sample: Sample, prints: Mapping[CaseKey, str]) -> str:
    return prints[_case(sample)]


def _without_test_volumes(
    samples: list[Sample], test: TestSet, prints: Mapping[CaseKey, str], dropped: Counter[str]
) -> list[Sample]:
    """Samples whose volume is in no test set under whatever name."""
    kept = [s for s in samples if _fingerprint(s, prints) not in test.fingerprints]
    if len(kept) < len(samples):
        dropped["volume_in_a_test_set"] += len(samples) - len(kept)
    return kept


def _without_validation_volumes(
    train: tuple[list[Sample], ...],
    validation: tuple[list[Sample], ...],
    prints: Mapping[CaseKey, str],
    dropped: Counter[str],
) -> tuple[list[Sample], ...]:
    held = {_fingerprint(sample, prints) for entry in validation for sample in entry} - {""}
    kept = tuple([s for s in entry if _fingerprint(s, prints) not in held] for entry in train)
    n_dropped = sum(map(len, train)) - sum(map(len, kept))
    if n_dropped:
        dropped["volume_in_validation"] += n_dropped
    return kept


def _validation_subjects(
    entries: Sequence[list[Sample]], validation: ValidationConfig, seed: int
) -> set[Subject]:
    """The first share of each dataset's training subjects, ranked by a hash of their names."""
    if validation.subject_frac == 0:
        return set()
    by_dataset: dict[str, set[Subject]] = {}
    for sample in (sample for entry in entries for sample in entry):
        by_dataset.setdefault(sample.dataset, set()).add(_subject(sample))
    chosen: set[Subject] = set()
    for subjects in by_dataset.values():
        n_held = max(1, round(len(subjects) * validation.subject_frac))
        ranked = sorted(subjects, key=lambda subject: _rank(seed, "/".join(subject)))
        if len(ranked) > 1:
            chosen.update(ranked[:n_held])
    return chosen


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/train/{name}".encode()).digest()


def _capped(samples: list[Sample], cap: int, seed: int) -> list[Sample]:
    """At most `cap` samples (0: all), chosen by seed and id alone, in their order."""
    if not cap or len(samples) <= cap:
        return samples
    chosen = sorted(samples, key=lambda sample: _rank(seed, sample.sample_id))[:cap]
    ids = {sample.sample_id for sample in chosen}
    return [sample for sample in samples if sample.sample_id in ids]


def validation_draw(samples: TrainingSamples, count: int, seed: int) -> list[Sample]:
    """Questions to validate with: the entries of the mixture take turns, drawn by seed."""
    ranked = [
        sorted(entry, key=lambda sample: _rank(seed, sample.sample_id))
        for entry in samples.validation
    ]
    longest = max(map(len, ranked), default=0)
    turns = [entry[turn] for turn in range(longest) for entry in ranked if turn < len(entry)]
    unique = {sample.sample_id: sample for sample in turns}
    return sorted(list(unique.values())[:count], key=lambda sample: sample.image_uri)


def _refuse_empty(
    train: tuple[list[Sample], ...], validation: tuple[list[Sample], ...], config: SftConfig
) -> None:
    empty = [
        f"{mix.task}{' of ' + mix.dataset if mix.dataset else ''}"
        for mix, entry in zip(config.data.tasks, train, strict=True)
        if not entry
    ]
    if empty:
        msg = (
            f"expected training samples for each entry of the mixture, found none for "
            f"{', '.join(empty)}; check labels, planes and tables, or remove the entry"
        )
        raise NoSamplesError(msg)
    if config.validation.subject_frac > 0 and not any(validation):
        msg = (
            "expected subjects to validate on, but each dataset has a single training subject; "
            "add cases, or set validation.subject_frac = 0"
        )
        raise NoSamplesError(msg)
