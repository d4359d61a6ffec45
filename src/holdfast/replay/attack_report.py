"""One attack that a replay has found, in words: what came, what confirmed it, what each mitigation would
have done. Pure.

What was counted is exact; what is predicted is said to be. Not here: the report around it (``report``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from holdfast.edge.attack_words import short
from holdfast.edge.words import filled, lasted, moment, percent
from holdfast.replay.flood import FLOODS, SECONDS
from holdfast.replay.run import Result
from holdfast.replay.tally import PASSED, Touched
from holdfast.replay.telling import shown
from holdfast.shield.features import Feature
from holdfast.shield.mitigation_record import WITHDRAWN, MitigationRecord
from holdfast.shield.record import AttackRecord

MOST_EVIDENCE: Final = 2
LONGEST_VALUE: Final = 120
_INDENT, _HANG = 2, 14
_NAMES: Final = {
    Feature.AGENT: "agent",
    Feature.PATH: "path",
    Feature.SECTION: "first part of the path",
    Feature.METHOD: "method",
    Feature.QUERY: "names in the query",
    Feature.REFERER: "host of the referer",
}
_PRESENCE: Final = {
    "0-0--": "neither query nor referer",
    "0-1--": "no query, but a referer",
    "1-0--": "a query, but no referer",
    "1-1--": "a query and a referer",
}


def attack_report(result: Result, record: AttackRecord) -> Iterator[str]:
    attack, replay = record.attack, result.replay
    until = f", for {lasted(attack.ended - attack.began)}" if attack.ended is not None else ""
    yield f"{attack.id}: {moment(attack.began)}{until}"
    flood = flood_of(result, record)
    if flood is not None:
        yield from told("generated", f"flood {flood}: {FLOODS[flood - 1].words}")
    times = f", {attack.peak / attack.usual:,.0f} times the usual" if attack.usual >= 1 else ""
    yield from told("rate", f"at most {attack.peak:,.0f} requests/s{times}; usual were {attack.usual:,.1f}")
    yield from told("confirmed", f"{_sooner(result, record)}: {attack.why}")
    usual = replay.tally.meanwhile[attack.id]
    yield from told("visitors", f"{many(usual, 'request')} meanwhile of clients that had been seen in calm")
    for each in record.mitigations.values():
        yield from _mitigation(record, each, replay.tally.mitigations.get(each.id, Touched()))
    if not record.mitigations:
        yield from told("done", "nothing")
    yield from told(
        "origin",
        f"about {replay.reached.get(attack.id, 0):,.0f} requests beyond the usual would have reached it,"
        " those before the first mitigation among them",
    )


def told(head: str, text: str) -> list[str]:
    """A line of the report under its head."""
    return filled(head, text, indent=_INDENT, hang=_HANG)


def many(number: float, noun: str) -> str:
    return f"{number:,.0f} {noun}" if number == 1 else f"{number:,.0f} {noun}s"


def fates(counter: Counter[str]) -> str:
    """``3 denied, 1 passed``."""
    return ", ".join(f"{number:,} {fate}" for fate, number in counter.most_common())


def flood_of(result: Result, record: AttackRecord) -> int | None:
    """The number of the generated flood that it is; None: it is the log's own."""
    if result.mixture is None:
        return None
    begun = result.mixture.began.items()
    return next((each for each, at in begun if at <= record.attack.began <= at + SECONDS), None)


def _sooner(result: Result, record: AttackRecord) -> str:
    """How long it took."""
    began, flood = record.attack.began, flood_of(result, record)
    after = f"{began - result.replay.signs.get(record.attack.id, began):.1f} s after the first sign"
    if flood is None or result.mixture is None:
        return after
    return f"{began - result.mixture.began[flood]:.1f} s after the flood's first request, {after}"


def _mitigation(record: AttackRecord, each: MitigationRecord, touched: Touched) -> Iterator[str]:
    first = each.steps[0]
    yield from told(short(record, each.id), f"{first.action} what has {matched(each)}")
    yield from told("", f"why: {first.reason}")
    yield from told("", _when(record, each))
    for step in each.steps[1:]:
        if step.action != WITHDRAWN:
            yield from told("", f"{step.at - first.at:.1f} s later {step.action}: {step.reason}")
    yield from told("", f"requests: {fates(touched.all) or 'none'}")
    yield from told("", _harm(each, touched))
    for sample in each.evidence[:MOST_EVIDENCE]:
        yield from told("", f"such as: {sample}")


def _when(record: AttackRecord, each: MitigationRecord) -> str:
    after = each.began - record.attack.began
    end = f", withdrawn after {lasted(each.ended - each.began)}" if each.ended is not None else ""
    return f"when: {after:.1f} s after the confirmation{end}"


def _harm(each: MitigationRecord, touched: Touched) -> str:
    """Predicted, and what became of those who had come before."""
    if each.harm < 1:
        predicted = f"at most {percent(each.harm)} of usual requests predicted"
    elif each.features:
        predicted = "not predicted, the site was too young"
    else:
        predicted = "all visitors predicted"
    kept = touched.usual.total() - touched.usual[PASSED]
    if not kept:
        return f"harm: {predicted}; no request of a client that had been seen in calm was kept away"
    hard = touched.usual["denied"] + touched.usual["dropped"]
    soft = (
        " (they would have been challenged, not refused)" if not hard and touched.usual["challenged"] else ""
    )
    return (
        f"harm: {predicted}; of {many(len(touched.clients), 'client')} that had been seen in calm"
        f" {many(kept, 'request')} kept away: {fates(touched.usual)}{soft}"
    )


def matched(each: MitigationRecord) -> str:
    """By its values: a replay has the texts themselves."""
    if not each.features:
        return "any feature, as all are challenged"
    pairs = zip(each.features, each.values, strict=True)
    return " and ".join(_feature(Feature[name.upper()], value) for name, value in pairs)


def _feature(feature: Feature, value: str) -> str:
    if feature is Feature.STRANGER:
        return "a network never seen here" if value == "1" else "a network seen here before"
    if feature is Feature.NETWORK:
        return "one network"
    if feature is Feature.PRESENCE:
        return _PRESENCE.get(value, "the same headers")
    name = _NAMES.get(feature, feature.name.lower())
    return f'the {name} "{shown(value)[:LONGEST_VALUE]}"' if value else f"no {name}"
