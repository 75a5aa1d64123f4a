"""The report in a real browser without a network, driven as a reader drives it."""

import base64
import io
import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image

from medvision.analysis import write_report
from medvision.analysis.html import island_json
from tests.analysis.devtools import Chromium

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
EVIL = "<img src=x onerror=\"document.title='broken into'\"></script><script>x</script>"
COUNTS = {"detection": 12, "tl": 8, "ad": 8, "area": 4}

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
def samples(make_samples):
    return make_samples(COUNTS)


@pytest.fixture(scope="module")
def address(tmp_path_factory, samples, make_run, picture):
    texts = dict.fromkeys(samples["sample_id"].to_pylist(), EVIL)
    runs = [
        make_run("good <b>", samples, texts=texts),
        make_run("clumsy", samples, "clumsy"),
        make_run("exact", samples, "exact", is_baseline=True),
    ]
    folder = tmp_path_factory.mktemp("page")
    return write_report(runs, folder / "report.html", picture=picture).as_uri()


def repeated(data, times):
    """A page's cases so many times over, each with an id of its own."""
    words = {name: {**word, "at": word["at"] * times} for name, word in data["words"].items()}
    answers = [
        {
            "outcome": {**answer["outcome"], "at": answer["outcome"]["at"] * times},
            "error": answer["error"] * times,
            "absolute": [],
        }
        for answer in data["answers"]
    ]
    more = {name: data[name] * times for name in ("slice", "size", "picture", "details")}
    ids = [f"{i}#{turn}" for turn in range(times) for i in data["id"]]
    return {**data, **more, "id": ids, "words": words, "answers": answers}


@pytest.fixture(scope="module")
def large_address(address, tmp_path_factory):
    """The same page with 5,024 cases."""
    text = Path(unquote(urlsplit(address).path)).read_text(encoding="utf-8")
    before, rest = text.split('id="cases-data">', 1)
    island, after = rest.split("</script>", 1)
    data = repeated(json.loads(island), 157)
    out = tmp_path_factory.mktemp("large") / "report.html"
    page = f'{before}id="cases-data">{island_json(data)}</script>{after}'
    out.write_text(page, encoding="utf-8")
    return out.as_uri()


@pytest.fixture(scope="module")
def started(browser, tmp_path_factory):
    with Chromium(browser, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture
def page(started, address):
    """The page freshly opened; no test may leave an error or a request to anything but a file."""
    started.errors.clear()
    started.requests.clear()
    started.resize(1280, 900)
    started.open("about:blank", ready="!document.documentElement?.dataset.ready")
    started.open(address)
    yield started
    assert started.errors == []
    assert started.js("document.documentElement.dataset.errors ?? ''") == ""
    assert [url for url in started.requests if not re.match(r"(file|data|about|blob):", url)] == []


def text(page, selector):
    return page.js(f"document.querySelector({selector!r}).textContent")


def choose(page, element, value):
    page.js(
        f"(() => {{ const e = document.getElementById({element!r}); e.value = {value!r};"
        "e.dispatchEvent(new Event(e.tagName === 'INPUT' ? 'input' : 'change')); })()"
    )


def filter_by(page, word, value):
    page.js(
        f"(() => {{ const e = document.querySelector('[data-word={word}]'); e.value = {value!r};"
        "e.dispatchEvent(new Event('change')); })()"
    )


def tick(page, *, on):
    """All boxes of the legend, one by one: its rows are made anew at each."""
    for place in range(page.js("document.querySelectorAll('#case-legend input').length")):
        page.js(
            f"(() => {{ const e = document.querySelectorAll('#case-legend input')[{place}];"
            f"if (e.checked !== {str(on).lower()}) {{ e.focus(); e.click(); }} }})()"
        )


def open_case(page, sample_id):
    page.js(f"location.hash = 'case=' + encodeURIComponent({sample_id!r})")
    page.wait(
        f"document.querySelector('#case-text').textContent.includes({sample_id!r})", seconds=10
    )


def shown_id(page):
    return page.js(
        "JSON.parse(document.getElementById('cases-data').textContent)"
        ".id[Number(document.getElementById('viewer').dataset.shown)]"
    )


def test_all_cases_are_listed_and_only_those_seen_are_in_the_page(page):
    assert text(page, "#case-count") == "32 of 32 cases"
    assert text(page, "#case-place") == "1 of 32"
    n_rows = page.js("document.querySelectorAll('#case-list [role=option]').length")
    assert 0 < n_rows < 32
    page.js("document.getElementById('case-list').scrollTop = 1e6")
    page.wait("document.querySelector('#case-list [aria-posinset=\"32\"]')")


def test_entries_are_named_by_structure_plane_and_slice(page, samples):
    row = {row["sample_id"]: row for row in samples.to_pylist()}[shown_id(page)]
    first = text(page, "#case-list [aria-selected=true]")
    assert first.startswith(row["name"])
    assert f"{row['plane']} {row['slice_index']} · {row['dataset']} · {row['case_id']}" in first


def test_filters_narrow_and_reset(page, samples):
    rows = samples.to_pylist()
    filter_by(page, "task", "=detection")
    assert text(page, "#case-count") == "12 of 32 cases"
    filter_by(page, "plane", "=coronal")
    n = sum(row["task"] == "detection" and row["plane"] == "coronal" for row in rows)
    assert text(page, "#case-count") == f"{n} of 32 cases"
    page.js("document.getElementById('case-reset').click()")
    assert text(page, "#case-count") == "32 of 32 cases"


def test_outcome_and_error_of_the_chosen_model_filter(page):
    choose(page, "case-model", "1")
    choose(page, "case-outcome", "=ok")
    n_ok = page.js(
        "(() => { const d = JSON.parse(document.getElementById('cases-data').textContent);"
        "const { at, values } = d.answers[1].outcome;"
        "return at.filter((a) => values[a] === 'ok').length })()"
    )
    assert 0 < n_ok < 32
    assert text(page, "#case-count") == f"{n_ok} of 32 cases"
    choose(page, "case-least", "20")
    choose(page, "case-most", "60")
    errors = page.js(
        "JSON.parse(document.getElementById('cases-data').textContent).answers[1].error"
    )
    n = sum(error is not None and 0.2 <= error <= 0.6 for error in errors)
    assert text(page, "#case-count") == f"{n} of 32 cases"


def test_search_looks_into_replies_and_ids(page, samples):
    choose(page, "case-search", "OF THE ORGAN FIRST")
    page.wait("!document.getElementById('case-count').textContent.startsWith('32')")
    found = text(page, "#case-count")
    truncated = page.js(
        "JSON.parse(document.getElementById('cases-data').textContent).details"
        ".filter((d) => d.answers[1][0].outcome === 'truncated').length"
    )
    assert found == f"{truncated} of 32 cases"
    choose(page, "case-search", samples["sample_id"][5].as_py())
    page.wait("document.getElementById('case-count').textContent.startsWith('1 ')")
    assert shown_id(page) == samples["sample_id"][5].as_py()


def test_cases_are_sorted_by_the_difference_of_two_models(page):
    choose(page, "case-other", "2")
    data = page.js("JSON.parse(document.getElementById('cases-data').textContent).answers")
    pairs = zip(data[0]["error"], data[2]["error"], strict=True)
    best = max((a - b, -place) for place, (a, b) in enumerate(pairs) if None not in (a, b))
    page.js("document.getElementById('case-list').scrollTop = 0")
    page.wait("document.querySelector('#case-list [aria-posinset=\"1\"]')")
    first = page.js("document.querySelector('#case-list [aria-posinset=\"1\"]').id")
    assert first == f"case-{-best[1]}"


def test_every_model_is_drawn_and_the_legend_says_what(page):
    filter_by(page, "task", "=detection")
    tick(page, on=True)
    words = page.js(
        "[...document.querySelectorAll('#case-legend tr')].map((r) => r.cells[3].textContent)"
    )
    drawn = page.js("document.querySelectorAll('#case-picture g.answer').length")
    n_boxes = page.js("document.querySelectorAll('#case-picture g.answer rect:not(.halo)').length")
    assert drawn == 3
    assert words[0] == "drawn"
    assert n_boxes == sum("box drawn" in word for word in words)
    tick(page, on=False)
    assert page.js("document.querySelectorAll('#case-picture :is(.answer, .truth)').length") == 0


def test_area_answers_have_nothing_to_draw_and_the_legend_says_so(page):
    filter_by(page, "task", "=area")
    words = page.js(
        "[...document.querySelectorAll('#case-legend tr')].map((r) => r.cells[3].textContent)"
    )
    assert words == ["drawn", *["a number, nothing to draw"] * 3]


def test_a_window_within_the_shown_one_spreads_its_greys(page, samples):
    rows = samples.to_pylist()
    row = next(row for row in rows if (row["label"], row["modality"]) == ("liver", "CT"))
    open_case(page, row["sample_id"])
    part = "document.querySelector('#levels feFuncR')"
    at = "document.getElementById('case-picture').querySelector('image')"
    assert page.js(f"{at}.getAttribute('filter')") is None
    # Models are shown width 400, level 40: from −160 to 240 HU. Now from 0 to 80.
    choose(page, "case-width", "80")
    choose(page, "case-level", "40")
    assert page.js(f"{at}.getAttribute('filter')") == "url(#levels)"
    slope, intercept = (
        float(page.js(f"{part}.getAttribute({name!r})")) for name in ("slope", "intercept")
    )
    assert [slope * (hu + 160) / 400 + intercept for hu in (0, 80)] == pytest.approx([0, 1])
    choose(page, "case-preset", "")
    assert page.js(f"{at}.getAttribute('filter')") is None


def test_words_of_any_direction_do_not_turn_those_beside_them(page):
    loose = page.js(
        "[...document.querySelectorAll('#case-list :is(.what, .where), #case-text h3,"
        "table.data:not(.definitions) tbody th[scope=row], td.group')]"
        ".filter((e) => e.textContent.trim()"
        "&& !e.closest('bdi') && !e.querySelector('bdi')).map((e) => e.outerHTML.slice(0, 90))"
    )
    assert loose == []


def test_a_link_opens_its_case_and_choosing_writes_the_link(page, address, samples):
    wanted = samples["sample_id"][20].as_py()
    open_case(page, wanted)
    assert shown_id(page) == wanted
    page.js("document.getElementById('case-next').click()")
    page.wait(f"decodeURIComponent(location.hash) !== {'#case=' + wanted!r}")
    assert page.js("decodeURIComponent(location.hash.slice(6))") == shown_id(page)


def test_keys_move_in_the_list_and_tab_leaves_it(page):
    page.js("document.getElementById('case-list').focus()")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        page.press(key)
    assert text(page, "#case-place") == "2 of 32"
    page.press("End")
    assert text(page, "#case-place") == "32 of 32"
    page.press("Tab", text="\t")
    assert page.js("document.activeElement.id") != "case-list"
    # Outside the browser the arrows are the page's own.
    page.js("document.activeElement.blur()")
    page.press("ArrowRight")
    page.press("ArrowDown")
    assert text(page, "#case-place") == "32 of 32"


def test_grid_shows_pictures(page):
    page.js("document.getElementById('case-grid').click()")
    page.wait("document.querySelectorAll('#case-list img').length > 3")
    lefts = page.js(
        "[...document.querySelectorAll('#case-list [role=option]')].map((e) => e.offsetLeft)"
    )
    assert len(set(lefts)) >= 2


def drawn_edges(page, box):
    """Columns and rows of the screen with a stretch of the truth's colour: from the pixels."""
    data = page.call("Page.captureScreenshot", format="png", clip={**box, "scale": 1})["data"]
    shot = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)
    truth = np.abs(shot - [0x3D, 0xDC, 0x97]).max(axis=-1) < 40
    return np.flatnonzero(truth.sum(0) > 20), np.flatnonzero(truth.sum(1) > 20)


@pytest.mark.parametrize("zoom", [0, 2])
def test_the_true_box_lies_on_its_pixels_after_zoom(page, samples, zoom):
    boxes = (row for row in samples.to_pylist() if row["task"] == "detection")
    row = min(boxes, key=lambda row: row["box_px"][2] - row["box_px"][0])
    open_case(page, row["sample_id"])
    tick(page, on=False)
    page.js("document.querySelector('#case-legend input').click()")
    page.js("document.getElementById('case-picture').scrollIntoView({block: 'center'})")
    # Zoom about the middle of the box, so that it stays in view.
    x0, y0, x1, y1 = row["box_px"]
    for _ in range(zoom):
        page.js(
            "(() => { const s = document.querySelector('#case-picture svg'),"
            "b = s.querySelector('g.truth rect:not(.halo)').getBoundingClientRect();"
            "s.dispatchEvent(new MouseEvent('dblclick', {bubbles: true,"
            "clientX: b.left + b.width / 2, clientY: b.top + b.height / 2})); })()"
        )
    page.js("document.querySelectorAll('#case-picture text').forEach((e) => e.remove())")
    rect = (
        "(() => {{ const r = document.querySelector('{}').getBoundingClientRect();"
        "return [r.left, r.top, r.width, r.height]; }})()"
    )
    left, top, width, height = page.js(rect.format("#case-picture image"))
    held = page.js(rect.format("#case-picture"))
    clip = dict(zip(("x", "y", "width", "height"), held, strict=True))
    clip["x"] += page.js("scrollX")
    clip["y"] += page.js("scrollY")
    columns, rows = drawn_edges(page, clip)
    across = [left - held[0] + x / row["width_px"] * width for x in (x0, x1)]
    down = [top - held[1] + y / row["height_px"] * height for y in (y0, y1)]
    assert width == pytest.approx(2**zoom * held[2], rel=0.01)
    n_seen = 0
    for found, expected, end in ((columns, across, held[2]), (rows, down, held[3])):
        seen = [edge for edge in expected if 2 < edge < end - 2]
        n_seen += len(seen)
        for edge in seen:  # drawn there, and nowhere far from an edge
            assert np.abs(found - edge).min() <= 2
        assert all(min(abs(place - edge) for edge in expected) <= 2 for place in found)
    assert n_seen >= 3


def test_reply_is_shown_as_text(page):
    assert text(page, "pre.reply") == EVIL
    assert "broken into" not in page.js("document.title")


def test_plots_are_drawn(page):
    page.js("document.querySelector('figure.truth').scrollIntoView()")
    page.wait("document.querySelector('figure.truth .main-svg')")
    assert "n = " in text(page, "figure.truth figcaption")


def test_of_one_model_every_row_names_its_group(page):
    page.js(
        "(() => { const e = document.querySelector('select.filter-model'); e.value = 'clumsy';"
        "e.dispatchEvent(new Event('change')); e.closest('section').querySelectorAll('details')"
        ".forEach((d) => { d.open = true; }); })()"
    )
    looks = page.js(
        "[...document.querySelectorAll('#detection .breakdown tr[data-model=clumsy] td.group')]"
        ".map((e) => [e.textContent, getComputedStyle(e).fontWeight])"
    )
    assert looks
    assert {weight for _, weight in looks} == {"550"}
    assert all(name for name, _ in looks)


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_is_wider_than_the_window(page, address, width):
    page.resize(width, 900, mobile=width < 500)
    page.open("about:blank", ready="!document.documentElement?.dataset.ready")
    page.open(address)
    assert page.js("document.documentElement.scrollWidth") <= width


def test_names_of_models_are_not_broken_within_a_word(page):
    page.resize(390, 900, mobile=True)
    heights = page.js(
        "[...document.querySelectorAll('#detection tbody th bdi')]"
        ".map((e) => [e.textContent, e.getClientRects()[0].height])"
    )
    assert heights
    assert all(height < 24 for name, height in heights if " " not in name)  # one line


def test_on_paper_all_is_open_and_nothing_is_cut(page):
    closed = "document.querySelectorAll('details:not([open])').length"
    before = page.js(closed)
    page.media(dark=True)
    page.js("window.dispatchEvent(new Event('beforeprint'))")
    assert page.js(closed) == page.js("document.querySelectorAll('details.run').length")
    wider = page.js(
        "[...document.querySelectorAll('main table')].map((e) => [e.caption?.textContent ?? e.id,"
        "e.getBoundingClientRect().right - document.querySelector('main')"
        ".getBoundingClientRect().right]).filter(([, by]) => by > 1)"
    )
    assert wider == []
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.js("window.dispatchEvent(new Event('afterprint'))")
    assert page.js(closed) == before
    page.media(dark=False)


def test_controls_have_names_and_scrolled_boxes_take_the_focus(page):
    unnamed = page.js(
        "[...document.querySelectorAll('button, select, input, [role]:not([role=status])')]"
        ".filter((e) =>"
        "!(e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim())"
        "&& e.getAttribute('role') !== 'presentation').map((e) => e.outerHTML.slice(0, 120))"
    )
    assert unnamed == []
    scrolled = page.js(
        "[...document.querySelectorAll('main *')].filter((e) => e.tabIndex < 0 &&"
        "/auto|scroll/.test(getComputedStyle(e).overflow) && e.scrollWidth > e.clientWidth + 1)"
        ".map((e) => e.className)"
    )
    assert scrolled == []


def test_thousands_of_cases_are_all_there_and_few_are_drawn(page, large_address, samples):
    page.open("about:blank", ready="!document.documentElement?.dataset.ready")
    page.open(large_address)
    assert text(page, "#case-count") == "5024 of 5024 cases"
    filter_by(page, "task", "=area")
    assert text(page, "#case-count") == f"{4 * 157} of 5024 cases"
    choose(page, "case-search", "#156")
    page.wait("document.getElementById('case-count').textContent.startsWith('4 ')")
    page.js("document.getElementById('case-reset').click()")
    choose(page, "case-sort", "order")
    page.js("document.getElementById('case-descending').click()")
    page.js("document.getElementById('case-list').focus()")
    page.press("End")
    assert text(page, "#case-place") == "5024 of 5024"
    assert shown_id(page).endswith("#156")
    page.wait("document.querySelector('#case-list [aria-posinset=\"5024\"]')")
    assert page.js("document.querySelectorAll('#case-list [role=option]').length") < 60
