"""Masks on slices, for drawings: read again from their files, checked against the tables."""

import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from medvision.analysis.drawing.outline import Stretches, outline_px
from medvision.errors import ItemError
from medvision.frames import Plane, View, pixels_in_view
from medvision.samples import Sample
from medvision.table.cases import CaseSource, ImageSource, Structure
from medvision.table.mask_layers import holds_segments, mask_layers
from medvision.table.read import (
    image_path,
    read_cases,
    read_regions,
    tables_manifest,
)
from medvision.table.unscaled import NOMINAL_YX_MM
from medvision.volumes import Volume, read_label_map, read_volume, slice_pixels
from medvision.volumes.stored import ReadOptions, SpacingFrom
from medvision.volumes.suffixes import PICTURE as PICTURE_SUFFIXES

logger = logging.getLogger(__name__)

Row = dict[str, Any]

_ON_SLICE = ("cohort", "case_id", "plane", "slice_index")


def rows_on_slice(where: Row) -> pc.Expression:
    """Filter for rows of the slice that another row or mapping names."""
    cohort, case_id, plane, slice_index = (pc.field(name) == where[name] for name in _ON_SLICE)
    return cohort & case_id & plane & slice_index


class MaskOutlines:
    """Borders of labels on slices of the cases of one table folder; keeps the last mask read.

    A label's border is given only where its pixels agree with the tables. They do not where the
    tables' structures are made of several values of the mask: which ones, tables do not tell.
    """

    def __init__(self, tables: Path, root: Path | None = None) -> None:
        """Outlines for a table folder; `root` re-bases its paths."""
        self._tables, self._root = tables, root
        rows = read_cases(tables).to_pylist()
        self._cases: dict[tuple[str, str], Row] = {(r["cohort"], r["case_id"]): r for r in rows}
        self._spacing_from = tables_manifest(tables)["options"]["spacing_from"] or None
        self._last: tuple[str, dict[int, Volume]] = ("", {})

    def of_sample(self, sample: Sample) -> Stretches | None:
        """Border of the structure a sample asks for; None where there is none to be had."""
        if sample.label_id is None:
            return None
        names = {name: getattr(sample, name) for name in _ON_SLICE}
        here = rows_on_slice(names) & (pc.field("label_id") == sample.label_id)
        rows: list[Row] = read_regions(self._tables, here).to_pylist()
        return self.of_rows(rows, sample.view) if rows else None

    def of_rows(self, rows: list[Row], view: View = View.RADIOLOGICAL) -> Stretches | None:
        """Border of one label on one slice, from the region rows of all its components."""
        first = rows[0]
        case = self._cases[first["cohort"], first["case_id"]]
        mask = self.on_slice(case, first["plane"], first["slice_index"], first["label_id"])
        if mask is None:
            return None
        if _as_measured(mask, rows):
            is_native = self._last[1][first["label_id"]].is_native
            return outline_px(pixels_in_view(mask, view, is_native=is_native))
        logger.warning(
            "%s: no outline of %s: mask and table disagree", first["case_id"], first["label"]
        )
        return None

    def on_slice(
        self, case: Row, plane: str, slice_index: int, label_id: int
    ) -> npt.NDArray[np.bool_] | None:
        """(height, width), where the mask has a label; not checked against the tables.

        None where the mask cannot be read or has no such label.
        """
        if case["mask_uri"] is None:
            return None
        if self._last[0] != case["mask_uri"]:
            try:
                self._last = (case["mask_uri"], self._read(case))
            except ItemError as error:
                # Once for a mask, not once for each of its slices: the failure is kept as well.
                logger.warning("%s: no outlines: %s", case["case_id"], error)
                self._last = (case["mask_uri"], {})
        labels = self._last[1].get(label_id)
        if labels is None:
            return None
        return np.equal(slice_pixels(labels, Plane(plane), slice_index).pixels, label_id)

    def _read(self, case: Row) -> dict[int, Volume]:
        """The layers of a case's mask: one label map for all labels, or one for some of them."""
        path = image_path(case["mask_uri"], self._tables, self._root)
        spacing_mm: tuple[float, float] | None = None
        if path.name.lower().endswith(PICTURE_SUFFIXES):
            x_mm, y_mm = case["spacing_mm"]
            spacing_mm = NOMINAL_YX_MM if x_mm is None else (y_mm, x_mm)
        spacing_from = cast("SpacingFrom | None", self._spacing_from)
        of_case = pc.field("cohort") == case["cohort"]
        of_case &= pc.field("case_id") == case["case_id"]
        rows = read_regions(self._tables, of_case).select(["label_id", "label"])
        names = dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        if not holds_segments(path):
            whole = read_label_map(path, spacing_mm=spacing_mm, spacing_from=spacing_from)
            return dict.fromkeys(names, whole)
        image = case["images"][0]
        image_file = image_path(image["uri"], self._tables, self._root)
        source = CaseSource(
            case_id=case["case_id"],
            cohort=case["cohort"],
            subject_id=case["subject_id"],
            images=(ImageSource(image_id="", modality=image["modality"], path=image_file),),
            mask=path,
            structures=tuple(
                Structure(label_id=label_id, name=name, values=(label_id,))
                for label_id, name in names.items()
            ),
        )
        options = ReadOptions(spacing_mm=spacing_mm, spacing_from=spacing_from)
        volume = read_volume(image_file, spacing_mm=spacing_mm, spacing_from=spacing_from)
        return {
            structure.label_id: layer.labels
            for layer in mask_layers(source, volume, options)
            for structure in layer.structures
        }


def _as_measured(mask: npt.NDArray[np.bool_], rows: list[Row]) -> bool:
    """Whether a mask has the number of pixels and the extent that the tables say."""
    if int(mask.sum()) != rows[0]["label_pixel_count"]:
        return False
    ys, xs = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    x0, y0 = (min(row[name] for row in rows) for name in ("x0_px", "y0_px"))
    x1, y1 = (max(row[name] for row in rows) for name in ("x1_px", "y1_px"))
    found: tuple[int, ...] = (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1)
    return found == (x0, y0, x1, y1)
