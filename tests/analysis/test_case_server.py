"""The served report: the same cases as the file, on loopback, for this host name, read only."""

import http.client
import io
import json
import os
import re
import shutil
import socket
import threading
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from medvision.analysis.case_index import case_index, sample_ids
from medvision.analysis.case_server import CaseServer, ServedCases
from medvision.analysis.drawing import MaskOutlines
from medvision.analysis.read_run import read_run
from medvision.cli import main
from tests.analysis.devtools import Chromium


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, study_tables):
    """A run of a baseline over CT phantoms."""
    folder = tmp_path_factory.mktemp("served") / "run"
    words = ["eval", "--tables", study_tables, "--task", "detection", "--split", "all"]
    words += ["--limit", "60", "--model", "baseline/noisy-oracle:0.1", "--run", folder]
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture(scope="module")
def served(run_folder, study_tables):
    outline = MaskOutlines(study_tables).of_sample
    cases = ServedCases([read_run(run_folder, "<b>model</b>")], outline=outline)
    with CaseServer(cases) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


@pytest.fixture
def ask(served):
    def asked(path, *, method="GET", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=20)
        headers = {"Host": host or f"127.0.0.1:{served.server_port}"}
        connection.request(method, path, headers=headers)
        reply = connection.getresponse()
        return reply.status, reply.read(), dict(reply.getheaders())

    return asked


def picture_of(body):
    return np.asarray(Image.open(io.BytesIO(body)))


def test_every_sample_is_a_case(ask, run_folder):
    data = json.loads(ask("/cases.json")[1])
    run = read_run(run_folder)
    assert sorted(data["id"]) == sorted(run.samples["sample_id"].to_pylist())
    place = len(data["id"]) // 2
    case = json.loads(ask(f"/case/{place}")[1])
    reply = {r["sample_id"]: r for r in run.replies.to_pylist()}[data["id"][place]]
    assert case["answers"][0][0]["text"] == reply["text"]
    assert case["prompts"][case["answers"][0][0]["prompt"]] == reply["prompt"]


def test_pictures_are_the_slices_and_a_window_changes_them(ask):
    shown = picture_of(ask("/picture/0.png")[1])
    bone = picture_of(ask("/picture/0.png?window=1800,400")[1])
    small = picture_of(ask("/picture/0.png?side=32")[1])
    assert shown.shape == bone.shape
    assert shown.mean() > bone.mean()
    assert max(small.shape) == 32


def test_the_outline_lies_about_the_box(ask):
    case = json.loads(ask("/case/0")[1])
    (box,) = [shape[1:5] for shape in case["drawn"] if shape[0] == "b"]
    numbers = re.findall(r"M([\d.]+) ([\d.]+)", case["outline"])
    starts = np.array(numbers, dtype=float)
    np.testing.assert_allclose(starts.min(axis=0), box[:2], atol=0.01)
    assert (starts <= np.array(box[2:]) + 0.01).all()


def test_search_finds_ids_and_replies(ask):
    data = json.loads(ask("/cases.json")[1])
    assert json.loads(ask(f"/search?q={quote(data['id'][3].upper(), safe='')}")[1]) == [3]
    text = json.loads(ask("/case/0")[1])["answers"][0][0]["text"]
    assert 0 in json.loads(ask(f"/search?q={quote(text)}")[1])
    assert json.loads(ask("/search?q=nobody%20says%20this")[1]) == []


def test_search_finds_what_a_server_said_of_its_error(run_folder):
    run = read_run(run_folder)
    rows = run.replies.to_pylist()
    rows[5] |= {"text": None, "message": "Quota is used up"}
    replies = pa.Table.from_pylist(rows, run.replies.schema)
    cases = ServedCases([replace(run, replies=replies)])
    (place,) = cases.search("quota")
    assert cases.case(place)["answers"][0][0]["message"] == "Quota is used up"


def test_what_is_not_known_is_one_word_of_a_filter(run_folder):
    run = read_run(run_folder)
    ids = sample_ids([run])
    names = [None, "", *run.samples["name"].to_pylist()[2:]]
    place = run.samples.column_names.index("name")
    samples = run.samples.set_column(place, "name", pa.array(names, type=pa.string()))
    words = case_index([replace(run, samples=samples)], ids)["words"]["name"]
    assert words["values"].count("–") == 1
    assert len(set(words["values"])) == len(words["values"])
    shown = [words["values"][at] for at in words["at"]]
    assert shown == [name or "–" for name in names]


@pytest.mark.parametrize(
    "path",
    [
        "/../manifest.json",
        "/manifest.json",
        "/%2e%2e/manifest.json",
        "/picture/../../manifest.json",
        "/picture/..%2f..%2fmanifest.json.png",
        "/picture/-1.png",
        "/picture/0",
        "/picture/99999999.png",
        "/picture/0.png?window=0,0",
        "/picture/0.png?window=nan,1",
        "/picture/0.png?side=x",
        "/case/",
        "/case/1e3",
        "/case/%D9%A3",
        "//etc/passwd",
        "/etc/passwd",
        "/case/0/..",
    ],
)
def test_no_path_reads_a_file(ask, path):
    status, body, _ = ask(path)
    assert status == 404
    assert b"expected" in body
    assert b"started_at" not in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1"])
def test_another_host_name_is_refused(ask, host):
    for path in ("/", "/cases.json", "/case/0", "/picture/0.png"):
        status, body, _ = ask(path, host=host)
        assert (status, body) == (403, b"this host is not served")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written(ask, method, run_folder):
    before = {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")}
    assert ask("/case/0", method=method)[0] == 501
    ask("/case/0")
    assert {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")} == before


def test_answers_are_of_one_kind_and_for_this_origin_only(ask):
    for path, kind in (("/", "text/html"), ("/cases.json", "application/json")):
        _, body, headers = ask(path)
        assert headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert ask(path, method="HEAD")[1] == b""
        assert int(headers["Content-Length"]) == len(body)
    page = ask("/")[1].decode("utf-8")
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    assert "connect-src &#39;self&#39;" in policy
    assert "default-src &#39;none&#39;" in policy


def test_it_listens_on_this_machine_alone(served):
    assert served.server_address[0] == "127.0.0.1"
    assert served.socket.family == socket.AF_INET


@pytest.mark.browser
def test_the_page_shows_cases_and_asks_nobody_else(served, tmp_path):
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium")
        pytest.skip("no Chromium")
    with Chromium(found, tmp_path / "profile", offline=False) as page:
        page.open(served.url)
        page.wait("document.querySelector('#case-picture image')")
        n = page.js("document.getElementById('case-count').textContent").split(" of ")[1]
        assert int(n.split()[0]) == 60
        page.js("document.getElementById('case-next').click()")
        page.wait("document.getElementById('viewer').dataset.shown && location.hash")
        page.wait("!document.getElementById('case-window').hidden")
        page.js(
            "(() => { const e = document.getElementById('case-preset'); e.value = '1800,400';"
            "e.dispatchEvent(new Event('change')); })()"
        )
        page.wait(
            "document.querySelector('#case-picture image').href.baseVal.includes('window=1800')"
        )
        page.wait("performance.getEntriesByType('resource').some((e) => e.name.includes('1800'))")
        assert page.js("document.querySelector('#case-model').textContent") == "<b>model</b>"
        # Of a case on its way nothing of the one before is drawn; what failed is asked again.
        page.js(
            "window.kept = window.fetch;"
            "window.fetch = () => new Promise((_, no) => { window.no = no; });"
            "document.getElementById('case-next').click()"
        )
        before = page.js("document.getElementById('case-picture').innerHTML")
        page.js("document.querySelector('#case-legend input').click()")
        assert page.js("document.getElementById('case-picture').innerHTML") == before
        page.js("window.no(new Error('gone'))")
        page.wait("document.getElementById('case-text').textContent.includes('gone')")
        failed = page.js("document.getElementById('viewer').dataset.shown")
        page.js("window.fetch = window.kept; document.getElementById('case-previous').click()")
        page.wait(f"document.getElementById('viewer').dataset.shown !== '{failed}'")
        page.js("document.getElementById('case-next').click()")
        page.wait(f"document.getElementById('viewer').dataset.shown === '{failed}'")
        assert page.js("document.querySelector('#case-text h3') !== null")
        outside = [u for u in page.requests if not u.startswith((served.url, "about:", "data:"))]
        assert outside == []
        assert page.errors == []
