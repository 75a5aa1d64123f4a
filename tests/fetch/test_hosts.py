"""Each kind of host: over HTTP, through its own client, or through a stand-in of that client."""

import base64
import doctest
import hashlib
import inspect
import json
import shutil
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

from medvision.catalog.source import Download, Source, SourceKind
from medvision.errors import MissingExtraError
from medvision.fetch import hosts as hosts_module
from medvision.fetch import tokens as tokens_module
from medvision.fetch.download import NotThereError, Session, http_client
from medvision.fetch.errors import DiskFullError, FetchError, MissingTokenError
from medvision.fetch.hosts import HOSTS, OBTAIN
from medvision.fetch.tokens import VARIABLES
from tests.fetch.file_server import serving
from tests.fetch.hub_server import COMMIT, serving_hub

CONTENT = b"an archive" * 100


@pytest.fixture(autouse=True)
def no_tokens(monkeypatch):
    for names in VARIABLES.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def session():
    with http_client() as client:
        yield Session(client=client)


@pytest.fixture
def host(monkeypatch):
    with serving() as server:
        for kind in (SourceKind.ZENODO, SourceKind.KAGGLE):
            monkeypatch.setitem(HOSTS, kind, server.url)
        yield server


def obtain(source, wanted, folder, session):
    return OBTAIN[source.kind](source, wanted, folder, session)


def test_zenodo_files_lie_below_their_record_and_take_its_digest(host, session, tmp_path):
    host.files["/records/123/files/a b.zip"] = CONTENT
    digest = hashlib.md5(CONTENT).hexdigest()
    listed = {"key": "a b.zip", "size": len(CONTENT), "checksum": f"md5:{digest}"}
    host.files["/api/records/123"] = json.dumps({"files": [listed]}).encode()
    source = Source(kind=SourceKind.ZENODO, id="123")
    (got,) = obtain(source, Download(name="a b.zip"), tmp_path, session)
    assert got.path.read_bytes() == CONTENT
    assert (got.wanted.md5, got.wanted.size_bytes) == (digest, len(CONTENT))


def test_a_pinned_zenodo_file_needs_no_record(host, session, tmp_path):
    host.files["/records/123/files/a.zip"] = CONTENT
    wanted = Download(name="a.zip", sha256="0" * 64)
    (got,) = obtain(Source(kind=SourceKind.ZENODO, id="123"), wanted, tmp_path, session)
    assert got.wanted is wanted
    assert [path for path, _ in host.asked] == ["/records/123/files/a.zip"]


def test_a_record_that_cannot_be_read_leaves_the_file_unpinned(host, session, tmp_path):
    host.files["/records/123/files/a.zip"] = CONTENT
    source = Source(kind=SourceKind.ZENODO, id="123")
    (got,) = obtain(source, Download(name="a.zip"), tmp_path, session)
    assert got.wanted.md5 == ""


@pytest.mark.parametrize("kind", [SourceKind.DIRECT, SourceKind.FIGSHARE])
def test_plain_addresses_are_the_file(host, session, tmp_path, kind):
    host.files["/articles/1"] = CONTENT
    source = Source(kind=kind, url=f"{host.url}/articles/1?private_link=x")
    (got,) = obtain(source, Download(name="sub/a.zip"), tmp_path, session)
    assert got.path == tmp_path / "sub" / "a.zip"


def test_files_of_a_bucket_lie_below_its_address(host, session, tmp_path):
    host.files["/bucket/Task01.tar"] = CONTENT
    source = Source(kind=SourceKind.S3, url=f"{host.url}/bucket/")
    (got,) = obtain(source, Download(name="Task01.tar"), tmp_path, session)
    assert got.path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"KAGGLE_API_TOKEN": "t"}, "Bearer t"),
        (
            {"KAGGLE_USERNAME": "u", "KAGGLE_KEY": "k"},
            f"Basic {base64.b64encode(b'u:k').decode()}",
        ),
    ],
)
def test_kaggle_takes_either_kind_of_token(host, session, tmp_path, monkeypatch, variables, sent):
    host.files["/api/v1/datasets/download/owner/set/a.zip"] = CONTENT
    source = Source(kind=SourceKind.KAGGLE, id="owner/set")
    with pytest.raises(MissingTokenError, match=r"kaggle\.com/settings and set KAGGLE_API_TOKEN"):
        obtain(source, Download(name="a.zip"), tmp_path, session)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    obtain(source, Download(name="a.zip"), tmp_path, session)
    assert host.headers[-1]["Authorization"] == sent


@pytest.fixture
def hub(monkeypatch):
    pytest.importorskip("huggingface_hub")
    with serving_hub() as server:
        server.files = {
            "owner/set": {"Images.zip": CONTENT, "Masks.zip": CONTENT[::-1], "README.md": b"#"}
        }
        monkeypatch.setitem(HOSTS, SourceKind.HUGGINGFACE, server.url)
        yield server


def of_hub(**facts):
    facts = {"revision": COMMIT} | facts
    return Source(kind=SourceKind.HUGGINGFACE, id="owner/set", **facts)


def test_hub_files_come_at_their_revision_with_the_hubs_digest(hub, session, tmp_path):
    (got,) = obtain(of_hub(), Download(name="Images.zip"), tmp_path, session)
    assert got.path.read_bytes() == CONTENT
    assert got.wanted.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert got.wanted.size_bytes == len(CONTENT)
    assert all(f"/{COMMIT}" in path for _, path in hub.asked)


def test_hub_files_that_do_not_fit_are_refused_before_they_come(
    hub, session, tmp_path, monkeypatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1999}))
    with pytest.raises(DiskFullError, match=r"downloading \*\.zip needs 2,000 bytes"):
        obtain(of_hub(), Download(name="*.zip"), tmp_path, session)
    assert list(tmp_path.iterdir()) == []


def test_a_pattern_brings_all_hub_files_that_fit(hub, session, tmp_path):
    got = obtain(of_hub(), Download(name="*.zip"), tmp_path, session)
    assert [one.wanted.name for one in got] == ["Images.zip", "Masks.zip"]
    assert got[1].path.read_bytes() == CONTENT[::-1]


def test_gated_hub_files_need_the_users_token_which_is_in_no_message(
    hub, session, tmp_path, monkeypatch
):
    hub.gated = {"owner/set"}
    gated = of_hub(access="token")
    with pytest.raises(MissingTokenError, match=r"accept the terms .* and set HF_TOKEN"):
        obtain(gated, Download(name="Images.zip"), tmp_path, session)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(FetchError, match=r"huggingface:owner/set Images\.zip: Gated") as caught:
        obtain(gated, Download(name="Images.zip"), tmp_path, session)
    assert "hf_wrong" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    obtain(gated, Download(name="Images.zip"), tmp_path, session)


@pytest.mark.parametrize(
    ("name", "revision"), [("None.zip", COMMIT), ("*.7z", COMMIT), ("Images.zip", "0" * 40)]
)
def test_what_a_hub_does_not_have_is_said(hub, session, tmp_path, name, revision):
    with pytest.raises(FetchError, match=r"huggingface:owner/set"):
        obtain(of_hub(revision=revision), Download(name=name), tmp_path, session)


class SynapseStandIn(types.ModuleType):
    """Of synapseclient: logs in with a token and puts a file where it is told to."""

    def __init__(self):
        super().__init__("synapseclient")
        self.calls = []
        stand_in = self

        class Synapse:
            def __init__(self, *, skip_checks, silent):
                pass

            def login(self, *, authToken, silent):  # noqa: N803
                stand_in.calls.append(("login", authToken))
                if authToken != "good":
                    msg = f"401: the token {authToken} is not valid"
                    raise RuntimeError(msg)

            def get(self, entity, *, downloadLocation):  # noqa: N803
                stand_in.calls.append(("get", entity))
                path = Path(downloadLocation) / "RawData.zip"
                path.write_bytes(CONTENT)
                return types.SimpleNamespace(path=str(path))

        self.Synapse = Synapse


def test_synapse_is_asked_through_its_client(session, tmp_path, monkeypatch):
    stand_in = SynapseStandIn()
    monkeypatch.setitem(sys.modules, "synapseclient", stand_in)
    source = Source(kind=SourceKind.SYNAPSE, id="syn1", access="token")
    wanted = Download(name="RawData.zip", id="syn2")
    with pytest.raises(MissingTokenError, match="set SYNAPSE_AUTH_TOKEN"):
        obtain(source, wanted, tmp_path, session)
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "secret")
    with pytest.raises(FetchError, match=r"syn1 RawData.zip: .*the token \*\*\* is not"):
        obtain(source, wanted, tmp_path, session)
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "good")
    (got,) = obtain(source, wanted, tmp_path, session)
    assert got.path.read_bytes() == CONTENT
    assert stand_in.calls[-1] == ("get", "syn2")


@dataclass
class Listed:
    id: str
    path: str
    local_path: str = ""


class DriveStandIn(types.ModuleType):
    """Of gdown: lists a shared folder, and downloads by id into the file it is told."""

    def __init__(self):
        super().__init__("gdown")

    def download_folder(self, *, id, skip_download, quiet):  # noqa: A002
        assert (id, skip_download, quiet) == ("folder", True, True)
        return [Listed("1", "FLARE22/Cases/images.zip"), Listed("2", "FLARE22/Cases/labels.zip")]

    def download(self, *, id, output, quiet, resume, retries, progress, cancel):  # noqa: A002
        assert (id, resume) == ("2", True)
        Path(output).write_bytes(CONTENT)
        progress(400, 1000)
        progress(1000, 1000)


def test_google_drive_folders_are_listed_and_their_files_downloaded(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", DriveStandIn())
    told = []
    session = Session(client=None, on_bytes=told.append)
    source = Source(kind=SourceKind.GOOGLE_DRIVE, id="folder")
    (got,) = obtain(source, Download(name="Cases/labels.zip"), tmp_path, session)
    assert got.path.read_bytes() == CONTENT
    assert told == [400, 600]
    with pytest.raises(NotThereError, match="expected one such file in the folder, found"):
        obtain(source, Download(name="none.zip"), tmp_path, session)


def test_the_stand_in_of_gdown_takes_what_gdown_takes():
    gdown = pytest.importorskip("gdown")
    for name in ("download", "download_folder"):
        ours = set(inspect.signature(getattr(DriveStandIn, name)).parameters) - {"self"}
        assert ours <= set(inspect.signature(getattr(gdown, name)).parameters)


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [
        (SourceKind.HUGGINGFACE, "huggingface_hub", "fetch"),
        (SourceKind.GOOGLE_DRIVE, "gdown", "fetch"),
        (SourceKind.SYNAPSE, "synapseclient", "synapse"),
    ],
)
def test_a_client_that_is_not_installed_is_named(
    session, tmp_path, monkeypatch, kind, library, extra
):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"needs {library}.*medvision\[{extra}\]"):
        obtain(Source(kind=kind, id="x"), Download(name="a.zip"), tmp_path, session)


def test_examples_run():
    for module in (hosts_module, tokens_module):
        assert doctest.testmod(module).failed == 0
