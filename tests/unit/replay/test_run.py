"""Whole replays: what is learned before, floods that are generated, and the report of it all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import numpy as np
import pytest

from holdfast.model.errors import HoldfastError
from holdfast.replay.access_log import Entry
from holdfast.replay.document import document
from holdfast.replay.flood import FLOODS, RATE, SECONDS, TOOL, Mixture
from holdfast.replay.report import report
from holdfast.replay.run import SEED, Result, Source, replay_log
from holdfast.replay.tally import PASSED
from tests.unit.replay.logs import BROWSERS, START, calm, entry, flood, lines, mixed

HOUR = 3600
ADDRESS = re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b|[0-9a-f]{1,4}(:[0-9a-f]{0,4}){3,}")


def run(
    entries: Iterable[Entry], *, before: Iterable[Entry] | None = None, with_flood: bool = False
) -> Result:
    listed = list(entries)
    mixture = Mixture(len(listed), np.random.default_rng(SEED)) if with_flood else None
    learned = None if before is None else Source("before.log", lines(before))
    return replay_log(Source("access.log", lines(listed)), "gazette", learned, mixture)


@pytest.fixture(scope="module")
def mixture() -> Result:
    return run(calm(2, 2 * HOUR), with_flood=True)


@pytest.fixture(scope="module")
def attacked() -> Result:
    """With addresses and marks of the terminal in it, as attackers would like to see them shown."""
    bad = flood(200, 30, START + 2 * HOUR, agent="\x1b[2Jtool from 203.0.113.77", path="/{}/\x1b[31mx")
    return run(mixed(calm(5, 2 * HOUR + 200), bad))


def test_generated_floods_are_named_for_what_they_are(mixture: Result) -> None:
    first, second = mixture.replay.records
    (tool,), (mimic,) = first.mitigations.values(), second.mitigations.values()
    assert tool.values == (TOOL,)
    assert dict(zip(mimic.features, mimic.values, strict=True))["agent"] in BROWSERS
    assert len(mimic.features) > 1


def test_generated_floods_are_kept_away_and_nobody_else(mixture: Result) -> None:
    assert set(mixture.replay.tally.floods) == {flood.number for flood in FLOODS}
    for fate in mixture.replay.tally.floods.values():
        assert fate.total() == pytest.approx(RATE * SECONDS, rel=0.05)
        assert fate[PASSED] < 0.05 * fate.total()
    assert mixture.replay.tally.real == {}


def test_generated_floods_are_the_same_each_time() -> None:
    entries = list(calm(1, 120))
    one, other = (
        list(Mixture(len(entries), np.random.default_rng(SEED)).entries(iter(entries))) for _ in range(2)
    )
    assert one == other
    assert [each for each in one if not each.flood] == entries


def test_generated_floods_are_written_as_the_log_is() -> None:
    entries = [each._replace(agent=None, referer=None, zone=7200) for each in calm(1, 120)]
    mixed_in = Mixture(len(entries), np.random.default_rng(SEED)).entries(iter(entries))
    made = [each for each in mixed_in if each.flood]
    assert made
    assert all((each.agent, each.zone) == (None, 7200) for each in made)
    assert all(each.host.startswith(("198.18.", "198.19.")) for each in made)


def test_what_was_learned_before_tells_what_is_usual() -> None:
    attack = list(mixed(calm(5, 300, seed=3, start=START + 2 * HOUR), flood(200, 60, START + 2 * HOUR + 5)))
    blind, learned = run(attack), run(attack, before=calm(5, 2 * HOUR))
    assert blind.replay.records == []
    assert len(learned.replay.records) == 1
    assert learned.learned is not None
    assert learned.replay.requests == len(attack)
    assert "learned" in report(learned, 1.0)
    assert "--learn FILE" in report(blind, 1.0)


def test_what_is_learned_from_must_be_earlier() -> None:
    with pytest.raises(HoldfastError) as wrong:
        run(calm(1, 60), before=calm(1, 60, start=START - 30))
    assert str(wrong.value) == (
        "before.log: it goes on after 2015-05-17 10:05:00 UTC, when the log to replay begins;"
        " give a log to learn from that ends before"
    )


def test_an_attack_in_what_is_learned_from_is_told() -> None:
    result = run(
        calm(5, 60, start=START + 3 * HOUR),
        before=mixed(calm(5, 2 * HOUR + 99), flood(200, 30, START + 2 * HOUR)),
    )
    assert "1 attack in it: it is no calm log" in report(result, 1.0)
    assert result.replay.records == []


def test_the_report_names_the_flood(attacked: Result) -> None:
    text = report(attacked, 2.0)
    assert "1 attack\n" in text
    assert 'challenge what has the agent "?[2Jtool from 203.0.113.77"' in text
    assert "no request of a client that had been seen in calm was kept away" in " ".join(text.split())
    assert f"{attacked.sieve.lines / 2:,.0f} lines/s" in text


def test_the_report_shows_no_client_and_moves_no_cursor(attacked: Result) -> None:
    text, told = report(attacked, 2.0), json.dumps(document(attacked, 2.0), ensure_ascii=False)
    for shown in (text, told):
        assert set(ADDRESS.findall(shown.replace("203.0.113.77", ""))) == set()
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text) is None


def test_the_report_is_for_a_terminal(attacked: Result, mixture: Result) -> None:
    for result in (attacked, mixture):
        assert max(map(len, report(result, 2.0).splitlines())) <= 100


def test_the_report_of_a_mixture_says_what_was_generated(mixture: Result) -> None:
    text = report(mixture, 2.0)
    assert (
        "Generated, not the log's: floods of about 2,000 requests/s for 60 s from 5,000 addresses, seed 1"
        in text
    )
    assert text.count("  generated   flood ") == len(FLOODS)
    assert f"none of the log's own {mixture.sieve.lines:,} requests would have been" in text


def test_the_document_holds_the_same(mixture: Result) -> None:
    told = json.loads(json.dumps(document(mixture, 2.0)))
    assert [each["generated_flood"] for each in told["attacks"]] == [1, 2]
    assert told["requests"] == mixture.sieve.lines
    assert told["lines_per_second"] == round((mixture.replay.requests) / 2.0)
    for attack, generated in zip(told["attacks"], told["generated"], strict=True):
        (touched,) = attack["touched"].values()
        assert touched["of_the_log"] == touched["of_usual_clients"] == {}
        assert touched["requests"]["challenged"] == generated["requests"] - generated["passed"]
    assert told["kept_away"] == {}


def test_who_was_seen_in_calm_and_is_kept_away_is_told() -> None:
    """A mimic of a usual browser, and a visitor with that browser at the same page."""
    bad = flood(500, 60, START + 2 * HOUR, agent=BROWSERS[0], path="/blog/article-1.html")
    moments = START + 2 * HOUR - 100, START + 2 * HOUR + 30
    page = "GET /blog/article-1.html HTTP/1.1"
    visitor = [entry(at, host="203.0.113.5", request=page) for at in moments]
    text = " ".join(report(run(mixed(calm(5, 2 * HOUR + 200), bad, visitor)), 1.0).split())
    assert "of 1 client that had been seen in calm 1 request kept away: 1 challenged" in text
    assert "they would have been challenged, not refused" in text
    assert "visitors 1 of these from clients that had been seen in calm" in text


def test_what_is_left_out_is_told() -> None:
    listed = list(lines(calm(2, 600)))
    late = next(lines([entry(START)]))
    result = replay_log(
        Source("access.log", [*listed, "hello", late, *lines([entry(START + 700, request="-")])]), "s"
    )
    text = report(result, 1.0, damage="cut off")
    for words in (
        f"1 malformed line (line {len(listed) + 1:,}: there is no time in brackets)",
        "1 line that came too late, up to 9 min 58 s after later ones",
        "1 line without a request of HTTP",
        "nothing can be read beyond line",
    ):
        assert words in " ".join(text.split())
