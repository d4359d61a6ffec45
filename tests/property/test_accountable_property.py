"""Decisions and grounds, for all inputs: drafts come back as they were, and what is damaged is told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from holdfast.accountable.decide import Person, parse_person
from holdfast.accountable.draft import COURSE, Draft, Step, dump_draft, load_draft
from holdfast.ledger.entry import Disclosure
from holdfast.model.errors import HoldfastError
from holdfast.model.grounds import Measure, parse_grounds
from tests.unit.accountable.test_decide import FILE, decided

fields = st.text(st.characters(codec="utf-8", exclude_characters="\0"))  # what can be committed to
disclosures = st.builds(Disclosure, fields, st.text(), st.binary(min_size=32, max_size=32))
drafts = st.builds(
    replace,
    st.just(decided()),
    kind=st.sampled_from(sorted(COURSE)),
    step=st.sampled_from(Step),
    entry=st.text(st.characters(max_codepoint=127)).map(str.encode),
    start=st.integers(0, 2**40),
    private=st.lists(disclosures, max_size=3).map(tuple),
    document=st.text(),
    enforcement=st.sampled_from([None, decided().enforcement]),
    index=st.none() | st.integers(0, 2**40),
    proof=st.text(),
)


@given(drafts)
def test_a_draft_comes_back_as_it_was(draft: Draft) -> None:
    assert load_draft(dump_draft(draft)) == draft


@given(st.data())
def test_a_damaged_draft_is_told_or_says_something_else(data: st.DataObject) -> None:
    """It is never half read, and never another kind of error."""
    whole = dump_draft(decided())
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    with suppress(HoldfastError):
        read = load_draft(damaged)
        assert load_draft(dump_draft(read)) == read


@given(st.data())
def test_a_damaged_grounds_file_is_told_or_read(data: st.DataObject) -> None:
    whole = FILE.encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + 1 :]
    try:
        read = parse_grounds(damaged)
    except HoldfastError:
        return
    assert read.hash != parse_grounds(whole).hash or damaged == whole
    for ground in read:
        assert ground.measures <= set(Measure)
        assert ground.measures
        assert 1 <= ground.max_days <= 366


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
names = st.lists(words, min_size=1, max_size=3).map(" ".join)


@given(names, names)
def test_a_person_comes_back_from_the_words(name: str, role: str) -> None:
    assert parse_person(f"  {name} ,  {role} ", "--by") == Person(name, role)
