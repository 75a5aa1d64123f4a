"""What killed processes leave behind is cleaned up, and what of it is damaged is made again."""

import os
import shutil
import subprocess
import sys

import pytest

from medvision.cli import main
from medvision.models import ResponseStore, StoreUnreadableError
from medvision.table import build
from tests.faults.test_damage import cut, empty, folder_in_its_place, holds, junk, lose, tables_of

DAMAGES = [cut, empty, holds(b"[]"), holds(b"{}"), junk, lose, folder_in_its_place]


@pytest.fixture
def copy(study, tmp_path):
    return study.copy(tmp_path / "study")


@pytest.fixture
def stopped(copy, monkeypatch):
    """A build that was stopped after all cases were measured."""
    shutil.rmtree(copy.tables)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build, "_merge", stop)
        assert main(copy.build()) == 130
    return copy


@pytest.mark.parametrize("name", ["case.json", "regions.parquet", "structures.parquet"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_staged_cases_are_measured_again(stopped, study, name, damage, monkeypatch):
    staged = sorted((stopped.tables / ".build").glob(f"*/{name}"))
    damage(staged[2])
    measured = []
    annotate = build.annotate_case

    def counted(case, *rest):
        measured.append(case.case_id)
        return annotate(case, *rest)

    monkeypatch.setattr(build, "annotate_case", counted)
    assert main(stopped.build()) == 0
    assert len(measured) == 1
    assert all(
        a.equals(b) for a, b in zip(tables_of(stopped.tables), tables_of(study.tables), strict=True)
    )


def a_process_that_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_drafts_of_killed_processes_go_and_those_of_living_ones_stay(copy):
    gone = a_process_that_is_gone()
    report = copy.run / "report" / "report.html"
    report.parent.mkdir()
    drafts = [copy.run / f".{name}.{gone}" for name in ("manifest.json", "samples.parquet",
                                                        "scores.parquet")]  # fmt: skip
    drafts.append(report.with_name(f".report.html.{gone}"))
    living = copy.run / f".manifest.json.{os.getppid()}"
    for draft in (*drafts, living):
        draft.write_text("half")
    assert main([*copy.eval(), "--style", "cot"]) == 0
    assert main(["report", str(copy.run)]) == 0
    assert [draft for draft in drafts if draft.exists()] == []
    assert living.exists()


def test_an_up_to_date_build_takes_left_over_staging_away(copy, capsys):
    (copy.tables / ".build" / "0123").mkdir(parents=True)
    assert main(copy.build()) == 0
    assert "already up to date" in capsys.readouterr().out
    assert not (copy.tables / ".build").exists()


def test_a_store_that_lost_its_end_is_not_read_as_one_with_fewer_replies(copy):
    path = copy.run / "responses.sqlite"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreUnreadableError, match="damaged: its end is missing"):
        ResponseStore(path)


def test_an_empty_store_of_an_evaluation_that_never_stored_a_reply_is_begun(copy):
    """A kill between the file's name and its tables; beside a manifest it would be a loss."""
    (copy.run / "responses.sqlite").write_bytes(b"")
    assert main(copy.eval()) == 2
    (copy.run / "manifest.json").unlink()
    assert main(copy.eval()) == 0
