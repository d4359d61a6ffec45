"""Entries in their one form, and commitments that hold."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from holdfast.ledger.entry import (
    DEEPEST,
    LARGEST_NUMBER,
    LATEST,
    Disclosure,
    Entry,
    canonical,
    check_disclosure,
    commit,
    compose,
    parse_entry,
)
from holdfast.ledger.errors import InconsistentError, MalformedError

SALT = bytes(range(32))
NAME = Disclosure("by", "Ada Example", SALT)
ENTRY = compose("block", 1_800_000_000, {"id": "b-1", "scope": ["site", "shop"]}, {"by": NAME})
HELD = commit("by", "Ada Example", SALT)
BYTES = (
    f'{{"commitments":{{"by":"{HELD}"}},"kind":"block",'
    '"public":{"id":"b-1","scope":["site","shop"]},"time":1800000000}'
).encode()


def test_an_entry_is_these_bytes() -> None:
    assert ENTRY.encode() == BYTES
    assert parse_entry(BYTES) == ENTRY


def test_a_commitment_is_this_hash() -> None:
    """As the module's docstring has it, for whoever checks without this code."""
    message = b"holdfast/commitment/v1\0by\0" + SALT + b"Ada Example"
    assert f"sha256:{hashlib.sha256(message).hexdigest()}" == HELD


def test_nothing_private_is_in_an_entry() -> None:
    assert b"Ada" not in ENTRY.encode()
    assert SALT.hex().encode() not in ENTRY.encode()


def edited(old: bytes, new: bytes) -> bytes:
    assert BYTES.count(old) == 1
    return BYTES.replace(old, new)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        BYTES[:-1],
        BYTES + b"\n",
        b" " + BYTES,
        b"\xef\xbb\xbf" + BYTES,
        BYTES.decode().encode("utf-16"),
        BYTES.decode().encode("utf-32-le"),
        edited(b'"kind":"block",', b""),
        edited(b'"kind":', b'"more":1,"kind":'),
        edited(b'"kind":"block"', b'"kind":"lift","kind":"block"'),
        edited(b'"kind":"block"', b'"kind": "block"'),
        edited(b'"kind":"block"', b'"kind":"bl\\u006fck"'),
        edited(b'"block"', b"1"),
        edited(b'"block"', b"null"),
        edited(b'"block"', '"blöck"'.encode()),
        edited(b'"block"', b'"bl\\ud800ck"'),
        edited(b'"block"', b'"bl\\udc00\\ud800ck"'),
        edited(b'"b-1"', b"1.0"),
        edited(b'"b-1"', b"1e2"),
        edited(b'"b-1"', b"-0"),
        edited(b'"b-1"', b"NaN"),
        edited(b'"b-1"', b"Infinity"),
        edited(b'"b-1"', b"9007199254740992"),
        edited(b'"b-1"', b"-9007199254740992"),
        edited(b'"b-1"', b"9" * 5_000),
        edited(b'"b-1"', b"[" * DEEPEST + b"]" * DEEPEST),
        edited(b'"b-1"', b"[" * 900 + b"]" * 900),
        edited(b'"b-1"', b"[" * 100_000 + b"]" * 100_000),
        edited(b"1800000000", b"true"),
        edited(b"1800000000", b"-1"),
        edited(b"1800000000", b"1800000000.0"),
        edited(b"1800000000", b'"1800000000"'),
        edited(b"1800000000", b"253402300800"),
        edited(HELD.encode(), HELD.encode().upper()),
        edited(HELD.encode(), HELD.encode()[:-1]),
        edited(HELD.encode(), HELD.encode() + b"0"),
        edited(b'"' + HELD.encode() + b'"', b"1"),
        edited(b'"by":', b'"b\\u0000y":'),
        edited(b'{"by":"' + HELD.encode() + b'"}', b"[]"),
        edited(b'{"id":"b-1","scope":["site","shop"]}', b"[]"),
        edited(b'"b-1"', b'"' + b"x" * 66_000 + b'"'),
    ],
    ids=lambda data: repr(data)[:60],
)
def test_what_is_no_entry(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_entry(data)


def at_every_depth(depth: int) -> Any:
    found: Any = "deep"
    for _ in range(depth):
        found = [found]
    return found


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        float("nan"),
        b"bytes",
        {1: "x"},
        {None: "x"},
        {"a": {2, 3}},
        ["\ud800"],
        {"\udfff": 1},
        "\ud83d\ude00",
        LARGEST_NUMBER + 1,
        pytest.param(10**5_000, id="more digits than Python writes down"),
        at_every_depth(DEEPEST + 1),
        pytest.param(at_every_depth(5_000), id="deeper than Python goes"),
        LOOP,
        object(),
    ],
)
def test_what_an_entry_cannot_hold(value: object) -> None:
    with pytest.raises(MalformedError) as refused:
        canonical(value)
    assert len(str(refused.value)) < 200


def test_what_it_can_hold() -> None:
    value = {"b": [True, False, None, -LARGEST_NUMBER], "a": {"": "é😀\0\x7f\u2028"}, "B": ()}
    middle = b'{"":"\\u00e9\\ud83d\\ude00\\u0000\\u007f\\u2028"}'
    expected = b'{"B":[],"a":' + middle + b',"b":[true,false,null,-9007199254740991]}'
    assert canonical(value) == expected
    assert canonical(at_every_depth(DEEPEST)) == b"[" * DEEPEST + b'"deep"' + b"]" * DEEPEST


@pytest.mark.parametrize("time", [-1, LATEST + 1])
def test_a_time_that_no_calendar_shows(time: int) -> None:
    with pytest.raises(MalformedError, match="no calendar"):
        replace(ENTRY, time=time).encode()


def test_an_entry_that_is_too_large_for_a_log() -> None:
    with pytest.raises(MalformedError, match="65535 are the limit"):
        replace(ENTRY, public={"text": "x" * 65_536}).encode()


def test_the_right_disclosure() -> None:
    check_disclosure(ENTRY, NAME)
    check_disclosure(parse_entry(BYTES), NAME)


@pytest.mark.parametrize(
    ("disclosure", "reason"),
    [
        (replace(NAME, value="Eve Example"), "not the 'by' that the entry"),
        (replace(NAME, value=""), "not the 'by' that the entry"),
        (replace(NAME, salt=bytes(32)), "not the 'by' that the entry"),
        (replace(NAME, field="approved_by"), "nothing called 'approved_by'; it has by"),
        (replace(NAME, field="kind"), "nothing called 'kind'"),
    ],
)
def test_a_wrong_disclosure(disclosure: Disclosure, reason: str) -> None:
    with pytest.raises(InconsistentError, match=reason):
        check_disclosure(ENTRY, disclosure)


def test_an_entry_without_private_fields() -> None:
    with pytest.raises(InconsistentError, match="no private fields"):
        check_disclosure(Entry("kind", 0, {}, {}), NAME)


@pytest.mark.parametrize(
    ("disclosure", "reason"),
    [
        (replace(NAME, salt=b""), "salt"),
        (replace(NAME, salt=SALT[1:]), "salt"),
        (replace(NAME, salt=SALT + b"0"), "salt"),
        (replace(NAME, field="b\0y"), "cannot be a field's name"),
        (replace(NAME, field="b\ud800y"), "half a character"),
        (replace(NAME, value="Ada\udcff"), "half a character"),
    ],
)
def test_what_cannot_be_committed_to(disclosure: Disclosure, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        disclosure.commitment()
    with pytest.raises(MalformedError, match=reason):
        compose("kind", 0, {}, {disclosure.field: disclosure})


def test_a_private_field_stands_under_its_own_name() -> None:
    with pytest.raises(MalformedError, match="'by' stands under 'approved_by'"):
        compose("kind", 0, {}, {"approved_by": NAME})
