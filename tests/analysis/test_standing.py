"""What may be called the best: what is surely better than rivals, constants and chance."""

import pytest

from medvision.analysis.sections import report_tables
from medvision.analysis.standing import standing
from medvision.analysis.verdicts.analyse import analyse
from medvision.tasks import TASKS


@pytest.fixture(scope="module")
def said(make_samples, make_run):
    """Words on the main numbers of a list of (name, kind, seed, is_baseline), by model."""

    def build(*asked, counts=(("detection", 120),), by=()):
        samples = make_samples(dict(counts))
        runs = [
            make_run(name, samples, kind, seed=seed, is_baseline=is_baseline)
            for name, kind, seed, is_baseline in asked
        ]
        stands = standing(analyse(runs), runs)
        tables = [one for one in report_tables(runs).all_tables() if one.by == by]
        found = {}
        for table in tables[:1]:
            (main,) = [
                at
                for at, column in enumerate(table.columns)
                if column.key == TASKS[table.task].headline_metric
            ]
            for row in table.rows:
                found.setdefault(row.model, set()).add(stands.words(table, row, main))
                others = set(range(len(row.cells))) - {main}
                assert not any(stands.words(table, row, at) for at in others)
        return found

    return build


def test_a_model_better_than_all_others_is_the_best(said):
    found = said(("good", "good", 3, False), ("clumsy", "clumsy", 3, False))
    assert found == {"good": {"best"}, "clumsy": {"does not beat a constant"}}


def test_models_that_cannot_be_told_apart_are_no_best(said):
    found = said(("a", "good", 3, False), ("b", "good", 5, False))
    assert found == {"a": {"not distinguishable from b"}, "b": {"not distinguishable from a"}}


def test_nothing_that_does_not_beat_chance_is_the_best(said):
    models = ("a", "good", 3, False), ("b", "clumsy", 3, False)
    chance = ("chance", "good", 9, True)
    assert said(*models, chance)["a"] == {"not surely better than chance"}
    assert said(*models, ("oracle", "exact", 9, True))["a"] == {"best"}


def test_the_same_holds_in_groups_and_too_few_samples_make_no_best(said):
    models = ("good", "good", 3, False), ("clumsy", "clumsy", 3, False)
    enough = said(*models, counts=(("detection", 120),), by=("plane",))
    assert enough["good"] == {"best"}
    assert said(*models, counts=(("detection", 30),), by=("plane",))["good"] == {""}
    # structures are compared by the names of what was asked
    by_label = said(*models, counts=(("detection", 120),), by=("label",))
    assert by_label["good"] == {"best"}
    assert "does not beat a constant" in by_label["clumsy"]


def test_one_model_alone_is_the_best_of_none(said):
    assert said(("good", "good", 3, False), ("chance", "clumsy", 3, True))["good"] == {""}
