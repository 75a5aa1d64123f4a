"""Files over HTTP: resumed, tried again, checked; against a host that fails on demand."""

import doctest
import email.utils
import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from medvision import waits
from medvision.catalog.source import Download
from medvision.fetch import download as download_module
from medvision.fetch.download import (
    Interrupted,
    NotThereError,
    Remote,
    Session,
    digests_of,
    download,
    http_client,
    mismatch,
    retry_after_s,
)
from medvision.fetch.errors import ChecksumError, DiskFullError, FetchError
from tests.fetch.file_server import serving

CONTENT = random.Random(1).randbytes(600_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def host():
    """Another one than that of the two archives."""
    with serving() as server:
        server.files["/a.zip"] = CONTENT
        yield server


class Waits(Session):
    """Notes how long it would wait."""

    waited: list = []  # noqa: RUF012

    def pause(self, seconds):
        self.waited.append(seconds)


@pytest.fixture
def session():
    Waits.waited.clear()
    with http_client() as client:
        yield Waits(client=client)


def remote(host, *names, **facts):
    urls = tuple(f"{host.url}/{name}" for name in names or ("a.zip",))
    return Remote(download=Download(name="a.zip", **facts), urls=urls)


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_only_under_its_name(host, session, tmp_path):
    path = download(remote(host), tmp_path / "a.zip", session)
    assert path.read_bytes() == CONTENT
    assert listing(tmp_path) == ["a.zip"]
    assert digests_of(path).sha256 == SHA256
    assert digests_of(path).md5 == hashlib.md5(CONTENT).hexdigest()


def test_a_file_that_is_there_is_not_asked_for(host, session, tmp_path):
    (tmp_path / "a.zip").write_bytes(CONTENT)
    download(remote(host), tmp_path / "a.zip", session)
    assert host.asked == []


def test_a_connection_that_breaks_is_taken_up_where_it_broke(host, session, tmp_path):
    host.faults["/a.zip"] = [("cut", 100_000), ("cut", 200_000)]
    assert download(remote(host), tmp_path / "a.zip", session).read_bytes() == CONTENT
    assert host.asked == [("/a.zip", ""), ("/a.zip", "bytes=100000-"), ("/a.zip", "bytes=300000-")]
    assert host.sent["/a.zip"] == len(CONTENT)


def test_a_killed_process_goes_on_where_it_was(host, session, tmp_path):
    host.faults["/a.zip"] = [("slow", 0.05)]
    code = (
        "import sys; from pathlib import Path; from medvision.fetch.download import *\n"
        "from medvision.catalog.source import Download\n"
        "remote = Remote(download=Download(name='a.zip'), urls=(sys.argv[1],))\n"
        "download(remote, Path(sys.argv[2]), Session(client=http_client()))"
    )
    part = tmp_path / "a.zip.part"
    child = subprocess.Popen([sys.executable, "-c", code, f"{host.url}/a.zip", tmp_path / "a.zip"])
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    have = part.stat().st_size
    assert 0 < have < len(CONTENT)
    assert not (tmp_path / "a.zip").exists()
    assert download(remote(host), tmp_path / "a.zip", session).read_bytes() == CONTENT
    assert host.asked[-1] == ("/a.zip", f"bytes={have}-")
    assert listing(tmp_path) == ["a.zip"]


def test_another_file_under_the_same_address_starts_anew(host, session, tmp_path):
    host.faults["/a.zip"] = [("cut", 100_000)] * 10
    with pytest.raises(FetchError, match="run it again to go on"):
        download(remote(host), tmp_path / "a.zip", Waits(client=session.client, attempts=1))
    host.faults.clear()
    host.files["/a.zip"] = other = CONTENT[::-1]
    assert download(remote(host), tmp_path / "a.zip", session).read_bytes() == other


@pytest.mark.parametrize("pinned", [True, False])
def test_a_host_without_validators_is_trusted_only_where_a_digest_will_tell(
    host, session, tmp_path, pinned
):
    host.validators = False
    host.faults["/a.zip"] = [("cut", 100_000)]
    download(remote(host, sha256=SHA256 if pinned else ""), tmp_path / "a.zip", session)
    assert host.asked[1] == ("/a.zip", "bytes=100000-" if pinned else "")


def test_a_host_without_ranges_sends_all_again(host, session, tmp_path):
    host.ranges = False
    host.faults["/a.zip"] = [("cut", 100_000)]
    seen = []
    told = Waits(client=session.client, on_bytes=seen.append, on_found=seen.append)
    assert download(remote(host), tmp_path / "a.zip", told).read_bytes() == CONTENT
    assert sum(seen) == len(CONTENT)


def test_a_part_that_is_whole_already_is_taken(host, session, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    download(remote(host, sha256=SHA256), tmp_path / "a.zip", session)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert host.sent == {}


def test_a_busy_host_is_given_the_time_it_asks_for(host, session, tmp_path):
    host.faults["/a.zip"] = [
        ("status", 503, {"Retry-After": "7"}),
        ("status", 429, {"Retry-After": "99999"}),
        ("status", 500, {}),
    ]
    assert download(remote(host), tmp_path / "a.zip", session).read_bytes() == CONTENT
    assert session.waited[:2] == [7.0, download_module.LONGEST_WAIT_S]
    assert 2 <= session.waited[2] <= 4


def test_a_host_that_fails_again_and_again_is_given_up(host, session, tmp_path):
    host.faults["/a.zip"] = [("status", 502, {})] * 99
    with pytest.raises(FetchError, match=r"a\.zip: failed 6 times in a row \(HTTP 502\)"):
        download(remote(host), tmp_path / "a.zip", session)
    assert len(host.asked) == 6


def test_a_dead_host_is_given_up(session, tmp_path):
    dead = Remote(download=Download(name="a.zip"), urls=("http://127.0.0.1:9/a.zip",))
    with pytest.raises(FetchError, match=r"failed 6 times in a row \(ConnectError\)"):
        download(dead, tmp_path / "a.zip", session)


def test_retry_after_may_be_a_date(monkeypatch):
    assert doctest.testmod(download_module).failed == 0
    assert doctest.testmod(waits).failed == 0
    soon = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 25 < retry_after_s(soon) <= 30
    # A date that names no zone is UTC, wherever this machine stands.
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert 25 < retry_after_s(soon.replace("GMT", "-0000")) <= 30
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("status", "match"),
    [(401, "account, accepted terms"), (403, "account"), (404, "no such file"), (418, "HTTP 418")],
)
def test_a_refusal_is_no_reason_to_ask_again(host, session, tmp_path, status, match):
    host.faults["/a.zip"] = [("status", status, {})]
    with pytest.raises(FetchError, match=match):
        download(remote(host), tmp_path / "a.zip", session)
    assert len(host.asked) == 1


def test_a_login_page_in_place_of_a_file_is_named(host, session, tmp_path):
    host.types["/a.zip"] = "text/html; charset=utf-8"
    with pytest.raises(FetchError, match="sent a web page in its place"):
        download(remote(host), tmp_path / "a.zip", session)


def test_the_next_address_is_asked_where_one_lacks_the_file(host, session, tmp_path):
    download(remote(host, "x/a.zip", "a.zip"), tmp_path / "a.zip", session)
    assert [path for path, _ in host.asked] == ["/x/a.zip", "/a.zip"]
    with pytest.raises(NotThereError, match="404"):
        download(remote(host, "x", "y"), tmp_path / "b.zip", session)


def test_another_size_than_declared_is_refused_before_it_is_downloaded(host, session, tmp_path):
    with pytest.raises(ChecksumError, match=r"expected 5 bytes, 127\.0\.0\.1 has 600,000"):
        download(remote(host, size_bytes=5), tmp_path / "a.zip", session)
    assert listing(tmp_path) == []


def test_a_redirect_is_followed_and_its_signature_is_in_no_message(host, session, tmp_path):
    host.redirects["/a.zip"] = f"{host.url}/b.zip?signature=secret"
    host.files["/b.zip"] = CONTENT
    assert download(remote(host), tmp_path / "a.zip", session).read_bytes() == CONTENT
    host.redirects["/a.zip"] = f"{host.url}/c.zip?signature=secret"
    with pytest.raises(FetchError) as caught:
        download(remote(host), tmp_path / "b.zip", session)
    assert "secret" not in str(caught.value)


def test_a_file_that_does_not_fit_is_refused_as_soon_as_its_size_is_known(
    host, session, tmp_path, monkeypatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 599_999}))
    with pytest.raises(DiskFullError, match=r"downloading a\.zip needs 600,000 bytes, 599,999 are"):
        download(remote(host), tmp_path / "a.zip", session)
    assert listing(tmp_path) == []


def test_a_circle_of_redirects_is_an_error(host, session, tmp_path):
    host.redirects["/a.zip"] = f"{host.url}/a.zip"
    with pytest.raises(FetchError, match=r"a\.zip: TooManyRedirects"):
        download(remote(host), tmp_path / "a.zip", session)


def test_a_full_disk_is_said_and_leaves_no_file(host, session, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download_module, "_append", full)
    with pytest.raises(DiskFullError, match=r"disk is full while downloading a\.zip"):
        download(remote(host), tmp_path / "a.zip", session)
    assert not (tmp_path / "a.zip").exists()


def test_a_download_stops_when_all_do_and_keeps_what_has_come(host, session, tmp_path):
    def stop(_n_bytes):
        if _n_bytes:
            session.stop.set()

    told = Waits(client=session.client, on_bytes=stop, stop=session.stop)
    host.faults["/a.zip"] = [("slow", 0.01)]
    with pytest.raises(Interrupted):
        download(remote(host), tmp_path / "a.zip", told)
    assert (tmp_path / "a.zip.part").stat().st_size > 0


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"sha256": SHA256, "size_bytes": 600_000}, ""),
        ({}, ""),
        ({"sha256": "0" * 64}, f"a.zip: expected sha256 {'0' * 64}, found {SHA256}"),
        ({"md5": "0" * 32}, "a.zip: expected md5 0000"),
        ({"size_bytes": 7}, "a.zip: expected 7 bytes, found 600,000"),
    ],
)
def test_a_file_is_compared_with_what_pins_it(facts, words, tmp_path):
    (tmp_path / "a.zip").write_bytes(CONTENT)
    found = digests_of(tmp_path / "a.zip")
    said = mismatch(Download(name="a.zip", **facts), tmp_path / "a.zip", found)
    assert said.startswith(words)
    assert bool(said) is bool(words)
