"""What a replay has found, in words for a terminal: no client's address or network is told. Pure.

Not here: one attack (``attack_report``), the same for programs (``document``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from holdfast.edge.attack_sketch import sketch
from holdfast.edge.words import filled, lasted, moment, percent
from holdfast.replay.access_log import LONGEST_LINE
from holdfast.replay.attack_report import attack_report, fates, many, told
from holdfast.replay.flood import FLOODS, RATE, SECONDS, SOURCES
from holdfast.replay.order import WAIT_SECONDS
from holdfast.replay.pace import CLOSE, STEP_SECONDS, WIDE
from holdfast.replay.run import SEED, Result
from holdfast.replay.tally import PASSED
from holdfast.replay.telling import shown
from holdfast.shield.features import Feature

MOST_ATTACKS: Final = 20
MOST_SKETCHES: Final = 3
MOST_SURGES: Final = 5
MANY: Final = 0.01
"""Of the lines: were more left out, the report is about another log."""


def report(result: Result, seconds: float, damage: str = "") -> str:
    """``seconds``: that the replay took. ``damage``: why the log could not be read to its end."""
    replay = result.replay
    blocks = [_log(result, seconds, damage), _site(result), _verdict(result)]
    largest = sorted(replay.records, key=lambda each: -each.attack.peak)[:MOST_SKETCHES]
    for record in replay.records[:MOST_ATTACKS]:
        blocks.append(attack_report(result, record))
        if record in largest:
            blocks.append(iter([sketch(record)]))
    if len(replay.records) > MOST_ATTACKS:
        blocks.append(iter([f"… and {len(replay.records) - MOST_ATTACKS} more: --json has all"]))
    blocks += [_generated(result), _surges(result), _caveats(result)]
    return "\n\n".join(text for lines in blocks if (text := "\n".join(lines)))


def _log(result: Result, seconds: float, damage: str) -> Iterator[str]:
    sieve, order, replay = result.sieve, result.order, result.replay
    yield f"{result.name}: {many(sieve.lines, 'line')}, {many(own_requests(result), 'request')}"
    yield from told(
        "time", f"{moment(replay.first)} to {moment(replay.last)}, {lasted(replay.last - replay.first)}"
    )
    if order.sorted:
        yield from told("sorted", f"{many(order.sorted, 'line')} out of order, by up to {WAIT_SECONDS} s")
    for words in _left_out(result):
        yield from told("left out", words)
    if sieve.cut:
        yield from told("cut", f"{many(sieve.cut, 'line')} longer than {LONGEST_LINE:,} characters")
    if damage:
        yield from told("damaged", f"nothing can be read beyond line {sieve.lines:,} ({shown(damage)})")
    lines = all_lines(result)
    yield from told("speed", f"{lines / max(seconds, 1e-9):,.0f} lines/s: {lines:,} in {seconds:.2f} s")


def _left_out(result: Result) -> Iterator[str]:
    sieve, order = result.sieve, result.order
    if sieve.malformed:
        first = "; ".join(f"line {each.number:,}: {each.why}" for each in sieve.first)
        more = "; …" if sieve.malformed > len(sieve.first) else ""
        yield f"{many(sieve.malformed, 'malformed line')} ({first}{more})"
    if sieve.no_requests:
        yield f"{many(sieve.no_requests, 'line')} without a request of HTTP, which an edge refuses at once"
    if order.late:
        yield (
            f"{many(order.late, 'line')} that came too late, up to {lasted(order.latest)} after later ones;"
            " if the log was put together of several, begin with the oldest"
        )
    if order.astray:
        yield f"{many(order.astray, 'line')} dated far ahead of all others"
    if sieve.malformed + order.late + order.astray > MANY * sieve.lines:
        yield "this is more than 1% of the log: what follows is about the rest only"


def own_requests(result: Result) -> int:
    """Those of the log, without generated ones."""
    return result.replay.requests - sum(each.total() for each in result.replay.tally.floods.values())


def all_lines(result: Result) -> int:
    """That were replayed: the log's, those of generated floods, those that were learned from."""
    generated = result.replay.requests - own_requests(result)
    return result.sieve.lines + generated + (result.learned.lines if result.learned else 0)


def _site(result: Result) -> Iterator[str]:
    replay, baseline = result.replay, result.replay.brain.baseline
    yield f"What the shield knows of {result.site} at the end"
    if (learned := result.learned) is not None:
        yield from told("learned", f"{many(learned.requests, 'request')} of {learned.name} before")
        if learned.left_out:
            yield from told("", f"{many(learned.left_out, 'line')} of it left out: replay it to see why")
        if learned.attacks:
            yield from told("", f"{many(learned.attacks, 'attack')} in it: it is no calm log")
    networks = len(baseline.networks(replay.until))
    yield from told(
        "usual",
        f"{many(baseline.clean_samples, 'clean sample')}, {many(networks, 'network')},"
        f" {many(len(baseline.friends()), 'regular program')}",
    )
    if baseline.is_young(replay.until):
        yield from told(
            "young",
            "too little to predict harm: nobody is denied, only challenged; --learn FILE gives it more",
        )


def _verdict(result: Result) -> Iterator[str]:
    replay, real, own = result.replay, result.replay.tally.real, own_requests(result)
    yield many(len(replay.records), "attack") if replay.records else "No attack"
    if not real:
        yield from told("kept away", f"none of the log's own {many(own, 'request')} would have been")
        return
    share = f"{percent(real.total() / own)} of the log's own {many(own, 'request')} would have been"
    yield from told("kept away", f"{share}: {fates(real)}")
    usual = sum(each.usual.total() - each.usual[PASSED] for each in replay.tally.mitigations.values())
    yield from told("visitors", f"{usual or 'none'} of these from clients that had been seen in calm")


def _generated(result: Result) -> Iterator[str]:
    if result.mixture is None:
        return
    yield (
        f"Generated, not the log's: floods of about {RATE:,} requests/s for {SECONDS} s from {SOURCES:,}"
        f" addresses, seed {SEED}"
    )
    for flood in FLOODS:
        fate = result.replay.tally.floods.get(flood.number)
        if fate is None:
            yield from told(f"flood {flood.number}", f"{flood.words}: the log was too short for it")
            continue
        kept = 1 - fate[PASSED] / fate.total()
        yield from told(
            f"flood {flood.number}", f"{flood.words}: {kept:.1%} of {many(fate.total(), 'request')} kept away"
        )


def _surges(result: Result) -> Iterator[str]:
    surges = result.replay.surges
    if not surges:
        return
    lasting = sum(each.ended - each.began for each in surges)
    yield (
        f"The rate left what is usual {many(len(surges), 'time')} more, for {lasted(lasting)} in all; nothing"
        " confirmed an attack"
    )
    for each in sorted(surges, key=lambda each: -each.peak)[:MOST_SURGES]:
        yield from told(
            "at most",
            f"{each.peak:,.0f} requests/s, usual were {each.usual:,.1f}: {moment(each.began)},"
            f" for {lasted(each.ended - each.began)}",
        )


def _caveats(result: Result) -> Iterator[str]:
    yield "What a log does not tell"
    said = [
        "How long answers took: an origin that suffers is not seen, only the rate and who comes.",
        "The order of headers, TLS, languages: an edge tells more programs apart.",
        "Who would pass a challenge: nobody is taken to. Crawlers are not verified, no source is banned,"
        " and the limits that each client has anyway are not applied.",
        f"Parts of a second: requests are taken to come evenly in each. In calm the looks are up to"
        f" {STEP_SECONDS} s apart; there are {CLOSE} a second, as on an edge, where anything may begin, and"
        f" {WIDE} while it goes on.",
    ]
    if Feature.AGENT in result.replay.brain.unknown:
        said.insert(
            0,
            "Agents, in the common format: so nothing can confirm an attack. Log in the combined format.",
        )
    for words in said:
        yield from filled("-", words, indent=2, hang=4)
