"""Which of the blocks that were given are in force, over starts, other keys and a database that somebody has
changed. The store is the real one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from holdfast.edge.dataplane.commands import Places
from holdfast.edge.desired import BLOCK, Desired
from holdfast.edge.publishing import public_records
from holdfast.edge.release import IN_FORCE, LIFTED, NOT_IN_FORCE, OVER, Trust
from holdfast.edge.releases import Releases
from holdfast.edge.store import Store, all_releases
from holdfast.model.enforcement import Enforcement, HostScope, Provider, SiteScope, dump_enforcement
from holdfast.model.errors import HoldfastError
from holdfast.model.record import stamp
from tests.feature.recorded import LOG, MemoryLog, released

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = Enforcement("D-1", SiteScope("a"), "ground", NOW, NOW + HOUR, "officer")
TWO = Enforcement("D-2", HostScope("b.test"), "ground", NOW, NOW + 3 * HOUR, "officer")
TRUST = Trust(LOG.key)


class House:
    """A state directory, and an edge's releases that are loaded from it again and again."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.store = Store(self.state)
        self.start()

    def start(self, trust: Trust = TRUST, now: datetime = NOW, appeal: str = "") -> None:
        self.store.close()
        self.store = Store(self.state)
        provider = Provider("P", "https://p.example/", appeal=appeal)
        self.desired = Desired(Places(PurePosixPath("/run/holdfast")), provider)
        self.releases = Releases(self.store, self.desired)
        self.releases.trust(trust, now)

    @property
    def in_force(self) -> set[str]:
        assert self.desired.enforcements.keys() == self.releases.indices.keys()
        return set(self.desired.enforcements)

    def sql(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.state / "edge.db")) as database, database:
            database.execute(statement, values)

    def public(self, now: datetime = NOW) -> dict[str, tuple[str, datetime | None]]:
        records = public_records(all_releases(self.state), set(self.releases.withheld), now)
        return {each.release.enforcement.id: (each.status, each.ended) for each in records}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


def test_what_is_given_is_in_force_from_then_on(house: House) -> None:
    release = released(ONE)
    units, index = house.releases.admit(release, NOW)
    assert units == {(BLOCK, "site a")}
    assert house.releases.admit(release, NOW) == (units, index), "once more is the same"
    house.start()
    assert house.in_force == {"D-1"}
    assert house.releases.indices == {"D-1": index}
    assert house.store.releases()[0].read() == release


def test_a_clock_that_is_behind_at_a_start_undoes_nothing(house: House) -> None:
    house.releases.admit(released(ONE), NOW)
    house.start(now=NOW - 1000 * HOUR)
    assert house.in_force == {"D-1"}


def test_what_is_refused_leaves_nothing_behind(house: House) -> None:
    long = replace(ONE, ground="x" * 5_000)
    for release in (released(ONE, MemoryLog()), replace(released(ONE), proof=""), released(long)):
        with pytest.raises(HoldfastError):
            house.releases.admit(release, NOW)
    assert (house.in_force, house.store.releases(), list(house.desired.units())) == (set(), [], [])


def test_what_cannot_be_stored_is_not_in_force(house: House) -> None:
    with closing(sqlite3.connect(house.state / "edge.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HoldfastError, match="does not take this"):
            house.releases.admit(released(ONE), NOW)
        assert house.in_force == set()
    house.releases.admit(released(ONE), NOW)
    with closing(sqlite3.connect(house.state / "edge.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HoldfastError, match="does not take this"):
            house.releases.lift("D-1", NOW)
        assert house.in_force == {"D-1"}, "nor is it lifted"


def test_a_lifted_block_never_comes_back(house: House) -> None:
    release = released(ONE)
    house.releases.admit(release, NOW)
    units, lifted = house.releases.lift("D-1", NOW + HOUR / 2)
    assert (units, lifted, house.in_force) == ({(BLOCK, "site a")}, stamp(NOW + HOUR / 2), set())
    assert house.releases.lift("D-1", NOW + HOUR) == (units, lifted), "once more is the same"
    for _ in range(2):
        for again in (release, released(ONE), released(replace(ONE, until=NOW + 2 * HOUR))):
            with pytest.raises(HoldfastError, match="was lifted at 2026-11-27T12:30:00Z and does not come"):
                house.releases.admit(again, NOW)
        house.start()
        assert house.in_force == set()
    house.releases.admit(released(replace(ONE, id="D-3")), NOW)
    assert house.in_force == {"D-3"}, "what is decided anew is another block"


def test_an_id_stands_for_one_decision(house: House) -> None:
    house.releases.admit(released(ONE), NOW)
    with pytest.raises(HoldfastError, match="another block of the id D-1 is in force"):
        house.releases.admit(released(replace(ONE, scope=HostScope("b.test"))), NOW)
    assert house.desired.enforcements == {"D-1": ONE}


def test_there_is_nothing_to_lift(house: House) -> None:
    house.releases.admit(released(ONE), NOW)
    house.releases.end(ONE.until)
    with pytest.raises(HoldfastError, match="has come to its end"):
        house.releases.lift("D-1", ONE.until)


def test_what_no_page_can_carry_any_more_keeps_no_edge_from_starting(house: House) -> None:
    """The provider's texts have grown while no agent ran."""
    house.releases.admit(released(ONE), NOW)
    house.start(appeal=f"https://p.example/{'a' * 4096}")
    assert (house.in_force, list(house.releases.withheld)) == (set(), ["D-1"])
    assert [house.desired.facts(unit) for unit in house.desired.units()] == []
    house.start()
    assert house.in_force == {"D-1"}


def test_what_a_clock_ahead_has_ended_is_lifted_for_good(house: House) -> None:
    house.releases.admit(released(ONE), NOW)
    house.releases.end(ONE.until + HOUR)
    assert house.in_force == set()
    house.releases.lift("D-1", NOW)
    house.start()
    assert (house.in_force, house.public()) == (set(), {"D-1": (LIFTED, NOW)})


def test_what_was_lifted_before_it_came_does_not_come(house: House) -> None:
    assert house.releases.lift("D-1", NOW) == (set(), stamp(NOW))
    house.start()
    with pytest.raises(HoldfastError, match=r"was lifted at .* and does not come back"):
        house.releases.admit(released(ONE), NOW)
    assert (house.in_force, house.public()) == (set(), {})


def test_what_is_over_ends_and_stays_a_record(house: House) -> None:
    for each in (ONE, TWO):
        house.releases.admit(released(each), NOW)
    assert house.releases.end(NOW) == (set(), [])
    assert house.releases.end(ONE.until) == ({(BLOCK, "site a")}, [ONE])
    assert house.in_force == {"D-2"}
    house.start(now=ONE.until)
    assert (house.in_force, house.releases.withheld) == ({"D-2"}, {})
    assert house.public(ONE.until) == {"D-1": (OVER, ONE.until), "D-2": (IN_FORCE, None)}
    house.releases.lift("D-2", ONE.until)
    assert house.public(TWO.until)["D-2"] == (LIFTED, ONE.until)


def test_another_key_decides_anew(house: House) -> None:
    other = MemoryLog("log.test/other")
    house.releases.admit(released(ONE), NOW)
    units = house.releases.trust(Trust(other.key), NOW)
    assert (units, house.in_force) == ({(BLOCK, "site a")}, set())
    assert "log.test/other" in house.releases.withheld["D-1"].why
    house.releases.admit(released(TWO, other), NOW)
    assert house.public() == {"D-1": (NOT_IN_FORCE, None), "D-2": (IN_FORCE, None)}
    for trust, expected in ((Trust(), set()), (Trust(other.key), {"D-2"}), (TRUST, {"D-1"})):
        house.start(trust)
        assert house.in_force == expected
        assert house.in_force | set(house.releases.withheld) == {"D-1", "D-2"}
    assert house.releases.trust(Trust(other.key), NOW) == {(BLOCK, "site a"), (BLOCK, "hostname b.test")}
    assert house.in_force == {"D-2"}


def test_what_is_withheld_can_be_lifted_released_anew_or_ends(house: House) -> None:
    for number in range(3):
        house.releases.admit(released(replace(ONE, id=f"D-{number}")), NOW)
    house.sql("UPDATE releases SET proof = ''")
    house.start()
    assert (house.in_force, set(house.releases.withheld)) == (set(), {"D-0", "D-1", "D-2"})
    house.releases.lift("D-0", NOW)
    house.releases.admit(released(ONE), NOW)
    assert (house.in_force, set(house.releases.withheld)) == ({"D-1"}, {"D-2"})
    house.start()
    assert (house.in_force, set(house.releases.withheld)) == ({"D-1"}, {"D-2"})
    house.releases.end(ONE.until)
    assert (house.in_force, house.releases.withheld) == (set(), {})


def changes() -> Iterator[tuple[str, Any]]:
    """What somebody may write into the database beside us: column and value."""
    good = released(ONE)
    yield from (("proof", value) for value in ("", "x", good.proof + "x", good.proof.encode(), 7))
    yield from (("entry", value) for value in (b"", good.entry[:-1], good.entry.decode(), 7))
    yield from (("statement", value) for value in ("", "Another.", b"\xff", 7))
    yield from (("body", value) for value in ("", "[]", "{}", "null", "[" * 100_000, b"\xff", 7))
    body = dump_enforcement(ONE)
    for name, value in {
        "id": "D-2",
        "scope": ["site", "b"],
        "ground": "another",
        "since": "0001-01-01T00:00:00+23:00",
        "until": (NOW + 9 * HOUR).isoformat(),
        "by": None,
        "authority": "A Court",
    }.items():
        yield "body", json.dumps({**body, name: value})
    yield "id", "D-2"


@pytest.mark.parametrize(("column", "value"), [pytest.param(*each, id=str(each)[:60]) for each in changes()])
def test_a_changed_database_leaves_the_site_open(house: House, column: str, value: Any) -> None:
    """And everything else as it is; it can be seen, and lifted."""
    house.releases.admit(released(ONE), NOW)
    house.releases.admit(released(replace(TWO, id="D-9")), NOW)
    house.sql(f"UPDATE releases SET {column} = ? WHERE id = 'D-1'", value)  # noqa: S608 - one of ours
    house.start()
    assert house.in_force == {"D-9"}
    (withheld,) = house.releases.withheld.values()
    assert withheld.why
    assert house.public().get("D-1", (NOT_IN_FORCE, None)) == (NOT_IN_FORCE, None)
    house.releases.lift(withheld.id, NOW)
    house.start()
    assert (house.in_force, house.releases.withheld) == ({"D-9"}, {})


def test_blocks_from_before_there_were_proofs_are_kept_and_not_in_force(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with closing(sqlite3.connect(tmp_path / "state" / "edge.db")) as old, old:
        old.executescript(
            "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
            "INSERT INTO facts VALUES ('edge_id', '0a1b2c3d');"
            "CREATE TABLE enforcements (id TEXT PRIMARY KEY, body TEXT NOT NULL);"
        )
        rows = [(each.id, json.dumps(dump_enforcement(each))) for each in (ONE, TWO)]
        old.executemany("INSERT INTO enforcements VALUES (?, ?)", rows)
    house = House(tmp_path)
    for _ in range(2):
        assert (house.in_force, set(house.releases.withheld)) == (set(), {"D-1", "D-2"})
        assert house.releases.withheld["D-1"].enforcement == ONE
        assert "there is no proof that it is on record" in house.releases.withheld["D-1"].why
        assert house.store.edge_id() == "0a1b2c3d"
        house.start()
    assert house.public() == {}, "what was never on record is not shown as if it were"
    house.releases.admit(released(ONE), NOW)
    house.start()
    assert (house.in_force, set(house.releases.withheld)) == ({"D-1"}, {"D-2"})
    house.store.close()


@pytest.mark.parametrize("column", ["id", "body", "entry", "proof", "statement", "lifted"])
@pytest.mark.parametrize("value", ["x'ff00'", "CAST(x'ff7b' AS TEXT)"])
def test_a_damaged_row_keeps_no_edge_from_starting(house: House, column: str, value: str) -> None:
    for each in (ONE, TWO):
        house.releases.admit(released(each), NOW)
    house.sql(f"UPDATE releases SET {column} = {value} WHERE id = 'D-1'")  # noqa: S608
    house.start()
    assert house.in_force == {"D-2"}
    assert "D-2" in house.public()
    assert all(isinstance(each.id, str) for each in house.releases.withheld.values())
