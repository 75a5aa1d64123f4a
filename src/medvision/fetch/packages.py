"""Datasets whose files are in packages of a registry: the wanted members of each, verified."""

import fnmatch
import json
import logging
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from medvision.catalog.cohort import CaseFiles
from medvision.catalog.dataset import Dataset
from medvision.catalog.source import Source
from medvision.declarations import DeclarationError, decoded, read_json
from medvision.fetch.errors import FetchError
from medvision.fetch.records import MANIFEST
from medvision.fetch.registry import download, run_client
from medvision.storage import only_process, sha256_file, sync, write_text

logger = logging.getLogger(__name__)


def fetch_packages(dataset: Dataset, folder: Path, *, verify: bool) -> None:
    """Make the files of a dataset present and verified; a source whose files are there is left.

    Args:
        dataset: The declaration; all its sources are packages.
        folder: Its raw folder.
        verify: Recompute the digest of files that an earlier run has fetched.
    """
    with only_process(folder, "fetching", waits=True):
        for left in folder.glob(".*"):  # of a process that was killed
            if left.name.startswith((".fetch-", ".unpack-", ".draft-")):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        _fetch_missing(dataset, folder, _present(folder, verify=verify))


def _present(folder: Path, *, verify: bool) -> dict[str, str]:
    """Digests of the files that earlier runs have fetched and that are still there."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        return {}
    try:
        listed = decoded(dict[str, dict[str, str]], read_json(manifest), str(manifest))
    except DeclarationError as error:
        logger.warning("%s; fetching anew", error)
        return {}
    return {
        name: digest
        for name, digest in listed.get("sha256", {}).items()
        if (folder / name).is_file() and (not verify or sha256_file(folder / name) == digest)
    }


def _fetch_missing(dataset: Dataset, folder: Path, digests: dict[str, str]) -> None:
    """Fetch the sources of which a file is missing; the manifest grows with each."""
    for source in dataset.sources:
        if all(Path(member).name in digests for member in source.files):
            continue
        # Unpacked beside their target: a rename replaces a file whole, across disks it would not.
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            archive = download(source, Path(scratch))
            logger.info("%s: unpacking %s", dataset.name, archive.name)
            digests |= _unpack(source, archive, folder)
            _write_manifest(folder, digests)
    for case in dataset.cases:
        if case.mask_from_probabilities and case.mask not in digests:
            _write_mask_from_probabilities(case, folder)
            digests[case.mask] = sha256_file(folder / case.mask)
            _write_manifest(folder, digests)


def _write_manifest(folder: Path, digests: dict[str, str]) -> None:
    write_text(folder / MANIFEST, json.dumps({"sha256": dict(sorted(digests.items()))}, indent=1))


def _unpack(source: Source, archive: Path, folder: Path) -> dict[str, str]:
    """Copy the wanted members out of an archive, each under its last name, atomically."""
    fitting = (one for pattern, one in EXTRACTORS.items() if fnmatch.fnmatch(archive.name, pattern))
    extractor = next(fitting, None)
    if extractor is None:
        msg = f"{archive.name}: expected one of {sorted(EXTRACTORS)}"
        raise FetchError(msg)
    digests = {}
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder) as scratch:
        found = extractor(archive, source.files, Path(scratch))
        missing = sorted(set(source.files) - set(found))
        if missing:
            msg = f"{archive.name}: expected files {missing}, not found in the archive"
            raise FetchError(msg)
        for member, path in found.items():
            target = folder / Path(member).name
            sync(path)
            path.replace(target)
            digests[target.name] = sha256_file(target)
    return digests


def from_zip(archive: Path, members: tuple[str, ...], scratch: Path) -> dict[str, Path]:
    """Those of the wanted members that a ZIP archive or wheel holds, and where they are now."""
    with zipfile.ZipFile(archive) as bundle:
        names = set(bundle.namelist())
        return {m: Path(bundle.extract(m, scratch)) for m in members if m in names}


def from_tar(archive: Path, members: tuple[str, ...], scratch: Path) -> dict[str, Path]:
    """Those of the wanted members that a TAR archive holds, and where they are now."""
    with tarfile.open(archive) as bundle:
        names = set(bundle.getnames()) & set(members)
        for name in names:
            bundle.extract(name, scratch, filter="data")  # no links, no paths that lead outside
    return {name: scratch / name for name in names}


def from_deb(archive: Path, members: tuple[str, ...], scratch: Path) -> dict[str, Path]:
    """Those of the wanted members that a Debian package holds, and where they are now."""
    tool = shutil.which("dpkg-deb")
    if tool is None:
        msg = f"{archive.name}: unpacking a Debian package needs dpkg-deb, which is not installed"
        raise FetchError(msg)
    run_client([tool, "-x", str(archive), str(scratch)], scratch)
    return {m: scratch / m for m in members if (scratch / m).is_file()}


EXTRACTORS: dict[str, Callable[[Path, tuple[str, ...], Path], dict[str, Path]]] = {
    "*.whl": from_zip,
    "*.zip": from_zip,
    "*.tar.gz": from_tar,
    "*.deb": from_deb,
}
"""How archives are unpacked, by their names."""


def _write_mask_from_probabilities(case: CaseFiles, folder: Path) -> None:
    """A label map in which each voxel takes the label of its largest probability, if >= 0.5."""
    import nibabel as nib
    import numpy as np

    label_ids = [int(label_id) for label_id in case.mask_from_probabilities]
    names = case.mask_from_probabilities.values()
    images = [nib.nifti1.load(folder / name) for name in names]  # type: ignore[no-untyped-call]
    maps = np.stack([np.asarray(image.dataobj, dtype=np.float32) for image in images])
    if maps.max() > 1:  # of another scale, whose end stands for certainty
        maps /= maps.max()
    best = maps.argmax(axis=0)
    labels = np.where(maps.max(axis=0) >= 0.5, np.array(label_ids, dtype=np.uint8)[best], 0)
    draft = folder / f".draft-{case.mask}"
    mask = nib.Nifti1Image(labels.astype(np.uint8), images[0].affine)  # type: ignore[no-untyped-call]
    nib.save(mask, draft)
    sync(draft)
    draft.replace(folder / case.mask)
