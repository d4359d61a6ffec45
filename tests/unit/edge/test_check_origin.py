"""What was seen at an origin → the verdict, what to do next, and how both are told."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from ipaddress import ip_address

import pytest

from holdfast.edge.check_origin import (
    NO_WAY,
    NOTE,
    NameFinding,
    NameVerdict,
    OriginFinding,
    Report,
    Verdict,
    as_document,
    as_text,
    concrete,
    hostname_to_ask,
    judge_connection,
    judge_handshake,
    judge_name,
    judge_status,
)
from holdfast.model.site import Origin, OriginTls, Protocol, Service

PLAIN = Origin(ip_address("192.0.2.10"), 80)
TLS = Origin(ip_address("2001:db8::1"), 8443, OriginTls("origin.example.org"), Protocol.HTTP2)


def finding(verdict: Verdict, status: int | None = None, service: Service = Service.WEB) -> OriginFinding:
    return OriginFinding(PLAIN, service, "a.test", verdict, "what was seen", status)


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((401, 403, 421, 444), Verdict.REFUSED),
        ((404, 500, 502, 503, 599), Verdict.WRONG_SITE),
        ((101, 200, 204, 301, 308, 400, 402, 405, 410, 415, 418, 429, 451), Verdict.ANSWERS),
    ],
)
def test_statuses(statuses: tuple[int, ...], verdict: Verdict) -> None:
    assert {judge_status(status) for status in statuses} == {verdict}


def test_what_keeps_a_connection_from_being_made() -> None:
    for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ECONNRESET, None):
        assert judge_connection(number) is Verdict.CLOSED
    for number in NO_WAY:
        assert judge_connection(number) is Verdict.UNREACHABLE, (
            "a network without IPv6 says nothing of the origin"
        )


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", Verdict.TLS_REFUSED),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", Verdict.TLS_REFUSED),
        ("", Verdict.TLS_REFUSED),
        ("WRONG_VERSION_NUMBER", Verdict.UNCLEAR),
    ],
)
def test_what_ends_a_handshake(reason: str, verdict: Verdict) -> None:
    assert judge_handshake(reason) is verdict


def test_names() -> None:
    origins = (PLAIN, TLS)
    edge, other = ip_address("198.51.100.1"), ip_address("2001:db8::2")
    assert judge_name((edge, other), origins) is NameVerdict.ELSEWHERE
    assert judge_name((edge, TLS.address), origins) is NameVerdict.TO_ORIGIN
    assert judge_name((), origins) is NameVerdict.ELSEWHERE


def test_a_hostname_is_found_to_ask_for() -> None:
    assert hostname_to_ask(("*.b.test", "a.test", "c.test")) == "a.test"
    assert hostname_to_ask(("*.b.test", "*.a.test")) == "holdfast-check.b.test"
    assert (concrete("a.test"), concrete("*.a.test")) == ("a.test", "holdfast-check.a.test")


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_says_what_to_do(verdict: Verdict) -> None:
    for service in Service:
        advice = finding(verdict, service=service).advice
        assert advice
        assert ". " not in advice, "one sentence"


def test_advice_names_what_helps() -> None:
    advice = finding(Verdict.ANSWERS, 200).advice
    assert "firewall" in advice
    assert "X-Holdfast-Signature (docs/operate/verify-requests-at-the-origin.md)" in advice
    assert "X-Holdfast-Signature" not in finding(Verdict.ANSWERS, service=Service.TCP).advice
    assert "client certificate" in finding(Verdict.ANSWERS, 400).advice
    assert "DNS record" in NameFinding("a.test", NameVerdict.TO_ORIGIN).advice


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ((Verdict.CLOSED, Verdict.REFUSED, Verdict.TLS_REFUSED, Verdict.SILENT), 0),
        ((Verdict.CLOSED, Verdict.ANSWERS), 1),
        ((Verdict.CLOSED, Verdict.WRONG_SITE), 1),
        ((Verdict.CLOSED, Verdict.UNCLEAR), 1),
        ((Verdict.CLOSED, Verdict.UNREACHABLE), 2),
        ((Verdict.UNREACHABLE, Verdict.ANSWERS), 1),
    ],
)
def test_exit_status(verdicts: tuple[Verdict, ...], status: int) -> None:
    assert Report("a", tuple(finding(each) for each in verdicts), ()).exit_status == status


REPORT = Report(
    "a",
    (finding(Verdict.ANSWERS, 200), replace(finding(Verdict.CLOSED), origin=TLS, words="connection refused")),
    (
        NameFinding("a.test", NameVerdict.TO_ORIGIN, (PLAIN.address,)),
        NameFinding("b.test", NameVerdict.UNRESOLVED, words="does not resolve (no such name)"),
    ),
)


def test_the_words() -> None:
    lines = as_text(REPORT).splitlines()
    assert lines[0] == NOTE
    assert "the edge itself is let in" in NOTE
    assert lines[1] == "answers          origin 192.0.2.10 port 80: what was seen"
    tls = "origin 2001:db8::1 port 8443 (TLS for origin.example.org, h2)"
    assert lines[3] == f"closed           {tls}: connection refused"
    assert lines[5] == "to the origin    hostname a.test: 192.0.2.10"
    assert lines[7] == "unresolved       hostname b.test: does not resolve (no such name)"
    assert all("→" in line for line in lines[2::2])


def test_the_document() -> None:
    document = json.loads(json.dumps(as_document(REPORT)))
    assert (document["site"], document["answers_directly"], document["note"]) == ("a", True, NOTE)
    assert [each["verdict"] for each in document["origins"]] == ["answers", "closed"]
    assert document["origins"][1]["server_name"] == "origin.example.org"
    assert document["origins"][0]["status"] == 200
    assert [each["verdict"] for each in document["names"]] == ["to_origin", "unresolved"]
    assert document["names"][0]["addresses"] == ["192.0.2.10"]
