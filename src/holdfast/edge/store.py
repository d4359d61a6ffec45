"""What an edge must remember across restarts: numbers of sites and customers, enforcements, sites that
were given to it at run time. SQLite in the state directory; no client address is ever stored.

Numbers are never reused: a site that comes back gets a new one, so that whatever still lingers under the
old number (a hostname not yet swept up, a counter) cannot become part of it.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from holdfast.edge.dataplane.facts import SiteId
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
    """The database of one edge. Every method that changes something returns when it is durable."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = sqlite3.connect(directory / "edge.db", isolation_level=None)
            self._database.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;" + _SCHEMA
            )
        except (OSError, sqlite3.Error) as refused:
            raise error(
                f"cannot use the state directory {directory} ({refused})",
                "make it writable, or set [edge] state_dir to another one",
            ) from refused
        self._database.row_factory = sqlite3.Row

    def close(self) -> None:
        self._database.close()

    def edge_id(self) -> str:
        """A random name of this edge, made at the first start (RFC 8586 wants one that differs)."""
        self._database.execute("INSERT OR IGNORE INTO facts VALUES ('edge_id', ?)", (secrets.token_hex(4),))
        return str(self._database.execute("SELECT value FROM facts WHERE name = 'edge_id'").fetchone()[0])

    def site_ids(self, sites: Iterable[tuple[str, str]]) -> dict[str, SiteId]:
        """(name, customer) → ids, new ones where needed, in one transaction."""
        wanted = list(sites)
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            for name, customer in wanted:
                self._database.execute("INSERT OR IGNORE INTO customers (name) VALUES (?)", (customer,))
                self._database.execute("INSERT OR IGNORE INTO sites (name) VALUES (?)", (name,))
            self._database.execute("COMMIT")
        if len(wanted) < 100:
            return {
                name: SiteId(self._number("customers", of), self._number("sites", name))
                for name, of in wanted
            }
        customers = dict(self._database.execute("SELECT name, number FROM customers"))
        numbers = dict(self._database.execute("SELECT name, number FROM sites"))
        return {name: SiteId(customers[customer], numbers[name]) for name, customer in wanted}

    def _number(self, table: str, name: str) -> int:
        query = {"sites": "SELECT number FROM sites", "customers": "SELECT number FROM customers"}[table]
        return int(self._database.execute(f"{query} WHERE name = ?", (name,)).fetchone()[0])

    def forget_site(self, name: str) -> None:
        """The site is gone; its number is never given again."""
        self._database.execute("DELETE FROM sites WHERE name = ?", (name,))

    def keep_only_sites(self, names: Iterable[str]) -> None:
        """Forget every site that is not among ``names`` (what was removed while the edge was down)."""
        keep = set(names)
        held = [row[0] for row in self._database.execute("SELECT name FROM sites")]
        with self._database:
            self._database.executemany(
                "DELETE FROM sites WHERE name = ?", [(name,) for name in held if name not in keep]
            )

    def documents(self) -> dict[str, dict[str, object]]:
        """The sites given at run time, as they were given."""
        return {
            row[0]: json.loads(row[1]) for row in self._database.execute("SELECT name, body FROM documents")
        }

    def put_document(self, name: str, body: dict[str, object]) -> None:
        self._database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", (name, json.dumps(body)))

    def drop_document(self, name: str) -> None:
        self._database.execute("DELETE FROM documents WHERE name = ?", (name,))

    def enforcements(self) -> list[Enforcement]:
        rows = self._database.execute("SELECT body FROM enforcements ORDER BY id")
        return [load_enforcement(json.loads(row[0])) for row in rows]

    def put_enforcement(self, enforcement: Enforcement) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO enforcements VALUES (?, ?)",
            (enforcement.id, json.dumps(dump_enforcement(enforcement))),
        )

    def drop_enforcement(self, identifier: str) -> None:
        self._database.execute("DELETE FROM enforcements WHERE id = ?", (identifier,))


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
