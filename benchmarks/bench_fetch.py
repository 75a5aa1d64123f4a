"""Seconds per GB from archives to tables: download, check and unpack, build.

Run from the repository root:

    python -m benchmarks.bench_fetch [--cases 4]

Volumes of 512×512×100 voxels with the noise of a CT, so that they pack as one does (about half),
and masks of a kidney and a tumour; a server on 127.0.0.1 offers them as one archive. GB are those
of the archive.
"""

import argparse
import functools
import http.server
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np

from medvision.catalog.dataset import load_dataset, parse_dataset
from medvision.fetch import FetchSettings, fetch
from medvision.table.build import build_tables
from medvision.table.declared import declared_request, found_cases

SHAPE = (512, 512, 100)


def write_archive(path: Path, n_cases: int) -> None:
    """An archive of images and masks, stored: its members are packed already."""
    rng = np.random.default_rng(1)
    i, j, k = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    affine = np.diag([0.8, 0.8, 2.5, 1.0])
    with zipfile.ZipFile(path, "w") as bundle:
        for case in range(n_cases):
            body = (i - 256) ** 2 + (j - 256) ** 2 < 200**2
            values = np.where(body, 40.0, -1000.0) + rng.normal(0, 12, SHAPE)
            kidney = (i - 180) ** 2 + (j - 300) ** 2 + (3 * (k - 50)) ** 2 < 45**2
            tumor = (i - 195) ** 2 + (j - 300 - case) ** 2 + (3 * (k - 50)) ** 2 < 15**2
            mask = kidney.astype(np.uint8)
            mask[tumor & kidney] = 2
            for folder, array in (("Images", values.astype(np.int16)), ("Masks", mask)):
                file = path.with_name("one.nii.gz")
                nib.save(nib.Nifti1Image(array, affine), file)
                bundle.write(file, f"{folder}/case_{case:05}.nii.gz")
                file.unlink()


def declaration(url: str) -> str:
    """One archive at an address; the rest is that of a catalogued dataset."""
    return f"""
name = "bench"
licence = "CC0"
[[sources]]
kind = "s3"
url = "{url}"
downloads = ["all.zip"]
[labels]
1 = "kidney"
2 = {{ name = "kidney tumor", target = true }}
[[cohorts]]
mask = "Masks/{{case}}.nii.gz"
[[cohorts.images]]
modality = "CT"
files = "Images/{{case}}.nii.gz"
"""


def main() -> None:
    """Print seconds per GB of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=4)
    n_cases = parser.parse_args().cases
    load_dataset("KiTS23")  # what every process does once is not measured
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "offered").mkdir()
        write_archive(root / "offered" / "all.zip", n_cases)
        gigabytes = (root / "offered" / "all.zip").stat().st_size / 1e9
        quiet = type(
            "Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: 0}
        )
        handler = functools.partial(quiet, directory=str(root / "offered"))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        dataset = parse_dataset(declaration(url), "bench.toml")
        start_s = time.perf_counter()
        raw = fetch(dataset, root, settings=FetchSettings(accept_licence=True))
        fetched_s = time.perf_counter()
        request = declared_request(dataset, found_cases(dataset, raw), root=root)
        summary = build_tables(request, root / "tables")
        built_s = time.perf_counter()
        server.shutdown()
    print(f"{n_cases} cases, {gigabytes:.2f} GB, {summary.n_regions} regions")
    print(f"download, check, unpack  {(fetched_s - start_s) / gigabytes:7.1f} s per GB")
    print(f"build                    {(built_s - fetched_s) / gigabytes:7.1f} s per GB")


if __name__ == "__main__":
    main()
