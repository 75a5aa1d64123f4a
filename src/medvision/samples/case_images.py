"""The images of a table folder's cases, as samples need them: one row each, found by array."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.catalog.dataset import declared_image, measured_image
from medvision.table.read import image_path, read_cases, tables_manifest

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

IMAGE_SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("modality", pa.string()),
        ("image_uri", pa.string()),
        ("image_sha256", pa.string()),
        ("description", pa.string()),
        ("spacing_from", pa.string()),
    ]
)
"""What a sample takes from its image."""

_BETWEEN = "\x1f"
_CASE = ("cohort", "case_id")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseImages:
    """Cases by number, in the order of `cases.parquet`, and their images by number.

    Attributes:
        dataset: Its name.
        images: One row per image, columns as in `IMAGE_SCHEMA`; those of a case are neighbours.
        first: (n_cases,) number of each case's first image.
        count: (n_cases,) how many images of each case may be asked about.
        is_picture: (n_cases,) whether a case is a 2D image.
        is_suspect: (n_cases,) whether its spacing is a known placeholder.
    """

    dataset: str
    images: pa.Table
    first: IntArray
    count: IntArray
    is_picture: BoolArray
    is_suspect: BoolArray
    _case_keys: pa.Array
    _image_keys: pa.Array
    _is_one_named: bool

    def case_numbers(self, rows: pa.Table) -> IntArray:
        """(n_rows,) case of each table row."""
        return _places(_joined(rows, _CASE), self._case_keys)

    def every_image(self, cases: IntArray) -> tuple[IntArray, IntArray]:
        """Each row with each of its case's images: (row places, image numbers), row by row."""
        count = self.count[cases]
        rows = np.repeat(np.arange(len(cases)), count)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        return rows, self.first[cases][rows] + within

    def one_image(self, cases: IntArray, rows: pa.Table) -> tuple[IntArray, IntArray]:
        """Each row with the one image on which its structure is measured.

        It is the one that the task names, else the catalogue's for the label, or the first.
        Rows whose case has no image left are not among the places.
        """
        numbers = self.first[cases]
        if not self._is_one_named:
            labels = np.asarray(rows["label_id"])
            for kind in rows.group_by(["cohort", "label_id"]).aggregate([]).to_pylist():
                cohort, label_id = kind["cohort"], kind["label_id"]
                declared = measured_image(self.dataset, cohort, label_id)
                if declared is not None:
                    here = (labels == label_id) & np.asarray(pc.equal(rows["cohort"], cohort))
                    cases_here = _joined(rows.filter(pa.array(here)), _CASE)
                    keys = pc.binary_join_element_wise(cases_here, declared, _BETWEEN)
                    found = _places(keys, self._image_keys)
                    numbers[here] = np.where(found < 0, numbers[here], found)
        places = np.flatnonzero(self.count[cases])
        return places, numbers[places]

    def own_image(self, rows: pa.Table) -> tuple[IntArray, IntArray]:
        """Each row with the image that it names; rows whose image may not be asked about: none."""
        numbers = _places(_joined(rows, (*_CASE, "image_id")), self._image_keys)
        places = np.flatnonzero(numbers >= 0)
        return places, numbers[places]


def read_case_images(tables: Path, *, root: Path | None = None, image_id: str = "") -> CaseImages:
    """The cases of a table folder and their images.

    Args:
        tables: Table folder.
        root: Data root that replaces the one the tables were built under.
        image_id: Only images of this id; "" for all.
    """
    manifest = tables_manifest(tables)
    cases = read_cases(tables).to_pylist()
    images: list[dict[str, Any]] = []
    keys: list[str] = []
    counts = []
    for case in cases:
        kept = [image for image in case["images"] if image_id in ("", image["image_id"])]
        counts.append(len(kept))
        for image in kept:
            declared = declared_image(case["dataset"], case["cohort"], image["image_id"])
            keys.append(_BETWEEN.join([case["cohort"], case["case_id"], image["image_id"]]))
            images.append(
                {
                    "image_id": image["image_id"],
                    "modality": image["modality"],
                    "image_uri": str(image_path(image["uri"], tables, root)),
                    "image_sha256": image["sha256"],
                    "description": declared.description if declared else manifest["description"],
                    "spacing_from": manifest["options"]["spacing_from"] or "",
                }
            )
    count = np.array(counts, dtype=np.int64)
    return CaseImages(
        dataset=manifest["name"],
        images=pa.Table.from_pylist(images, IMAGE_SCHEMA),
        first=np.cumsum(count) - count,
        count=count,
        is_picture=np.array([len(case["shape_ijk"]) == 2 for case in cases], dtype=bool),
        is_suspect=np.array(["spacing_suspect" in case["flags"] for case in cases], dtype=bool),
        _case_keys=pa.array([_BETWEEN.join([c["cohort"], c["case_id"]]) for c in cases]),
        _image_keys=pa.array(keys, pa.string()),
        _is_one_named=bool(image_id),
    )


def _joined(rows: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(rows[name] for name in names), _BETWEEN)


def _places(keys: pa.ChunkedArray, among: pa.Array) -> IntArray:
    """Place of each key, −1 where it is not among them."""
    found = pc.fill_null(pc.index_in(keys, among), -1)
    return np.asarray(found, dtype=np.int64)
