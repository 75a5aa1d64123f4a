"""Each public dataset, fetched from stand-ins of its hosts with miniatures of its archives.

Of every source that a program can take, and of every archive that is known by name: what was in it
is in the raw folder afterwards, in the folders declared, without what file managers left in it.
"""

import dataclasses
import re

import pytest

from medvision.catalog.dataset import dataset_names, load_dataset
from medvision.fetch import FetchSettings, fetch
from medvision.fetch.ways import ways_of
from tests.fetch.archive_files import write_archive
from tests.fetch.archive_names import COPIES, ORIGINALS
from tests.fetch.offered import hosts, of_source, offer, unpinned

__all__ = ["hosts"]  # a fixture

TREES = {"original": ORIGINALS, "copy": COPIES}
WAYS = [(role, name) for role, trees in TREES.items() for name in trees]


def content(name):
    return f"bytes of {name}".encode()


def packed(folder, archives):
    """Archive to the bytes of its file."""
    made = {}
    for name, members in archives.items():
        if members is None:
            made[name] = content(name)
            continue
        if isinstance(members, dict):  # archives within an archive
            files = packed(folder / "inner", members)
        else:
            files = {member: content(member) for member in members}
        if "." in name:
            made[name] = write_archive(folder / name, files).read_bytes()
        else:
            made |= {f"{name}/{member}": text for member, text in files.items()}
    return made


def expected(dataset, role, archives):
    """Files of the raw folder, from archives and declared folders alone."""
    found = set()
    for source in dataset.sources:
        if source.role != role:
            continue
        for declared in source.downloads:
            for name, members in archives.items():
                if not re.fullmatch(declared.name.replace("*", ".*"), name):
                    continue
                flat = [name] if members is None else members
                if isinstance(members, dict):  # archives that are not declared stay packed
                    known = [one.rpartition("/")[2] for one in declared.inner]
                    flat = [m for inner in members if inner in known for m in members[inner]]
                    flat += [inner for inner in members if inner not in known]
                kept = [m for m in flat if "/._" not in m and "__MACOSX" not in m]
                found |= {f"{declared.into}/{m}".lstrip("/") for m in kept}
    return found


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".fetched" not in path.parts and path.name != "manifest.json"
    }


@pytest.fixture
def libraries():
    for name in ("py7zr", "rarfile", "huggingface_hub"):
        pytest.importorskip(name)


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(("role", "name"), WAYS)
def test_a_dataset_comes_from_its_hosts_as_its_owner_packs_it(
    role, name, hosts, tmp_path, monkeypatch
):
    archives = TREES[role][name]
    dataset = unpinned(load_dataset(name), hosts[0].url)
    made = packed(tmp_path / "made", archives)
    (way,) = (way for way in ways_of(dataset) if way.role == role)
    settings = FetchSettings(accept_licence=True, role=role)
    if way.by_program:
        for source in way.sources:
            offer(source, of_source(source, made), hosts, monkeypatch)
    else:
        mine = tmp_path / "mine"
        for file_name, data in made.items():
            (mine / file_name).parent.mkdir(parents=True, exist_ok=True)
            (mine / file_name).write_bytes(data)
        settings = dataclasses.replace(settings, given=mine)
    found = tree(fetch(dataset, tmp_path / "root", settings=settings))
    assert set(found) == expected(dataset, role, archives)
    wrong = {path for path, data in found.items() if not data.startswith((b"bytes of ", b"Rar!"))}
    assert wrong == set()
    assert fetch(dataset, tmp_path / "root") == tmp_path / "root" / "raw" / name


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("name", [name for role, name in WAYS if role == "original"])
def test_archives_at_hand_are_as_good_as_a_download(name, tmp_path):
    archives = ORIGINALS[name]
    dataset = unpinned(load_dataset(name), "http://127.0.0.1:9")
    mine = tmp_path / "mine"
    for file_name, data in packed(tmp_path / "made", archives).items():
        (mine / file_name).parent.mkdir(parents=True, exist_ok=True)
        (mine / file_name).write_bytes(data)
    settings = FetchSettings(accept_licence=True, given=mine)
    found = tree(fetch(dataset, tmp_path / "root", settings=settings))
    assert set(found) == expected(dataset, "original", archives)


def test_every_source_with_named_files_has_a_tree():
    known = {
        (source.role, name)
        for name in dataset_names()
        for source in load_dataset(name).sources
        if source.downloads
    }
    partly_known = {("original", "BraTS24")}  # names of three of its four parts are not stated
    assert known - set(WAYS) == partly_known
    assert set(WAYS) <= known
