"""Voxels of a header's data files: raw, deflated, bzip2 or text, in one file or in several."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medvision.volumes.errors import BadHeaderError, CorruptFileError, TruncatedFileError
from medvision.volumes.gzip_stream import Packing, packed_bytes
from medvision.volumes.volume import VoxelArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelFiles:
    """Where a header says its voxels are.

    Attributes:
        header: For messages.
        files: In the order of the voxels; each holds an equal share.
        packing: Of each file's bytes, or "text": numbers parted by white space.
        dtype: As stored, with its byte order.
        sizes: Of all axes, the first one fastest.
        packed_from: Bytes of each file before the voxels or their stream; -1: they are its last.
        skip_lines: Lines of each file to skip from there.
        skip_bytes: Unpacked bytes to skip from there.
    """

    header: Path
    files: tuple[Path, ...]
    packing: Packing | Literal["text"]
    dtype: np.dtype[Any]
    sizes: tuple[int, ...]
    packed_from: int = 0
    skip_lines: int = 0
    skip_bytes: int = 0


def read_voxels(found: VoxelFiles) -> VoxelArray:
    """Voxels of all axes, in the machine's byte order.

    Sizes are compared with those of the files before memory is taken for them.

    Raises:
        ItemError: Files that are damaged, or hold fewer or more voxels than the header says.
    """
    n_voxels, n_files = math.prod(found.sizes), len(found.files)
    if n_voxels % n_files:
        msg = f"{found.header}: {n_voxels} voxels do not divide among {n_files} data files"
        raise BadHeaderError(msg)
    share = n_voxels // n_files
    parts = [_part(found, path, share) for path in found.files]
    voxels: VoxelArray = parts[0] if n_files == 1 else np.concatenate(parts)
    voxels = voxels.astype(found.dtype.newbyteorder("="), copy=False)
    return voxels.reshape(found.sizes, order="F")


def _part(found: VoxelFiles, path: Path, n_voxels: int) -> VoxelArray:
    packed_from = found.packed_from
    if found.skip_lines:
        packed_from = _after_lines(path, packed_from, found.skip_lines)
    if found.packing == "text":
        return _numbers(found, path, packed_from + found.skip_bytes, n_voxels)
    raw = packed_bytes(
        path,
        found.packing,
        packed_from=packed_from,
        start=found.skip_bytes,
        count=n_voxels * found.dtype.itemsize,
    )
    return raw.view(found.dtype)


def _after_lines(path: Path, start: int, n_lines: int) -> int:
    with path.open("rb") as file:
        file.seek(start)
        for n_read in range(n_lines):
            if not file.readline():
                msg = f"{path}: expected {n_lines} lines before the voxels, found {n_read}"
                raise TruncatedFileError(msg)
        return file.tell()


def _numbers(found: VoxelFiles, path: Path, start: int, n_voxels: int) -> VoxelArray:
    size = path.stat().st_size - start
    if size + 1 < 2 * n_voxels:  # a digit and a space for each
        msg = f"{path}: expected {n_voxels} numbers, found {max(size, 0)} bytes of text"
        raise TruncatedFileError(msg)
    with path.open("rb") as file:
        file.seek(start)
        words = file.read().split()
    if len(words) != n_voxels:
        msg = f"{path}: expected {n_voxels} numbers, found {len(words)}; fetch the file again"
        raise TruncatedFileError(msg) if len(words) < n_voxels else CorruptFileError(msg)
    try:
        # By Python's own numbers: NumPy would let 300 wrap round into eight bits.
        kind = float if found.dtype.kind == "f" else int
        return np.array([kind(word) for word in words], dtype=found.dtype)
    except (ValueError, OverflowError) as error:
        msg = f"{path}: expected {n_voxels} numbers of {found.dtype.name}, found other ({error})"
        raise CorruptFileError(msg) from error
