"""Whatever a public record says: it is read as it was written, alone and through the bytes of an entry."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.ledger.entry import Entry, parse_entry
from holdfast.model.enforcement import (
    CustomerScope,
    Enforcement,
    HostScope,
    PathScope,
    Scope,
    SiteScope,
    dump_enforcement,
    load_enforcement,
    parse_scope,
    scope_document,
)
from holdfast.model.errors import HoldfastError
from holdfast.model.grounds import measure_of
from holdfast.model.record import (
    BLOCK,
    BlockRecord,
    GroundsRecord,
    LiftRecord,
    content_hash,
    parse_block,
    parse_grounds_record,
    parse_lift,
    parse_stamp,
    stamp,
)

WORDS = st.text(min_size=1, max_size=40).filter(str.strip)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
IDS = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z_-]{0,30}", fullmatch=True)
HASHES = st.binary(max_size=4).map(content_hash)
HOSTNAMES = st.sampled_from(["a.test", "www.b.test", "xn--bcher-kva.example"])
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
SCOPES: st.SearchStrategy[Scope] = st.one_of(
    st.builds(CustomerScope, NAMES),
    st.builds(SiteScope, NAMES),
    st.builds(HostScope, HOSTNAMES),
    st.builds(PathScope, NAMES, st.sampled_from(["/evil/", "/a/b/"])),
)


@st.composite
def blocks(draw: st.DrawFn) -> BlockRecord:
    scope, (since, until) = draw(SCOPES), sorted(draw(st.lists(TIMES, min_size=2, max_size=2, unique=True)))
    return BlockRecord(
        draw(IDS),
        scope,
        measure_of(scope),
        *(draw(WORDS), draw(WORDS), draw(HASHES)),
        since,
        until,
        *(draw(WORDS), draw(WORDS), draw(HASHES)),
        draw(WORDS | st.just("")),
        tuple(draw(st.lists(HOSTNAMES | st.just("*.w.test"), max_size=3))),
    )


ENFORCEMENTS = st.builds(Enforcement, IDS, SCOPES, WORDS, TIMES, TIMES, WORDS, WORDS | st.just(""))


@given(blocks())
def test_a_block_is_read_as_it_was_written(record: BlockRecord) -> None:
    entry = parse_entry(Entry(BLOCK, 0, record.public(), {}).encode())
    assert parse_block(entry.public) == record


@given(st.builds(LiftRecord, IDS, TIMES, WORDS, WORDS))
def test_a_lift_is_read_as_it_was_written(record: LiftRecord) -> None:
    assert parse_lift(json.loads(json.dumps(record.public()))) == record


@given(st.builds(GroundsRecord, HASHES, WORDS, WORDS, WORDS))
def test_grounds_are_read_as_they_were_written(record: GroundsRecord) -> None:
    assert parse_grounds_record(record.public()) == record


@given(SCOPES, TIMES, ENFORCEMENTS)
def test_scopes_times_and_enforcements_too(scope: Scope, time: datetime, enforcement: Enforcement) -> None:
    assert parse_scope(json.loads(json.dumps(scope_document(scope)))) == scope
    assert parse_stamp(stamp(time)) == time
    assert load_enforcement(json.loads(json.dumps(dump_enforcement(enforcement)))) == enforcement


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
ODD = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=2)
)


@given(blocks(), st.data())
def test_any_other_value_of_a_field_is_refused_or_kept_as_it_is(
    record: BlockRecord, data: st.DataObject
) -> None:
    """Never read as something else: what would be written differently is not taken."""
    public = {**record.public(), data.draw(st.sampled_from(sorted(record.public()))): data.draw(ODD)}
    try:
        taken = parse_block(public)
    except HoldfastError:
        return
    assert taken.public() == public


@pytest.mark.parametrize("name", sorted(BlockRecord.__slots__))
def test_no_field_may_be_missing_or_unknown(name: str) -> None:
    record = BlockRecord(
        "D-1", SiteScope("a"), measure_of(SiteScope("a")), "g", "1", content_hash(b""),
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), "r", "s", content_hash(b""),
    )  # fmt: skip
    lacking = {key: value for key, value in record.public().items() if key != name}
    for public in (lacking, {**lacking, name.upper(): ""}, {**record.public(), "more": ""}):
        with pytest.raises(HoldfastError, match="give it the fields"):
            parse_block(public)
