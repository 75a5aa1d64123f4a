"""The report in a real browser without a network: scripts run, the viewer and plots are drawn."""

import html
import os
import re
import shutil
import subprocess

import pytest

from medvision.analysis import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
EVIL = "<img src=x onerror=\"document.title='broken into'\"></script><script>x</script>"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        reason = f"no Chromium: none of {', '.join(NAMES)} is on the path"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def dom(browser, tmp_path_factory, make_samples, make_run, picture):
    """The page's DOM as text after its scripts have run."""
    folder = tmp_path_factory.mktemp("browser")
    samples = make_samples({"detection": 12, "tl": 8, "ad": 8, "area": 4})
    texts = dict.fromkeys(samples["sample_id"].to_pylist(), EVIL)
    runs = [
        make_run("good <b>", samples, texts=texts),
        make_run("clumsy", samples, "clumsy"),
        make_run("exact", samples, "exact", is_baseline=True),
    ]
    out = write_report(runs, folder / "report.html", picture=picture)
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"]
    command += ["--window-size=1280,8000", f"--user-data-dir={folder / 'profile'}", out.as_uri()]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=600, check=True)
    return done.stdout


def test_scripts_run_without_error(dom):
    assert re.search(r"<html[^>]* data-ready=\"true\"", dom)
    assert "data-errors" not in dom


def test_viewer_shows_a_case_with_picture_and_overlay(dom):
    picture = dom.split('id="case-picture"')[1].split('id="case-legend"')[0]

    assert "<image" in picture
    assert 'href="data:image/png;base64,' in picture
    assert 'class="truth"' in picture
    assert 'class="answer"' in picture
    assert picture.count("<rect") == 4  # truth and answer, each with its halo
    assert '<output id="case-place">1 of 12</output>' in dom


def test_case_list_and_selectors_are_filled(dom):
    cases = dom.split('id="case-list"')[1].split("</ol>")[0]
    models = dom.split('id="case-model"')[1].split("</select>")[0]

    assert cases.count("<li") == 12
    assert re.findall(r"<option[^>]*>([^<]*)</option>", models) == [
        "good &lt;b&gt;",
        "clumsy",
        "exact",
    ]


def test_plots_are_drawn(dom):
    assert dom.count('class="main-svg"') >= 6
    assert "n = " in dom.split("<figcaption>")[2]


def test_reply_is_shown_as_text(dom):
    reply = re.search(r'<pre class="reply">(.*?)</pre>', dom, re.DOTALL)

    assert reply is not None
    assert html.unescape(reply[1]) == EVIL
    assert "broken into" not in re.search(r"<title>(.*?)</title>", dom)[1]
