"""`medvision analyse` over real runs: every analysis says something, as text and as JSON."""

import json
import math

import pytest

from medvision.analysis.verdicts.analyse import ANALYSES
from medvision.analysis.verdicts.arithmetic import evaluated, stated_sums
from medvision.analysis.verdicts.clinical import Decision, read_decisions
from medvision.cli import main
from medvision.errors import UsageError
from medvision.tasks import Task


@pytest.fixture
def runs(study_tables, tmp_path):
    """The oracle, a noisy one and the best constant on the study's lesions."""
    found = []
    for model in ("baseline/noisy-oracle:0.1", "baseline/train-mean", "baseline/train-best"):
        run = tmp_path / model.partition("/")[2].replace(":", "-")
        words = ["eval", "--tables", study_tables, "--task", "tl", "--split", "test"]
        assert main([str(word) for word in [*words, "--model", model, "--run", run]]) == 0
        found.append(str(run))
    return found


def test_json_has_every_analysis_with_its_keys(runs, capsys):
    capsys.readouterr()
    assert main(["analyse", *runs, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["analyses"]
    assert list(dict.fromkeys(one["name"] for one in found)) == list(ANALYSES)
    keys = {"name", "model", "task", "group", "verdict", "value", "interval", "n"}
    assert all(keys <= set(one) for one in found)
    assert {one["verdict"] for one in found} <= {"found", "not_found", "not_enough"}
    # the study has three subjects in its test split: no verdict rests on so few
    margins = [one for one in found if one["name"] == "margin" and not one["group"]]
    assert {one["model"] for one in margins} == {"baseline/noisy-oracle:0.1", "baseline/train-mean"}
    assert {one["verdict"] for one in margins} == {"not_enough"}
    assert {one["details"]["against"] for one in margins} == {"baseline/train-best"}


def test_text_says_the_same_in_lines(runs, capsys):
    capsys.readouterr()
    assert main(["analyse", *runs]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if not line.startswith(" ")] == list(ANALYSES)
    assert "baseline/noisy-oracle:0.1 tl: 0." in shown


def test_own_decisions_replace_the_built_in_ones(runs, tmp_path, capsys):
    own = tmp_path / "own.toml"
    own.write_text(
        '[[decisions]]\nname = "half a centimetre"\ntask = "tl"\nvalue = "minor"\nabout = "."\n'
        'unit = "mm"\ncuts = [5]\nclasses = ["below", "above"]\nsource = "this test"\n'
    )
    capsys.readouterr()
    assert main(["analyse", runs[0], "--cutoffs", str(own), "--json"]) == 0
    (found,) = [
        one for one in json.loads(capsys.readouterr().out)["analyses"] if one["name"] == "clinical"
    ]
    assert (found["group"], found["details"]["source"]) == ("half a centimetre", "this test")
    own.write_text(own.read_text(encoding="utf-8").replace('["below", "above"]', '["below"]'))
    assert main(["analyse", runs[0], "--cutoffs", str(own)]) == 2
    assert "one class more than cuts, found 1 cuts [5.0] and 1 classes" in capsys.readouterr().err


def test_values_at_a_cut_are_where_its_source_puts_them():
    """7 cm is still T1b ("not more than 7 cm"); 10 mm is ventriculomegaly ("10 mm or more")."""
    by_name = {one.name: one for one in read_decisions()}
    renal = by_name["renal tumour, T stage by size"]
    assert [renal.classes[at] for at in renal.classes_of([39.9, 40, 70, 70.1, 100, 101])] == [
        "T1a", "T1a", "T1b", "T2a", "T2a", "T2b"
    ]  # fmt: skip
    fetal = by_name["fetal ventriculomegaly"]
    assert [fetal.classes[at] for at in fetal.classes_of([9.9, 10])] == [
        "normal", "ventriculomegaly"
    ]  # fmt: skip


def test_a_decision_that_no_answer_is_about_is_told(runs, tmp_path, capsys, caplog):
    own = tmp_path / "own.toml"
    own.write_text(
        '[[decisions]]\nname = "of the spleen"\ntask = "tl"\nvalue = "major"\n'
        'about = "spleeen"\nunit = "mm"\ncuts = [5]\nclasses = ["a", "b"]\nsource = "a test"\n',
        encoding="utf-8",
    )
    assert main(["analyse", runs[0], "--cutoffs", str(own)]) == 0
    assert "decision 'of the spleen': no answer that was read is about it" in caplog.text
    caplog.clear()
    assert main(["analyse", runs[0]]) == 0
    assert "no answer that was read" not in caplog.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"value": "area"}, "expected value to be one of major, minor; found 'area'"),
        ({"unit": "cm"}, "expected unit to be one of mm; found 'cm'"),
        (
            {"about": "(lesion"},
            "expected about to be a regular expression, found '\\(lesion'",
        ),
        ({"cuts": (math.nan,)}, "expected rising cuts"),
        ({"cuts": (2.0, 2.0), "classes": ("a", "b", "c")}, "expected rising cuts"),
    ],
)
def test_decisions_that_cannot_be_are_refused(changes, told):
    fields = {"name": "x", "task": Task.TUMOR_LESION, "value": "major", "about": ".", "unit": "mm"}
    fields |= {"cuts": (1.0,), "classes": ("a", "b"), "source": ""}
    with pytest.raises(UsageError, match=told):
        Decision(**{**fields, **changes})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dx = (0.6961 - 0.6239) * 128 * 2.5 = 23.104 mm", [True]),
        ("dx = (0.6961 - 0.6239) * 128 * 2.5 = 32.104 mm", [False]),
        ("sqrt(12.096^2 + -20.048^2) = 23.41 mm.", [True]),
        ("atan2(210.780, 4426.185) = 2.73 degrees", [True]),
        ("3 × 4 = 13, and 2 + 2 = 4", [False, True]),
        ("x = 0.6953 and y = 0.25; n = 3", []),
        ("9**9**9**9 = 1", []),
        ("(1).__class__ = 1", []),
        ("10 / 0 = 3", []),
    ],
)
def test_stated_equations_are_checked(text, expected):
    assert stated_sums(text) == expected


@pytest.mark.parametrize(
    "hostile",
    [
        "__import__('os').getcwd()",
        "9^9^9^9^9",
        "a + 1",
        "(" * 5000,
        "1 if 1 else 2",
        "sqrt(-1)",
        "open(1)",
    ],
)
def test_nothing_but_arithmetic_is_evaluated(hostile):
    assert evaluated(hostile) is None


def test_figures_are_drawn_beside_the_verdicts(runs, tmp_path, capsys):
    capsys.readouterr()
    assert main(["analyse", *runs, "--json", "--figures", str(tmp_path / "drawn")]) == 0
    shown = capsys.readouterr()
    assert list(dict.fromkeys(one["name"] for one in json.loads(shown.out)["analyses"])) == list(
        ANALYSES
    )
    files = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert files == sorted(f"{name}.{kind}" for name in ANALYSES for kind in ("svg", "png"))
    assert [line.rpartition("/")[2] for line in shown.err.splitlines()][:2] == [
        "margin.svg", "margin.png"
    ]  # fmt: skip
