"""Tables with files lost, changed or added are not read as whole; a second builder stays out."""

import json
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

import medvision as mv
from medvision.cli import main
from medvision.storage import only_process
from medvision.table.parts import DamagedTablesError
from medvision.table.read import read_regions


@pytest.fixture
def copy(study_tables, tmp_path):
    shutil.copytree(study_tables.parent, tmp_path / "study")
    return tmp_path / "study" / "tables"


def build_words(folder):
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", folder / "labels.json", "--name", "study 1", "--modality", "CT"]
    words += ["--target-labels", "2", "--out", folder / "tables"]
    return [str(word) for word in words]


def axial_test(tables):
    return tables / "regions" / "plane=axial" / "split=test" / "part-0.parquet"


def lose(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def fewer_rows(path):
    pq.write_table(pq.read_table(path, partitioning=None).slice(1), path)


def one_more(path):
    shutil.copy(path, path.with_name("part-1.parquet"))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lose, "part-0.parquet is missing"),
        (empty, "part-0.parquet cannot be read"),
        (cut, "part-0.parquet cannot be read"),
        (fewer_rows, "rows instead of"),
        (one_more, "part-1.parquet was not written by the build"),
    ],
)
def test_damaged_tables_are_refused_and_built_again(copy, damage, told, capsys):
    whole = read_regions(copy)
    damage(axial_test(copy))
    # the manifest's time tells this reading from the one before
    (copy / "manifest.json").write_text((copy / "manifest.json").read_text("utf-8"), "utf-8")
    with pytest.raises(DamagedTablesError, match=told):
        read_regions(copy)
    assert main(["eval", "--tables", str(copy), "--task", "tl", "--model", "baseline/oracle",
                 "--run", str(copy.parent / "run")]) == 2  # fmt: skip
    assert told in capsys.readouterr().err
    assert not (copy.parent / "run" / "samples.parquet").exists()
    assert main(build_words(copy.parent)) == 0
    assert "already up to date" not in capsys.readouterr().out
    assert read_regions(copy).equals(whole)


def test_verify_reads_the_bytes(copy, capsys):
    assert main(["table", "verify", str(copy)]) == 0
    assert "files, all as written" in capsys.readouterr().out
    path = axial_test(copy)
    rows = pq.read_table(path, partitioning=None)
    pq.write_table(rows.set_column(0, rows.schema.field(0), rows.column(0)), path)
    assert main(["table", "verify", str(copy)]) == 1
    assert "split=test/part-0.parquet has other bytes than were written" in capsys.readouterr().err


def test_tables_of_the_version_before_list_no_parts_and_are_read(copy, capsys):
    manifest = json.loads((copy / "manifest.json").read_text("utf-8"))
    del manifest["parts"]
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert read_regions(copy).num_rows
    assert main(["table", "verify", str(copy)]) == 2
    assert "build them again" in capsys.readouterr().err


def test_a_second_builder_is_told_and_writes_nothing(copy):
    with only_process(copy, "testing"):
        done = subprocess.run(
            [sys.executable, "-m", "medvision.cli", *build_words(copy.parent)],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert "another process is building tables here" in done.stderr


def test_a_kill_in_the_last_clean_up_does_no_harm(copy):
    """What is left of the staging folder: a case without its record, and one renamed half away."""
    whole = read_regions(copy)
    left = copy / ".build"
    (left / "0123" / "x").mkdir(parents=True)
    (copy / ".removed-99-.build" / "half").mkdir(parents=True)
    (copy / "manifest.json").unlink()
    assert main(build_words(copy.parent)) == 0
    assert read_regions(copy).equals(whole)
    assert sorted(path.name for path in copy.iterdir() if path.name.startswith(".")) == []


def test_what_the_machine_could_not_do_is_tried_again(copy, monkeypatch, capsys):
    from medvision.errors import MissingExtraError
    from medvision.table import build

    def not_today(case, *_):
        message = f"{case.case_id}: needs SimpleITK, not installed"
        raise MissingExtraError(message)

    shutil.rmtree(copy)
    annotate = build.annotate_case
    monkeypatch.setattr(build, "annotate_case", not_today)
    assert main(build_words(copy.parent)) == 1
    monkeypatch.setattr(build, "annotate_case", annotate)
    capsys.readouterr()
    assert main(build_words(copy.parent)) == 0
    assert "10 of 10 cases" in capsys.readouterr().out
    assert mv.read_tables(copy).cases.num_rows == 10


def test_no_memory_for_one_case_costs_that_case(copy, monkeypatch, capsys):
    from medvision.table import build

    annotate = build.annotate_case

    def too_large(case, *rest):
        if case.case_id == "c3":
            raise MemoryError
        return annotate(case, *rest)

    shutil.rmtree(copy)
    monkeypatch.setattr(build, "annotate_case", too_large)
    assert main(build_words(copy.parent)) == 1
    shown = capsys.readouterr()
    assert "9 of 10 cases" in shown.out
    assert "c3" in shown.err + shown.out
