"""Fixtures shared by all tests."""

import fcntl
import json
import locale
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from medvision.cli import main
from tests.model_server import ModelServer

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# A shell that runs the tests in the background makes them, and all that they start, deaf to Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_locale():
    """The locale each test found: ITK's DICOM reader leaves the process in the locale `C`.

    There, text is ASCII for every test after it that names no encoding.
    """
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.fixture(scope="session")
def real_root(request, tmp_path_factory):
    """Data root with the real sample datasets built, kept between test runs.

    Skipped where the package registries cannot be reached; on CI that is a failure.
    """
    cache = getattr(request.config, "cache", None)  # None with `-p no:cacheprovider`
    root = Path(cache.mkdir("real-images")) if cache else tmp_path_factory.mktemp("real-images")
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may want to build the same just now
        for name in ("colin27-aal", "pyradiomics-tumors", "afids-mni", "mni152-tissue"):
            command = [sys.executable, "-m", "medvision.cli", "build", name, "--root", str(root)]
            done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=1800)
            if done.returncode:
                if os.environ.get("CI"):
                    pytest.fail(f"{name}: {done.stdout}{done.stderr}")
                if name != "colin27-aal":
                    pytest.skip(f"needs the package registries: {done.stderr.strip()[-300:]}")
    return root


@pytest.fixture
def serve():
    """Start servers that do as they are told; all are gone after the test."""
    with ExitStack() as started:

        def start(behave):
            server = ModelServer(behave)
            started.callback(server.stop)
            return server

        yield start


STUDY_SHAPE = (60, 80, 24)
STUDY_SPACING = (1.0, 0.8, 2.5)


def label_map(shift):
    """1: box; 2: ellipsoid (target); 3: two boxes."""
    i, j, k = np.indices(STUDY_SHAPE)
    labels = np.zeros(STUDY_SHAPE, np.uint8)
    labels[5:25, 10 + shift : 40, 4:16] = 1
    labels[((i - 44) / 10) ** 2 + ((j - 30) / 16) ** 2 + ((k - 11) / 6) ** 2 <= 1] = 2
    labels[5:20, 50:70, 4:16] = 3
    labels[25:40, 50:70, 4:10] = 3
    return labels


@pytest.fixture(scope="session")
def study_tables(tmp_path_factory):
    """Ten cases of one image each, built by the command."""
    folder = tmp_path_factory.mktemp("study")
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    affine = np.diag([*STUDY_SPACING, 1.0])
    for number in range(10):
        labels = label_map(number % 4)
        rng = np.random.default_rng(number)
        image = (labels * 60 + rng.normal(0, 8, STUDY_SHAPE)).astype(np.int16)
        nib.save(nib.Nifti1Image(image, affine), folder / "images" / f"c{number}.nii.gz")
        nib.save(nib.Nifti1Image(labels, affine), folder / "masks" / f"c{number}.nii.gz")
    (folder / "labels.json").write_text(
        json.dumps({"1": "liver", "2": "liver tumor", "3": "kidney"})
    )
    words = ["build", "--images", folder / "images", "--masks", folder / "masks"]
    words += ["--labels", folder / "labels.json", "--name", "study 1", "--modality", "CT"]
    words += ["--target-labels", "2", "--out", folder / "tables"]
    assert main([str(word) for word in words]) == 0
    return folder / "tables"
