"""The story of one attack in words, from its record. Pure.

Not here: its plots (``attack_sketch``, ``attack_plot``), one mitigation or answer by itself (``explain``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from holdfast.edge.words import clock, filled, harm_of, lasted, moment, percent
from holdfast.model.mitigation import AUTOMATIC
from holdfast.shield.mitigation_record import WITHDRAWN, MitigationRecord
from holdfast.shield.record import AFTER_SECONDS, BEFORE_SECONDS, AttackRecord, Origin

MOST_TURNS: Final = 40
QUIET_SECONDS: Final = 2.0
"""After the rate is back within what is usual, the origin may still work on what came before."""


class Turn(NamedTuple):
    """One line of the timeline."""

    at: float
    words: str
    action: str = ""
    """What a mitigation does from then on; '' for what is no step of one."""
    mitigation: str = ""
    """Which, in short."""


def attack_as_text(record: AttackRecord) -> str:
    """All but the plot."""
    blocks = (_heading(record), _timeline(record), _mitigations(record), _outcome(record))
    return "\n\n".join("\n".join(lines) for lines in blocks)


def short(record: AttackRecord, identifier: str) -> str:
    """An id of a mitigation, without that of its attack."""
    return identifier.removeprefix(record.attack.id) or identifier


def turns(record: AttackRecord) -> list[Turn]:
    """What happened, in its order."""
    attack, found = record.attack, list[Turn]()
    unusual = record.unusual()
    if unusual is not None and attack.began - unusual[0] >= 0.1:
        found.append(Turn(unusual[0], "the rate leaves what is usual"))
    found.append(Turn(attack.began, "the attack is confirmed"))
    for each in record.mitigations.values():
        name = short(record, each.id)
        for number, step in enumerate(each.steps):
            of = f" {each.matches}" if number == 0 and each.matches not in step.reason else ""
            found.append(Turn(step.at, f"{name} {step.action}{of}: {step.reason}", step.action, name))
    for gap in record.gaps:
        found.append(Turn(gap.begin, f"nothing is known of the next {lasted(gap.end - gap.begin)}"))
    if unusual is not None and attack.ended is not None and unusual[1] < attack.ended:
        found.append(Turn(unusual[1], "the rate is back within what is usual"))
    if attack.ended is not None:
        ends = [note.words for note in attack.notes if note.kind == "ends"]
        found.append(Turn(attack.ended, f"over: {ends[-1] if ends else 'no end was noted'}"))
    return sorted(found, key=lambda turn: turn.at)


def _heading(record: AttackRecord) -> Iterator[str]:
    attack = record.attack
    yield f"{attack.id}: an attack on {attack.site}"
    if attack.ended is None:
        yield f"  It goes on since {moment(attack.began)}."
    else:
        length = lasted(attack.ended - attack.began)
        yield f"  It began at {moment(attack.began)} and was over after {length}."
    times = f", {attack.peak / attack.usual:,.0f} times the usual" if attack.usual >= 1 else ""
    yield f"  At most {attack.peak:,.0f} requests/s came{times}; usual were {attack.usual:,.0f}."
    yield from filled("", f"It was confirmed by this: {attack.why}.", indent=1, hang=2)


def _timeline(record: AttackRecord) -> Iterator[str]:
    listed = turns(record)
    yield "Timeline, in UTC and in seconds from the confirmation"
    for turn in listed[:MOST_TURNS]:
        head = f"{clock(turn.at)}  {turn.at - record.attack.began:+7.1f}"
        yield from filled(head, turn.words, indent=2, hang=21)
    if len(listed) > MOST_TURNS:
        yield f"  … and {len(listed) - MOST_TURNS} more: --json has all"


def _mitigations(record: AttackRecord) -> Iterator[str]:
    if not record.mitigations:
        yield "Nothing was done about it."
        return
    yield "What was done"
    for each in record.mitigations.values():
        by = "" if each.author == AUTOMATIC else f", by {each.author}"
        yield f"  {each.id}  {_ladder(each)}  {each.matches}{by}"
        after = each.began - record.attack.began
        when = f"in force {after:.1f} s after the confirmation" if after >= 0 else "in force before it"
        until = (
            "still in force" if each.ended is None else f"withdrawn after {lasted(each.ended - each.began)}"
        )
        yield from filled("", f"{when}; {until}", indent=5, hang=6)
        yield from filled("", harm_of(each), indent=5, hang=6)
        if each.matched >= 1:
            share = f"{percent(each.passed / each.matched)} of them reached the origin"
            yield f"      about {each.matched:,.0f} requests matched; {share}"


def _ladder(each: MitigationRecord) -> str:
    """``challenge → deny``."""
    rungs: list[str] = []
    for step in each.steps:
        if step.action != WITHDRAWN and rungs[-1:] != [step.action]:
            rungs.append(step.action)
    return " → ".join(rungs)


def _outcome(record: AttackRecord) -> Iterator[str]:
    totals, attack = record.totals, record.attack
    kept = totals.challenged + totals.denied + totals.dropped
    yield "What came of it"
    if totals.requests:
        yield from filled(
            "",
            f"Of {totals.requests:,.0f} requests {kept:,.0f} ({percent(kept / totals.requests)}) were kept"
            f" away: {totals.challenged:,.0f} challenged, {totals.denied:,.0f} denied,"
            f" {totals.dropped:,.0f} dropped. {totals.passed:,.0f} were passed on to the origin,"
            f" {f'about {attack.reached:,.0f}' if attack.reached >= 1 else 'none'} of them beyond the usual.",
            indent=1,
            hang=2,
        )
    others = [
        (totals.earned, "clearances that were earned"),
        (totals.refused, "refused at a client's limit or by a block"),
        (totals.overflowed, "found the queue full"),
    ]
    told = [f"{words}: {count:,.0f}" for count, words in others if count]
    if told:
        yield from filled("", f"Besides, {'; '.join(told)}.", indent=1, hang=2)
    yield from _origin(record)


def _origin(record: AttackRecord) -> Iterator[str]:
    began, until = record.unusual() or (record.attack.began, record.until)
    spans = {
        "before": record.origin(began - BEFORE_SECONDS, began),
        "during": record.origin(began, until + QUIET_SECONDS),
        "after": record.origin(until + QUIET_SECONDS, record.until + AFTER_SECONDS),
    }
    told = [f"{name} {_times(origin)}" for name, origin in spans.items() if origin is not None]
    if told:
        worst = spans["during"].worst if spans["during"] else None
        more = f"; in the worst second of it {worst:,.0f} ms" if worst is not None else ""
        yield from filled(
            "",
            f"Half (and 95%) of the origin's answers began within: {', '.join(told)}{more}.",
            indent=1,
            hang=2,
        )
    else:
        yield "  How fast the origin answered is not known: no sample reached it."


def _times(origin: Origin) -> str:
    return f"{origin.median:,.0f} ({origin.p95:,.0f}) ms"
