import dataclasses
import json
import os
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from medvision.catalog.dataset import Dataset, load_dataset, parse_dataset
from medvision.catalog.source import Source, SourceKind
from medvision.errors import UsageError
from medvision.fetch import ChecksumError, FetchError, fetch
from medvision.storage import sha256_file


@pytest.fixture
def wheel(tmp_path):
    """A wheel of two files."""
    path = tmp_path / "served" / "toy_data-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("toy/data/a.txt", "alpha")
        bundle.writestr("toy/data/b.txt", "beta")
        metadata = "Metadata-Version: 2.1\nName: toy-data\nVersion: 1.0\n"
        bundle.writestr("toy_data-1.0.dist-info/METADATA", metadata)
        bundle.writestr("toy_data-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        bundle.writestr("toy_data-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def registry(wheel, monkeypatch):
    """pip as a user may have set it up: a folder of wheels and no index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return wheel


def dataset(wheel, **changes):
    source = Source(
        kind=SourceKind.PIP,
        package="toy-data",
        version="1.0",
        sha256=changes.pop("sha256", None) or sha256_file(wheel),
        files=changes.pop("files", ("toy/data/a.txt", "toy/data/b.txt")),
    )
    whole = Dataset(
        name="toy",
        title="",
        description="",
        licence="",
        homepage="",
        citation="",
        access="open",
        size_mb=0,
        sources=(source,),
        cases=(),
    )
    return dataclasses.replace(whole, **changes)


def test_fetch_goes_through_the_users_pip(registry, tmp_path):
    folder = fetch(dataset(registry), tmp_path / "root")
    assert folder == tmp_path / "root" / "raw" / "toy"
    assert (folder / "a.txt").read_text(encoding="utf-8") == "alpha"
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["sha256"]
    assert listed == {name: sha256_file(folder / name) for name in ("a.txt", "b.txt")}
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "b.txt", "manifest.json"]


def test_root_may_be_a_relative_path(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = fetch(dataset(registry), Path("root"))
    assert folder == Path("root/raw/toy")
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "b.txt", "manifest.json"]


def test_second_fetch_asks_nobody(registry, tmp_path):
    folder = fetch(dataset(registry), tmp_path / "root")
    registry.unlink()
    assert fetch(dataset(registry, sha256="0" * 64), tmp_path / "root") == folder


def test_missing_or_damaged_files_are_fetched_again(registry, tmp_path):
    root = tmp_path / "root"
    folder = fetch(dataset(registry), root)
    (folder / "a.txt").unlink()
    fetch(dataset(registry), root)
    assert (folder / "a.txt").read_text(encoding="utf-8") == "alpha"
    (folder / "b.txt").write_text("damaged")
    fetch(dataset(registry), root)
    assert (folder / "b.txt").read_text(encoding="utf-8") == "damaged"
    fetch(dataset(registry), root, verify=True)
    assert (folder / "b.txt").read_text(encoding="utf-8") == "beta"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b'{"sha', b"\xff", b'{"sha256": {"a.txt": 1}}']
)
def test_a_damaged_manifest_is_made_again(registry, tmp_path, content):
    folder = fetch(dataset(registry), tmp_path / "root")
    whole = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(content)
    (folder / "b.txt").write_text("damaged")
    fetch(dataset(registry), tmp_path / "root")
    assert (folder / "manifest.json").read_bytes() == whole
    assert (folder / "b.txt").read_text(encoding="utf-8") == "beta"


def test_what_a_killed_fetch_left_goes_with_the_next(registry, tmp_path):
    folder = fetch(dataset(registry), tmp_path / "root")
    for left in (".fetch-abc", ".unpack-abc"):
        (folder / left).mkdir()
        (folder / left / "half.whl").touch()
    (folder / ".draft-mask.nii.gz").touch()
    fetch(dataset(registry), tmp_path / "root")
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "b.txt", "manifest.json"]


def test_a_second_fetch_at_the_same_time_waits(registry, tmp_path, caplog):
    folder = tmp_path / "root" / "raw" / "toy"
    folder.mkdir(parents=True)
    holder = (
        "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), 2); print(flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", holder, str(folder)], **pipes) as other:
        other.stdout.readline()
        threading.Timer(0.3, other.communicate, (b"\n",)).start()
        fetch(dataset(registry), tmp_path / "root")
    assert "another process is fetching here; waiting for it to end" in caplog.text
    assert (folder / "a.txt").exists()


def test_another_archive_than_the_pinned_one_is_refused(registry, tmp_path):
    with pytest.raises(FetchError, match=r"(?i)hash"):
        fetch(dataset(registry, sha256="0" * 64), tmp_path / "root")
    assert not (tmp_path / "root" / "raw" / "toy" / "manifest.json").exists()


def test_archive_without_the_wanted_file_is_an_error(registry, tmp_path):
    with pytest.raises(FetchError, match=r"expected files \['toy/data/c.txt'\]"):
        fetch(dataset(registry, files=("toy/data/c.txt",)), tmp_path / "root")


def test_unknown_package_says_what_pip_says(registry, tmp_path):
    registry.unlink()
    with pytest.raises(FetchError, match="No matching distribution found"):
        fetch(dataset(registry, sha256="0" * 64), tmp_path / "root")


def fake_apt(folder, monkeypatch, script):
    folder.mkdir()
    path = folder / "apt-get"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def apt_dataset(wheel):
    source = Source(
        kind=SourceKind.APT, package="toy", version="1", sha256="0" * 64, files=("a.txt",)
    )
    return dataset(wheel, sources=(source,))


def test_apt_reads_its_lists_when_the_package_is_unknown(wheel, tmp_path, monkeypatch):
    """`download` fails until `update` has been called with the same private lists folder."""
    script = """
import sys, pathlib
lists = [w.split("=", 1)[1] for w in sys.argv if w.startswith("Dir::State::Lists=")]
if "update" in sys.argv:
    (pathlib.Path(lists[0]) / "seen").touch()
elif not lists or not (pathlib.Path(lists[0]) / "seen").exists():
    sys.exit("E: Unable to locate package")
else:
    assert sys.argv[-1] == "toy=1"
    pathlib.Path("toy_1_all.deb").write_bytes(b"not the pinned bytes")
"""
    fake_apt(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(ChecksumError, match="expected sha256 0000"):
        fetch(apt_dataset(wheel), tmp_path / "root")


def test_machine_without_apt_is_told_so(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="no apt-get"):
        fetch(apt_dataset(wheel), tmp_path / "root")


def test_declarations_reject_unknown_keys():
    with pytest.raises(UsageError, match=r"x: unknown key 'licence_url'; did you mean 'licence'\?"):
        parse_dataset('name = "x"\nlicence_url = ""', "x")
    with pytest.raises(UsageError, match="no dataset 'nothing'"):
        load_dataset("nothing")
