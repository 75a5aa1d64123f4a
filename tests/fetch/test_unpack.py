"""Archives of every kind: what comes out of them, and what never does."""

import doctest
import errno
import hashlib
import io
import shutil
import stat
import sys
import tarfile
import zipfile

import pytest

from medvision.errors import MissingExtraError
from medvision.fetch import unpack as unpack_module
from medvision.fetch import unpack_target
from medvision.fetch.errors import (
    DamagedArchiveError,
    DiskFullError,
    FetchError,
    MissingFilesError,
    UnsafeArchiveError,
)
from medvision.fetch.unpack import joined_volumes, remove_scratch, unpack
from medvision.fetch.unpack_target import Limits
from tests.fetch.archive_files import WRITERS, write_archive, write_rar, write_tar, write_zip

OPTIONAL = {".7z": "py7zr", ".rar": "rarfile", ".tar.zst": "backports.zstd"}
MEMBERS = {
    "top/imagesTr/a_0001.nii.gz": b"alpha" * 1000,
    "top/imagesTr/._a_0001.nii.gz": b"of the Finder",
    "top/labelsTr/a_0001.nii.gz": b"",
    "__MACOSX/top/imagesTr/._a_0001.nii.gz": b"of the Finder",
    "top/dataset.json": b"{}",
    "top/.DS_Store": b"of the Finder",
}
KEPT = {
    "top/imagesTr/a_0001.nii.gz": b"alpha" * 1000,
    "top/labelsTr/a_0001.nii.gz": b"",
    "top/dataset.json": b"{}",
}


@pytest.fixture(params=list(WRITERS))
def suffix(request):
    if request.param in OPTIONAL:
        pytest.importorskip(OPTIONAL[request.param])
    return request.param


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(archive, tmp_path, match, error=UnsafeArchiveError, limits=None):
    out = tmp_path / "deep" / "out"
    with pytest.raises(error, match=match) as caught:
        unpack([archive], out, limits)
    assert str(caught.value).startswith(f"{archive.name}: ")
    assert list(out.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {archive.name, "deep"}


def test_everything_but_junk_comes_out_with_its_digest(suffix, tmp_path):
    archive = write_archive(tmp_path / f"a{suffix}", MEMBERS)
    files = unpack([archive], tmp_path / "out")
    assert tree(tmp_path / "out") == KEPT
    assert {name: file.sha256 for name, file in files.items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in KEPT.items()
    }
    assert {name: file.size_bytes for name, file in files.items()} == {
        name: len(content) for name, content in KEPT.items()
    }


def test_the_kind_is_in_the_bytes_not_in_the_name(suffix, tmp_path):
    archive = write_archive(tmp_path / f"a{suffix}", MEMBERS).rename(tmp_path / "download")
    if suffix != ".tar":
        unpack([archive], tmp_path / "out")
        assert tree(tmp_path / "out") == KEPT


def test_files_that_are_there_are_replaced_and_others_stay(suffix, tmp_path):
    out = tmp_path / "out"
    (out / "top").mkdir(parents=True)
    (out / "top" / "dataset.json").write_text("old")
    (out / "top" / "mine.txt").write_text("mine")
    unpack([write_archive(tmp_path / f"a{suffix}", MEMBERS)], out)
    assert tree(out) == {**KEPT, "top/mine.txt": b"mine"}


@pytest.mark.parametrize("name", ["../up.txt", "a/../../up.txt", "/abs.txt", "C:\\x.txt", "..\\y"])
def test_names_that_lead_elsewhere_are_refused(suffix, name, tmp_path):
    archive = write_archive(tmp_path / f"a{suffix}", {"good.txt": b"good", name: b"bad"})
    refused(archive, tmp_path, "is an absolute path|leads out of its folder")


def test_backslashes_stand_between_folders(tmp_path):
    write_zip(tmp_path / "a.zip", {"top\\imagesTr\\x.txt": b"x"})
    assert set(unpack([tmp_path / "a.zip"], tmp_path / "out")) == {"top/imagesTr/x.txt"}


@pytest.mark.parametrize(
    ("kind", "to", "match"),
    [
        (tarfile.SYMTYPE, "/etc/passwd", "'/etc/passwd' is an absolute path"),
        (tarfile.SYMTYPE, "../../x", "leads out of its folder"),
        (tarfile.SYMTYPE, "none", "member 'top/x' is a link to no file of the archive"),
        (tarfile.SYMTYPE, ".", "member 'top/x' is a link to no file of the archive"),
        (tarfile.LNKTYPE, "../x", "leads out of its folder"),
        (tarfile.FIFOTYPE, "", "member 'top/x' is a device or pipe"),
        (tarfile.CHRTYPE, "", "member 'top/x' is a device or pipe"),
    ],
)
def test_links_that_lead_out_and_pipes_are_refused(kind, to, match, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as bundle:
        info = tarfile.TarInfo("top/x")
        info.type, info.linkname = kind, to
        bundle.addfile(info)
    refused(tmp_path / "a.tar", tmp_path, match)


def test_links_within_an_archive_become_copies_and_count(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as bundle:
        for name, kind, to in (
            ("labels/soft", tarfile.SYMTYPE, "../images/x"),
            ("labels/hard", tarfile.LNKTYPE, "images/x"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, to
            bundle.addfile(info)
        info = tarfile.TarInfo("images/x")
        info.size = 1000
        bundle.addfile(info, io.BytesIO(b"x" * 1000))
    unpack([tmp_path / "a.tar"], tmp_path / "out")
    names = ("images/x", "labels/hard", "labels/soft")
    assert tree(tmp_path / "out") == dict.fromkeys(names, b"x" * 1000)
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    shutil.rmtree(tmp_path / "out")
    few = Limits(bytes_in_all=2500)
    refused(tmp_path / "a.tar", tmp_path, "declares 3,000 bytes", limits=few)


def test_links_in_zip_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        info = zipfile.ZipInfo("x")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        bundle.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", tmp_path, "member 'x' is a link to no file")


def test_a_file_that_is_a_folder_too_is_refused(tmp_path):
    write_tar(tmp_path / "a.tar", {"x": b"", "x/y": b""})
    refused(tmp_path / "a.tar", tmp_path, "member 'x' is a file and a folder")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_for_two_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr("x", "1")
        bundle.writestr("./x", "2")
    refused(tmp_path / "a.zip", tmp_path, "member 'x' is there twice")


def test_more_than_declared_in_the_catalogue_is_refused_before_a_byte_is_written(suffix, tmp_path):
    archive = write_archive(tmp_path / f"a{suffix}", MEMBERS)
    match = r"declares 5,00[02] bytes or more in . files; expected at most 4,000 bytes"
    refused(archive, tmp_path, match, limits=Limits(bytes_in_all=4000))
    refused(archive, tmp_path, "in at most|in 2 files", limits=Limits(files=2))


def test_a_bomb_is_refused_by_what_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_target, "FLOOR_BYTES", 1 << 20)
    write_zip(tmp_path / "a.zip", {"x": bytes(10 << 20)})
    refused(tmp_path / "a.zip", tmp_path, "declares 10,485,760 bytes")


def test_a_bomb_that_lies_about_its_size_is_refused_while_it_is_unpacked(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"x": bytes(1 << 20)})
    declared = (1 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(declared, (1000).to_bytes(4, "little")))
    refused(path, tmp_path, "more than the 1,000 bytes|damaged", FetchError)


def test_a_compressed_tar_is_counted_as_it_comes_out(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_target, "FLOOR_BYTES", 1 << 20)
    write_archive(tmp_path / "a.tgz", {f"{n}": bytes(1 << 19) for n in range(9)})
    refused(tmp_path / "a.tgz", tmp_path, "expected at most 1,048,576 bytes")


def test_a_cut_or_damaged_archive_leaves_nothing(suffix, tmp_path):
    whole = write_archive(tmp_path / f"a{suffix}", {"x": bytes(range(256)) * 64, "y": b"y" * 5000})
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    refused(whole, tmp_path, "damaged|expected", DamagedArchiveError)


def test_a_web_page_in_place_of_an_archive_is_named(tmp_path):
    (tmp_path / "a.zip").write_text("<!DOCTYPE html><title>Log in</title>")
    refused(tmp_path / "a.zip", tmp_path, "found a web page.*login", DamagedArchiveError)
    (tmp_path / "a.zip").write_bytes(b"\x00\x01")
    with pytest.raises(DamagedArchiveError, match="expected a zip, tar, 7z or rar archive"):
        unpack([tmp_path / "a.zip"], tmp_path / "out")


def test_what_does_not_fit_is_refused_before_a_byte_is_written(tmp_path, monkeypatch):
    write_zip(tmp_path / "a.zip", MEMBERS)
    free = type("Usage", (), {"free": 100})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    refused(
        tmp_path / "a.zip", tmp_path, r"unpacking needs 5,002 bytes, 100 are free", DiskFullError
    )


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_half_there(tmp_path, monkeypatch):
    write_zip(tmp_path / "a.zip", MEMBERS)

    def full(_self, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unpack_target.Sink, "write", full)
    out = tmp_path / "out"
    with pytest.raises(DiskFullError, match=r"the disk is full while unpacking a\.zip"):
        unpack([tmp_path / "a.zip"], out)
    assert list(out.iterdir()) == []


def test_parts_of_one_archive_are_joined(suffix, tmp_path):
    if suffix == ".rar":
        pytest.skip("its parts are archives of their own")
    whole = write_archive(tmp_path / f"a{suffix}", MEMBERS).read_bytes()
    cut = len(whole) // 3
    parts = []
    for rank, piece in enumerate((whole[:cut], whole[cut : 2 * cut], whole[2 * cut :]), start=1):
        parts.append(tmp_path / f"a{suffix}.{rank:03}")
        parts[-1].write_bytes(piece)
    unpack(parts, tmp_path / "out")
    assert tree(tmp_path / "out") == KEPT


def test_parts_are_told_by_their_names():
    names = ["b.tar.002", "a.part1.rar", "c.zip", "a.part2.rar", "b.tar.001"]
    assert joined_volumes(names) == {
        "b.tar": ["b.tar.001", "b.tar.002"],
        "a.rar": ["a.part1.rar", "a.part2.rar"],
        "c.zip": ["c.zip"],
    }
    with pytest.raises(MissingFilesError, match=r"b\.tar: part 2 of 3 is missing"):
        joined_volumes(["b.tar.001", "b.tar.003"])


@pytest.mark.parametrize("suffix", [".7z", ".rar"])
def test_a_missing_library_is_named_with_its_extra(suffix, tmp_path, monkeypatch):
    archive = write_archive(tmp_path / "a.rar", MEMBERS)
    if suffix == ".7z":
        archive.write_bytes(b"7z\xbc\xaf\x27\x1c")
    monkeypatch.setitem(sys.modules, OPTIONAL[suffix], None)
    with pytest.raises(MissingExtraError, match=r"a\.rar: needs .*pip install 'medvision\[fetch\]"):
        unpack([archive], tmp_path / "out")


def test_a_compressed_rar_without_a_program_that_reads_it_says_which(tmp_path, monkeypatch):
    pytest.importorskip("rarfile")
    write_rar(tmp_path / "a.rar", {"x": b"x"}, method=0x33)
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(tmp_path / "a.rar", tmp_path, "needs one of the programs unrar, unar", FetchError)


def test_what_a_killed_process_was_unpacking_is_removed(tmp_path):
    (tmp_path / ".unpack-x" / "top").mkdir(parents=True)
    (tmp_path / "kept").touch()
    remove_scratch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_examples_run():
    for module in (unpack_module, unpack_target):
        assert doctest.testmod(module).failed == 0
