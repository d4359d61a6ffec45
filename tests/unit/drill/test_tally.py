"""What an answer counts as."""

from __future__ import annotations

from collections import Counter

import pytest

from holdfast.drill.parties import Party
from holdfast.drill.tally import Answer, Outcome, count, outcome_of, share


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Outcome.SERVED),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", Outcome.SERVED),
        (b"HTTP/1.1 403 Forbidden\r\nRetry-After: 60\r\n\r\n", Outcome.DENIED),
        (b"HTTP/1.1 403 Forbidden\r\nx-holdfast-challenge: link\r\n\r\n", Outcome.CHALLENGED),
        (b"HTTP/1.1 429 Too Many Requests\r\nX-Holdfast-Challenge:proof\r\n\r\n", Outcome.CHALLENGED),
        (b"HTTP/1.1 429 Too Many Requests\r\n\r\n", Outcome.DENIED),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Outcome.DENIED),
        (b"HTTP/1.1 404 Not Found\r\n\r\nX-Holdfast-Challenge is a header", Outcome.FAILED),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", Outcome.FAILED),
        (b"HTTP/1.1 200", Outcome.SERVED),
        (b"HTTP/1.1", Outcome.SILENT),
        (b"HTTP/1.1 OK\r\n", Outcome.SILENT),
        (b"SSH-2.0 200\r\n", Outcome.SILENT),
        (b"", Outcome.SILENT),
    ],
)
def test_an_answer_counts_as(head: bytes, outcome: Outcome) -> None:
    assert outcome_of(head) is outcome


def test_answers_are_counted_by_party_and_time_of_sending() -> None:
    answers = [
        Answer(Party.VISITORS, 0.0, Outcome.SERVED, 0.1),
        Answer(Party.VISITORS, 1.0, Outcome.SILENT, 3.0),
        Answer(Party.VISITORS, 2.0, Outcome.SERVED, 0.1),
        Answer(Party.FLOOD, 1.0, Outcome.DENIED, 0.1),
    ]
    assert count(answers, Party.VISITORS) == {Outcome.SERVED: 2, Outcome.SILENT: 1}
    assert count(answers, Party.VISITORS, 1.0, 2.0) == {Outcome.SILENT: 1}
    assert count(answers, Party.FLOOD, 0.5) == {Outcome.DENIED: 1}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counter({Outcome.SERVED: 3, Outcome.SILENT: 1}), 0.75),
        (Counter({Outcome.SILENT: 1}), 0.0),
        (Counter(), 1.0),
    ],
)
def test_a_share_is_of_all(counts: Counter[Outcome], expected: float) -> None:
    assert share(counts, Outcome.SERVED) == expected
