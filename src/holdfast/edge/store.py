"""What an edge must remember across restarts: numbers of sites and customers, releases of blocks, sites that
were given to it at run time. SQLite in the state directory; no client address is ever stored.

Numbers are never reused: a site that comes back gets a new one, so that whatever still lingers under the
old number (a hostname not yet swept up, a counter) cannot become part of it. Releases are never forgotten:
they are public records, and one that was lifted must not come back.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.release import Release
from holdfast.edge.secret import read_secret
from holdfast.model.enforcement import dump_enforcement, load_enforcement
from holdfast.model.errors import HoldfastError, error
from holdfast.model.record import stamp

_SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS sites (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS releases (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, entry BLOB NOT NULL, proof TEXT NOT NULL,
    statement TEXT NOT NULL, number INTEGER, lifted TEXT
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_FILE = "edge.db"
_RELEASES = "SELECT id, body, entry, proof, statement, number, lifted FROM releases"


@dataclass(frozen=True, slots=True)
class Kept:
    """A release as the database holds it: whether it is to be believed is for others to check."""

    id: str
    body: str
    """The enforcement, JSON."""
    entry: bytes
    proof: str
    """'' for a block from before proofs were asked for."""
    statement: str
    index: int | None
    """Of the entry in the log, as it was found when the release was taken."""
    lifted: str | None
    """When (``model.record.stamp``), if it was."""

    def read(self) -> Release:
        """The release. Raises HoldfastError where this is none."""
        # SQLite keeps what it is given, of whatever type.
        values: tuple[object, ...] = (self.entry, self.body, self.proof, self.statement)
        if [type(each) for each in values] == [bytes, str, str, str]:
            with suppress(ValueError, RecursionError, HoldfastError):
                body = json.loads(self.body)
                enforcement = load_enforcement(body if isinstance(body, dict) else {})
                if enforcement.id == self.id:
                    return Release(enforcement, self.entry, self.proof, self.statement)
        raise error(f"what is stored of block {self.id} cannot be read", "decide and record it anew")


class Store:
    """The database of one edge. Every method that changes something returns when it is durable, or raises
    HoldfastError and has changed nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = sqlite3.connect(directory / _FILE, isolation_level=None)
            # Nobody else writes here. Should someone, half a second is as long as the agent may stand still.
            self._database.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=500;" + _SCHEMA
            )
            self._take_over()
        except (OSError, sqlite3.Error) as refused:
            raise error(
                f"cannot use the state directory {directory} ({refused})",
                "make it writable, or set [edge] state_dir to another one",
            ) from refused
        self._database.row_factory = sqlite3.Row
        self._database.text_factory = _text
        self.secret = read_secret(directory)

    def close(self) -> None:
        self._database.close()

    def _take_over(self) -> None:
        """Blocks from before releases: kept as releases that lack everything else."""
        tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'enforcements'"
        if self._database.execute(tables).fetchone() is not None:
            self._database.executescript(
                "BEGIN IMMEDIATE;"
                "INSERT OR IGNORE INTO releases SELECT id, body, x'', '', '', NULL, NULL FROM enforcements;"
                "DROP TABLE enforcements;"
                "COMMIT;"
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, durable when it is left. Raises HoldfastError where that is not possible."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
        except sqlite3.Error as refused:
            raise error(
                f"the state directory {self._directory} does not take this ({refused})",
                "make room there and let the agent write to it; what is in force stays in force",
            ) from refused

    def edge_id(self) -> str:
        """A random name of this edge, made at the first start (RFC 8586 wants one that differs)."""
        query = "SELECT value FROM facts WHERE name = 'edge_id'"
        if self._database.execute(query).fetchone() is None:
            with self._transaction() as database:
                database.execute("INSERT INTO facts VALUES ('edge_id', ?)", (secrets.token_hex(4),))
        return str(self._database.execute(query).fetchone()[0])

    def generation(self, site: str) -> int:
        """How often the key of a site's signatures was replaced."""
        query = "SELECT value FROM facts WHERE name = ?"
        row = self._database.execute(query, (f"generation {site}",)).fetchone()
        return int(row[0]) if row else 0

    def renew_key(self, site: str) -> None:
        """From now on the site has another key."""
        following = str(self.generation(site) + 1)
        with self._transaction() as database:
            database.execute("REPLACE INTO facts VALUES (?, ?)", (f"generation {site}", following))

    def renumber(
        self,
        gone: Iterable[str],
        sites: Iterable[tuple[str, str]],
        documents: Mapping[str, dict[str, object] | None] | None = None,
    ) -> dict[str, SiteId]:
        """One change of sites: those that go lose their numbers for ever; (name, customer) of those that come
        or stay get theirs; documents are kept, or dropped where they are None."""
        wanted = list(sites)
        with self._transaction() as database:
            database.executemany("DELETE FROM sites WHERE name = ?", [(name,) for name in gone])
            for name, body in (documents or {}).items():
                if body is None:
                    database.execute("DELETE FROM documents WHERE name = ?", (name,))
                else:
                    database.execute(
                        "INSERT OR REPLACE INTO documents VALUES (?, ?)", (name, json.dumps(body))
                    )
            for name, customer in wanted:
                database.execute("INSERT OR IGNORE INTO customers (name) VALUES (?)", (customer,))
                database.execute("INSERT OR IGNORE INTO sites (name) VALUES (?)", (name,))
        return self._numbers(wanted)

    def _numbers(self, sites: list[tuple[str, str]]) -> dict[str, SiteId]:
        if len(sites) < 100:
            return {
                name: SiteId(self._number("customers", of), self._number("sites", name)) for name, of in sites
            }
        customers = dict(self._database.execute("SELECT name, number FROM customers"))
        numbers = dict(self._database.execute("SELECT name, number FROM sites"))
        return {name: SiteId(customers[customer], numbers[name]) for name, customer in sites}

    def _number(self, table: str, name: str) -> int:
        query = {"sites": "SELECT number FROM sites", "customers": "SELECT number FROM customers"}[table]
        return int(self._database.execute(f"{query} WHERE name = ?", (name,)).fetchone()[0])

    def numbered(self) -> set[str]:
        """The names of the sites that have a number."""
        return {row[0] for row in self._database.execute("SELECT name FROM sites")}

    def documents(self) -> dict[str, dict[str, object]]:
        """The sites given at run time, as they were given."""
        return {
            row[0]: json.loads(row[1]) for row in self._database.execute("SELECT name, body FROM documents")
        }

    def document(self, name: str) -> dict[str, object] | None:
        """The document of one site, if it was given at run time."""
        row = self._database.execute("SELECT body FROM documents WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def releases(self) -> list[Kept]:
        """Those that were not lifted; what is over is among them."""
        return _kept(self._database.execute(f"{_RELEASES} WHERE lifted IS NULL ORDER BY id"))

    def release(self, identifier: str) -> Kept | None:
        """The one of this id, lifted or not."""
        found = _kept(self._database.execute(f"{_RELEASES} WHERE id = ?", (identifier,)))
        return found[0] if found else None

    def put_release(self, release: Release, index: int) -> None:
        """Keep a release that has been checked; ``index``: of its entry. One of the same id is replaced."""
        body = json.dumps(dump_enforcement(release.enforcement))
        row = (release.enforcement.id, body, release.entry, release.proof, release.statement, index, None)
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO releases VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def lift_release(self, identifier: str, moment: datetime) -> None:
        """It has been lifted, and does not come back."""
        with self._transaction() as database:
            database.execute("UPDATE releases SET lifted = ? WHERE id = ?", (stamp(moment), identifier))

    def refuse_release(self, identifier: str, moment: datetime) -> None:
        """One that never came here has been lifted, and does not come."""
        row = (identifier, "", b"", "", "", None, stamp(moment))
        with self._transaction() as database:
            database.execute("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def all_releases(directory: Path) -> list[Kept]:
    """Every release that was ever taken, over a connection of its own: for any thread. Raises
    HoldfastError."""
    try:
        with closing(
            sqlite3.connect(f"{directory.absolute().as_uri()}/{_FILE}?mode=ro", uri=True)
        ) as database:
            database.text_factory = _text
            return _kept(database.execute(f"{_RELEASES} ORDER BY id"))
    except sqlite3.Error as refused:
        raise error(
            f"the state directory {directory} cannot be read ({refused})", "let the agent read it"
        ) from refused


def _kept(rows: Iterable[tuple[str, str, bytes, str, str, int | None, str | None]]) -> list[Kept]:
    """SQLite keeps what it is given, of whatever type: an id and a time are texts here at least."""
    return [Kept(str(row[0]), *row[1:6], None if row[6] is None else str(row[6])) for row in rows]


def _text(data: bytes) -> str:
    """A damaged text is one that fails its checks; it must not keep an agent from starting."""
    return data.decode(errors="replace")
