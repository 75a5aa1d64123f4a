"""What is tried writes its own row of the page; the page has a row for all that is tried."""

import pytest

from tests.faults import fuzz, reliability
from tests.faults.harness import COMMANDS, TESTS
from tests.faults.page import Table
from tests.faults.targets import TARGETS

ABOUT = "What it is.\n\n| test | of | n |\n|---|---|---|"


@pytest.fixture
def tables(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nHead.\n", encoding="utf-8")
    return [Table(title, ABOUT, n_keys=2, page=page) for title in ("One", "Two")]


def test_a_row_replaces_its_own_and_leaves_the_others(tables):
    one, two = tables
    for row in ("| a | x | 1 |", "| a | y | 2 |", "| b | x | 3 |"):
        one.put(row)
    two.put("| a | x | 9 |")
    one.put("| a | y | 4 |")
    assert list(one.rows().values()) == ["| a | x | 1 |", "| a | y | 4 |", "| b | x | 3 |"]
    assert two.page.read_text(encoding="utf-8") == (
        f"# Page\n\nHead.\n\n## One\n\n{ABOUT}\n| a | x | 1 |\n| a | y | 4 |\n| b | x | 3 |\n\n"
        f"## Two\n\n{ABOUT}\n| a | x | 9 |\n"
    )


def test_further_tries_are_added_unless_there_were_finds(tables, monkeypatch):
    table = Table("Fuzz", fuzz.ABOUT, n_keys=1, page=tables[0].page)
    monkeypatch.setattr(fuzz, "TABLE", table)
    for expected in (4, 8):
        assert fuzz.main(["0.02", "labels", "--page", "add"]) == 0
        tries, read, refused = map(int, table.rows()[("labels",)].split("|")[2:5])
        assert tries >= expected
        assert tries == read + refused
        assert fuzz.told_before("labels") == fuzz.Found(tries, read)
    table.put("| labels | 5 | 2 | 1 | 2 | 0 |")
    assert fuzz.told_before("labels") == fuzz.Found()


def test_the_page_tells_of_all_that_is_tried_and_of_no_fault():
    told = reliability.TABLE.rows()
    commands = [*COMMANDS, reliability.TRAINING]
    assert set(told) == {(test, f"`{name}`") for test in TESTS for name in commands}
    assert {tuple(row.split("|")[4:7]) for row in told.values()} == {(" 0 ",) * 3}
    fuzzed = fuzz.TABLE.rows()
    assert set(fuzzed) >= {(name,) for name in TARGETS}
    assert {row.split("|")[5] for row in fuzzed.values()} == {" 0 "}
