"""Whatever a reader raises costs one file, and its name is told."""

import logging
import struct
import zlib

import numpy as np
import pytest

from medvision.errors import ItemError, MissingExtraError, UsageError
from medvision.volumes import read, read_geometry, read_label_map, read_volume
from medvision.volumes.errors import (
    MissingFileError,
    OutOfMemoryError,
    ReaderFailedError,
    UnreadableFileError,
)

FOREIGN = [
    ValueError("bad\nvalue"),
    TypeError("no number"),
    OverflowError("too large"),
    RecursionError("too deep"),
    RuntimeError("ITK ERROR"),
    zlib.error("Error -3"),
    struct.error("unpack requires"),
    UnicodeDecodeError("ascii", b"\xff", 0, 1, "ordinal"),
    KeyError("x"),
    IndexError("x"),
    AttributeError("x"),
    AssertionError("x"),
    ZeroDivisionError("x"),
    np.exceptions.AxisError("x"),
]


@pytest.fixture
def raising(tmp_path, monkeypatch):
    """A file whose reader raises what it is told to, at once or as its voxels are loaded."""
    path = tmp_path / "a.nrrd"
    path.write_bytes(b"something")

    def raise_it(error):
        def opener(*_):
            raise error

        monkeypatch.setitem(read.OPENERS, ".nrrd", opener)
        return path

    return raise_it


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("reader", [read_volume, read_label_map, read_geometry])
def test_an_error_of_a_library_names_file_and_reason(raising, reader, error):
    path = raising(error)
    with pytest.raises(ReaderFailedError) as found:
        reader(path)
    message = str(found.value)
    assert message.startswith(f"{path}: expected a readable file")
    assert f"{type(error).__name__}: " in message
    assert "\n" not in message
    assert found.value.__cause__ is error


def test_the_traceback_is_there_for_those_who_ask(raising, caplog):
    path = raising(ValueError("bad value"))
    with caplog.at_level(logging.INFO, "medvision"), pytest.raises(ReaderFailedError):
        read_volume(path)
    assert "Traceback" in caplog.text
    assert "in opener" in caplog.text


def test_a_long_message_is_cut(raising):
    with pytest.raises(ReaderFailedError) as found:
        read_volume(raising(ValueError("x" * 10**6)))
    assert len(str(found.value)) < 1000


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(2, "No such file", "b.raw"), MissingFileError),
        (PermissionError(13, "Permission denied"), UnreadableFileError),
        (OSError(5, "Input/output error"), UnreadableFileError),
        (MemoryError("Unable to allocate"), OutOfMemoryError),
    ],
)
def test_what_the_system_refuses_has_classes_of_its_own(raising, error, expected):
    with pytest.raises(expected, match=r"a\.nrrd|b\.raw"):
        read_volume(raising(error))


@pytest.mark.parametrize("error", [UsageError("u"), MissingExtraError("m"), ItemError("i")])
def test_our_own_errors_pass_unchanged(raising, error):
    with pytest.raises(type(error)) as found:
        read_volume(raising(error))
    assert found.value is error


def test_an_interruption_is_no_error_of_a_file(raising):
    with pytest.raises(KeyboardInterrupt):
        read_volume(raising(KeyboardInterrupt()))
