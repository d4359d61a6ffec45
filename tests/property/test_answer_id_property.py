"""Every id of an answer is read as it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.answer_id import AnswerId, parse_answer_id, parse_id

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,199}", fullmatch=True)
SECONDS = st.integers(100_000_000, 99_999_999_999)


@given(rule=NAMES, at=SECONDS, by=st.one_of(st.just(""), NAMES))
def test_there_and_back(rule: str, at: int, by: str) -> None:
    made = AnswerId(rule, at, by)
    assert parse_answer_id(str(made)) == made


@given(text=st.text(max_size=300))
def test_no_text_is_read_as_another_ones_id(text: str) -> None:
    found = parse_answer_id(text)
    assert found is None or str(found) == text


@given(rule=NAMES, at=SECONDS)
def test_an_answers_id_is_an_id(rule: str, at: int) -> None:
    text = str(AnswerId(rule[:180], at))
    assert parse_id(f" {text}\n") == text
