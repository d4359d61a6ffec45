"""What an edge must remember across restarts: numbers of sites and customers, enforcements, sites that
were given to it at run time. SQLite in the state directory; no client address is ever stored.

Numbers are never reused: a site that comes back gets a new one, so that whatever still lingers under the
old number (a hostname not yet swept up, a counter) cannot become part of it.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from holdfast.edge.dataplane.facts import SiteId
from holdfast.edge.secret import read_secret
from holdfast.model.enforcement import CustomerScope, Enforcement, HostScope, PathScope, Scope, SiteScope
from holdfast.model.errors import error

_SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS sites (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS enforcements (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    """The database of one edge. Every method that changes something returns when it is durable, or raises
    HoldfastError and has changed nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = sqlite3.connect(directory / "edge.db", isolation_level=None)
            # Nobody else writes here. Should someone, half a second is as long as the agent may stand still.
            self._database.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=500;" + _SCHEMA
            )
        except (OSError, sqlite3.Error) as refused:
            raise error(
                f"cannot use the state directory {directory} ({refused})",
                "make it writable, or set [edge] state_dir to another one",
            ) from refused
        self._database.row_factory = sqlite3.Row
        self.secret = read_secret(directory)

    def close(self) -> None:
        self._database.close()

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

    def enforcements(self) -> list[Enforcement]:
        rows = self._database.execute("SELECT body FROM enforcements ORDER BY id")
        return [load_enforcement(json.loads(row[0])) for row in rows]

    def put_enforcement(self, enforcement: Enforcement) -> None:
        body = json.dumps(dump_enforcement(enforcement))
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO enforcements VALUES (?, ?)", (enforcement.id, body))

    def drop_enforcement(self, identifier: str) -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM enforcements WHERE id = ?", (identifier,))


def dump_enforcement(enforcement: Enforcement) -> dict[str, object]:
    """An enforcement as JSON; ``load_enforcement`` is the inverse."""
    return {
        "id": enforcement.id,
        "scope": _dump_scope(enforcement.scope),
        "ground": enforcement.ground,
        "since": enforcement.since.isoformat(),
        "until": enforcement.until.isoformat(),
        "by": enforcement.by,
        "authority": enforcement.authority,
    }


def load_enforcement(body: dict[str, object]) -> Enforcement:
    """The inverse of ``dump_enforcement``; raises KeyError or ValueError for anything else."""
    scope = body["scope"]
    if not isinstance(scope, list):
        raise ValueError("an enforcement's scope is a list")
    return Enforcement(
        id=str(body["id"]),
        scope=_load_scope([str(part) for part in scope]),
        ground=str(body["ground"]),
        since=datetime.fromisoformat(str(body["since"])),
        until=datetime.fromisoformat(str(body["until"])),
        by=str(body["by"]),
        authority=str(body["authority"]),
    )


def _dump_scope(scope: Scope) -> list[str]:
    match scope:
        case CustomerScope(customer):
            return ["customer", customer]
        case SiteScope(site):
            return ["site", site]
        case HostScope(hostname):
            return ["hostname", hostname]
        case PathScope(site, prefix):
            return ["path", site, prefix]


def _load_scope(parts: list[str]) -> Scope:
    match parts:
        case ["customer", customer]:
            return CustomerScope(customer)
        case ["site", site]:
            return SiteScope(site)
        case ["hostname", hostname]:
            return HostScope(hostname)
        case ["path", site, prefix]:
            return PathScope(site, prefix)
    raise ValueError(f"unknown scope {parts}")
