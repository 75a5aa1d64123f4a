"""Subjects of a user's own table: their side of the split, and what is known of them."""

import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.declarations import DeclarationError
from medvision.scoring import aggregate
from medvision.table.read import read_cases
from medvision.table.schema import CASE_SCHEMA
from medvision.table.subjects import read_subjects
from tests.table.conftest import phantom, write_nifti

CASES = ("p1_a", "p1_b", "p2_a", "p3_a")


@pytest.fixture
def own(tmp_path):
    image, labels = phantom()
    for case in CASES:
        write_nifti(tmp_path / "scans" / f"{case}.nii.gz", image.repeat(2, 0).repeat(2, 1))
        write_nifti(tmp_path / "masks" / f"{case}.nii.gz", labels.repeat(2, 0).repeat(2, 1))
    (tmp_path / "own.toml").write_text(
        """
name = "own"
subject_pattern = '^(p\\d)_'
subjects = "subjects.csv"

[labels]
1 = "liver"
2 = { name = "liver tumor", target = true }

[[cohorts]]
images = [{ modality = "CT", files = "scans/{case}.nii.gz" }]
mask = "masks/{case}.nii.gz"
"""
    )
    return tmp_path


def build(own, text, *more):
    (own / "subjects.csv").write_text(text, encoding="utf-8-sig")
    return main(["build", str(own / "own.toml"), "--out", str(own / "t"), *map(str, more)])


def cases(own):
    return {row["case_id"]: row for row in read_cases(own / "t").to_pylist()}


GIVEN = "subject,split,sex,scanner\np1,test,f,A\np2,train,m,B\np3,test,,B\n"


def test_the_split_is_used_as_given_and_facts_stand_after_our_columns(own):
    assert build(own, GIVEN) == 0
    assert read_cases(own / "t").column_names == [
        *CASE_SCHEMA.names,
        "subject_sex",
        "subject_scanner",
    ]
    facts = {
        case: (row["split"], row["subject_sex"], row["subject_scanner"])
        for case, row in cases(own).items()
    }
    assert facts == {
        "p1_a": ("test", "f", "A"),
        "p1_b": ("test", "f", "A"),
        "p2_a": ("train", "m", "B"),
        "p3_a": ("test", None, "B"),
    }


def test_another_split_builds_again(own, capsys):
    assert build(own, GIVEN) == 0
    assert build(own, GIVEN) == 0
    assert "already up to date" in capsys.readouterr().out
    assert build(own, GIVEN.replace("p1,test", "p1,train")) == 0
    assert cases(own)["p1_b"]["split"] == "train"


def test_cases_may_be_listed_with_their_subjects(own):
    text = "case;subject;age\np1_a;x;31\np1_b;y;32\np2_a;x;33\np3_a;z;34\n"  # as a spreadsheet may
    assert build(own, text) == 0
    found = {case: (row["subject_id"], row["subject_age"]) for case, row in cases(own).items()}
    assert found == {
        "p1_a": ("x", "31"),
        "p1_b": ("y", "32"),
        "p2_a": ("x", "33"),
        "p3_a": ("z", "34"),
    }


def test_the_command_line_names_a_table_for_any_source(own):
    (own / "other.csv").write_text("subject,split\np1,train\np2,test\np3,test\n")
    assert build(own, GIVEN, "--subjects", own / "other.csv") == 0
    assert {case: row["split"] for case, row in cases(own).items()}["p1_a"] == "train"
    (own / "labels.json").write_text('{"1": "liver", "2": "liver tumor"}')
    (own / "each.csv").write_text("subject,split\n" + "".join(f"{case},test\n" for case in CASES))
    words = ["build", "--images", own / "scans", "--masks", own / "masks", "--modality", "CT"]
    words += ["--labels", own / "labels.json", "--name", "f", "--out", own / "f"]
    assert main([*map(str, words), "--subjects", str(own / "each.csv")]) == 0
    assert set(read_cases(own / "f")["split"].to_pylist()) == {"test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,split\np1,test\np2,val\n", "line 3: split: expected train or test, found 'val'"),
        (
            "case,subject,split\na,p1,test\nb,p1,train\n",
            "line 3: subject 'p1' is on both sides of the split",
        ),
        ("name,split\np1,test\n", "expected a column subject or case, found name, split"),
        ("subject,split\np1,test\np1,test\n", "line 3: 'p1' is there twice"),
        ("subject,split\n,test\n", "line 2: expected text in subject, found none"),
        ("subject,age,age\np1,1,2\n", "each once"),
        ("subject,age\np1\n", "line 2: expected 2 cells, found 1"),
        ("subject,id\np1,7\n", "another name for the column id"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, text, message):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(DeclarationError, match=message) as raised:
        read_subjects(tmp_path / "s.csv")
    assert str(raised.value).startswith(f"{tmp_path / 's.csv'}: ")


def test_a_subject_without_a_side_is_named(own, capsys):
    assert build(own, "subject,split\np1,test\np3,test\n") == 2
    assert "expected the split of every subject, found none of 'p2'" in capsys.readouterr().err


def test_facts_group_scores_and_the_report(own):
    assert build(own, GIVEN.replace("p3,test", "p3,train")) == 0
    words = ["eval", "--tables", own / "t", "--task", "detection", "--split", "all"]
    assert main([*map(str, words), "--model", "baseline/center", "--run", str(own / "r")]) == 0
    scores = pq.read_table(own / "r" / "scores.parquet")
    rows = aggregate(scores, by=["subject_scanner"]).to_pylist()
    n_of = {row["subject_scanner"]: row["n"] for row in rows}
    assert set(n_of) == {"A", "B"}
    assert n_of["A"] == n_of["B"]  # two cases each
    assert main(["report", str(own / "r"), "--out", str(own / "r.html")]) == 0
    assert "scanner" in (own / "r.html").read_text(encoding="utf-8")


def test_rows_that_no_case_has_are_told(own, capsys):
    assert build(own, GIVEN + "ghost,train,m,A\n") == 0
    told = capsys.readouterr().err
    assert "note: rows of the table of subjects that no case has: ghost" in told
    assert build(own, "case,subject\n" + "".join(f"{one},x\n" for one in (*CASES, "p1_A"))) == 0
    assert "the table of subjects that no case has: p1_A\n" in capsys.readouterr().err


def test_rows_of_cases_that_are_left_out_or_lack_a_file_are_of_a_case(own, capsys):
    declared = (own / "own.toml").read_text()
    (own / "own.toml").write_text(declared + 'excluded = { p3_a = "blurred" }\n')
    (own / "masks" / "p2_a.nii.gz").unlink()
    assert build(own, GIVEN) == 1
    assert "that no case has" not in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_table_in_another_encoding_says_what_to_do(tmp_path, encoding):
    (tmp_path / "s.csv").write_text("subject,town\np1,Köln\n", encoding=encoding)
    with pytest.raises(DeclarationError, match=r"s\.csv: expected .*; save it as UTF-8$"):
        read_subjects(tmp_path / "s.csv")
