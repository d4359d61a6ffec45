"""What the shield knows outlives the agent, as files; what cannot be read or written stops nothing."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from holdfast.edge.traffic.notes import (
    Notes,
    attack_document,
    brain_of,
    mitigation_document,
    read_mitigation,
    site_document,
    take_over,
)
from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.attack import Attack
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import Remembered, SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.evidence import Window
from holdfast.shield.features import empty
from holdfast.shield.phase import Phase
from tests.unit.shield.traffic import START, visitor

NOW = datetime.fromtimestamp(START, UTC)
FLOOD = ("agent", "names"), ("-12", "34")
Document = dict[str, Any]


@cache
def _learned() -> Baseline:
    rng = np.random.default_rng(1)
    baseline = Baseline.new(START - 86_400)
    baseline.learn([visitor(rng, START - 4000 + number) for number in range(300)], rng)
    for minute in range(90):
        baseline.learn_rate(START - 86_400 + 60 * minute, 600, 60)
    return baseline


def brain() -> SiteBrain:
    return SiteBrain("shop", copy.deepcopy(_learned()))


def mitigation(number: int = 1, **more: Any) -> Mitigation:
    fields: Document = {
        "id": f"shop-A-{number}",
        "site": "shop",
        "action": Action.CHALLENGE,
        "features": FLOOD[0],
        "values": (str(number), "34"),
        "reason": "half of it ünlike 'usual'",
        "since": NOW - timedelta(seconds=20),
        "until": NOW + timedelta(seconds=40),
        "attack": "shop-A",
        "evidence": ("GET / · x · from 198.51.100.0/24",),
        "harm": 0.00123,
        **more,
    }
    return Mitigation(**fields)


def attacked() -> SiteBrain:
    """In an attack, with two mitigations and two lines in its journal."""
    made = brain()
    attack = Attack("shop-A", "shop", START - 20, "why", peak=900.5, usual=50, touched=12, reached=3)
    attack.note(START - 20, "begins", "900 requests/s")
    attack.note(START - 19, "changes", "challenge one agent")
    made.resume(attack, START - 20)
    made.response.put(mitigation(), START - 20)
    made.response.put(mitigation(2, action=Action.DENY, pinned=True, author="Ann"), START - 20)
    return made


def stored(document: Document) -> Document:
    """As it comes back from a file."""
    return dict(json.loads(json.dumps(document)))


def test_what_is_written_is_read_by_the_next_agent(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "shield")
    assert (notes.read_site("shop"), notes.read_attacks(), notes.read_switched()) == (None, {}, set())
    made = attacked()
    notes.write_site("shop", site_document(made))
    notes.write_attacks({"shop": attack_document(made)})
    notes.write_switched({"shop", "blog"})
    again = Notes(tmp_path / "shield")
    assert again.read_site("shop") == stored(site_document(made))
    assert again.read_attacks() == {"shop": stored(attack_document(made))}
    assert again.read_switched() == {"shop", "blog"}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "shield").iterdir()} == {0o600}
    assert not list((tmp_path / "shield").glob("*.new"))


def test_a_mitigation_is_its_document() -> None:
    for each in (mitigation(), mitigation(2, pinned=True, author="Ann", features=(), values=())):
        assert read_mitigation(stored(mitigation_document(each))) == each


def test_a_brain_goes_on_where_it_was() -> None:
    before = brain()
    before.response.forbidden.add(FLOOD)
    before.remembered = {
        FLOOD: Remembered(Action.DENY, 0.0005, START + 60),
        (("agent",), ("1",)): Remembered(Action.LIMIT, 0.5, START - 1),
    }
    after = brain_of("shop", stored(site_document(before)), START)
    assert after.response.forbidden == {FLOOD}
    assert after.remembered == {FLOOD: Remembered(Action.DENY, 0.0005, START + 60)}, "one is over"
    assert after.phase is Phase.CALM
    assert np.array_equal(after.baseline.codes, before.baseline.codes)
    assert after.baseline.expected(START, 1.0).mean == pytest.approx(before.baseline.expected(START, 1).mean)


def test_an_attack_is_taken_over_and_not_begun_again() -> None:
    before, after = attacked(), brain()
    take_over(after, stored(attack_document(before)), START)
    assert after.attack == before.attack
    assert after.phase is Phase.ATTACK
    assert set(after.response.mitigations()) == set(before.response.mitigations())
    after.tick(START + 0.2, Counts(START + 0.2, 0.2, 10), [], np.random.default_rng(1))
    assert not [note for _, note in after.news if note.kind == "begins"]
    assert {each.id for each in after.response.mitigations()} == {"shop-A-1", "shop-A-2"}


def test_what_a_person_has_undone_stays_undone() -> None:
    before, after = attacked(), brain()
    before.response.undone.add(FLOOD)
    take_over(after, stored(attack_document(before)), START)
    assert after.response.undone == {FLOOD}
    assert after.response.is_unwanted(FLOOD)


def test_what_is_made_after_a_take_over_has_an_id_of_its_own() -> None:
    """The ids end with a number, and the next agent does not know how far the one before had counted."""
    after = brain()
    take_over(after, stored(attack_document(attacked())), START)
    attack = after.attack
    assert attack is not None
    window = Window((visitor(np.random.default_rng(1), START),), empty())
    after.response.challenge_everybody(START, attack.id, window, "a test")
    ids = [each.id for each in after.response.mitigations()]
    assert ids == ["shop-A-1", "shop-A-2", "shop-A-3"]


def test_what_has_ended_meanwhile_is_not_taken_over() -> None:
    after = brain()
    take_over(after, stored(attack_document(attacked())), START + 41)
    assert after.response.mitigations() == ()
    assert after.phase is Phase.ATTACK, "it ends by itself when no flood is seen"
    now = START + 41
    for _ in range(400):
        now += 0.2
        after.tick(now, Counts(now, 0.2, 2), [], np.random.default_rng(1))
    assert (after.attack, after.phase.name) == (None, "CALM")


def broken(change: Callable[[Document], object]) -> Document:
    document = stored(attack_document(attacked()))
    change(document)
    return document


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"attack": 5, "mitigations": []},
        {"attack": None, "mitigations": [5]},
        broken(lambda document: document.pop("mitigations")),
        broken(lambda document: document["attack"].pop("id")),
        broken(lambda document: document["attack"].update(began="soon")),
        broken(lambda document: document["attack"].update(peak="high")),
        broken(lambda document: document["attack"].update(touched=None)),
        broken(lambda document: document["attack"].update(notes=[[1, 2, 3, 4]])),
        broken(lambda document: document["attack"].update(notes=[["soon", "begins", "x"]])),
        broken(lambda document: document["mitigations"][1].update(action="shout")),
        broken(lambda document: document["mitigations"][0].update(until="soon")),
        broken(lambda document: document["mitigations"][0].pop("values")),
    ],
)
def test_a_broken_attack_is_left_out_whole(document: Document) -> None:
    after = brain()
    with capture_logs() as logs:
        take_over(after, document, START)
    assert ["attack's notes cannot be read" in each["event"] for each in logs] == [True]
    assert (after.attack, after.phase, after.response.mitigations()) == (None, Phase.CALM, ())


@pytest.mark.parametrize("features", [("agent", "query"), ("agent", "shoe size"), ("agent",) * 40], ids=len)
def test_a_mitigation_that_no_template_can_match_is_left_out_and_no_other(features: tuple[str, ...]) -> None:
    """Of another version, that had other templates: HAProxy could not be told it."""
    made = attacked()
    made.response.put(mitigation(3, features=features, values=("1",) * len(features)), START - 20)
    after = brain()
    with capture_logs() as logs:
        take_over(after, stored(attack_document(made)), START)
    assert [(each["event"], each["id"]) for each in logs] == [
        ("a mitigation of another version is left out", "shop-A-3")
    ]
    assert {each.id for each in after.response.mitigations()} == {"shop-A-1", "shop-A-2"}


@pytest.mark.parametrize("key", ["baseline", "forbidden", "remembered"])
@pytest.mark.parametrize("value", [None, 5, "text", [5], {"born": "x"}], ids=str)
def test_a_site_with_broken_notes_begins_anew(key: str, value: object) -> None:
    with capture_logs() as logs:
        after = brain_of("shop", {**stored(site_document(brain())), key: value}, START)
    assert after.baseline.clean_samples == 0
    assert [each["site"] for each in logs] == ["shop"]
    assert brain_of("shop", {}, START).baseline.clean_samples == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", gzip.compress(b"{"), gzip.compress(b"\xff\xfe"), gzip.compress(b'{"a": 1}')[:-9]],
    ids=["empty", "nonsense", "half", "no text", "cut"],
)
def test_a_broken_file_is_logged_and_left_out(tmp_path: Path, content: bytes) -> None:
    for name in ("site-shop", "attacks", "switched"):
        (tmp_path / f"{name}.json.gz").write_bytes(content)
    notes = Notes(tmp_path)
    with capture_logs() as logs:
        assert (notes.read_site("shop"), notes.read_attacks(), notes.read_switched()) == (None, {}, set())
    assert [each["log_level"] for each in logs] == ["error"] * 3


def test_a_file_with_any_byte_changed_is_read_as_it_was_or_left_out(tmp_path: Path) -> None:
    notes, path, sites = Notes(tmp_path), tmp_path / "attacks.json.gz", {"shop": {"a": list(range(500))}}
    notes.write_attacks(sites)
    whole = path.read_bytes()
    with capture_logs():
        for place, byte in enumerate(whole):
            path.write_bytes(whole[:place] + bytes([byte ^ 0xFF]) + whole[place + 1 :])
            assert notes.read_attacks() in (sites, {}), place


@pytest.mark.parametrize("held", [[], 5, {"version": 0}, {"version": 99, "sites": 7}], ids=str)
def test_notes_of_another_kind_are_left_out(tmp_path: Path, held: object) -> None:
    for name in ("site-shop", "attacks", "switched"):
        (tmp_path / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(held).encode()))
    notes = Notes(tmp_path)
    assert (notes.read_site("shop"), notes.read_attacks(), notes.read_switched()) == (None, {}, set())


def test_a_directory_that_takes_nothing_is_logged_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "shield").write_text("a file where the directory should be")
    notes = Notes(tmp_path / "shield")
    with capture_logs() as logs:
        notes.write_site("shop", site_document(brain()))
        notes.write_attacks({})
        notes.write_switched(set())
    assert [each["event"] for each in logs] == ["notes of the shield cannot be written"] * 3


def test_no_client_is_named_in_the_notes() -> None:
    """Networks and hashes only: of visitors, a /24 or /48."""
    rng = np.random.default_rng(1)
    made = brain()
    client = "203.0.113.77"
    seen = [visitor(rng, START - 100 + number / 10) for number in range(100)]
    made.baseline.learn([replace(each, client=client, address=client) for each in seen], rng)
    assert client not in json.dumps(site_document(made))
    assert client not in json.dumps(attack_document(made))
