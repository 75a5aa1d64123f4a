"""A reader that hangs, dies, or takes all memory costs the case it was reading and no other."""

import gzip
import logging
import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
import traceback

import numpy as np
import pytest
from PIL import Image

from medvision.cli import main
from medvision.table import case_worker
from medvision.table.annotate_case import AnnotateOptions
from medvision.table.case_worker import stop_worker, warm_worker
from medvision.table.cases import CaseSource, ImageSource, MaskSource, Structure
from medvision.table.inputs import input_digests
from tests.table.conftest import write_nifti

SITE = """
import sys, time, os
from pathlib import Path
marker = Path({folder!r})
import medvision.volumes.read as read
import medvision.table.annotate_case as here
read_volume = here.read_volume
opener = read.OPENERS[".nii.gz"]
def odd(path, options):
    if path.name.startswith("library"):
        raise KeyError("as libraries do")
    return opener(path, options)
read.OPENERS[".nii.gz"] = odd
def broken(path, **options):
    if path.name.startswith("hang"):
        time.sleep(600)
    if path.name.startswith("die"):
        os.abort()
    if path.name.startswith("exit"):
        os._exit(3)
    if path.name.startswith("big"):
        import numpy as np
        held = [np.ones(1 << 23) for _ in range(64)]
    if path.name.startswith("kill-always"):
        os.kill(os.getpid(), 9)
    if path.name.startswith("kill-once") and not (marker / "killed").exists():
        (marker / "killed").touch()
        os.kill(os.getpid(), 9)
    if path.name.startswith("bug"):
        return read_volume(None)
    if path.name.startswith("log"):
        import logging
        logging.getLogger("medvision.volumes").warning("%s: a word", path.name)
    return read_volume(path, **options)
here.read_volume = broken
"""


@pytest.fixture
def broken_readers(tmp_path, monkeypatch):
    """Readers in the other process that do what a file's name says."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "broken_readers.py").write_text(textwrap.dedent(SITE).format(folder=str(folder)))
    serve = "from medvision.table.case_worker import serve"
    monkeypatch.setattr(
        case_worker, "SERVE", f"sys.path.append({str(folder)!r}); import broken_readers; {serve}"
    )
    stop_worker()
    yield
    stop_worker()


def build(study, *names, more=()):
    """Build three good cases and some that are called otherwise."""
    for name in names:
        for kind in ("images", "masks"):
            content = (study / kind / "a.nii.gz").read_bytes()
            (study / kind / f"{name}.nii.gz").write_bytes(content)
    words = ["build", "--images", study / "images", "--masks", study / "masks"]
    words += ["--labels", study / "labels.json", "--name", "x", "--modality", "CT"]
    return main([str(word) for word in [*words, "--out", study / "tables", *more]])


@pytest.mark.parametrize(
    ("name", "reason", "told"),
    [
        ("hang", "reader_timeout", "expected to be read within 1 s, was not"),
        ("die", "reader_died", "the reader ended (SIGABRT)"),
        ("exit", "reader_died", "the reader ended (status 3)"),
        ("big", "out_of_memory", "expected to fit into memory"),
    ],
)
def test_one_bad_reader_costs_one_case(
    study, broken_readers, monkeypatch, capfd, name, reason, told
):
    if name == "hang":
        monkeypatch.setattr(case_worker, "CASE_S", 1.0)
    monkeypatch.setattr(case_worker, "MEMORY_BYTES", 1 << 29)
    capfd.readouterr()
    assert build(study, name, f"{name}2") == 1
    shown = capfd.readouterr()
    assert "3 of 5 cases" in shown.out
    assert f"problems: 2 {reason}" in shown.out
    assert told in shown.err
    assert f"{name}: {reason}: " in shown.err
    assert f"{name}2: {reason}: " in shown.err
    assert "Traceback" not in shown.err
    for case in (name, f"{name}2"):
        for kind in ("images", "masks"):
            (study / kind / f"{case}.nii.gz").unlink()
    assert build(study) == 0


def test_files_that_must_be_joined_first_are_read_there_too(study, broken_readers, tmp_path):
    write_nifti(study / "images" / "die.nii.gz", sample()[0])
    masks = tuple(MaskSource(path=study / "masks" / f"{name}.nii.gz") for name in "ab")
    image = ImageSource(image_id="image", path=study / "images" / "die.nii.gz", modality="CT")
    liver = Structure(label_id=1, name="liver", values=(1,))
    case = CaseSource(case_id="x", cohort="", subject_id="x", images=(image,), masks=masks,
                      structures=(liver,))  # fmt: skip
    digests = input_digests([case])[0]
    with pytest.raises(case_worker.ReaderDiedError, match="SIGABRT"):
        case_worker.annotate_case(case, AnnotateOptions(dataset="x"), digests, tmp_path)


def test_memory_is_limited_by_what_headers_state(tmp_path):
    justified, per_voxel = case_worker.justified_bytes, case_worker.MEMORY_PER_VOXEL
    packed = tmp_path / "a.nii.gz"
    write_nifti(packed, np.zeros((50, 60, 70), np.uint8))
    n_bytes = packed.stat().st_size
    of_size = case_worker.MEMORY_PER_BYTE * n_bytes
    assert justified([packed], n_bytes) == of_size + per_voxel * 50 * 60 * 70
    # A header may say anything: no more than a file of that size can hold.
    header = bytearray(gzip.decompress(packed.read_bytes()))
    struct.pack_into("<3h", header, 42, 30_000, 30_000, 30_000)
    packed.write_bytes(gzip.compress(bytes(header)))
    n_bytes = packed.stat().st_size
    most = per_voxel * case_worker.MOST_VOXELS_PER_BYTE * n_bytes
    assert justified([packed], n_bytes) == case_worker.MEMORY_PER_BYTE * n_bytes + most
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(tmp_path / "b.png")  # of unknown spacing
    (tmp_path / "c.json").write_text("{}", encoding="utf-8")
    assert justified([tmp_path / "b.png", tmp_path / "c.json"], 7) == 700 + per_voxel * 30 * 40


def test_such_cases_are_tried_again(study, broken_readers, capfd):
    assert build(study, "die") == 1
    capfd.readouterr()
    assert build(study) == 1
    assert "already up to date" not in capfd.readouterr().out


def test_a_mistake_of_ours_ends_the_build_and_shows_where_it_was_made(study, broken_readers, capfd):
    assert build(study, "bug") == 1
    assert "medvision build: " in capfd.readouterr().err
    stop_worker()


def test_v_shows_the_traceback_of_a_mistake_of_ours(study, broken_readers):
    with pytest.raises(TypeError) as error:
        build(study, "bug", more=["-v"])
    shown = "".join(traceback.format_exception(error.value))
    # both sides of the line: where the build was, and where the other process was
    assert "table/build.py" in shown
    assert "table/annotate_case.py" in shown
    assert "in broken" in shown
    assert "volumes/read.py" in shown


def test_an_exception_of_a_library_is_a_case_of_its_own_with_v_too(study, broken_readers, capfd):
    for more in ([], ["-v"]):
        assert build(study, "library", more=more) == 1
        shown = capfd.readouterr()
        assert "3 of 4 cases" in shown.out
        assert "library: reader_failed: " in shown.err
        assert "its reader stopped with KeyError: 'as libraries do'" in shown.err
        assert ("Traceback" in shown.err) == bool(more)


def test_what_readers_log_is_logged_here(study, broken_readers, caplog):
    with caplog.at_level(logging.WARNING):
        assert build(study, "log") == 0
    assert "log.nii.gz: a word" in caplog.text


def test_one_process_serves_all_builds(study):
    assert build(study) == 0
    first = warm_worker()
    write_nifti(study / "images" / "d.nii.gz", sample()[0])
    write_nifti(study / "masks" / "d.nii.gz", sample()[1])
    assert build(study) == 0
    assert warm_worker() is first


def sample():
    from tests.table.conftest import phantom

    return phantom()


def test_a_process_that_was_killed_while_idle_is_replaced(study):
    assert build(study) == 0
    os.kill(warm_worker()._process.pid, signal.SIGKILL)
    time.sleep(0.2)
    (study / "tables" / "manifest.json").unlink()
    assert build(study) == 0


def test_a_process_that_is_killed_in_a_case_is_replaced_once(study, broken_readers, capfd):
    assert build(study, "kill-once") == 0
    assert build(study, "kill-always") == 1
    assert "the reader ended (SIGKILL)" in capfd.readouterr().err


def test_no_process_outlives_a_killed_parent(study):
    script = (
        "import sys, os, signal\n"
        "from medvision.table.case_worker import warm_worker\n"
        "print(warm_worker()._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    child = int(done.stdout)
    end_s = time.monotonic() + 20
    while _runs(child):
        assert time.monotonic() < end_s, "the reader lives on"
        time.sleep(0.05)


def _runs(process):
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:  # noqa: PTH123
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_reader_outlives_the_thread_that_started_it():
    """A notebook, or a server, builds in threads that come and go."""
    case_worker.stop_worker()
    found = []
    first = threading.Thread(target=lambda: found.append(case_worker.warm_worker()))
    first.start()
    first.join()
    time.sleep(0.5)
    assert case_worker.warm_worker() is found[0]
    assert found[0].is_alive()
    case_worker.stop_worker()
