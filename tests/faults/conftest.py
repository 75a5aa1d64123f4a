"""A small study with masks and landmarks, its tables and a run, made once and copied by tests."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medvision.cli import main
from tests.fetch.archive_files import write_archive
from tests.fetch.file_server import serving
from tests.fetch.toy import IMAGES, LABELS, declaration
from tests.table.test_odd_plans import PLAN

SHAPE = (24, 32, 10)
SPACING = (1.0, 0.8, 2.5)
N_CASES = 6


@dataclass(frozen=True, slots=True)
class Study:
    """A study: `tables` and `run` in a folder, and where the files lie that they are made from."""

    folder: Path
    inputs: Path

    @property
    def tables(self) -> Path:
        return self.folder / "tables"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def build(self) -> list[str]:
        """The command that makes the tables."""
        given = {
            "--images": self.inputs / "images",
            "--masks": self.inputs / "masks",
            "--labels": self.inputs / "labels.json",
            "--landmarks": self.inputs / "landmarks",
            "--biometrics": self.inputs / "biometrics.json",
            "--name": "study",
            "--modality": "CT",
            "--target-labels": "2",
            "--out": self.tables,
        }
        return ["build", *(str(word) for pair in given.items() for word in pair)]

    def eval(self, run: Path | None = None, *more: str) -> list[str]:
        """The command that asks."""
        words = ["eval", "--tables", self.tables, "--task", "tl", "--model", "baseline/constant:9"]
        return [*map(str, [*words, "--run", run or self.run]), *more]

    def copy(self, place: Path) -> "Study":
        """The same study elsewhere, its images shared."""
        place.mkdir(parents=True)
        for own in ("tables", "run"):
            if (self.folder / own).exists():
                shutil.copytree(self.folder / own, place / own)
        return Study(place, self.inputs)


def make_inputs(folder: Path) -> Study:
    """Images with a box and an ellipsoid, and two landmarks each."""
    for kind in ("images", "masks", "landmarks"):
        (folder / kind).mkdir(parents=True)
    affine = np.diag([*SPACING, 1.0])
    i, j, k = np.indices(SHAPE)
    for number in range(N_CASES):
        labels = np.zeros(SHAPE, np.uint8)
        labels[2:9, 4 + number % 3 : 14, 2:8] = 1
        labels[((i - 16) / 6) ** 2 + ((j - 22) / 8) ** 2 + ((k - 5) / 4) ** 2 <= 1] = 2
        noise = np.random.default_rng(number).normal(0, 8, SHAPE)
        name = f"c{number}.nii.gz"
        nib.save(nib.Nifti1Image((labels * 60 + noise).astype(np.int16), affine),
                 folder / "images" / name)  # fmt: skip
        nib.save(nib.Nifti1Image(labels, affine), folder / "masks" / name)
        points = {"P1": [4, 6, 5], "P2": [14, 20 + number, 5]}
        (folder / "landmarks" / f"c{number}.json").write_text(json.dumps(points))
    (folder / "labels.json").write_text(json.dumps({"1": "liver", "2": "liver tumor"}))
    spec = {
        "landmarks": {"P1": "left end", "P2": "right end"},
        "lines": {"L1": {"name": "span", "landmarks": ["P1", "P2"]}},
        "measure": [{"kind": "distance", "key": "L1", "plane": "axial"}],
    }
    (folder / "biometrics.json").write_text(json.dumps(spec))
    return Study(folder, folder)


@contextmanager
def offered(study: Study):
    """What other commands take: a host with a dataset, a folder, a plan, results of others."""
    from tests.describe import trees  # which need the extra `dicom`

    trees.nnunet_v2(study.inputs / "tree")
    write_archive(study.inputs / "offered" / "images.zip", IMAGES)
    write_archive(study.inputs / "offered" / "labels.tar.gz", LABELS)
    (study.inputs / "plan.json").write_text(json.dumps(PLAN), encoding="utf-8")
    (study.inputs / "model").mkdir()
    group = {
        "targets": [f"[{n + 10}, {n + 5}]" for n in range(20)],
        "responses": ["9,9", ""] * 10,
        "doc_metas": [{"image_file": f"/x/KiTS23/c{n % 7}.nii.gz", "label": 2} for n in range(20)],
    }
    results = study.inputs / "model" / "summary_values_TL_Task.json"
    results.write_text(json.dumps({"kidney tumor @ CT (A)": group}), encoding="utf-8")
    with serving() as server:
        offer = study.inputs / "offered"
        server.files = {f"/{path.name}": path.read_bytes() for path in offer.iterdir()}
        (study.inputs / "catalog").mkdir()
        declared = declaration(offer, server.url)
        (study.inputs / "catalog" / "toy.toml").write_text(declared, encoding="utf-8")
        yield study


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    made = make_inputs(tmp_path_factory.mktemp("faults") / "study")
    assert main(made.build()) == 0
    assert main(made.eval()) == 0
    with offered(made):
        yield made
