"""What a drill aims at, and each reason for which it does not."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from holdfast.drill.target import Target, check_still, choose
from holdfast.edge.drill_facts import EdgeFacts, SiteFacts, facts_of
from holdfast.model.errors import HoldfastError

SITE = SiteFacts(
    name="gazette",
    service="web",
    host="gazette.test",
    origins=("127.0.0.1", "::1"),
    allow=("192.0.2.0/24", "2001:db8::/32", "127.0.0.0/30"),
    redirects=False,
    block="",
    switched=False,
    watches=False,
    phase="calm",
    attack="",
    drilled=False,
    drilling=False,
    mitigation="",
)
EDGE = EdgeFacts(http=(("127.0.0.1", 8080),), balancers=("192.0.2.0/24",), sites=(SITE,))
REMOTE = replace(SITE, name="far", origins=("127.0.0.1", "192.0.2.10"))
TARGET = Target("gazette", "gazette.test", "127.0.0.1", 8080, watches=False)


def of(**changes: Any) -> EdgeFacts:
    return replace(EDGE, sites=(replace(SITE, **changes),))


@pytest.mark.parametrize(
    ("edge", "name", "target"),
    [
        (EDGE, "gazette", TARGET),
        (EDGE, "", TARGET),
        (replace(EDGE, sites=(REMOTE, SITE)), "", TARGET),
        (replace(EDGE, sites=(SITE, replace(SITE, name="b", block="D-1"))), "", TARGET),
        (of(watches=True), "", replace(TARGET, watches=True)),
        # What a drill before this one has left is no attack.
        (of(phase="easing", attack="a-1", drilled=True), "", TARGET),
        (of(phase="attack", attack="a-1", drilled=True), "", TARGET),
        # Every address means loopback, too.
        (replace(EDGE, http=(("", 80),)), "", replace(TARGET, port=80)),
        (replace(EDGE, http=(("0.0.0.0", 80),)), "", replace(TARGET, port=80)),  # noqa: S104 - no listening
        (
            replace(EDGE, http=(("192.0.2.1", 80), ("::1", 81), ("127.0.0.9", 82))),
            "",
            replace(TARGET, address="127.0.0.9", port=82),
        ),
    ],
)
def test_a_site_that_lies_here_is_aimed_at(edge: EdgeFacts, name: str, target: Target) -> None:
    assert choose(edge, name) == target


REFUSED = [
    (EDGE, "shop", "there is no site 'shop'", "holdfast status"),
    (of(service="tcp"), "gazette", "passes TLS through unopened", 'service = "web"'),
    # Wherever the flood could leave this machine.
    (of(origins=("192.0.2.10",)), "gazette", "has its origin at 192.0.2.10, and a drill sends", "up --demo"),
    (of(origins=("127.0.0.1", "10.0.0.1")), "gazette", "origin at 10.0.0.1", "up --demo"),
    (of(origins=("2001:db8::1",)), "gazette", "origin at 2001:db8::1", "up --demo"),
    (of(origins=("0.0.0.0",)), "gazette", "origin at 0.0.0.0", "up --demo"),  # noqa: S104 - no listening
    (of(origins=("::ffff:192.0.2.1",)), "gazette", "origin at ::ffff:192.0.2.1", "up --demo"),
    (of(origins=()), "gazette", "has no origin", "up --demo"),
    (of(origins=("192.0.2.10",), block="D-1"), "gazette", "has its origin at", "up --demo"),
    (of(block="D-1"), "gazette", "is blocked (decision D-1)", "holdfast unblock D-1"),
    (of(switched=True), "gazette", "'under attack'", "holdfast under-attack gazette off"),
    (of(redirects=True), "gazette", "leads plain HTTP to HTTPS", 'https = "optional"'),
    (of(allow=("127.0.0.0/8",)), "gazette", "allows 127.0.0.0/8", "127.64.0.0/10"),
    (of(allow=("127.100.3.0/24",)), "gazette", "allows 127.100.3.0/24", "127.64.0.0/10"),
    (of(drilling=True, drilled=True, attack="a-1"), "gazette", "a drill goes on", "half a minute"),
    (of(attack="a-1", phase="attack"), "gazette", "an attack goes on at gazette (a-1)", "holdfast attacks"),
    (of(attack="a-1", phase="easing"), "gazette", "an attack goes on at gazette (a-1)", "holdfast attacks"),
    (of(phase="suspect"), "gazette", "something unusual goes on", "says calm"),
    (of(mitigation="m-1"), "gazette", "in force at gazette already (m-1)", "mitigation undo m-1"),
    # Without a name: the only one says why not, several are named.
    (of(block="D-1"), "", "is blocked (decision D-1)", "holdfast unblock D-1"),
    (replace(EDGE, sites=(REMOTE,)), "", "no site of this edge has all of its origins", "up --demo"),
    (replace(EDGE, sites=()), "", "no site of this edge has all of its origins", "up --demo"),
    (
        replace(EDGE, sites=tuple(replace(SITE, name=f"s{number}") for number in range(7))),
        "",
        "7 sites of this edge lie on this machine (s0, s1, s2, s3, s4, …)",
        "holdfast drill s0",
    ),
    # The edge itself.
    (replace(EDGE, http=()), "", "does not listen for plain HTTP", "127.0.0.1:8080"),
    (replace(EDGE, http=(("192.0.2.1", 80), ("::1", 80), ("::", 80))), "", "at a loopback", "127.0.0.1:8080"),
    (replace(EDGE, balancers=("127.0.0.0/8",)), "", "for a balancer's", "proxies and forwarders"),
    (replace(EDGE, balancers=("0.0.0.0/0",)), "", "for a balancer's", "proxies and forwarders"),
]


@pytest.mark.parametrize(("edge", "name", "problem", "remedy"), REFUSED)
def test_everything_else_is_refused_with_a_reason_and_a_remedy(
    edge: EdgeFacts, name: str, problem: str, remedy: str
) -> None:
    with pytest.raises(HoldfastError) as refused:
        choose(edge, name)
    (mistake,) = refused.value.mistakes
    assert problem in mistake.problem
    assert remedy in mistake.remedy


@pytest.mark.parametrize("is_calm", [True, False])
def test_a_drill_goes_on_while_its_target_stays_what_it_was(is_calm: bool) -> None:
    check_still(of(drilling=True, phase="suspect"), TARGET, is_calm=is_calm)
    check_still(of(drilling=True, mitigation="m-1"), TARGET, is_calm=is_calm)
    check_still(of(drilling=True, phase="attack", attack="a-1"), TARGET, is_calm=False)


@pytest.mark.parametrize(
    ("edge", "is_calm", "problem"),
    [
        (of(drilling=True, origins=("192.0.2.10",)), False, "has its origin at 192.0.2.10"),
        (of(drilling=True, block="D-1"), False, "is blocked"),
        (of(drilling=True, switched=True), False, "'under attack'"),
        (of(drilling=True, host="other.test"), False, "configured otherwise"),
        (replace(of(drilling=True), http=(("127.0.0.1", 8081),)), False, "configured otherwise"),
        (replace(EDGE, sites=()), False, "there is no site"),
        (of(drilling=True, phase="attack", attack="a-1"), True, "before the drill's flood did"),
    ],
)
def test_it_stops_when_its_target_is_another(edge: EdgeFacts, is_calm: bool, problem: str) -> None:
    with pytest.raises(HoldfastError) as refused:
        check_still(edge, TARGET, is_calm=is_calm)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("port", "authority"), [(80, "gazette.test"), (8080, "gazette.test:8080"), (443, "gazette.test:443")]
)
def test_the_host_is_named_as_a_browser_does(port: int, authority: str) -> None:
    assert replace(TARGET, port=port).authority == authority


def test_facts_cross_the_socket_as_they_are() -> None:
    edge = replace(EDGE, sites=(SITE, REMOTE))
    document = asdict(edge)
    document["http"] = [list(each) for each in document["http"]]  # as JSON has it
    document["sites"] = [
        {**row, "origins": list(row["origins"]), "allow": list(row["allow"])} for row in document["sites"]
    ]
    assert facts_of(document) == edge
