"""The records of attacks and mitigations on disk, so that their ids can be resolved for a month: an SQLite
file in the state directory, beside the shield's notes.

No method raises: records that cannot be written or read cost an explanation, and no visitor; it is logged.
Each may be called in any thread. Not here: what a record holds (``shield.record``), when it is written
(``archivist``).
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

KEPT_SECONDS: Final = 30 * 86_400.0
"""After the end."""
MOST_ATTACKS: Final = 1000
MOST_MITIGATIONS: Final = 10_000
_VERSION: Final = 1
_BROKEN: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS attacks (
    id TEXT PRIMARY KEY, site TEXT NOT NULL, began REAL NOT NULL, ended REAL, attack TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS mitigations (
    id TEXT PRIMARY KEY, site TEXT NOT NULL, began REAL NOT NULL, ended REAL, body TEXT NOT NULL
);
PRAGMA user_version={_VERSION};
"""
_TABLES: Final = (("attacks", MOST_ATTACKS), ("mitigations", MOST_MITIGATIONS))

Document = dict[str, Any]
T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Item:
    """The record of an attack or of a mitigation, to keep."""

    is_attack: bool
    id: str
    site: str
    began: float
    ended: float | None
    """None while it goes on."""
    body: Document


class Archive:
    """The file of one edge."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def put(self, items: Iterable[Item]) -> bool:
        """Keep all of them or none; whether they are kept."""
        attacks, mitigations = [], []
        for each in items:
            head = each.id, each.site, each.began, each.ended
            if each.is_attack:
                attacks.append((*head, _text(each.body["attack"]), zlib.compress(_text(each.body).encode())))
            else:
                mitigations.append((*head, _text(each.body)))

        def write(database: sqlite3.Connection) -> bool:
            with database:
                database.executemany("REPLACE INTO attacks VALUES (?, ?, ?, ?, ?, ?)", attacks)
                database.executemany("REPLACE INTO mitigations VALUES (?, ?, ?, ?, ?)", mitigations)
            return True

        return self._do("records of attacks cannot be written", write, False)

    def attacks(self) -> list[Document]:
        """What is told of each attack without its course, the newest last."""
        rows = self._rows("SELECT attack FROM attacks ORDER BY began, id")
        return [found for (text,) in rows if (found := _read(text)) is not None]

    def attack(self, identifier: str) -> Document | None:
        """The whole record of one."""
        return _first(self._rows("SELECT body FROM attacks WHERE id = ?", identifier))

    def mitigation(self, identifier: str) -> Document | None:
        return _first(self._rows("SELECT body FROM mitigations WHERE id = ?", identifier))

    def unfinished(self) -> tuple[list[Document], list[Document]]:
        """Whole records of attacks and of mitigations that went on when they were written."""
        attacks = self._rows("SELECT body FROM attacks WHERE ended IS NULL ORDER BY began, id")
        mitigations = self._rows("SELECT body FROM mitigations WHERE ended IS NULL ORDER BY began, id")
        found = [[each for (body,) in rows if (each := _read(body))] for rows in (attacks, mitigations)]
        return found[0], found[1]

    def prune(self, now: float) -> None:
        """Forget what ended too long ago, and of too many the oldest."""

        def forget(database: sqlite3.Connection) -> None:
            with database:
                for table, most in _TABLES:
                    database.execute(f"DELETE FROM {table} WHERE ended < ?", (now - KEPT_SECONDS,))  # noqa: S608
                    oldest = (
                        f"SELECT id FROM {table} ORDER BY ended IS NULL DESC, ended DESC LIMIT -1 OFFSET ?"  # noqa: S608
                    )
                    database.execute(f"DELETE FROM {table} WHERE id IN ({oldest})", (most,))  # noqa: S608

        self._do("old records of attacks cannot be forgotten", forget, None)

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        return self._do(
            "records of attacks cannot be read",
            lambda database: database.execute(query, values).fetchall(),
            [],
        )

    def _do(self, problem: str, act: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        with self._lock:
            try:
                try:
                    return act(self._open())
                except sqlite3.DatabaseError as broken:
                    if broken.sqlite_errorcode & 0xFF not in _BROKEN:
                        raise
                    self._set_aside(str(broken))
                    return act(self._open())
            except (OSError, sqlite3.Error) as refused:
                log.error(problem, file=str(self._path), why=str(refused))
                return otherwise

    def _open(self) -> sqlite3.Connection:
        """Raises OSError or sqlite3.Error."""
        if self._database is None:
            self._database = self._connect()
            try:
                self._prepare(self._database)
            except BaseException:
                self._let_go()
                raise
        return self._database

    def _prepare(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            self._set_aside(f"it is of version {version}")
            database, version = self._connect(), 0
            self._database = database
        # A lost second of records is no harm: no write waits for the disk.
        database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        if version == 0:
            database.executescript(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # its companions get the same mode
        return sqlite3.connect(self._path, timeout=0.5, check_same_thread=False)

    def _let_go(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _set_aside(self, why: str) -> None:
        self._let_go()
        aside = self._path.with_name(self._path.name + ".broken")
        self._path.replace(aside)
        for companion in ("-wal", "-shm"):
            self._path.with_name(self._path.name + companion).unlink(missing_ok=True)
        log.error("records of attacks cannot be used and begin anew", file=str(aside), why=why)


def _text(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"))


def _first(rows: list[tuple[Any, ...]]) -> Document | None:
    return _read(rows[0][0]) if rows else None


def _read(body: str | bytes) -> Document | None:
    try:
        document = json.loads(zlib.decompress(body) if isinstance(body, bytes) else body)
    except (ValueError, zlib.error) as wrong:
        log.error("a record of an attack cannot be read and is left out", why=str(wrong))
        return None
    return document if isinstance(document, dict) else None
