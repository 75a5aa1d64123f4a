"""From a declaration to a raw folder: hosts, mirrors, what the user has, and what goes wrong."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from medvision.catalog.dataset import parse_dataset
from medvision.catalog.source import Download
from medvision.errors import UsageError
from medvision.fetch import ChecksumError, FetchError, FetchSettings, bring, fetch, records
from medvision.fetch import space as space_module
from medvision.fetch.errors import (
    DiskFullError,
    LicenceNotAcceptedError,
    MissingFilesError,
    NotFetchableError,
)
from medvision.fetch.records import read_records
from medvision.fetch.ways import Wanted
from tests.fetch.archive_files import write_archive
from tests.fetch.toy import IMAGES, LABELS, declaration, sha256

ACCEPT = FetchSettings(accept_licence=True)


@pytest.fixture
def toy(archives, host):
    return parse_dataset(declaration(archives, host.url), "toy.toml")


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".fetched" not in path.parts and path.name != "manifest.json"
    }


WHOLE = IMAGES | {f"toy/labelsTr/{name}": content for name, content in LABELS.items()}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def test_a_dataset_is_downloaded_checked_and_unpacked(toy, host, archives, tmp_path):
    folder = fetch(toy, tmp_path / "root", settings=ACCEPT)
    assert folder == tmp_path / "root" / "raw" / "toy"
    assert tree(folder) == WHOLE
    told = manifest(folder)
    assert told["sha256"] == {n: sha256(archives / n) for n in ("images.zip", "labels.tar.gz")}
    assert told["checked"] == {"images.zip": "sha256", "labels.tar.gz": "sha256"}
    assert told["licence"]["licence"] == "CC BY 4.0"
    assert (told["unverified"], told["given"], told["n_files"]) == ([], [], 6)
    assert not (folder / ".downloads").exists()


def test_licence_and_terms_are_accepted_once(toy, host, archives, tmp_path):
    with pytest.raises(LicenceNotAcceptedError, match=r"CC BY 4\.0.*Cite the paper.*--accept-lic"):
        fetch(toy, tmp_path)
    assert host.asked == []
    folder = fetch(toy, tmp_path, settings=ACCEPT)
    shutil.rmtree(folder / "toy")
    assert tree(fetch(toy, tmp_path)) == WHOLE
    changed = declaration(archives, host.url).replace("Cite the paper", "Pay")
    shutil.rmtree(folder / "toy")
    with pytest.raises(LicenceNotAcceptedError, match="Pay"):
        fetch(parse_dataset(changed, "toy.toml"), tmp_path)


def test_what_is_there_is_not_asked_for_again(toy, host, tmp_path):
    folder = fetch(toy, tmp_path, settings=ACCEPT)
    n_asked = len(host.asked)
    fetch(toy, tmp_path)
    assert len(host.asked) == n_asked
    (folder / "toy" / "labelsTr" / "a_1.nii.gz").write_bytes(b"cut")
    fetch(toy, tmp_path)
    assert [path for path, _ in host.asked[n_asked:]] == ["/labels.tar.gz"]
    assert tree(folder) == WHOLE
    target = folder / "toy" / "labelsTr" / "a_1.nii.gz"
    target.write_bytes(target.read_bytes()[::-1])
    fetch(toy, tmp_path)
    assert tree(folder) != WHOLE
    fetch(toy, tmp_path, verify=True)
    assert tree(folder) == WHOLE


def test_verify_digests_what_is_whole_once(toy, tmp_path, monkeypatch):
    folder = fetch(toy, tmp_path, settings=ACCEPT)
    (folder / "toy" / "labelsTr" / "a_1.nii.gz").unlink()
    digested, digest = [], records.sha256_file

    def counted(path):
        digested.append(str(path.relative_to(folder)))
        return digest(path)

    monkeypatch.setattr(records, "sha256_file", counted)
    assert tree(fetch(toy, tmp_path, verify=True)) == WHOLE
    assert sorted(name for name in digested if name in IMAGES) == sorted(IMAGES)


def test_archives_are_kept_on_request(toy, host, tmp_path):
    kept = FetchSettings(accept_licence=True, keep_archives=True)
    folder = fetch(toy, tmp_path, settings=kept)
    kept_names = {path.name for path in (folder / ".downloads" / "s3_toy").iterdir()}
    assert kept_names == {"images.zip", "labels.tar.gz"}
    shutil.rmtree(folder / "toy")
    n_asked = len(host.asked)
    fetch(toy, tmp_path, settings=kept)
    assert len(host.asked) == n_asked


def test_a_flipped_byte_is_caught_and_named_and_the_others_are_kept(toy, host, tmp_path):
    damaged = bytearray(host.files["/images.zip"])
    damaged[50] ^= 1
    host.files["/images.zip"] = bytes(damaged)
    with pytest.raises(ChecksumError, match=r"images\.zip: expected sha256 .* damaged on the way"):
        fetch(toy, tmp_path, settings=ACCEPT)
    folder = tmp_path / "raw" / "toy"
    assert set(tree(folder)) == {name for name in WHOLE if "labels" in name}
    assert not (folder / "manifest.json").exists()
    damaged[50] ^= 1
    host.files["/images.zip"] = bytes(damaged)
    assert tree(fetch(toy, tmp_path)) == WHOLE
    assert [path for path, _ in host.asked].count("/labels.tar.gz") == 1


def test_another_version_is_taken_on_request_and_the_manifest_says_so(archives, host, tmp_path):
    other = declaration(archives, host.url, pins={"images.zip": "0" * 64})
    settings = FetchSettings(accept_licence=True, unverified=True)
    folder = fetch(parse_dataset(other, "toy.toml"), tmp_path, settings=settings)
    assert tree(folder) == WHOLE
    assert manifest(folder)["unverified"] == ["images.zip"]
    assert manifest(folder)["checked"]["images.zip"] == "differs"


def test_an_archive_without_what_it_should_hold_is_named(archives, host, tmp_path):
    wrong = declaration(archives, host.url).replace('["a_*.nii.gz"]', '["b_*.nii.gz"]')
    with pytest.raises(MissingFilesError, match=r"expected files like b_\*\.nii\.gz in it, found"):
        fetch(parse_dataset(wrong, "toy.toml"), tmp_path, settings=ACCEPT)


def test_a_disk_that_is_too_small_is_said_before_anything_is_asked(
    toy, host, tmp_path, monkeypatch
):
    free = type("Usage", (), {"free": 10})
    monkeypatch.setattr(space_module.shutil, "disk_usage", lambda _: free)
    with pytest.raises(DiskFullError, match=r"toy: needs .* to download and .* to unpack.*--root"):
        fetch(toy, tmp_path, settings=ACCEPT)
    assert host.asked == []


def test_a_fetch_waits_for_another_process_on_the_same_root(toy, host, tmp_path, caplog):
    (tmp_path / "raw").mkdir()
    holder = (
        "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), 2); print(flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", holder, tmp_path / "raw"], **pipes) as other:
        other.stdout.readline()
        asked = []

        def let_go():
            time.sleep(0.3)
            asked.extend(host.asked)
            other.communicate(b"\n")

        threading.Thread(target=let_go).start()
        assert tree(fetch(toy, tmp_path, settings=ACCEPT)) == WHOLE
    assert asked == []
    assert f"{tmp_path / 'raw'}: another process is fetching here; waiting" in caplog.text


@pytest.mark.parametrize("content", [b"", b"[]", b'{"name', b"\xff"])
def test_damaged_records_are_made_again(toy, host, tmp_path, content):
    folder = fetch(toy, tmp_path, settings=ACCEPT)
    for path in (folder / ".fetched").glob("*.json"):
        path.write_bytes(content)
    with pytest.raises(LicenceNotAcceptedError):
        fetch(toy, tmp_path)
    assert tree(fetch(toy, tmp_path, settings=ACCEPT)) == WHOLE
    assert len(read_records(folder)) == 2


def test_a_killed_fetch_goes_on(host, archives, tmp_path):
    """Killed while one archive is in place and the other is coming."""
    large = IMAGES | {"toy/imagesTr/a_9.nii.gz": random.Random(1).randbytes(200_000)}
    host.files["/images.zip"] = write_archive(archives / "images.zip", large).read_bytes()
    host.faults["/images.zip"] = [("slow", 5)]
    text = declaration(archives, host.url)
    declared = tmp_path / "toy.toml"
    declared.write_text(text, "utf-8")
    code = (
        "import sys; from pathlib import Path\n"
        "from medvision.catalog.dataset import parse_dataset\n"
        "from medvision.fetch import fetch, FetchSettings\n"
        "dataset = parse_dataset(Path(sys.argv[1]).read_text(), 'toy.toml')\n"
        "fetch(dataset, Path(sys.argv[2]), settings=FetchSettings(accept_licence=True))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, declared, tmp_path / "root"])
    folder = tmp_path / "root" / "raw" / "toy"
    part, deadline = folder / ".downloads" / "s3_toy" / "images.zip.part", time.monotonic() + 30
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    have = part.stat().st_size
    (folder / ".unpack-dead").mkdir()
    (folder / ".unpack-dead" / "x").touch()
    whole = WHOLE | large
    assert tree(fetch(parse_dataset(text, "toy.toml"), tmp_path / "root")) == whole
    assert ("/images.zip", f"bytes={have}-") in host.asked


def test_a_mirror_has_the_same_names_below_one_address(toy, host, tmp_path):
    mirrored = FetchSettings(accept_licence=True, mirror=f"{host.url}/copy/")
    host.files["/copy/toy/images.zip"] = host.files.pop("/images.zip")
    host.files["/copy/labels.tar.gz"] = host.files.pop("/labels.tar.gz")
    assert tree(fetch(toy, tmp_path, settings=mirrored)) == WHOLE
    assert sorted(path for path, _ in host.asked) == [
        "/copy/labels.tar.gz",
        "/copy/toy/images.zip",
        "/copy/toy/labels.tar.gz",
        "/copy/toy/toy/labelsTr/labels.tar.gz",  # where two archives share a name
    ]


def given(folder, **changes):
    return FetchSettings(accept_licence=True, given=folder, **changes)


def test_archives_that_are_there_are_used_as_a_download_would_be(toy, host, archives, tmp_path):
    deep = tmp_path / "mine" / "sub"
    deep.mkdir(parents=True)
    for name in ("images.zip", "labels.tar.gz"):
        shutil.copy(archives / name, deep / name)
    folder = fetch(toy, tmp_path, settings=given(tmp_path / "mine"))
    assert tree(folder) == WHOLE
    assert host.asked == []
    assert manifest(folder)["given"] == ["images.zip", "labels.tar.gz"]
    assert manifest(folder)["checked"]["images.zip"] == "sha256"
    assert {path.name for path in deep.iterdir()} == {"images.zip", "labels.tar.gz"}


def test_folders_that_were_unpacked_are_used_and_stay(toy, tmp_path):
    mine = tmp_path / "mine"
    for name, content in (WHOLE | {"toy/imagesTr/._a_0.nii.gz": b"junk", "other.txt": b""}).items():
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_bytes(content)
    before = tree(mine)
    folder = fetch(toy, tmp_path, settings=given(mine))
    assert tree(folder) == WHOLE
    assert tree(mine) == before
    assert manifest(folder)["unverified"] == ["images.zip", "labels.tar.gz"]
    assert {record.checked for record in read_records(folder)} == {"unpacked by hand"}
    assert fetch(toy, tmp_path) == folder


def test_what_is_missing_is_named_and_what_is_there_is_used(toy, archives, host, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(archives / "images.zip", mine)
    with pytest.raises(MissingFilesError, match=r"labels\.tar\.gz: not found in .*nor files like"):
        fetch(toy, tmp_path, settings=given(mine))
    assert set(tree(tmp_path / "raw" / "toy")) == set(IMAGES)
    assert tree(fetch(toy, tmp_path)) == WHOLE
    assert [path for path, _ in host.asked] == ["/labels.tar.gz"]


def test_given_files_that_differ_are_refused_or_noted(toy, archives, tmp_path):
    write_archive(archives / "images.zip", IMAGES | {"toy/imagesTr/more.txt": b""})
    with pytest.raises(ChecksumError, match=r"images\.zip: expected .* get it again"):
        fetch(toy, tmp_path, settings=given(archives))
    assert (archives / "images.zip").exists()
    folder = fetch(toy, tmp_path, settings=given(archives, unverified=True))
    assert manifest(folder)["unverified"] == ["images.zip"]


def test_a_folder_with_nothing_known_says_what_is_expected(toy, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(MissingFilesError, match=r"expected images\.zip, labels\.tar\.gz"):
        fetch(toy, tmp_path, settings=given(tmp_path / "mine"))
    with pytest.raises(MissingFilesError, match="expected a folder"):
        fetch(toy, tmp_path, settings=given(tmp_path / "none"))


def test_sources_by_hand_say_the_steps_and_take_what_was_downloaded(archives, tmp_path):
    by_hand = declaration(archives, "https://example.org", "other", steps='["Log in.", "Click."]')
    dataset = parse_dataset(by_hand, "toy.toml")
    with pytest.raises(NotFetchableError, match=r"1\. Log in\. 2\. Click\. Licence: CC BY 4\.0"):
        fetch(dataset, tmp_path, settings=ACCEPT)
    assert tree(fetch(dataset, tmp_path, settings=given(archives))) == WHOLE


def test_an_open_copy_is_preferred_to_an_account(archives, host, tmp_path):
    text = declaration(archives, "https://example.org", "other")
    copy = declaration(archives, host.url, role='"copy"').partition("[[sources]]")[2]
    dataset = parse_dataset(f"{text}\n[[sources]]{copy}", "toy.toml")
    assert tree(fetch(dataset, tmp_path, settings=ACCEPT)) == WHOLE
    with pytest.raises(NotFetchableError):
        fetch(dataset, tmp_path / "b", settings=FetchSettings(role="original"))
    with pytest.raises(UsageError, match="no source of the role 'private'; known: original, copy"):
        fetch(dataset, tmp_path / "b", settings=FetchSettings(role="private"))
    asked = parse_dataset(f"{text}\n[[sources]]\non_request = true{copy}", "toy.toml")
    with pytest.raises(NotFetchableError):
        fetch(asked, tmp_path / "b", settings=ACCEPT)


def test_progress_tells_bytes_rate_and_what_is_left(toy, host, tmp_path):
    told = []
    settings = FetchSettings(accept_licence=True, on_progress=lambda *line: told.append(line))
    fetch(toy, tmp_path, settings=settings)
    done, total, words = told[-1]
    assert done == total == sum(len(host.files[name]) for name in ("/images.zip", "/labels.tar.gz"))
    assert "MB/s" in words


def test_what_is_left_is_by_the_rate_of_what_comes_now(monkeypatch):
    """90 of 100 MB lay there; 1 MB came in 60 s: 9 more take 9 minutes."""
    clock = iter([0.0, 60.0, 60.0])
    monkeypatch.setattr(bring.time, "monotonic", lambda: next(clock))
    told = []
    parts = [Download(name=name, size_bytes=50 * 10**6) for name in ("a.zip", "b.zip")]
    missing = [Wanted(name=one.name, source=None, parts=(one,)) for one in parts]
    progress = bring._Progress(lambda *line: told.append(line), missing)
    progress.found(90 * 10**6)
    progress.came(10**6)
    assert told == [(91 * 10**6, 100 * 10**6, "0.0 MB/s, about 9 min left")]


def test_no_time_is_told_while_sizes_are_not_known_and_hosts_tell_them(host, archives, tmp_path):
    text = re.sub(r"size_bytes = \d+\n", "", declaration(archives, host.url))
    told = []
    settings = FetchSettings(
        accept_licence=True, jobs=1, on_progress=lambda *line: told.append(line)
    )
    fetch(parse_dataset(text, "toy.toml"), tmp_path, settings=settings)
    assert "sizes of some files not known" in told[0][2]
    assert "left" not in told[0][2]
    done, total, words = told[-1]
    assert done == total == sum(len(host.files[name]) for name in ("/images.zip", "/labels.tar.gz"))
    assert "not known" not in words


def test_archives_within_archives_are_unpacked_where_they_lie(host, tmp_path):
    pytest.importorskip("rarfile")
    inner = write_archive(tmp_path / "RawImage.rar", {"RawImage/TrainingData/001.bmp": b"BM"})
    members = {"RawImage.rar": inner.read_bytes()}
    write_archive(tmp_path / "offered" / "all.zip", members)
    host.files["/all.zip"] = (tmp_path / "offered" / "all.zip").read_bytes()
    text = declaration(tmp_path / "offered", f"{host.url}/all.zip", "figshare")
    text = text.partition("[[sources.downloads]]")[0]
    text += '[[sources.downloads]]\nname = "all.zip"\ninner = ["*.rar"]\n'
    text += 'holds = ["RawImage/**/*.bmp"]\n'
    folder = fetch(parse_dataset(text, "toy.toml"), tmp_path, settings=ACCEPT)
    assert tree(folder) == {"RawImage/TrainingData/001.bmp": b"BM"}
    assert manifest(folder)["checked"] == {"all.zip": "nothing"}


def test_parts_come_together(host, archives, tmp_path):
    whole = host.files["/images.zip"]
    parts = {"images.zip.001": whole[:300], "images.zip.002": whole[300:]}
    host.files |= {f"/{name}": content for name, content in parts.items()}
    text = declaration(archives, host.url).partition("[[sources.downloads]]")[0]
    for name in parts:
        text += f'[[sources.downloads]]\nname = "{name}"\n'
    dataset = parse_dataset(text, "toy.toml")
    assert tree(fetch(dataset, tmp_path, settings=ACCEPT)) == IMAGES
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "images.zip.001").write_bytes(whole[:300])
    with pytest.raises(FetchError, match=r"part images\.zip\.002 not found"):
        fetch(dataset, tmp_path / "b", settings=given(mine))
