"""Answers put beside their samples: one row for each sample and repeat, whatever was stored."""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medvision.replies import AnswerStatus
from medvision.scoring.columns import IndexArray, one_chunk
from medvision.scoring.errors import ScoreInputError

logger = logging.getLogger(__name__)

RESPONSE_OK = "ok"
ERROR = "error"

ANSWER_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("repeat", pa.int32()),
        ("response_status", pa.string()),
        ("status", pa.string()),
        ("values", pa.list_(pa.float64())),
        ("recovered_status", pa.string()),
        ("recovered_values", pa.list_(pa.float64())),
    ]
)
"""Columns of the answers to score: one row per stored response.

`response_status` is ok, truncated, refused or error; `status` and `values` are the strict reading,
`recovered_*` the lenient one; all four are null where there was no reply to read.
"""

_ALLOWED_WORDS: dict[str, tuple[str | None, ...]] = {
    "response_status": (RESPONSE_OK, "truncated", "refused", ERROR),
    "status": (*AnswerStatus, None),
    "recovered_status": (*AnswerStatus, None),
}


def require_columns(table: pa.Table, names: list[str], what: str) -> None:
    """Refuse a table that lacks columns.

    Raises:
        ScoreInputError: Names the missing ones.
    """
    missing = [name for name in names if name not in table.column_names]
    if missing:
        msg = f"{what}: expected the columns {missing} too, found {table.column_names}"
        raise ScoreInputError(msg)


def aligned(samples: pa.Table, answers: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Samples and answers row by row: in the order of samples, then of repeats.

    Every sample gets each repeat that occurs for any sample (0 where nothing was stored). One that
    was not stored is an error of the harness, so an interrupted run cannot pass for a whole one.

    Raises:
        ScoreInputError: A sample or an answer occurs twice, or an answer has no sample.
    """
    answers = answers.select(ANSWER_SCHEMA.names).cast(ANSWER_SCHEMA)
    _refuse_unknown_words(answers)
    repeats = np.unique(one_chunk(answers["repeat"]).to_numpy(zero_copy_only=False))
    repeats = repeats if len(repeats) else np.zeros(1, dtype=np.int32)
    place = _sample_place(samples, answers) * len(repeats) + np.searchsorted(
        repeats, answers["repeat"].to_numpy()
    )
    n_rows = samples.num_rows * len(repeats)
    source = np.full(n_rows, -1, dtype=np.int64)
    source[place] = np.arange(len(place))
    if np.count_nonzero(source >= 0) != len(place):
        msg = _twice("answers", pa.array(place), answers["sample_id"])
        raise ScoreInputError(msg)
    rows = np.repeat(np.arange(samples.num_rows), len(repeats))
    beside = samples if len(repeats) == 1 else samples.take(pa.array(rows))
    repeat = pa.array(np.tile(repeats, samples.num_rows), type=pa.int32())
    return beside, _taken(answers, source).set_column(1, "repeat", repeat)


def _sample_place(samples: pa.Table, answers: pa.Table) -> IndexArray:
    """Row of each answer's sample."""
    ids = one_chunk(samples["sample_id"])
    if pc.count_distinct(ids, mode="all").as_py() != len(ids):
        msg = _twice("samples", ids, samples["sample_id"])
        raise ScoreInputError(msg)
    found = one_chunk(pc.index_in(answers["sample_id"], value_set=ids))
    if found.null_count:
        stray = answers.filter(found.is_null())["sample_id"]
        msg = (
            f"answers: expected only ids of the {len(ids)} samples, found {len(stray)} others, "
            f"such as {stray[0].as_py()!r}; score each run with its own samples"
        )
        raise ScoreInputError(msg)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _refuse_unknown_words(answers: pa.Table) -> None:
    for name in ("sample_id", "repeat", "response_status"):
        if answers[name].null_count:
            msg = f"answers: expected no null in {name}, found {answers[name].null_count}"
            raise ScoreInputError(msg)
    for name, allowed in _ALLOWED_WORDS.items():
        unknown = sorted(set(answers[name].unique().to_pylist()).difference(allowed))
        if unknown:
            words = ", ".join(word for word in allowed if word)
            msg = f"answers: expected {name} of {words}; found {unknown}"
            raise ScoreInputError(msg)


def _taken(answers: pa.Table, source: IndexArray) -> pa.Table:
    """Answers at `source`; where it is −1, a row of an error without a reply."""
    missing = source < 0
    if not missing.any():
        in_order = bool(np.array_equal(source, np.arange(answers.num_rows)))
        return answers if in_order else answers.take(pa.array(source))
    logger.warning("%d of %d answers are not stored: counted as errors", missing.sum(), len(source))
    taken = answers.take(pa.array(source, mask=missing))
    at = ANSWER_SCHEMA.get_field_index("response_status")
    return taken.set_column(at, "response_status", pc.fill_null(taken["response_status"], ERROR))


def _twice(what: str, keys: pa.Array, ids: pa.ChunkedArray) -> str:
    counts = pc.value_counts(keys)
    key = counts.field("values").filter(pc.greater(counts.field("counts"), 1))[0]
    sample_id = ids.filter(pc.equal(keys, key))[0].as_py()
    return f"{what}: expected each once, found {sample_id!r} more than once"
