"""What may be put in force: that and only that which the trusted record says, in its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.edge.release import EARLIEST, Release, Trust, check
from holdfast.ledger.note import COSIGNATURE, SignerKey
from holdfast.model.enforcement import CustomerScope, Enforcement, HostScope, PathScope, Scope, SiteScope
from holdfast.model.errors import HoldfastError
from holdfast.model.record import LIFT, content_hash
from tests.feature.recorded import MemoryLog, released

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BLOCK = Enforcement(
    id="20261127-0a1b2c3d",
    scope=SiteScope("shop"),
    ground="Terms of service, section 4",
    since=NOW - timedelta(seconds=1),
    until=NOW + timedelta(days=1),
    by="duty officer",
    authority="A Court",
)
WITNESSES = [SignerKey(f"w{number}.test", COSIGNATURE, bytes([number]) * 32) for number in range(3)]


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    """One with some entries before and after any that a test adds."""
    made = MemoryLog()
    for number in range(5):
        made.append(b"%d" % number)
    return made


def trust(log: MemoryLog, quorum: int = 0) -> Trust:
    return Trust(log.key, tuple(each.verifier for each in WITNESSES), quorum)


def refusal(release: Release, trusted: Trust, now: datetime = NOW) -> str:
    with pytest.raises(HoldfastError) as caught:
        check(release, trusted, now)
    assert all(each.remedy for each in caught.value.mistakes)
    return str(caught.value)


@pytest.mark.parametrize(
    "scope",
    [CustomerScope("acme"), SiteScope("shop"), HostScope("a.test"), PathScope("shop", "/evil/")],
    ids=str,
)
def test_what_is_on_record_may_be_in_force(log: MemoryLog, scope: Scope) -> None:
    release = released(replace(BLOCK, scope=scope), log)
    assert check(release, trust(log), NOW) == log.append(b"later") - 1


def test_any_changed_byte_is_refused(log: MemoryLog) -> None:
    """Of the proof: its index, its hashes, the checkpoint's origin, size, root and signature. And of the
    entry and the statement."""
    good = released(BLOCK, log)
    check(good, trust(log), NOW)
    texts = {"proof": good.proof.encode(), "statement": good.statement.encode(), "entry": good.entry}
    for name, data in texts.items():
        for place in range(len(data)):
            for flipped in (data[place] ^ 0x01, data[place] ^ 0x20):
                changed = data[:place] + bytes([flipped]) + data[place + 1 :]
                value: Any = changed if name == "entry" else changed.decode(errors="surrogateescape")
                refusal(replace(good, **{name: value}), trust(log))


def test_neither_less_nor_more_than_the_proof_is_one(log: MemoryLog) -> None:
    good = released(BLOCK, log)
    for proof in (good.proof[:-1], good.proof + "\n", good.proof.replace("\n", "\r\n"), "x", "\ud800"):
        refusal(replace(good, proof=proof), trust(log))
    for statement in ("", good.statement + "\n", "\ud800"):
        assert "this is not the statement" in refusal(replace(good, statement=statement), trust(log))


def test_another_entry_of_the_log_does_not_do(log: MemoryLog) -> None:
    """Neither its proof for this entry, nor it and its proof for this enforcement."""
    one, two = released(BLOCK, log), released(replace(BLOCK, id="D-2"), log)
    assert "the proof leads elsewhere" in refusal(replace(one, proof=two.proof), trust(log))
    assert "says 'D-2'" in refusal(replace(one, entry=two.entry, proof=two.proof), trust(log))
    lift = released(BLOCK, log, kind=LIFT)
    assert "the entry is of the kind 'lift'" in refusal(lift, trust(log))
    assert "is not JSON" in refusal(_entry(log, b"anything"), trust(log))


def _entry(log: MemoryLog, entry: bytes) -> Release:
    proof = log.prove(log.append(entry)).encode().decode()
    return replace(released(BLOCK, log), entry=entry, proof=proof)


OTHER: list[tuple[str, dict[str, Any]]] = [
    ("id", {"id": "20261127-0a1b2c3e"}),
    ("scope", {"scope": HostScope("shop.test")}),
    ("scope", {"scope": SiteScope("shop-two")}),
    ("scope", {"scope": CustomerScope("shop")}),
    ("ground", {"ground": "Terms of service, section 5"}),
    ("since", {"since": BLOCK.since - timedelta(microseconds=1)}),
    ("until", {"until": BLOCK.until + timedelta(seconds=1)}),
    ("by", {"by": "Ada L., duty officer"}),
    ("authority", {"authority": ""}),
]


@pytest.mark.parametrize(("place", "other"), OTHER, ids=str)
def test_other_than_the_record_says_is_refused(log: MemoryLog, place: str, other: dict[str, Any]) -> None:
    release = replace(released(BLOCK, log), enforcement=replace(BLOCK, **other))
    words = refusal(release, trust(log))
    assert words.startswith(f"{place}: entry ")
    assert "release what is on record" in words


SAYS: list[tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = [
    (lambda public: {**public, "statement_hash": content_hash(b"another")}, "not the statement"),
    (lambda public: {**public, "statement_hash": "md5:0"}, "is no hash"),
    (lambda public: {**public, "more": ""}, "give it the fields"),
    (
        lambda public: {name: value for name, value in public.items() if name != "clause"},
        "give it the fields",
    ),
    (lambda public: {**public, "clause": ""}, "clause: this is empty"),
    (lambda public: {**public, "scope": ["site", "*"]}, "is no scope"),
]


@pytest.mark.parametrize(("public", "words"), SAYS)
def test_a_record_that_is_none_is_refused(log: MemoryLog, public: Any, words: str) -> None:
    assert words in refusal(released(BLOCK, log, public=public), trust(log))


def test_only_the_trusted_log_counts(log: MemoryLog) -> None:
    good = released(BLOCK, log)
    assert "no log is trusted here" in refusal(good, Trust())
    assert "there is no proof" in refusal(replace(good, proof=""), trust(log))
    for other in (MemoryLog(), MemoryLog("log.test/another")):  # another key; another log
        refusal(released(BLOCK, other), trust(log))
        refusal(good, trust(other))


def test_as_many_witnesses_as_are_asked_for_must_have_signed(log: MemoryLog) -> None:
    two = released(BLOCK, log, witnesses=WITNESSES[:2])
    assert [check(two, trust(log, quorum), NOW) for quorum in (0, 1, 2)]
    assert "2 of the 3 witnesses" in refusal(two, trust(log, 3))
    stranger = SignerKey("w1.test", COSIGNATURE, b"s" * 32)
    others = released(BLOCK, log, witnesses=[WITNESSES[0], WITNESSES[0], stranger])
    assert "1 of the 2 witnesses" in refusal(others, trust(log, 2))


def test_it_has_its_time(log: MemoryLog) -> None:
    good = released(BLOCK, log)
    check(good, trust(log), BLOCK.until - timedelta(microseconds=1))
    assert "it was over at 2026-11-28T12:00:00Z" in refusal(good, trust(log), BLOCK.until)
    check(good, trust(log), BLOCK.since - EARLIEST)
    early = BLOCK.since - EARLIEST - timedelta(seconds=1)
    assert "it begins only at" in refusal(good, trust(log), early)
