"""What the case browser filters and sorts by: a column for each property, a place for each case.

Words are kept once, in the order of their names, with a number for each case that points at them:
the page compares numbers, whatever the number of cases.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medvision.analysis.outcomes import ERROR
from medvision.analysis.run_scores import RunScores
from medvision.analysis.tables import SIZE_BIN_TEXT
from medvision.table.schema import SUBJECT_PREFIX, fact_columns

WORDS = {
    "task": "task",
    "dataset": "dataset",
    "name": "structure",
    "plane": "plane",
    "modality": "modality",
    "case_id": "case",
    "subject_id": "subject",
}
"""Columns of samples whose values are told apart, and what the page calls them."""

FILTERED = ("task", "dataset", "name", "plane", "modality")
"""Those with few enough values for a list to choose from."""

NONE = "–"
Places = npt.NDArray[np.int64]


def sample_ids(runs: Sequence[RunScores]) -> list[str]:
    """Every sample of any run once, in the order of the runs."""
    return list(dict.fromkeys(i for run in runs for i in run.scores["sample_id"].to_pylist()))


def case_index(runs: Sequence[RunScores], ids: Sequence[str]) -> dict[str, Any]:
    """Columns of cases and of each model's answers to them, as JSON types.

    Args:
        runs: In the order of the page.
        ids: Samples, in the order of the browser.

    Returns:
        `id`; `words` (name to `title`, `filter`, `values`, `at`: a place in `values` for each
        case); `slice` and `size` (share of the image that the box covers, null without a box);
        `answers` of each model: `outcome` (as words; −1 where it was not asked), `error` (larger
        is worse: 1 − IoU, else relative, else absolute) and `absolute`, places of cases whose
        error is in the task's unit.
    """
    wanted = pa.array(ids, type=pa.string())
    columns = [*WORDS, "sample_id", "slice_index", "box_px", "height_px", "width_px"]
    samples = pa.concat_tables([run.samples.select(columns) for run in runs]).combine_chunks()
    rows = pc.index_in(wanted, value_set=samples["sample_id"].combine_chunks())
    samples = samples.take(rows)
    words = {
        name: _words(samples[name], title, is_filter=name in FILTERED)
        for name, title in WORDS.items()
    }
    scores = [run.scores.take(_rows_of(run.scores, wanted)) for run in runs]
    facts = dict.fromkeys(name for run in runs for name in fact_columns(run.scores.column_names))
    for name, title in (
        ("size_bin", "target size"),
        *((fact, fact.removeprefix(SUBJECT_PREFIX)) for fact in facts),
    ):
        words[name] = _words(_of_any_run(scores, name), title, is_filter=True)
    return {
        "id": list(ids),
        "words": words,
        "slice": samples["slice_index"].to_pylist(),
        "size": _box_shares(samples),
        "answers": [_answers(of_run) for of_run in scores],
    }


def _words(column: pa.ChunkedArray, title: str, *, is_filter: bool) -> dict[str, Any]:
    """Distinct values as printed, sorted, and for each case the place of its own."""
    plain = pc.fill_null(pc.cast(column, pa.string()), "")
    plain = pc.if_else(pc.equal(plain, ""), NONE, plain)  # one word, whichever way it is not known
    coded = pc.dictionary_encode(pa.chunked_array(plain).combine_chunks())
    values = [SIZE_BIN_TEXT.get(value, value) for value in coded.dictionary.to_pylist()]
    # Sizes in the order of size, all else by name.
    sizes = {name: place for place, name in enumerate(SIZE_BIN_TEXT.values())}
    order = sorted(range(len(values)), key=lambda at: (sizes.get(values[at], 99), values[at]))
    place_of = np.argsort(order) if order else np.empty(0, np.int64)
    return {
        "title": title,
        "filter": is_filter,
        "values": [values[at] for at in order],
        "at": place_of[coded.indices.to_numpy()].tolist(),
    }


def _rows_of(scores: pa.Table, wanted: pa.Array) -> pa.Array:
    """For each wanted sample its row of the first repeat, null where it has none."""
    rows = pa.array(range(scores.num_rows), type=pa.int64())
    keyed = pa.table({"repeat": scores["repeat"], "row": rows})
    order = pc.sort_indices(keyed, sort_keys=[("repeat", "ascending"), ("row", "ascending")])
    ids = scores["sample_id"].take(order).combine_chunks()
    return order.take(pc.index_in(wanted, value_set=ids))


def _of_any_run(scores: Sequence[pa.Table], name: str) -> pa.ChunkedArray:
    """A column of the wanted rows of each run's scores: of the first run that knows it."""
    found = [pc.cast(one[name], pa.string()) for one in scores if name in one.column_names]
    return pc.coalesce(*(pa.chunked_array(column).combine_chunks() for column in found))


def _box_shares(samples: pa.Table) -> list[float | None]:
    """Area of the box / area of the image, null where a sample has no box."""
    shares: list[float | None] = [None] * samples.num_rows
    boxes = samples["box_px"].combine_chunks()
    has_box = pc.fill_null(pc.equal(pc.list_value_length(boxes), 4), False)  # noqa: FBT003
    edges = np.asarray(pc.list_flatten(boxes.filter(has_box))).reshape(-1, 4)
    sides = edges[:, 2:] - edges[:, :2]
    with_box = np.flatnonzero(has_box.to_numpy(zero_copy_only=False))
    height_px, width_px = (samples[f"{s}_px"].to_numpy()[with_box] for s in ("height", "width"))
    # As floats: the area of a large X-ray passes 2³¹.
    found = sides.prod(axis=1) / (height_px.astype(np.float64) * width_px)
    for place, share in zip(with_box.tolist(), found.tolist(), strict=True):
        shares[place] = _short(share)
    return shares


def _answers(scores: pa.Table) -> dict[str, Any]:
    """One model's outcome and error for each wanted sample, from its rows; null where not asked."""
    is_error = pc.or_(
        pc.starts_with(pc.fill_null(scores["response_status"], ""), ERROR),
        pc.equal(pc.fill_null(scores["status"], ""), ""),
    )
    outcome = pc.if_else(is_error, ERROR, pc.fill_null(scores["status"], ""))
    error = pc.coalesce(
        pc.subtract(1.0, scores["iou"]), scores["relative_error"], scores["absolute_error"]
    )
    is_ok = pc.equal(outcome, "ok").to_pylist()
    is_absolute = pc.and_(pc.is_null(scores["iou"]), pc.is_null(scores["relative_error"]))
    words = _words(outcome, "outcome", is_filter=True)
    asked = np.asarray(scores["sample_id"].is_valid())
    words["at"] = np.where(asked, words["at"], -1).tolist()
    errors = error.to_pylist()
    known = [ok and value is not None for ok, value in zip(is_ok, errors, strict=True)]
    return {
        "outcome": words,
        "error": [_short(value) if ok else None for ok, value in zip(known, errors, strict=True)],
        "absolute": [
            place
            for place, (ok, absolute) in enumerate(zip(known, is_absolute.to_pylist(), strict=True))
            if ok and absolute
        ],
    }


def _short(value: float) -> float:
    """Four significant digits: enough to sort and to read."""
    return float(f"{value:.4g}")
