"""Fixtures shared by all tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_root(request):
    """Data root with the real sample datasets built, kept between test runs.

    Skipped where the package registries cannot be reached; on CI that is a failure.
    """
    root = Path(request.config.cache.mkdir("real-images"))
    for name in ("colin27-aal", "pyradiomics-tumors", "afids-mni", "mni152-tissue"):
        command = [sys.executable, "-m", "medvision.cli", "build", name, "--root", str(root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            if os.environ.get("CI"):
                pytest.fail(f"{name}: {done.stdout}{done.stderr}")
            if name != "colin27-aal":
                pytest.skip(f"needs the package registries: {done.stderr.strip()[-300:]}")
    return root
