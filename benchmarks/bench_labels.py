"""Seconds of a processor that a build takes per GB of archives, by the number of labels.

Run from the repository root:

    python -m benchmarks.bench_labels [--repeats 3]

Volumes of 256×256×60 voxels with the noise of a CT, and as many ellipsoids in a grid as there are
labels, in one label map or in a file each; tables of three planes. GB are those of the files as
they are packed. Seconds are of the build and of its worker together, so that a busy machine counts
no other's work, after a first build, so that their start counts for nothing; the least of the
repeats is shown. `BUILD_S_PER_GB` of `fetch/page.py` holds what was measured.
"""

import argparse
import os
import resource
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from medvision.catalog.dataset import Dataset, parse_dataset
from medvision.table.build import build_tables
from medvision.table.declared import declared_request, found_cases

SHAPE = (256, 256, 60)
LABELS = (1, 4, 15, 50, 120)
CASES = 3


def label_map(n_labels: int) -> np.ndarray:
    """Ellipsoids in a grid of columns, the label counting along it."""
    side = int(np.ceil(np.sqrt(n_labels)))
    step = 200 // side
    i, j, k = np.ogrid[:step, :step, : SHAPE[2]]
    half = step / 2
    inside = ((i - half) / (0.42 * step)) ** 2 + ((j - half) / (0.42 * step)) ** 2
    inside = inside + ((k - 30) / 25) ** 2 <= 1
    labels = np.zeros(SHAPE, np.uint8)
    for label in range(n_labels):
        row, column = divmod(label, side)
        i0, j0 = 28 + row * step, 28 + column * step
        labels[i0 : i0 + step, j0 : j0 + step][inside] = label + 1
    return labels


def declaration(n_labels: int, form: str) -> str:
    """One CT a case, with one label map or a file for each structure."""
    labels = "\n".join(f'{n} = "structure {n}"' for n in range(1, n_labels + 1))
    one = 'mask = "{case}/masks/mask.nii.gz"'
    each = 'masks = ["{case}/masks/{structure}.nii.gz"]\nwinner = "first"'
    return f"""
name = "bench"
[labels]
{labels}
[[cohorts]]
{one if form == "one label map" else each}
[[cohorts.images]]
modality = "CT"
files = "{{case}}/image.nii.gz"
"""


def processor_s() -> float:
    """Seconds of this process and of those that it has started and that still run (Linux)."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    spent = own.ru_utime + own.ru_stime
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text("utf-8").split():
        # After the name, which may hold spaces: state, then numbers; 12th and 13th are times.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        spent += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def main() -> None:
    """Print a line for each number of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(1)
    values = (rng.normal(0, 12, SHAPE) + 40).astype(np.int16)
    for n_labels in LABELS:
        labels = label_map(n_labels)
        for form in ("one label map", "a file each"):
            dataset = parse_dataset(declaration(n_labels, form), "bench.toml")
            with tempfile.TemporaryDirectory() as scratch:
                files = case_files(Path(scratch) / "drawn", values, labels, form)
                size = sum(path.stat().st_size for path in files) / 1e9
                build_s(dataset, files, 1, Path(scratch) / "warm")
                spent = [
                    build_s(dataset, files, CASES, Path(scratch) / f"{n}") for n in range(repeats)
                ]
                shown = min(spent) / (CASES * size)
            print(f"{n_labels:4} labels, {form:<14} {shown:7.1f} s per GB", flush=True)


def case_files(folder: Path, values: np.ndarray, labels: np.ndarray, form: str) -> list[Path]:
    """The files of one case: its image, then its masks."""
    affine = np.diag([0.8, 0.8, 2.5, 1.0])
    folder.mkdir()
    masks = {"mask": labels}
    if form == "a file each":
        masks = {f"structure {n}": (labels == n).astype(np.uint8) for n in np.unique(labels)[1:]}
    paths = []
    for name, array in {"image": values, **masks}.items():
        paths.append(folder / f"{name}.nii.gz")
        nib.save(nib.Nifti1Image(array, affine), paths[-1])
    return paths


def build_s(dataset: Dataset, files: list[Path], n_cases: int, root: Path) -> float:
    """Processor seconds of a build of as many cases, of the same content."""
    for case in range(n_cases):
        folder = root / "raw" / f"c{case}"
        (folder / "masks").mkdir(parents=True)
        for rank, path in enumerate(files):
            # Each with a byte of its own: equal files are told, and not what is measured.
            place = folder / (path.name if rank == 0 else f"masks/{path.name}")
            place.write_bytes(path.read_bytes() + bytes(case))
    before_s = processor_s()
    request = declared_request(dataset, found_cases(dataset, root / "raw"), root=root)
    summary = build_tables(request, root / "tables")
    if summary.n_built != n_cases:
        msg = f"expected {n_cases} cases, built {summary.n_built}: {summary.problems[:1]}"
        raise SystemExit(msg)
    return processor_s() - before_s


if __name__ == "__main__":
    main()
