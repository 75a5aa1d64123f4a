"""What a store holds beside requests and replies: a server's words and the names it answers by.

Their tables are made when they are needed, so that a store of the version before is taken as it is.
"""

import sqlite3
from datetime import UTC, datetime

MESSAGES = """
CREATE TABLE IF NOT EXISTS messages(key TEXT PRIMARY KEY, message TEXT NOT NULL)
"""
"""What the server said where a request failed."""

_SERVED = """
CREATE TABLE IF NOT EXISTS served(model TEXT PRIMARY KEY, first_utc TEXT NOT NULL)
"""
"""Names by which the server's responses called the model."""


class StoreNotes:
    """Notes in an open store."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def note_served(self, name: str) -> None:
        """Keep a name by which the server called the model, with the time of the first one."""
        self._db.execute(_SERVED)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._db.execute("INSERT OR IGNORE INTO served VALUES (?, ?)", (name, now))

    def served(self) -> list[str]:
        """Names by which the server called the model, the first one first."""
        query = "SELECT model FROM served ORDER BY first_utc, rowid"
        return [name for (name,) in self._db.execute(query)] if self._has("served") else []

    def messages(self) -> dict[str, str]:
        """What the server said of requests that failed, by key."""
        return dict(self._db.execute("SELECT * FROM messages")) if self._has("messages") else {}

    def _has(self, table: str) -> bool:
        query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
        return self._db.execute(query, (table,)).fetchone() is not None
