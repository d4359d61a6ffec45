"""What follows from a run of bench/challenge: costs, ratios within a round, what the last line and the page
say; when an answer is whole; solutions that ALTCHA's own library takes."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from altcha.v1 import verify_solution

from bench.challenge import figures, proofs
from bench.challenge.costs import get
from bench.challenge.crowd import Request
from bench.challenge.figures import (
    BARE,
    BOUNDED,
    CALM_SITE,
    CALM_STATE,
    CLEARED_SITE,
    DEAD,
    FULL,
    ISSUED,
    PAGE,
    SAME_SIZE,
    SOLVED,
    Cost,
    Solves,
    Waits,
)
from bench.challenge.report import HEAD, PATH_HEAD, Measured, markdown, path_rows, rows, terminal
from bench.overhead_figures import HAPROXY, HOLDFAST, NGINX
from holdfast.shield.difficulty import LEAST_TRIES

MICROS = {
    (PAGE, HOLDFAST): 20.0,
    (BARE, NGINX): 5.0,
    (SAME_SIZE, NGINX): 8.0,
    (BARE, HAPROXY): 8.0,
    (SAME_SIZE, HAPROXY): 10.0,
    (ISSUED, HOLDFAST): 40.0,
    (SOLVED, HOLDFAST): 50.0,
}
P99 = {
    (CLEARED_SITE, CALM_STATE): 2.0,
    (CALM_SITE, CALM_STATE): 1.0,
    (CLEARED_SITE, BOUNDED): 2.2,
    (CALM_SITE, BOUNDED): 1.3,
    (CLEARED_SITE, FULL): 20.0,
    (CALM_SITE, FULL): 8.0,
    (CLEARED_SITE, DEAD): 2.2,
    (CALM_SITE, DEAD): 1.0,
}
KEY = ("k-1", "a key of the test")
HOST = "www.shop.test"


def costs(rounds: int = 3) -> list[Cost]:
    """Each round is slower than the one before, for all alike."""
    return [
        figures.cost(name, who, number, 1000, 0.5, [1.0, 2.0], [1.0 + 8e-4 * spent, 2.0 + 2e-4 * spent])
        for number in range(rounds)
        for (name, who), each in MICROS.items()
        if (spent := each * (1 + number))
    ]


def waits(rounds: int = 3) -> list[Waits]:
    return [
        Waits(site, state, number, p99 * (1 + number), 500)
        for number in range(rounds)
        for (site, state), p99 in P99.items()
    ]


def measured() -> Measured:
    solves = Solves([0.4, 0.5, 2.0], [])
    sent = {BOUNDED: [4900.0, 5000.0], FULL: [24_000.0]}
    return Measured(costs(), waits(), sent, solves, proofs.Library(6.0, 8.0), 2252, 0.5)


def test_a_cost_is_that_of_all_threads_and_tells_which_one_carried() -> None:
    (first, *_) = costs(1)
    assert first.micros == pytest.approx(20.0)
    assert first.carried == pytest.approx(0.8 * first.cpu)
    assert first.per_core == pytest.approx(50_000)


def test_ratios_are_taken_within_a_round() -> None:
    seen = figures.times(costs(), PAGE, BARE, NGINX)
    assert (seen.median, seen.low, seen.high) == pytest.approx((4.0, 4.0, 4.0))
    ratio = figures.path_ratio(waits(), CALM_SITE, FULL)
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((8.0, 8.0, 8.0))


def test_a_peer_that_was_measured_in_fewer_rounds_is_compared_in_those() -> None:
    some = [each for each in costs() if each.who != NGINX or each.round == 1]
    assert figures.times(some, PAGE, BARE, NGINX).median == pytest.approx(4.0)


def test_the_worse_site_counts() -> None:
    assert figures.worse(waits(), DEAD).median == pytest.approx(1.1)
    assert figures.worse(waits(), FULL).median == pytest.approx(10.0)
    assert figures.worse(waits(), BOUNDED).median == pytest.approx(1.3)


def test_the_last_line_has_what_the_target_is_about() -> None:
    told = json.loads(json.dumps(figures.as_json(costs(), waits(), Solves([0.4, 0.5, 2.0], []), {"n": 1})))
    assert (told["page_cpu_us"], told["nginx_403_cpu_us"]) == (40.0, 10.0)
    assert told["page_ratio"] == {
        "nginx_403": 4.0,
        "nginx_403_same_size": 2.5,
        "haproxy_403": 2.5,
        "haproxy_403_same_size": 2.0,
    }
    assert (told["solve_s"]["p50"], told["solve_s"]["count"]) == (0.5, 3)
    assert told["path_p99_ratio_when_challenge_dead"] == 1.1
    assert told["path_p99_ratio_when_challenge_overloaded_full"] == 10.0
    assert told["cpu_us"]["nginx, 403, few words"] == 10.0
    assert told["n"] == 1


def test_the_tables_name_every_case_and_say_what_was_missed() -> None:
    assert len(rows(costs())) == len(MICROS)
    assert len(path_rows(waits())) == len(P99)
    for text in (terminal(measured()), markdown(measured(), "2001-02-03")):
        assert all(word in text for word in (*HEAD, *PATH_HEAD, "2,252 bytes", "quiet"))
        assert "nginx's 403: 4.00; the target is at most 3.5: missed." in text
        assert "the worse site: 1.10; the target is at most 1.2: met." in text
        assert "Of the page's time 20%" in text


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nxxxx", True),
        (b"HTTP/1.1 200 OK\r\n\r\nxxx", False),
        (b"HTTP/1.1 200 OK\r\nA: x", False),
        (b"HTTP/1.1 200 OK\r\n\r\nxxxx\n", False),
    ],
)
def test_an_answer_of_one_letter_is_whole_by_its_length(data: bytes, whole: bool) -> None:
    assert Request([b""], 200, b"x", 4).is_whole(data) is whole


def test_an_answer_with_an_end_of_its_own_is_whole_at_it() -> None:
    page = Request([get(HOST, "/")], 403, b"</html>\n")
    assert page.is_whole(b"HTTP/1.1 403 Forbidden\r\n\r\n<html></html>\n")
    assert not page.is_whole(b"HTTP/1.1 403 Forbidden\r\n\r\n<html>")
    assert page.beginning == b"HTTP/1.1 403 "


def payload(path: str) -> str:
    """What is shown, as ALTCHA's library wants it."""
    (coded,) = parse_qs(urlsplit(path).query)["altcha"]
    text = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    return base64.b64encode(text).decode()


def test_right_solutions_are_right_and_wrong_ones_are_wrong_in_the_signature_alone() -> None:
    right, other = proofs.solutions(KEY, HOST, 2)
    assert right != other
    for path in (right, other):
        assert verify_solution(payload(path), KEY[1], True)[0]
    (junk,) = proofs.junk(KEY, HOST, 1)
    assert not verify_solution(payload(junk), KEY[1], True)[0]
    good, bad = (json.loads(base64.b64decode(payload(each))) for each in (right, junk))
    assert good.keys() == bad.keys()
    assert (good["number"], len(good["signature"])) == (bad["number"], len(bad["signature"]))
    assert good["number"] < LEAST_TRIES
    assert f"expires={int(time.time() + proofs.VALID_SECONDS)}"[:-2] in good["salt"]
