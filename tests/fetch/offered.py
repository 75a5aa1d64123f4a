"""Archives offered where a declared source has them: stand-ins of each kind of host."""

import dataclasses
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from medvision.catalog.source import SourceKind
from medvision.fetch.hosts import HOSTS
from medvision.fetch.tokens import VARIABLES
from tests.fetch.file_server import serving
from tests.fetch.hub_server import COMMIT, serving_hub
from tests.fetch.test_hosts import DriveStandIn, Listed, SynapseStandIn


def unpinned(dataset, url):
    """The declaration without sizes and digests, its plain addresses at the server."""
    sources = []
    for source in dataset.sources:
        downloads = tuple(
            dataclasses.replace(one, sha256="", md5="", size_bytes=None, unpacked_bytes=None)
            for one in source.downloads
        )
        at = source.url
        if source.kind in (SourceKind.DIRECT, SourceKind.FIGSHARE, SourceKind.S3):
            at = url + urlsplit(source.url).path
        is_hub = source.kind == SourceKind.HUGGINGFACE
        revision = COMMIT if is_hub and source.revision else source.revision
        sources.append(dataclasses.replace(source, downloads=downloads, url=at, revision=revision))
    return dataclasses.replace(dataset, sources=tuple(sources))


def of_source(source, made):
    """Those of the files that a source offers."""
    return {
        name: data
        for name, data in made.items()
        if any(re.fullmatch(one.name.replace("*", ".*"), name) for one in source.downloads)
    }


class Drive(DriveStandIn):
    def __init__(self, files):
        super().__init__()
        self.files = files

    def download_folder(self, **_):
        return [Listed(name, f"FLARE22/{name}") for name in self.files]

    def download(self, *, id, output, **_):  # noqa: A002
        Path(output).write_bytes(self.files[id])


class Synapse(SynapseStandIn):
    def __init__(self, by_entity):
        super().__init__()

        def get(_self, entity, *, downloadLocation):  # noqa: N803
            name, data = by_entity[entity]
            path = Path(downloadLocation) / name
            path.write_bytes(data)
            return type("Entity", (), {"path": str(path)})

        self.Synapse.get = get


@pytest.fixture
def hosts(monkeypatch):
    for names in VARIABLES.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "good")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving() as server, serving_hub() as hub:
        monkeypatch.setitem(HOSTS, SourceKind.ZENODO, server.url)
        monkeypatch.setitem(HOSTS, SourceKind.HUGGINGFACE, hub.url)
        yield server, hub


def offer(source, files, hosts, monkeypatch):
    """Puts files where the source's kind of host has them."""
    server, hub = hosts
    match source.kind:
        case SourceKind.ZENODO:
            server.files |= {f"/records/{source.id}/files/{n}": data for n, data in files.items()}
        case SourceKind.S3:
            base = urlsplit(source.url).path.rstrip("/")
            server.files |= {f"{base}/{name}": data for name, data in files.items()}
        case SourceKind.DIRECT | SourceKind.FIGSHARE:
            (server.files[urlsplit(source.url).path],) = files.values()
        case SourceKind.HUGGINGFACE:
            hub.files[source.id] = files | {"README.md": b"#"}
        case SourceKind.GOOGLE_DRIVE:
            monkeypatch.setitem(sys.modules, "gdown", Drive(files))
        case SourceKind.SYNAPSE:
            by_entity = getattr(sys.modules.get("synapseclient"), "by_entity", {})
            for name, data in files.items():
                by_entity[source.id] = (name, data)
            stand_in = Synapse(by_entity)
            stand_in.by_entity = by_entity
            monkeypatch.setitem(sys.modules, "synapseclient", stand_in)
