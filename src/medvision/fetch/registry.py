"""Archives from package registries, through the clients the user has set up: pip and apt-get.

No address appears here: pip and apt know theirs, with the user's mirrors and proxies.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from medvision.catalog.source import Source, SourceKind
from medvision.fetch.errors import ChecksumError, FetchError
from medvision.storage import sha256_file

logger = logging.getLogger(__name__)

TIMEOUT_S = 900


def download(source: Source, folder: Path) -> Path:
    """Download a source's archive into `folder` and verify it.

    Returns:
        Path of the archive.

    Raises:
        FetchError: The client is missing or fails; its last words are in the message.
        ChecksumError: The archive's digest differs from the pinned one.
    """
    folder = folder.resolve()  # the clients run in it, where a relative path would mean another
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.iterdir())
    CLIENTS[source.kind](source, folder)
    new = sorted(set(folder.iterdir()) - before)
    if len(new) != 1:
        msg = f"{source.package} {source.version}: expected one archive, found {len(new)}"
        raise FetchError(msg)
    found = sha256_file(new[0])
    if found != source.sha256:
        new[0].unlink()
        msg = (
            f"{source.package} {source.version}: expected sha256 {source.sha256}, found {found}; "
            "the registry serves another build of this version"
        )
        raise ChecksumError(msg)
    return new[0]


def run_client(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run another program in `folder`.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        environment: Instead of ours.

    Raises:
        FetchError: It cannot be run or fails; the end of what it printed is in the message.
    """
    try:
        done = subprocess.run(  # noqa: S603 - arguments come from our own catalogue
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"{command[0]} could not run: {error}"
        raise FetchError(msg) from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-800:]
        msg = f"`{Path(command[0]).name}` failed with exit status {done.returncode}: {words}"
        raise FetchError(msg)


def download_with_pip(source: Source, folder: Path) -> None:
    """Download a wheel or source archive by its pinned version and digest."""
    with tempfile.TemporaryDirectory(prefix="medvision-pip-") as scratch:
        pin = Path(scratch) / "pin.txt"
        pin.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
        command += ["--quiet", "--no-deps", "--dest", str(folder), "--requirement", str(pin)]
        environment = None
        if source.sdist:
            # pip runs an old archive's set-up script to read its metadata even when it only
            # downloads. What the script imports goes beside pip, not into the user's environment;
            # pip has checked the archive's digest by then.
            build = Path(scratch) / "build"
            install = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
            install += ["--quiet", "--target", str(build), *source.build_requires]
            run_client(install, folder)
            command += ["--no-binary", ":all:", "--no-build-isolation"]
            environment = {**os.environ, "PYTHONPATH": str(build)}
        else:
            command += ["--only-binary", ":all:"]
        run_client(command, folder, environment)


def download_with_apt(source: Source, folder: Path) -> None:
    """Download a Debian package by its pinned version, without root's rights."""
    if shutil.which("apt-get") is None:
        msg = (
            f"{source.package} is a Debian package and this machine has no apt-get; "
            "use a Debian-based machine or another dataset"
        )
        raise FetchError(msg)
    wanted = f"{source.package}={source.version}"
    try:
        run_client(["apt-get", "download", wanted], folder)
    except FetchError:
        # A fresh machine or container has no package lists; ours are private and thrown away.
        logger.info("apt-get does not know %s yet; reading the package lists", wanted)
        with tempfile.TemporaryDirectory(prefix="medvision-apt-") as lists:
            (Path(lists) / "partial").mkdir()
            own_lists = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={lists}"]
            run_client(["apt-get", *own_lists, "update"], folder)
            run_client(["apt-get", *own_lists, "download", wanted], folder)


CLIENTS = {SourceKind.PIP: download_with_pip, SourceKind.APT: download_with_apt}
"""How each kind of source that needs no person is downloaded."""
