"""The file behind a store of replies: opened, and refused where it is not what we wrote."""

import contextlib
import os
import sqlite3
from pathlib import Path

from medvision.errors import UsageError

STORE_VERSION = 1

_SCHEMA = """
CREATE TABLE responses(
    key TEXT PRIMARY KEY, status TEXT NOT NULL, text TEXT NOT NULL, reasoning TEXT NOT NULL,
    finish_reason TEXT NOT NULL, error_kind TEXT, http_code INTEGER, attempts INTEGER NOT NULL,
    model TEXT NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER,
    latency_s REAL NOT NULL, created_utc TEXT NOT NULL
);
CREATE TABLE requests(
    sample_id TEXT NOT NULL, repeat INTEGER NOT NULL, key TEXT NOT NULL, prompt TEXT NOT NULL,
    PRIMARY KEY(sample_id, repeat)
);
CREATE INDEX requests_by_key ON requests(key);
"""

LOST = "put a copy back, or move it away: `medvision eval` (`score --judge`) then asks all again"

SYSTEM_ADVICE = {
    sqlite3.SQLITE_FULL: "free some space and run it again: what was stored is kept",
    sqlite3.SQLITE_IOERR: "check the disk and run it again",
    sqlite3.SQLITE_READONLY: "it cannot be written; copy the run to where it can",
    sqlite3.SQLITE_CANTOPEN: "check that its folder exists and that it is a file",
    sqlite3.SQLITE_BUSY: "another process holds it; wait for it to end",
}
"""What to do where the machine is at fault and not the file, by SQLite's code."""


class StoreUnreadableError(UsageError):
    """The file at the store's place is no store of ours, of another version, or out of reach."""


def opened(path: Path, *, must_exist: bool) -> sqlite3.Connection:
    """A connection to a store, made if it is not there.

    Args:
        path: The file. One that cannot be written is opened for reading.
        must_exist: Whether an absent or empty file is an error instead.

    Raises:
        StoreUnreadableError: There is none though there must be, or it is no store of ours.
    """
    if must_exist and not path.exists():
        msg = f"{path}: expected stored replies, found no file; run `medvision eval` first"
        raise StoreUnreadableError(msg)
    is_read_only = path.exists() and not (
        os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    )
    try:
        db = _connected(path, is_read_only=is_read_only)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    try:
        is_new = _require_store(path, db, may_be_new=not must_exist)
        if not is_read_only:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
        if is_new:
            db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {STORE_VERSION}; COMMIT;"
            )
    except (sqlite3.Error, UnicodeDecodeError) as error:  # of the names of tables and columns
        db.close()
        raise unreadable(path, error) from error
    except StoreUnreadableError:
        db.close()
        raise
    return db


def unreadable(path: Path, error: Exception) -> StoreUnreadableError:
    """What SQLite has to say, in one line.

    It meets damage wherever it happens to read, so every block over a store ends with this.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if advice := SYSTEM_ADVICE.get(code):
        return StoreUnreadableError(f"{path}: {error}; {advice}")
    msg = f"{path}: damaged: expected a store of replies, found something else ({error}); {LOST}"
    return StoreUnreadableError(msg)


def _connected(path: Path, *, is_read_only: bool) -> sqlite3.Connection:
    place = str(path)
    if is_read_only:
        # SQLite would make files beside one with a log; one that nobody can write needs none.
        place = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        if _has_log(path):
            msg = (
                f"{path}: cannot be written, and its log holds replies that are not in it yet; "
                "copy the run to where it can"
            )
            raise StoreUnreadableError(msg)
    return sqlite3.connect(
        place, uri=is_read_only, isolation_level=None, timeout=30, check_same_thread=False
    )


def _require_store(path: Path, db: sqlite3.Connection, *, may_be_new: bool) -> bool:
    """Refuse what is no whole store; whether it is a new, empty file."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (n_tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not n_tables and not may_be_new:
        msg = f"{path}: damaged: expected stored replies, found an empty file; {LOST}"
        raise StoreUnreadableError(msg)
    if version != STORE_VERSION and (version or n_tables):
        msg = (
            f"{path}: expected a store of replies of version {STORE_VERSION}, found version "
            f"{version}; start a new run in another folder"
        )
        raise StoreUnreadableError(msg)
    problem = _wrong_columns(db) if n_tables else ""
    if not _has_log(path):  # which holds pages of its own
        # SQLite fills what is missing of a page with zeros, and says nothing.
        (n_pages,) = db.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
        is_cut = path.stat().st_size < n_pages * page_bytes
        problem = problem or ("its end is missing" if is_cut else "")
    if problem:
        msg = f"{path}: damaged: {problem}; {LOST}"
        raise StoreUnreadableError(msg)
    return not n_tables


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _columns(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Type of each column of the tables that every store has, by table and name."""
    return {
        (table, name): declared
        for table in ("responses", "requests")
        for _, name, declared, *_ in db.execute(f"PRAGMA table_info({table})")
    }


def _wrong_columns(db: sqlite3.Connection) -> str:
    """What is wrong with a store's tables, or ""."""
    with contextlib.closing(sqlite3.connect(":memory:")) as new:
        new.executescript(_SCHEMA)
        expected = _columns(new)
    found = _columns(db)
    wrong = [".".join(key) for key in {**expected, **found} if expected.get(key) != found.get(key)]
    return f"columns missing, added or of another type: {', '.join(wrong)}" if wrong else ""
