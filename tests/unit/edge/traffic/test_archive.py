"""Records on disk: kept and found again, forgotten after a month; what the disk does stops nothing."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from holdfast.edge.traffic import archive as archives
from holdfast.edge.traffic.archive import KEPT_SECONDS, Archive, Item
from holdfast.shield.mitigation_record import mitigation_record_document
from holdfast.shield.record import record_document
from tests.unit.shield.recorded import ATTACK, FIRST, mitigation_record, record
from tests.unit.shield.traffic import START

ENDED = START + 60


def attack(number: int = 0, **more: Any) -> Item:
    made = record()
    made.attack.id = f"{ATTACK}{number or ''}"
    item = Item(True, made.attack.id, "shop", START + number, ENDED + number, record_document(made))
    return replace(item, **more)


def mitigation(number: int = 0, **more: Any) -> Item:
    document = mitigation_record_document(mitigation_record(id=f"{FIRST}{number or ''}"))
    return replace(Item(False, document["id"], "shop", START + number, ENDED + number, document), **more)


def place(tmp_path: Path) -> Path:
    return tmp_path / "shield" / "records.db"


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    assert (made.attacks(), made.attack(ATTACK), made.mitigation(FIRST)) == ([], None, None)
    assert made.put([attack(), mitigation(), attack(1)])
    made.close()
    again = Archive(place(tmp_path))
    assert [each["id"] for each in again.attacks()] == [ATTACK, f"{ATTACK}1"]
    assert again.attacks()[0] == attack().body["attack"]
    assert again.attack(ATTACK) == attack().body
    assert again.mitigation(FIRST) == mitigation().body
    assert again.attack(FIRST) is None
    assert again.mitigation(ATTACK) is None
    again.close()


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    assert made.put([attack()])
    files = {path.name: path.stat().st_mode & 0o777 for path in place(tmp_path).parent.iterdir()}
    assert set(files.values()) == {0o600}
    assert "records.db-wal" in files, "no write waits for the disk"
    assert place(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    made.close()


def test_a_later_record_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    made.put([attack(ended=None), mitigation(ended=None)])
    assert [[each["id" if "id" in each else "attack"] for each in found] for found in made.unfinished()] == [
        [attack().body["attack"]],
        [FIRST],
    ]
    made.put([attack(), mitigation()])
    assert made.unfinished() == ([], [])
    assert len(made.attacks()) == 1
    made.close()


def test_all_of_it_is_kept_or_none(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    with capture_logs() as logs:
        assert not made.put([mitigation(), replace(attack(), site=None)])  # type: ignore[arg-type]
    assert made.mitigation(FIRST) is None
    assert [each["event"] for each in logs] == ["records of attacks cannot be written"]
    made.close()


def test_what_ended_a_month_ago_is_forgotten(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    made.put(
        [attack(), attack(1), attack(2, ended=None), mitigation(), mitigation(1), mitigation(2, ended=None)]
    )
    made.prune(ENDED + 0.5 + KEPT_SECONDS)
    assert [each["id"] for each in made.attacks()] == [f"{ATTACK}1", f"{ATTACK}2"]
    assert [made.mitigation(f"{FIRST}{number or ''}") is None for number in range(3)] == [True, False, False]
    made.close()


def test_of_too_many_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_TABLES", (("attacks", 3), ("mitigations", 2)))
    made = Archive(place(tmp_path))
    made.put([*(attack(number) for number in range(1, 6)), attack(6, began=0.0, ended=None)])
    made.put([mitigation(number) for number in range(1, 4)])
    made.prune(ENDED)
    assert [each["id"][len(ATTACK) :] for each in made.attacks()] == ["6", "4", "5"], "what goes on stays"
    assert [made.mitigation(f"{FIRST}{number}") is None for number in (1, 2, 3)] == [True, False, False]
    made.close()


@pytest.mark.parametrize(
    "content", [b"", b"no database, but more than sixteen bytes", b"SQLite format 3\0" + bytes(84)]
)
def test_a_broken_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, content: bytes) -> None:
    place(tmp_path).parent.mkdir()
    place(tmp_path).write_bytes(content)
    made = Archive(place(tmp_path))
    with capture_logs() as logs:
        assert made.put([attack()])
        assert made.attack(ATTACK) is not None
    aside = tmp_path / "shield" / "records.db.broken"
    if content:
        assert [each["event"] for each in logs] == ["records of attacks cannot be used and begin anew"]
        assert aside.read_bytes() == content
    else:
        assert (logs, aside.exists()) == ([], False)
    assert place(tmp_path).stat().st_mode & 0o777 == 0o600 or not content
    made.close()


def test_a_file_that_breaks_while_it_is_used(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    made.put([attack(number) for number in range(40)])
    made.close()
    whole = place(tmp_path).read_bytes()
    place(tmp_path).write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    again = Archive(place(tmp_path))
    with capture_logs() as logs:
        assert again.attacks() == []
        assert again.put([attack()])
        assert len(again.attacks()) == 1
    assert [each["event"] for each in logs] == ["records of attacks cannot be used and begin anew"]
    again.close()


def test_a_file_of_another_version_is_set_aside(tmp_path: Path) -> None:
    place(tmp_path).parent.mkdir()
    with sqlite3.connect(place(tmp_path)) as other:
        other.executescript("CREATE TABLE attacks (all_is_different INTEGER); PRAGMA user_version=99;")
    other.close()
    made = Archive(place(tmp_path))
    with capture_logs() as logs:
        assert made.put([attack()])
    assert [each["why"] for each in logs] == ["it is of version 99"]
    assert made.attack(ATTACK) is not None
    made.close()


def test_a_broken_record_is_left_out_and_no_other(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    made.put([attack(), attack(1), mitigation()])
    made.close()
    with sqlite3.connect(place(tmp_path)) as other:
        other.execute("UPDATE attacks SET attack = '{', body = X'00' WHERE id = ?", (ATTACK,))
        other.execute("UPDATE mitigations SET body = '[]'")
    other.close()
    again = Archive(place(tmp_path))
    with capture_logs() as logs:
        assert [each["id"] for each in again.attacks()] == [f"{ATTACK}1"]
        assert (again.attack(ATTACK), again.mitigation(FIRST)) == (None, None)
    assert [each["event"] for each in logs] == ["a record of an attack cannot be read and is left out"] * 2
    again.close()


@pytest.mark.parametrize(
    "lies_there", ["a file where the directory should be", "a directory where the file should be"]
)
def test_a_place_that_takes_nothing_is_logged_and_stops_nothing(tmp_path: Path, lies_there: str) -> None:
    if lies_there.startswith("a file"):
        (tmp_path / "shield").write_text("")
    else:
        place(tmp_path).mkdir(parents=True)
    made = Archive(place(tmp_path))
    with capture_logs() as logs:
        assert not made.put([attack()])
        assert (made.attacks(), made.attack(ATTACK), made.unfinished()) == ([], None, ([], []))
        made.prune(START)
        made.close()
    assert {each["log_level"] for each in logs} == {"error"}
    assert "records of attacks cannot be written" in {each["event"] for each in logs}


def test_a_disk_that_takes_nothing_for_a_while_is_tried_again(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    assert made.put([attack()])
    with sqlite3.connect(place(tmp_path)) as other:
        other.execute("BEGIN IMMEDIATE")  # somebody else writes, and does not end
        with capture_logs() as logs:
            assert not made.put([attack(1)])
            assert made.attack(ATTACK) is not None
        assert ["locked" in each["why"] for each in logs] == [True]
    other.close()
    assert made.put([attack(1)])
    assert len(made.attacks()) == 2
    assert not (tmp_path / "shield" / "records.db.broken").exists()
    made.close()


def test_threads_do_not_meet(tmp_path: Path) -> None:
    made = Archive(place(tmp_path))
    items = [attack(number) for number in range(8)]
    threads = [threading.Thread(target=made.put, args=([item],)) for item in items]
    with capture_logs() as logs:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert logs == []
    assert len(made.attacks()) == 8
    made.close()
