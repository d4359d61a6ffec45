"""For every notice: its record can be read back, and nothing in it is live in HTML or in HAProxy."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.pages import RECORD_FIELDS, BlockNotice, parse_record, problem, record

TEXTS = st.text(max_size=60) | st.text(alphabet="\"'<>&|%[];#\\ \n\x00\u202e\u2028é؟🙂", max_size=60)
PATHS = st.text(alphabet="abz09-._~/?#[]@!$&'()*+,;=%", max_size=60)
LINKS = st.just("") | PATHS.map("https://provider.example/".__add__)
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))
NOTICES = st.builds(
    BlockNotice,
    id=TEXTS,
    status=st.sampled_from([403, 451]),
    provider=TEXTS,
    provider_url=LINKS,
    ground=TEXTS,
    since=TIMES,
    until=st.none() | TIMES,
    statement=LINKS,
    record=LINKS,
    appeal=LINKS,
    authority=TEXTS,
)


@given(NOTICES)
def test_a_record_can_be_read_back(notice: BlockNotice) -> None:
    assert parse_record(record(notice)) == notice


@given(NOTICES)
def test_a_record_is_one_line_whose_fields_are_safe_in_html(notice: BlockNotice) -> None:
    line = record(notice)
    assert not [char for char in line if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}]
    # HAProxy strips blanks at the end of a map file's line.
    assert line == line.strip()
    values = line.split("|")
    assert len(values) == len(RECORD_FIELDS)
    for value in values:
        assert not set("<>\"'") & set(value)
        # Every ampersand starts one of the references that escaping writes.
        assert all(
            part.startswith(("amp;", "lt;", "gt;", "quot;", "#x27;", "#124;"))
            for part in value.split("&")[1:]
        )


@given(NOTICES)
def test_a_problem_document_is_one_line_of_json(notice: BlockNotice) -> None:
    text = problem(notice)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text)["decision"] == notice.id
