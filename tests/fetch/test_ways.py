"""Each way to get files, by what may go wrong on it: cut off, damaged, hostile, too large, crowded.

One archive is offered in every way that a declaration can name. Whatever brings it (plain HTTP, a
host's own client, a stand-in of one, a person), the same is true afterwards: all of it is in place,
or nothing is.
"""

import hashlib
import logging
import random
import shutil
import sys
import threading
import time
import types
from pathlib import Path

import pytest

from medvision.catalog.dataset import parse_dataset
from medvision.catalog.source import BY_HAND, PACKAGES, SourceKind
from medvision.fetch import ChecksumError, FetchSettings, fetch
from medvision.fetch.errors import (
    DiskFullError,
    LicenceNotAcceptedError,
    UnsafeArchiveError,
)
from medvision.fetch.hosts import HOSTS
from medvision.fetch.records import accept_licence
from medvision.fetch.tokens import VARIABLES
from medvision.storage import only_process
from tests.fetch.archive_files import write_archive
from tests.fetch.file_server import serving
from tests.fetch.hub_server import COMMIT, serving_hub
from tests.fetch.test_hosts import DriveStandIn, SynapseStandIn

FILES = {f"toy/{n}.nii.gz": random.Random(n).randbytes(150_000) for n in range(4)}
HALF = 300_000
KINDS = [kind for kind in SourceKind if kind not in PACKAGES]
DOWNLOADED = [kind for kind in KINDS if kind not in BY_HAND]
PLACES = {
    SourceKind.ZENODO: "/records/7/files/all.zip",
    SourceKind.KAGGLE: "/api/v1/datasets/download/7/all.zip",
    SourceKind.FIGSHARE: "/articles/7",
    SourceKind.DIRECT: "/all.zip",
    SourceKind.S3: "/bucket/all.zip",
    SourceKind.GOOGLE_DRIVE: "/drive/7",
}
"""Where the server has the archive, for each kind that is asked over HTTP."""


class Drive(DriveStandIn):
    """Google Drive at another address: gdown itself downloads from it."""

    def __init__(self, url):
        super().__init__()
        self.url, self.gdown = url, pytest.importorskip("gdown")

    def download(self, *, id, **words):  # noqa: A002
        assert id == "7"
        return self.gdown.download(url=self.url, **words)


class Synapse(SynapseStandIn):
    """Like its client: a part that is there is taken up, under a name of the client's own."""

    def __init__(self, way):
        super().__init__()

        def get(_self, _entity, *, downloadLocation):  # noqa: N803
            folder = Path(downloadLocation)
            part, whole = folder / "all.zip.synapse_download_7", folder / "all.zip"
            have = part.stat().st_size if part.exists() else 0
            way.begun_at.append(have)
            with part.open("ab") as stream:
                stream.write(way.data[have : have + HALF] if way.dies else way.data[have:])
            if way.dies:
                raise Died
            part.replace(whole)
            return types.SimpleNamespace(path=str(whole))

        self.Synapse.get = get


class Died(BaseException):
    """The process ends here."""


class Way:
    """One archive, offered in one way.

    Attributes:
        data: The archive.
        begun_at: Byte at which each request began, in order.
        dies: Whether the next download is cut off in the middle.
    """

    def __init__(self, kind, server, hub, folder):
        self.kind, self.server, self.hub, self.folder = kind, server, hub, folder
        self.begun_at, self.dies, self.data = [], False, b""

    def offer(self, data):
        self.data = data
        match self.kind:
            case SourceKind.HUGGINGFACE:
                self.hub.files["owner/set"] = {"all.zip": data}
            case kind if kind in PLACES:
                self.server.files[PLACES[kind]] = data
            case kind if kind in BY_HAND:
                self.folder.mkdir(exist_ok=True)
                (self.folder / "all.zip").write_bytes(data)

    def dataset(self, sha256=""):
        url = f"{self.server.url}{PLACES.get(self.kind, '')}"
        if self.kind == SourceKind.S3:
            url = url.removesuffix("/all.zip")
        ids = {SourceKind.HUGGINGFACE: "owner/set", SourceKind.SYNAPSE: "syn7"}
        more = f'revision = "{COMMIT}"' if self.kind == SourceKind.HUGGINGFACE else ""
        declared = 'id = "7"' if self.kind == SourceKind.GOOGLE_DRIVE else ""
        text = f"""
name = "toy"
licence = "CC0"
[[sources]]
kind = "{self.kind}"
id = "{ids.get(self.kind, "7")}"
url = "{url}"
{more}
[[sources.downloads]]
name = "all.zip"
holds = ["toy/*.nii.gz"]
sha256 = "{sha256 or hashlib.sha256(self.data).hexdigest()}"
{declared}
"""
        return parse_dataset(text, "toy.toml")

    def settings(self, **more):
        given = self.folder if self.kind in BY_HAND else None
        return FetchSettings(accept_licence=True, given=given, **more)

    def starts(self):
        """Byte at which each request for the archive began."""
        if self.kind == SourceKind.SYNAPSE:
            return self.begun_at
        asked = self.hub.ranges if self.kind == SourceKind.HUGGINGFACE else self.server.asked
        wanted = (ranged for path, ranged in asked if path.endswith(PLACES.get(self.kind, ".zip")))
        return [int(one.removeprefix("bytes=").partition("-")[0] or 0) for one in wanted]


@pytest.fixture
def way(request, tmp_path, monkeypatch):
    """The archive, offered in the way that the test asks for."""
    for names in VARIABLES.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "good")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "good")
    with serving() as server, serving_hub() as hub:
        one = Way(request.param, server, hub, tmp_path / "mine")
        monkeypatch.setitem(HOSTS, SourceKind.ZENODO, server.url)
        monkeypatch.setitem(HOSTS, SourceKind.KAGGLE, server.url)
        monkeypatch.setitem(HOSTS, SourceKind.HUGGINGFACE, hub.url)
        if one.kind == SourceKind.HUGGINGFACE:
            constants = pytest.importorskip("huggingface_hub.constants")
            monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)
        if one.kind == SourceKind.GOOGLE_DRIVE:
            place = f"{server.url}{PLACES[one.kind]}"
            monkeypatch.setitem(sys.modules, "gdown", Drive(place))
        monkeypatch.setitem(sys.modules, "synapseclient", Synapse(one))
        one.offer(write_archive(tmp_path / "all.zip", FILES).read_bytes())
        yield one


ways = pytest.mark.parametrize("way", KINDS, indirect=True)
downloads = pytest.mark.parametrize("way", DOWNLOADED, indirect=True)


def tree(folder):
    """What is there beside records, downloads and what was accepted."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.name != "manifest.json"
        and not {".fetched", ".downloads"} & set(path.relative_to(folder).parts)
    }


@ways
def test_the_archive_comes_and_is_unpacked(way, tmp_path):
    assert tree(fetch(way.dataset(), tmp_path / "root", settings=way.settings())) == FILES


@downloads
def test_a_download_that_was_cut_off_goes_on_where_it_was(way, tmp_path):
    """The first process ends in the middle, as `kill -9` ends it: nothing is tidied up."""
    come = 0

    def die_half_way(done, _total, _words):
        nonlocal come
        come = done
        if done >= HALF and way.kind != SourceKind.SYNAPSE:
            raise Died

    way.dies = True
    with pytest.raises(Died):
        fetch(way.dataset(), tmp_path, settings=way.settings(on_progress=die_half_way))
    assert tree(tmp_path / "raw" / "toy") == {}
    way.dies, n_before = False, len(way.starts())
    assert tree(fetch(way.dataset(), tmp_path)) == FILES
    last = way.starts()[n_before:][-1]
    assert HALF // 2 <= last < len(way.data)
    assert last >= come - (1 << 17)  # what has come is not asked for again


@ways
def test_a_flipped_byte_is_caught_and_named(way, tmp_path):
    dataset = way.dataset()
    damaged = bytearray(way.data)
    damaged[len(damaged) // 2] ^= 1
    way.offer(bytes(damaged))
    with pytest.raises(ChecksumError, match=r"all\.zip: expected sha256 .*, found .* damaged"):
        fetch(dataset, tmp_path, settings=way.settings())
    assert tree(tmp_path / "raw" / "toy") == {}
    damaged[len(damaged) // 2] ^= 1
    way.offer(bytes(damaged))
    assert tree(fetch(dataset, tmp_path, settings=way.settings())) == FILES


@ways
def test_a_disk_without_space_has_nothing_half_there(way, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=1000))
        with pytest.raises(DiskFullError, match=r"needs [\d,]+ bytes, 1,000 are free"):
            fetch(way.dataset(), tmp_path, settings=way.settings())
    assert tree(tmp_path / "raw" / "toy") == {}
    assert not list((tmp_path / "raw" / "toy" / ".fetched").glob("*all.zip*"))
    assert tree(fetch(way.dataset(), tmp_path, settings=way.settings())) == FILES


HOSTILE = {
    "a name that climbs out": {"toy/../../../up.txt": b"x"},
    "an absolute path": {"/tmp/medvision-up.txt": b"x"},
    "a name of Windows": {"C:\\up.txt": b"x"},
    "a file that grows a thousand times": {"toy/bomb.nii.gz": bytes(1 << 22)},
}


@ways
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_refused_whoever_brought_it(way, what, tmp_path, monkeypatch):
    monkeypatch.setattr("medvision.fetch.unpack_target.FLOOR_BYTES", 1 << 20)
    hostile = write_archive(tmp_path / "hostile.zip", HOSTILE[what]).read_bytes()
    way.offer(hostile)
    before = {path for path in tmp_path.rglob("*") if "root" not in path.parts}
    with pytest.raises(UnsafeArchiveError, match=r"all\.zip"):
        fetch(way.dataset(), tmp_path / "root", settings=way.settings())
    assert tree(tmp_path / "root" / "raw" / "toy") == {}
    assert {path for path in tmp_path.rglob("*") if "root" not in path.parts} == before
    assert not Path("/tmp/medvision-up.txt").exists()


@ways
def test_two_fetches_at_once_wait_for_each_other(way, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    found = {}

    def fetch_it(name):
        found[name] = tree(fetch(way.dataset(), tmp_path / "root", settings=way.settings()))

    accept_licence(way.dataset(), tmp_path / "root" / "raw" / "toy", accepted_now=True)
    threads = [threading.Thread(target=fetch_it, args=(name,)) for name in ("a", "b")]
    with only_process(tmp_path / "root" / "raw", "fetching"):
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 20
        while caplog.text.count("waiting for it to end") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert way.kind in BY_HAND or way.starts() == []
    for thread in threads:
        thread.join(timeout=60)
    assert found == {"a": FILES, "b": FILES}
    # The second one finds all there.
    assert way.kind in BY_HAND or len(way.starts()) == 1


def test_the_licence_is_asked_before_any_wait(tmp_path):
    """Whoever has not accepted it learns so at once, not after the other's hours."""
    text = 'name = "toy"\nlicence = "CC0"\n[[sources]]\nkind = "direct"\nurl = "http://127.0.0.1"\n'
    dataset = parse_dataset(f'{text}downloads = ["all.zip"]\n', "toy.toml")
    with (
        only_process(tmp_path / "raw", "fetching"),
        pytest.raises(LicenceNotAcceptedError, match="CC0"),
    ):
        fetch(dataset, tmp_path)
