"""What an alert says, whatever an attacker put into its texts; and whose turn it is."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.policy import default
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.traffic.alert_backlog import Backlog, Waiting
from holdfast.edge.traffic.alert_words import (
    LONGEST_TEXT,
    MOST_FACTS,
    Alert,
    Event,
    identity,
    is_address,
    mail,
    plain,
    signature,
    webhook_body,
)

AT = datetime(2026, 11, 22, 10, 30, 5, tzinfo=UTC)
BEGINS = Alert(
    "begins", "shop", "coop", "A-20261122-0007", AT, "2,400 requests/s, 40 × normal", (("agent", "curl/8"),)
)
CHANGES = replace(BEGINS, event="changes", headline="now challenged")
ENDS = replace(BEGINS, event="ends", at=AT + timedelta(minutes=9))
OTHER = replace(CHANGES, attack="A-20261122-0008")
HEADERS = {
    *("From", "To", "Date", "Auto-Submitted", "Message-ID", "Subject"),
    *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
}
INJECTION = "shop\r\nBcc: victim@example.net\r\n\r\nbody\x00\u2028\u202eevil\ud800"
SECRET = b"sixteen bytes ok"
TEXTS = st.text(
    alphabet=st.characters() | st.sampled_from("\r\n\x00\x85\u2028\u202e\u200b\ud800"), max_size=700
)


def sent(alert: Alert) -> bytes:
    return mail(alert, "alerts@edge.test", "ops@example.net", "edge1.example.net").as_bytes()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        (" a \t b\r\nc ", "a b c"),
        ("a\x1b[31mb", "a [31mb"),
        ("pay\u202etxt\u202c\u200b", "paytxt"),
        ("\ud800", "\ufffd"),
        ("é × 漢", "é × 漢"),
        ("x" * 501, "x" * 499 + "…"),
    ],
)
def test_a_text_becomes_one_visible_line(text: str, line: str) -> None:
    assert plain(text) == line


@given(TEXTS)
def test_every_text_becomes_one_visible_line(text: str) -> None:
    line = plain(text)
    assert len(line) <= LONGEST_TEXT
    assert not {unicodedata.category(character) for character in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert plain(line) == line


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(get_args(Event)))
def test_no_text_adds_a_header_or_ends_them(
    site: str, attack: str, headline: str, fact: str, event: Event
) -> None:
    alert = Alert(event, site, site, attack, AT, headline, ((fact, fact), (headline, fact)))
    octets = sent(alert)
    message = message_from_bytes(octets, policy=default)
    assert set(message.keys()) - {"In-Reply-To", "References"} == HEADERS
    assert message["To"] == "ops@example.net"
    assert not message.defects
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert set(json.loads(webhook_body(alert))) == {
        *("schema", "id", "event", "site", "customer", "attack", "at", "headline", "facts")
    }


def test_an_injection_stays_text() -> None:
    octets = sent(replace(BEGINS, site=INJECTION, attack=INJECTION, headline=INJECTION))
    message = message_from_bytes(octets, policy=default)
    assert "Bcc" not in message
    assert message["Subject"].startswith("Attack on shop Bcc: victim@example.net body evil")
    assert "\nBcc" not in message.get_content()


@pytest.mark.parametrize(
    "address",
    [
        *(
            "ops@example.net\n",
            "ops@example.net\r\nBcc: x@example.net",
            "a@b.test, c@d.test",
            "Ops <a@b.test>",
        ),
        *("", "ops", "@b.test", "a b@c.test", "a@b..test", "a@ü.test", "a@b.test> SIZE=1"),
    ],
)
def test_addresses_that_could_end_a_header_are_refused(address: str) -> None:
    assert not is_address(address)
    with pytest.raises(ValueError, match="is not an e-mail address"):
        mail(BEGINS, "alerts@edge.test", address, "edge1")
    with pytest.raises(ValueError, match="is not an e-mail address"):
        mail(BEGINS, address, "ops@example.net", "edge1")


@pytest.mark.parametrize("address", ["ops@example.net", "a.b+tag@mail-1.example.net", "root@localhost"])
def test_addresses(address: str) -> None:
    assert is_address(address)


def test_a_mail() -> None:
    message = message_from_bytes(sent(BEGINS), policy=default)
    assert message["From"] == "Holdfast <alerts@edge.test>"
    assert message["Subject"] == "Attack on shop (A-20261122-0007)"
    assert message["Date"].datetime == AT
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == (
        "Begins at 2026-11-22 10:30:05 UTC.\n2,400 requests/s, 40 × normal\n\n"
        "site: shop\ncustomer: coop\nattack: A-20261122-0007\nagent: curl/8\n"
    )


def test_all_mails_of_one_attack_are_one_thread() -> None:
    begins, changes, ends, other = (
        message_from_bytes(sent(alert), policy=default) for alert in (BEGINS, CHANGES, ENDS, OTHER)
    )
    assert "References" not in begins
    for later in (changes, ends):
        assert later["References"] == later["In-Reply-To"] == begins["Message-ID"]
        assert later["Subject"] == f"Re: {begins['Subject']}"
    assert other["References"] != begins["Message-ID"]
    assert len({each["Message-ID"] for each in (begins, changes, ends, other)}) == 4
    assert begins["Message-ID"].endswith("@edge1.example.net>")
    assert "@holdfast.invalid>" in mail(BEGINS, "a@b.test", "a@b.test", "no host>")["Message-ID"]


def test_a_repeated_alert_is_known_by_its_id() -> None:
    assert identity(BEGINS) == identity(replace(BEGINS, at=AT.astimezone(timezone(timedelta(hours=2)))))
    assert sent(CHANGES) == sent(replace(CHANGES))
    several = (BEGINS, CHANGES, ENDS, OTHER, replace(CHANGES, facts=()), replace(CHANGES, site="b"))
    assert len(set(map(identity, several))) == len(several)


def test_a_body_of_a_webhook() -> None:
    assert json.loads(webhook_body(BEGINS)) == {
        "schema": "holdfast.alert/1",
        "id": identity(BEGINS),
        "event": "begins",
        "site": "shop",
        "customer": "coop",
        "attack": "A-20261122-0007",
        "at": "2026-11-22T10:30:05Z",
        "headline": "2,400 requests/s, 40 × normal",
        "facts": [{"name": "agent", "value": "curl/8"}],
    }


def test_the_signature_is_what_openssl_computes() -> None:
    # printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'sixteen bytes ok'
    expected = "78630ef9b11f6acdbd19f29a83f37af37e04ebd1256616baf168cca5d353b112"
    assert signature(SECRET, 1_700_000_000, b'{"a":1}') == f"t=1700000000,v1={expected}"


def test_a_time_needs_its_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        replace(BEGINS, at=datetime(2026, 11, 22))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(backlog: Backlog) -> list[Alert]:
    found = []
    while isinstance(turn := backlog.take(), Waiting):
        found.append(turn.whole())
    return found


def numbered(number: int, event: Event = "changes", attack: str = "A-1") -> Alert:
    return replace(BEGINS, event=event, attack=attack, headline=str(number), facts=())


def headlines(alerts: list[Alert]) -> list[str]:
    return [alert.headline for alert in alerts]


def test_changes_within_a_minute_are_one() -> None:
    clock = Clock()
    backlog = Backlog(9, 60, clock)
    backlog.add(numbered(1))
    assert headlines(taken(backlog)) == ["1"], "the first is told at once"
    for second in (10, 30, 59):
        clock.now = 1000.0 + second
        backlog.add(numbered(second))
        assert not taken(backlog)
    assert backlog.take() == pytest.approx(1)
    clock.now = 1060.0
    (merged,) = taken(backlog)
    assert merged.headline == "59", "the newest speaks"
    assert merged.facts == (("changes before this one, merged", "2"),)
    assert backlog.counts == {"merged": 2}
    clock.now = 1119.0
    backlog.add(numbered(119))
    assert not taken(backlog), "the next minute began when the merged one was told"
    clock.now = 1120.0
    assert headlines(taken(backlog)) == ["119"]
    assert backlog.take() == float("inf")


def test_other_attacks_do_not_wait_and_are_not_merged() -> None:
    backlog = Backlog(9, 60, Clock())
    assert headlines(taken(backlog)) == []
    backlog.add(numbered(1))
    assert headlines(taken(backlog)) == ["1"]
    backlog.add(numbered(2))
    backlog.add(numbered(3, attack="A-2"))
    backlog.add(replace(numbered(4), site="b"))
    assert headlines(taken(backlog)) == ["3", "4"]


def test_the_end_takes_what_waits_along_and_a_new_beginning_merges_nothing_over_it() -> None:
    backlog = Backlog(9, 60, Clock())
    for number, event in enumerate(("changes", "changes", "ends", "begins", "changes")):
        backlog.add(numbered(number, event))  # type: ignore[arg-type]
        if number == 0:
            assert headlines(taken(backlog)) == ["0"]
    assert headlines(taken(backlog)) == ["1", "2", "3"]


def test_what_waits_for_a_receiver_that_is_down_is_one_change_a_minute() -> None:
    clock = Clock()
    backlog = Backlog(99, 60, clock)
    for second in range(0, 180, 10):
        clock.now = 1000.0 + second
        backlog.add(numbered(second))
    assert headlines(taken(backlog)) == ["50", "110", "170"]


def test_the_oldest_changes_make_room_and_beginnings_and_ends_only_after_them() -> None:
    backlog = Backlog(3, 60, Clock())
    for number, event in enumerate(("changes", "begins", "changes")):
        backlog.add(numbered(number, event, f"A-{number}"))  # type: ignore[arg-type]
    backlog.add(numbered(3, "ends", "A-3"))
    backlog.add(numbered(4, "ends", "A-4"))
    assert backlog.counts["dropped"] == 2
    backlog.add(numbered(5, "changes", "A-5"))
    assert backlog.counts["dropped"] == 3, "a change finds no room among beginnings and ends"
    backlog.add(numbered(6, "ends", "A-6"))
    assert headlines(taken(backlog)) == ["3", "4", "6"]


@given(
    st.lists(
        st.tuples(st.sampled_from(get_args(Event)), st.integers(0, 2), st.floats(0, 90), st.booleans()),
        max_size=60,
    )
)
def test_nothing_is_lost_uncounted_and_each_attack_is_told_in_order(
    steps: list[tuple[Event, int, float, bool]],
) -> None:
    clock = Clock()
    backlog = Backlog(4, 60, clock)
    told: list[Alert] = []
    for number, (event, attack, seconds, is_taken) in enumerate(steps):
        clock.now += seconds
        backlog.add(numbered(number, event, f"A-{attack}"))
        assert len(backlog) <= 4
        told += taken(backlog) if is_taken else []
    clock.now += 1000
    told += taken(backlog)
    assert not len(backlog)
    for attack in range(3):
        numbers = [int(alert.headline) for alert in told if alert.attack == f"A-{attack}"]
        assert numbers == sorted(numbers)
    assert len(told) + backlog.counts["merged"] + backlog.counts["dropped"] == len(steps)


def test_too_many_facts_are_cut_and_the_note_has_its_place() -> None:
    many = replace(CHANGES, facts=tuple((str(n), "x") for n in range(80)))
    assert len(json.loads(webhook_body(many))["facts"]) == MOST_FACTS
    facts = json.loads(webhook_body(Waiting(many, 0, 0, merged=2).whole()))["facts"]
    assert (len(facts), facts[-1]["value"]) == (MOST_FACTS, "2")
