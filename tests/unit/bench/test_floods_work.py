"""Proofs of work in bench/floods: what a page offers, what is asked, what is found and shown."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from altcha.v1 import ChallengeOptions, create_challenge, verify_solution

from bench.floods.answers import Answer, Offer, Work, offers_proof, proof
from bench.floods.work import TRIES_PER_SECOND, Solvers, device_seconds, search
from holdfast.edge.dataplane.challenge_page import ASK, SOLVED, challenge_page

KEY = "a key of the test"
NUMBER = 77
OFFER = Offer("/ask", "/solved")


def told(**instead: object) -> Answer:
    """A challenge as ALTCHA's own library makes it."""
    made = create_challenge(ChallengeOptions(hmac_key=KEY, max_number=100, number=NUMBER))
    fields: dict[str, object] = {
        "algorithm": made.algorithm,
        "challenge": made.challenge,
        "maxnumber": 100,
        "salt": made.salt,
        "signature": made.signature,
    }
    return Answer(200, {}, body=json.dumps(fields | instead).encode())


def work() -> Work:
    found = proof(told())
    assert found is not None
    return found


def test_the_edges_page_offers_a_proof() -> None:
    body = challenge_page(sent=False).encode()
    assert offers_proof(Answer(403, {"x-holdfast-challenge": "proof"}, body=body)) == Offer(ASK, SOLVED)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(403, {}, body=b"<html><body>Forbidden</body></html>"),
        Answer(200, {}, body=challenge_page(sent=False).encode()),
        Answer(403, {"x-origin": "1"}, body=challenge_page(sent=False).encode()),
        Answer(403, {}, body=b'<main data-ask="/ask">'),
    ],
)
def test_other_pages_offer_none(answer: Answer) -> None:
    assert offers_proof(answer) is None


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, {}, body=told().body),
        Answer(200, {}, body=b"<html>"),
        Answer(200, {}, body=b"[]"),
        told(maxnumber="many"),
    ],
)
def test_what_is_no_challenge_asks_for_nothing(answer: Answer) -> None:
    assert proof(answer) is None


def test_what_is_found_and_shown_is_taken_by_altcha() -> None:
    number = search(work())
    assert number == NUMBER
    path = urlsplit(work().shown(number, OFFER))
    (coded,) = parse_qs(path.query)["altcha"]
    text = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    assert path.path == OFFER.show
    assert verify_solution(base64.b64encode(text).decode(), KEY, True)[0]


def test_where_there_is_no_number_none_is_found() -> None:
    assert search(Work("salt", sha256(b"another").hexdigest(), 50, "")) is None


def test_a_visitors_machine_is_as_fast_each_time() -> None:
    one = device_seconds("192.0.2.1", 100_000)
    assert one == device_seconds("192.0.2.1", 100_000) != device_seconds("192.0.2.2", 100_000)
    assert 100_000 / TRIES_PER_SECOND[1] <= one <= 100_000 / TRIES_PER_SECOND[0]


def test_work_that_nobody_has_asked_for_starts_nothing() -> None:
    Solvers().close()
