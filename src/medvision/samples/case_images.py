"""The images of a table folder's cases, as samples need them: one row each, found by array."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.catalog.asked import AskedImages, catalogued_images
from medvision.declarations import decoded
from medvision.table.read import image_path, read_cases, tables_manifest
from medvision.table.schema import fact_columns
from medvision.table.unscaled import SPACING_UNKNOWN

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
        ("ct_window", pa.bool_()),
    ]
)
"""What a sample takes from its image."""

_BETWEEN = "\x1f"
_NOT_DECLARED = -2
_CASE = ("cohort", "case_id")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseImages:
    """Cases by number, in the order of `cases.parquet`, and their images by number.

    Attributes:
        dataset: Its name.
        asked: What its declaration says of images and labels.
        facts: One row per case: what is known of its subject beside its name.
        images: One row per image, columns as in `IMAGE_SCHEMA`; those of a case are neighbours.
        first: (n_cases,) number of each case's first image.
        count: (n_cases,) how many images of each case may be asked about.
        is_picture: (n_cases,) whether a case is a 2D image.
        is_suspect: (n_cases,) whether its spacing is a known placeholder.
        is_unscaled: (n_cases,) whether the size of its pixels is unknown.
    """

    dataset: str
    asked: AskedImages
    facts: pa.Table
    images: pa.Table
    first: IntArray
    count: IntArray
    is_picture: BoolArray
    is_suspect: BoolArray
    is_unscaled: BoolArray
    _case_keys: pa.Array
    _image_keys: pa.Array
    _is_one_named: bool

    def case_numbers(self, rows: pa.Table) -> IntArray:
        """(n_rows,) case of each table row."""
        return _places(_joined(rows, _CASE), self._case_keys)

    def detected_images(self, cases: IntArray, rows: pa.Table) -> tuple[IntArray, IntArray]:
        """Each row with each image that its structure is looked for on, row by row.

        It is the one that the task names, else the one that the label declares, or all.
        """
        declared = self._declared_images(rows, self.asked.detected_on)
        alone = np.where(declared == _NOT_DECLARED, self.count[cases], declared >= 0)
        places = np.repeat(np.arange(len(cases)), alone)
        within = np.arange(len(places)) - np.repeat(np.cumsum(alone) - alone, alone)
        numbers = np.where(declared >= 0, declared, self.first[cases])
        return places, numbers[places] + within

    def one_image(self, cases: IntArray, rows: pa.Table) -> tuple[IntArray, IntArray]:
        """Each row with the one image on which its structure is measured.

        It is the one that the task names, else the one that is declared for the label, or the
        first. Rows whose case has no such image are not among the places.
        """
        declared = self._declared_images(rows, self.asked.measured_on)
        numbers = np.where(declared == _NOT_DECLARED, self.first[cases], declared)
        places = np.flatnonzero((declared >= 0) | ((declared == _NOT_DECLARED) & self.has(cases)))
        return places, numbers[places]

    def has(self, cases: IntArray) -> BoolArray:
        """(n,) whether a case has an image left."""
        return self.count[cases] > 0

    def _declared_images(
        self, rows: pa.Table, declared_on: Mapping[str, Mapping[str, str]]
    ) -> IntArray:
        """(n,) number of the image declared for each row's label; −1 where its case lacks it."""
        numbers = np.full(rows.num_rows, _NOT_DECLARED)
        if self._is_one_named:
            return numbers
        labels = np.asarray(rows["label_id"])
        for kind in rows.group_by(["cohort", "label_id"]).aggregate([]).to_pylist():
            cohort, label_id = kind["cohort"], kind["label_id"]
            image_id = declared_on.get(cohort, {}).get(str(label_id))
            if image_id is not None:
                here = (labels == label_id) & np.asarray(pc.equal(rows["cohort"], cohort))
                cases_here = _joined(rows.filter(pa.array(here)), _CASE)
                keys = pc.binary_join_element_wise(cases_here, image_id, _BETWEEN)
                numbers[here] = _places(keys, self._image_keys)
        return numbers

    def own_image(self, rows: pa.Table) -> tuple[IntArray, IntArray]:
        """Each row with the image that it names; rows whose image may not be asked about: none."""
        numbers = _places(_joined(rows, (*_CASE, "image_id")), self._image_keys)
        places = np.flatnonzero(numbers >= 0)
        return places, numbers[places]


def tables_asked(manifest: Mapping[str, Any]) -> AskedImages:
    """What the declaration of a table folder says of images and labels.

    Tables of earlier versions do not say it; that of their dataset is in the catalogue, if at all.
    """
    if "asked" not in manifest:
        return catalogued_images(manifest["name"])
    return decoded(AskedImages, manifest["asked"], f"manifest of {manifest['name']}: asked")


def read_case_images(tables: Path, *, root: Path | None = None, image_id: str = "") -> CaseImages:
    """The cases of a table folder and their images.

    Args:
        tables: Table folder.
        root: Data root that replaces the one the tables were built under.
        image_id: Only images of this id; "" for all.
    """
    manifest = tables_manifest(tables)
    asked = tables_asked(manifest)
    rows = read_cases(tables)
    cases = rows.to_pylist()
    images: list[dict[str, Any]] = []
    keys: list[str] = []
    counts = []
    for case in cases:
        kept = [image for image in case["images"] if image_id in ("", image["image_id"])]
        counts.append(len(kept))
        for image in kept:
            described = asked.descriptions.get(case["cohort"], {}).get(image["image_id"], "")
            keys.append(_BETWEEN.join([case["cohort"], case["case_id"], image["image_id"]]))
            images.append(
                {
                    "image_id": image["image_id"],
                    "modality": image["modality"],
                    "image_uri": str(image_path(image["uri"], tables, root)),
                    "image_sha256": image["sha256"],
                    "description": described or manifest["description"],
                    "spacing_from": manifest["options"]["spacing_from"] or "",
                    "ct_window": asked.has_window(case["cohort"], image["image_id"]),
                }
            )
    count = np.array(counts, dtype=np.int64)
    return CaseImages(
        dataset=manifest["name"],
        asked=asked,
        facts=rows.select(fact_columns(rows.column_names)),
        images=pa.Table.from_pylist(images, IMAGE_SCHEMA),
        first=np.cumsum(count) - count,
        count=count,
        is_picture=np.array([len(case["shape_ijk"]) == 2 for case in cases], dtype=bool),
        is_suspect=np.array(["spacing_suspect" in case["flags"] for case in cases], dtype=bool),
        is_unscaled=np.array([SPACING_UNKNOWN in case["flags"] for case in cases], dtype=bool),
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
