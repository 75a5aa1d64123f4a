"""The store of a run: one SQLite file that holds every reply as soon as it came.

Table `responses` holds one row per request key; table `requests` says which keys the current
settings ask for, so scoring reads the replies to these and to no others. An answer, once stored,
is never replaced by an error. Each `put` is one commit to the write-ahead log: killing the
process at any moment loses at most the replies still under way.
"""

import hashlib
import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from medvision.errors import UsageError
from medvision.models.base import ErrorKind, Reply, ResponseStatus
from medvision.models.store_file import opened, unreadable
from medvision.models.store_notes import MESSAGES, StoreNotes

_CHUNK_ROWS = 500

Row = TypeVar("Row")

_PUT = """
INSERT INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(key) DO UPDATE SET
    status=excluded.status, text=excluded.text, reasoning=excluded.reasoning,
    finish_reason=excluded.finish_reason, error_kind=excluded.error_kind,
    http_code=excluded.http_code, attempts=excluded.attempts, model=excluded.model,
    prompt_tokens=excluded.prompt_tokens, completion_tokens=excluded.completion_tokens,
    latency_s=excluded.latency_s, created_utc=excluded.created_utc
WHERE responses.status = 'error' OR excluded.status <> 'error'
"""

_CURRENT = """
SELECT requests.sample_id, requests.repeat, requests.key, requests.prompt,
    coalesce(responses.status, 'error'), coalesce(responses.text, ''),
    coalesce(responses.reasoning, ''), coalesce(responses.finish_reason, ''),
    CASE WHEN responses.key IS NULL THEN 'not_asked' ELSE responses.error_kind END,
    responses.http_code, coalesce(responses.attempts, 0), coalesce(responses.model, ''),
    responses.prompt_tokens, responses.completion_tokens, coalesce(responses.latency_s, 0.0),
    coalesce(responses.created_utc, '')
FROM requests LEFT JOIN responses ON responses.key = requests.key
ORDER BY requests.sample_id, requests.repeat
"""

_CURRENT_TEXTS = """
SELECT requests.sample_id, requests.repeat, coalesce(responses.status, 'error'),
    coalesce(responses.text, '')
FROM requests LEFT JOIN responses ON responses.key = requests.key
"""

_DRAWN = """
CREATE TABLE IF NOT EXISTS drawn(
    sample_id TEXT PRIMARY KEY, slice_identity TEXT NOT NULL, slice_sha256 TEXT NOT NULL
)
"""
"""Digests of slices drawn by an evaluation that has not ended; at its end they go into the sample
list. Made when it is needed, so that a store of the version before is taken as it is."""

_FAILURES = """
SELECT responses.error_kind, count(*), max(responses.http_code), min(messages.message)
FROM requests JOIN responses ON responses.key = requests.key
    LEFT JOIN messages ON messages.key = requests.key
WHERE responses.status = 'error' GROUP BY 1 ORDER BY 2 DESC, 1
"""

_COUNTS = """
SELECT coalesce(responses.status, 'error') AS status,
    CASE WHEN responses.key IS NULL THEN 'not_asked' ELSE responses.error_kind END AS kind, count(*)
FROM requests LEFT JOIN responses ON responses.key = requests.key
GROUP BY 1, 2 ORDER BY 1, 2
"""


class DuplicateRequestError(UsageError):
    """A list of questions holds the same repeat of the same sample twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """Which key one repeat of one sample's question has under the current settings."""

    sample_id: str
    repeat: int
    key: str
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSlice:
    """A slice drawn for a request, whose key is known only now.

    Attributes:
        sample_id: Whose slice.
        slice_identity: What the digest belongs to.
        slice_sha256: Of the slice as stored.
        former_key: Key under which the request stands so far.
    """

    sample_id: str
    slice_identity: str
    slice_sha256: str
    former_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReply:
    """A current request with its reply; an error of kind not_asked where there is none yet."""

    sample_id: str
    repeat: int
    key: str
    prompt: str
    reply: Reply
    model: str
    created_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCount:
    """Requests that failed in one way, and the words of the server on one of them."""

    kind: ErrorKind
    n: int
    http_code: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCount:
    """How many current requests stand at one status (and, for errors, of one kind)."""

    status: ResponseStatus
    error_kind: ErrorKind | None
    n: int


class ResponseStore:
    """An open store, to be used as a context manager and from one thread at a time.

    Args:
        path: The SQLite file, made when absent.
        must_exist: Whether an absent or empty file is an error instead.

    Raises:
        StoreUnreadableError: The file is absent or empty though it must exist, is not SQLite, was
            written by another version, or, at the end of the block, turned out to be damaged.
    """

    def __init__(self, path: str | Path, *, must_exist: bool = False) -> None:
        self.path = Path(path)
        self._db = opened(self.path, must_exist=must_exist)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except sqlite3.Error as closing:
            error = error or closing
        if isinstance(error, sqlite3.Error):
            raise unreadable(self.path, error) from error

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        self._db.close()

    def put(self, key: str, reply: Reply, *, model: str) -> None:
        """Store one reply, committed on return; an answer stays when an error comes later."""
        if not reply.message:
            self._db.execute(_PUT, _response_row(key, reply, model))
            return
        with self._transaction():
            self._db.execute(_PUT, _response_row(key, reply, model))
            row = (key, _storable(reply.message))
            self._db.execute("INSERT OR REPLACE INTO messages VALUES (?, ?)", row)

    def put_many(self, replies: Iterable[tuple[str, Reply]], *, model: str) -> None:
        """Store replies in one commit: all of them or none."""
        with self._transaction():
            self._db.executemany(_PUT, (_response_row(key, reply, model) for key, reply in replies))

    def give_key(self, key: str, drawn: DrawnSlice) -> int:
        """Give requests whose picture is drawn now their key; how many there are."""
        row = (drawn.sample_id, drawn.slice_identity, drawn.slice_sha256)
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO drawn VALUES (?, ?, ?)", row)
            return self._db.execute(
                "UPDATE requests SET key = ? WHERE key = ?", (key, drawn.former_key)
            ).rowcount

    def drawn_slices(self) -> dict[str, tuple[str, str]]:
        """(identity, digest) of slices drawn by evaluations that did not end, by sample id."""
        self._db.execute(_DRAWN)
        return {row[0]: (row[1], row[2]) for row in self._db.execute("SELECT * FROM drawn")}

    def forget_drawn(self) -> None:
        """Once the sample list holds the digests."""
        self._db.execute("DELETE FROM drawn")

    def set_requests(self, rows: Iterable[RequestRow]) -> None:
        """Make these the current requests, replacing the former ones at once or not at all.

        Raises:
            DuplicateRequestError: Two rows share sample and repeat.
        """
        self._db.execute(_DRAWN)
        self._db.execute(MESSAGES)
        self._db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS kept"
            "(sample_id, repeat, PRIMARY KEY(sample_id, repeat)) WITHOUT ROWID"
        )
        with self._transaction():
            self._db.execute("DELETE FROM kept")
            for chunk in _chunks(rows):
                self._upsert_requests(chunk)
            self._db.execute(
                "DELETE FROM requests WHERE NOT EXISTS (SELECT 1 FROM kept WHERE "
                "kept.sample_id = requests.sample_id AND kept.repeat = requests.repeat)"
            )
            self._db.execute("DELETE FROM kept")

    def _upsert_requests(self, rows: list[RequestRow]) -> None:
        try:
            self._db.executemany(
                "INSERT INTO kept VALUES (?, ?)", [(row.sample_id, row.repeat) for row in rows]
            )
        except sqlite3.IntegrityError as error:
            msg = (
                "expected each sample once for every repeat, found one twice near "
                f"{rows[0].sample_id!r}; check the list of samples"
            )
            raise DuplicateRequestError(msg) from error
        self._db.executemany(
            "INSERT INTO requests VALUES (?, ?, ?, ?) ON CONFLICT(sample_id, repeat) DO UPDATE "
            "SET key = excluded.key, prompt = excluded.prompt "
            "WHERE requests.key <> excluded.key OR requests.prompt <> excluded.prompt",
            [(row.sample_id, row.repeat, row.key, row.prompt) for row in rows],
        )

    def answered(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` that have an answer (ok, truncated or refused)."""
        found: set[str] = set()
        for chunk in _chunks(keys):
            marks = ",".join("?" * len(chunk))
            query = f"SELECT key FROM responses WHERE status <> 'error' AND key IN ({marks})"  # noqa: S608
            found.update(key for (key,) in self._db.execute(query, chunk))
        return found

    def unanswered_keys(self) -> set[str]:
        """Keys of current requests without an answer."""
        query = (
            "SELECT DISTINCT key FROM requests WHERE NOT EXISTS (SELECT 1 FROM responses "
            "WHERE responses.key = requests.key AND responses.status <> 'error')"
        )
        return {key for (key,) in self._db.execute(query)}

    def current_replies(self) -> Iterator[StoredReply]:
        """Every current request with its reply, sorted by sample id and repeat."""
        return (_stored_reply(row) for row in self._db.execute(_CURRENT))

    def current_texts(self) -> Iterator[tuple[str, int, str, str]]:
        """(sample_id, repeat, status, reply text) of every current request, in no order."""
        return iter(self._db.execute(_CURRENT_TEXTS))

    def failures(self) -> list[FailureCount]:
        """Current requests without an answer, by kind, the most frequent first."""
        self._db.execute(MESSAGES)
        return [
            FailureCount(kind=ErrorKind(kind), n=n, http_code=code, message=message or "")
            for kind, n, code, message in self._db.execute(_FAILURES)
        ]

    def n_only_reasoning(self) -> int:
        """Current replies that hold reasoning and no text."""
        query = (
            "SELECT count(*) FROM requests JOIN responses ON responses.key = requests.key "
            "WHERE responses.status <> 'error' AND responses.text = '' "
            "AND responses.reasoning <> ''"
        )
        (n,) = self._db.execute(query).fetchone()
        return int(n)

    def state(self) -> str:
        """Digest of the current requests and of what came of each, in the order they are stored.

        Another order costs at most scoring once more; sorting a million rows costs a second.
        """
        digest = hashlib.sha256()
        query = (
            "SELECT requests.sample_id, requests.repeat, requests.key, responses.status, "
            "responses.created_utc FROM requests LEFT JOIN responses "
            "ON responses.key = requests.key"
        )
        rows = self._db.execute(query)
        while chunk := rows.fetchmany(_CHUNK_ROWS):
            digest.update(repr(chunk).encode())
        return digest.hexdigest()

    def other_models(self, model: str) -> list[str]:
        """Names of models whose answers are stored, beside this one's."""
        query = "SELECT DISTINCT model FROM responses WHERE status <> 'error' AND model <> ?"
        return sorted(name for (name,) in self._db.execute(query, (model,)))

    def status_counts(self) -> list[StatusCount]:
        """How the current requests stand."""
        return [
            StatusCount(
                status=ResponseStatus(status), error_kind=ErrorKind(kind) if kind else None, n=n
            )
            for status, kind, n in self._db.execute(_COUNTS)
        ]

    @property
    def notes(self) -> StoreNotes:
        """What else is kept: words of the server, names of the model."""
        return StoreNotes(self._db)

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    """BEGIN … COMMIT, or ROLLBACK when the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:  # a full disk has ended it already
            self._db.execute("ROLLBACK")


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, _CHUNK_ROWS)):
        yield chunk


def _storable(text: str) -> str:
    """Text with lone surrogates replaced: JSON may hold them, SQLite's UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _response_row(key: str, reply: Reply, model: str) -> tuple[object, ...]:
    return (
        key,
        reply.status,
        _storable(reply.text),
        _storable(reply.reasoning),
        _storable(reply.finish_reason),
        reply.error_kind,
        reply.http_code,
        reply.attempts,
        model,
        reply.prompt_tokens,
        reply.completion_tokens,
        reply.latency_s,
        datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _stored_reply(row: tuple[Any, ...]) -> StoredReply:
    return StoredReply(
        sample_id=row[0],
        repeat=row[1],
        key=row[2],
        prompt=row[3],
        reply=Reply(
            status=ResponseStatus(row[4]),
            text=row[5],
            reasoning=row[6],
            finish_reason=row[7],
            error_kind=ErrorKind(row[8]) if row[8] else None,
            http_code=row[9],
            attempts=row[10],
            prompt_tokens=row[12],
            completion_tokens=row[13],
            latency_s=row[14],
        ),
        model=row[11],
        created_utc=row[15],
    )
