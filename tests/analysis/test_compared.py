"""Two runs beside each other: the page's rows are the verdicts, whichever run is named first."""

import json
import re
import shutil
import subprocess

import pytest

from medvision.analysis import write_report
from medvision.analysis.compared import compared
from medvision.analysis.verdicts.analyse import analyse


@pytest.fixture(scope="module")
def runs(make_samples, make_run):
    samples = make_samples({"detection": 66, "tl": 24})
    return [
        make_run("good", samples),
        make_run("</script><b>", samples, "clumsy"),
        make_run("other", samples, seed=8),
    ]


@pytest.fixture(scope="module")
def verdicts(runs):
    return analyse(runs)


def test_rows_are_the_verdicts_in_printed_units(runs, verdicts):
    found = compared(runs, verdicts)
    own = [one for one in verdicts if one.name == "comparison"]
    assert len(found["rows"]) == len(own)
    assert found["runs"] == ["good", "</script><b>", "other"]
    assert {(row["a"], row["b"]) for row in found["rows"]} == {(0, 1), (0, 2), (1, 2)}
    whole = next(row for row in found["rows"] if row["task"].startswith("Tumour"))
    verdict = next(one for one in own if one.task == "tl")
    assert whole["measure"] == "relative error smaller by (% points)"
    assert whole["value"] == pytest.approx(100 * verdict.value, rel=1e-4)
    assert (whole["n"], whole["subjects"]) == (verdict.n, verdict.n_subjects)
    assert {"", "plane", "target size"} <= {row["by"] for row in found["rows"]}
    json.dumps(found, allow_nan=False)


def test_one_run_is_compared_with_none(runs):
    assert compared(runs[:1], analyse(runs[:1])) is None


@pytest.mark.browser
def test_chosen_runs_are_shown_from_both_sides(runs, verdicts, picture, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on the path")
    page = write_report(runs, tmp_path / "page.html", picture=picture)
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         "--virtual-time-budget=9000", f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True, encoding="utf-8", timeout=120, check=True,
    )  # fmt: skip
    section = done.stdout.split('<section id="comparison"')[1].split("</section>")[0]
    assert "data-errors" not in done.stdout
    body = section.split("<tbody>")[1]
    n_rows = sum(row["a"] == 0 and row["b"] == 1 for row in compared(runs, verdicts)["rows"])
    assert body.count("<svg") == n_rows
    assert "A is better" in body
    assert "<b>" not in section
    names = re.findall(r"<option value=\"\d\">(.*?)</option>", section)
    assert names == ["good", "&lt;/script&gt;&lt;b&gt;", "other"] * 2
