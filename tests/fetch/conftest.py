"""A host that offers two small archives."""

import pytest

from tests.fetch.archive_files import write_archive
from tests.fetch.file_server import serving
from tests.fetch.toy import IMAGES, LABELS


@pytest.fixture
def archives(tmp_path):
    """Two archives as their owner offers them."""
    folder = tmp_path / "offered"
    write_archive(folder / "images.zip", IMAGES | {"__MACOSX/toy/._x": b"junk"})
    write_archive(folder / "labels.tar.gz", LABELS)
    return folder


@pytest.fixture
def host(archives):
    with serving() as server:
        server.files = {f"/{path.name}": path.read_bytes() for path in archives.iterdir()}
        yield server
