"""Every file that the project writes, damaged in every way, read by every command that reads it.

A command may refuse in one line that names the file and what to do, or give what it gives on whole
files. Nothing else: no traceback, no other numbers, no success without the file's content.
"""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.table.read import read_biometrics, read_cases, read_regions, read_structures
from tests.faults.conftest import Study
from tests.faults.harness import COMMANDS


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_the_end(path):
    path.write_bytes(path.read_bytes()[:-20])


def empty(path):
    path.write_bytes(b"")


def holds(content: bytes) -> Callable[[Path], None]:
    def damage(path):
        path.write_bytes(content)

    damage.__name__ = f"holds_{content[:8]!r}"
    return damage


def junk(path):
    path.write_bytes(np.random.default_rng(0).bytes(3000))


def junk_in_the_middle(path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 40] = np.random.default_rng(0).bytes(40)
    path.write_bytes(bytes(content))


def lose(path):
    path.unlink()


def folder_in_its_place(path):
    path.unlink()
    path.mkdir()


def rewritten(change):
    def damage(path):
        rows = pq.read_table(path, partitioning=None)
        pq.write_table(change(rows), path)

    damage.__name__ = change.__name__
    return damage


def column_missing(rows):
    return rows.drop_columns(rows.column_names[3])


def column_added(rows):
    return rows.append_column("extra", pa.nulls(rows.num_rows, pa.int32()))


def column_retyped(rows):
    place = rows.column_names.index("case_id")
    return rows.set_column(place, "case_id", pa.array(range(rows.num_rows), pa.int64()))


def with_json(change):
    def damage(path):
        content = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(change(content)), "utf-8")

    damage.__name__ = change.__name__
    return damage


def every_value_a_number(content):
    return dict.fromkeys(content, 7)


def every_second_key_missing(content):
    return dict(list(content.items())[::2])


def empty_below(content):
    return {key: type(value)() if isinstance(value, dict | list) else value
            for key, value in content.items()}  # fmt: skip


def with_sql(script):
    def damage(path):
        with sqlite3.connect(path) as db:
            db.executescript(script)
        db.close()

    damage.__name__ = re.sub(r"\W+", "_", script)[:40]
    return damage


ANY = [cut, cut_the_end, empty, holds(b"[]"), holds(b"null"), holds(b"{}"), holds(b'{"a": 1}'),
       holds(b"\xff\xfe\x00"), junk, junk_in_the_middle, lose, folder_in_its_place]  # fmt: skip
JSON = [*ANY, holds(b"[" * 100_000), with_json(every_value_a_number),
        with_json(every_second_key_missing), with_json(empty_below)]  # fmt: skip
PARQUET = [*ANY, *map(rewritten, (column_missing, column_added, column_retyped))]
STORE = [*ANY, *map(with_sql, (
    "DROP TABLE requests",
    "DROP TABLE responses",
    "ALTER TABLE responses DROP COLUMN latency_s",
    "ALTER TABLE responses ADD COLUMN extra",
    "DROP INDEX requests_by_key; ALTER TABLE requests RENAME TO r; CREATE TABLE requests AS "
    "SELECT sample_id, cast(repeat AS TEXT) AS repeat, key, prompt FROM r",
    "PRAGMA user_version = 9",
))]  # fmt: skip

PART = "regions/plane=axial/split=test/part-0.parquet"
MEASURED = "biometrics/plane=axial/split=test/part-0.parquet"
TABLE_FILES = {"manifest.json": JSON, "cases.parquet": PARQUET, "structures.parquet": PARQUET,
               PART: PARQUET, MEASURED: PARQUET}  # fmt: skip
RUN_FILES = {"manifest.json": JSON, "samples.parquet": PARQUET, "scores.parquet": PARQUET,
             "responses.sqlite": STORE}  # fmt: skip


def trials(files, commands):
    return [
        pytest.param(name, damage, command, id=f"{name}-{damage.__name__}-{command}")
        for name, damages in files.items()
        for damage in damages
        for command in commands
    ]


def done(words, capsys):
    """Exit status, output and errors of a command."""
    capsys.readouterr()
    status = main([str(word) for word in words])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def assert_refused_in_one_line(status, err, name):
    assert status in (1, 2)
    lines = err.strip().splitlines()
    told = lines[-1]
    assert "Traceback" not in err
    assert not re.search(r"\.py:\d+\)", err), err
    assert name in told, err
    assert re.search(r"medvision|run it again|run the build|move it away|copy back", told), err
    assert len(lines) <= 4 or "not written by the build" in err, err


WHOLE_OUTPUT: dict[str, str] = {}
"""What commands print on whole files, without folders and times."""


def plain(out, folder):
    return re.sub(r'"created": "[^"]*"', "", out.replace(str(folder), "STUDY"))


def whole_output(study, command, words, place, capsys):
    """Output of a command on a whole copy, made once."""
    if command not in WHOLE_OUTPUT:
        copy = study.copy(place)
        _, out, _ = done(words(copy), capsys)
        WHOLE_OUTPUT[command] = plain(out, copy.folder)
    return WHOLE_OUTPUT[command]


def tables_of(folder):
    return [read(folder) for read in (read_cases, read_structures, read_regions, read_biometrics)]


OF_TABLES = {
    "build": lambda study: study.build(),
    "verify": lambda study: ["table", "verify", study.tables],
    "diff": lambda study: ["table", "diff", study.tables, study.tables],
    "overlap": lambda study: ["table", "overlap", study.tables],
    "eval": lambda study: study.eval(study.folder / "other"),
    "sheet": lambda study: ["render", "--tables", study.tables, "--sheet", "2", "--out",
                            study.folder / "sheet.png"],
    "slice": lambda study: ["render", "--tables", study.tables, "--case", "c0", "--plane", "axial",
                            "--slice", "5", "--overlay", "--out", study.folder / "slice.png"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "damage", "command"), trials(TABLE_FILES, OF_TABLES))
def test_damaged_tables(study, tmp_path, capsys, name, damage, command):
    whole_out = whole_output(study, command, OF_TABLES[command], tmp_path / "whole", capsys)
    copy = study.copy(tmp_path / "study")
    damage(copy.tables / name)
    # the manifest's time tells this reading from the one before
    if (copy.tables / "manifest.json").is_file():
        content = (copy.tables / "manifest.json").read_bytes()
        (copy.tables / "manifest.json").write_bytes(content)
    status, out, err = done(OF_TABLES[command](copy), capsys)
    if command == "build" and (name, damage) != ("manifest.json", folder_in_its_place):
        assert status == 0, err
        assert all(a.equals(b) for a, b in zip(tables_of(copy.tables), tables_of(study.tables),
                                               strict=True))  # fmt: skip
    elif status == 0:
        assert plain(out, copy.folder) == whole_out
    else:
        assert_refused_in_one_line(status, err, str(copy.tables))


OF_RUNS = {
    "eval": lambda study: study.eval(),
    "score": lambda study: ["score", study.run],
    "report": lambda study: ["report", study.run, "--json"],
    "page": lambda study: ["report", study.run],
    "analyse": lambda study: ["analyse", study.run, "--json"],
}


@pytest.mark.parametrize(("name", "damage", "command"), trials(RUN_FILES, OF_RUNS))
def test_damaged_runs(study, tmp_path, capsys, name, damage, command):
    whole_out = whole_output(study, f"run {command}", OF_RUNS[command], tmp_path / "whole", capsys)
    copy = study.copy(tmp_path / "study")
    damage(copy.run / name)
    status, out, err = done(OF_RUNS[command](copy), capsys)
    if status == 0:
        assert plain(out, copy.folder) == whole_out
        assert done(["score", copy.run], capsys)[0] == 0
    else:
        place = copy.run if damage is lose else copy.run / name
        assert_refused_in_one_line(status, err, str(place))
    if name == "scores.parquet" and damage is not folder_in_its_place:
        assert status == 0, "scores are made again where what they derive from is whole"


IMPORT_FILES = {**RUN_FILES, "imported.json": JSON}
OF_IMPORTS = {
    "import results": COMMANDS["import results"].words,
    "score": lambda study: ["score", study.folder / "imported"],
}


@pytest.fixture(scope="session")
def imported(study, tmp_path_factory):
    """A run of imported results, in a folder to be copied."""
    copy = study.copy(tmp_path_factory.mktemp("imported") / "study")
    assert main([str(word) for word in OF_IMPORTS["import results"](copy)]) == 0
    return copy


@pytest.mark.parametrize(("name", "damage", "command"), trials(IMPORT_FILES, OF_IMPORTS))
def test_damaged_imports(imported, tmp_path, capsys, name, damage, command):
    copy = Study(tmp_path / "study", imported.inputs)
    shutil.copytree(imported.folder / "imported", copy.folder / "imported")
    damage(copy.folder / "imported" / name)
    status, _, err = done(OF_IMPORTS[command](copy), capsys)
    if status == 0:
        scores = COMMANDS["import results"].result
        assert scores(copy, "") == scores(imported, "")
    else:
        assert_refused_in_one_line(status, err, str(copy.folder / "imported"))
