"""Seeds of all targets read cleanly, and a few hundred changed ones are values or told errors.

`python -m tests.faults.fuzz MINUTES` is the long form. Hypothesis makes small what it finds.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults import fuzz, guided
from tests.faults.fuzz import changed_files, fuzzed, put, seeds_of, tried
from tests.faults.targets import BROKEN, TARGETS

N_TRIES = 6

TEXT = ("labels", "subjects.csv", "biometrics", "COCO", "LabelMe", "Slicer markups",
        "landmarks CSV", "landmark tables", "YOLO boxes", "suites")  # fmt: skip


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_read_cleanly(name, tmp_path):
    for number, files in enumerate(seeds_of(TARGETS[name])):
        put(files, tmp_path / str(number))
        TARGETS[name].read(tmp_path / str(number))


def test_changed_files_are_values_or_told_errors():
    found = fuzzed(list(TARGETS), n_most=N_TRIES)
    assert {name: one.finds for name, one in found.items() if one.finds} == {}
    assert {one.tries for one in found.values()} == {N_TRIES}


SEEDS = {name: seeds_of(TARGETS[name]) for name in TEXT}


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture],
          deadline=None, derandomize=True, database=None)  # fmt: skip
@pytest.mark.parametrize("name", TEXT)
@given(rng=st.randoms())
def test_changed_texts_are_values_or_told_errors(name, tmp_path, rng):
    assert tried(TARGETS[name], changed_files(SEEDS[name], rng), tmp_path) in ("read", "refused")


def test_texts_led_by_coverage_have_seeds_to_go_on_from():
    """A file each, not packed; `tests.faults.guided` needs a library that is no dependency."""
    for name in guided.PURE:
        assert any(len(s) == 1 and not min(s).endswith(".gz") for s in seeds_of(TARGETS[name]))


def test_a_find_is_a_find(monkeypatch):
    """Each kind of fault is told, and the next try is made, of this target and of the next one."""
    monkeypatch.setattr(fuzz, "LIMIT_S", 0.5)
    found = fuzz.fuzzed([*BROKEN, "labels"], n_most=2)
    assert {name: one.tries for name, one in found.items()} == dict.fromkeys(found, 2)
    assert {name: list(one.finds) for name, one in found.items()} == {
        "raises": ["ZeroDivisionError at targets.py:" + told_line(found)],
        "takes memory": ["MemoryError at targets.py:" + told_line(found, "takes memory")],
        "dies": ["the process ended (SIGABRT)"],
        "hangs": ["no end within 0.5 s"],
        "labels": [],
    }


def told_line(found, name="raises"):
    """The line that is told: where the fault stands."""
    return next(iter(found[name].finds)).rpartition(":")[2]
