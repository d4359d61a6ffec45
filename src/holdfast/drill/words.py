"""A drill in words, for a terminal: what is about to happen, each second, and the timeline after. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from holdfast.drill.parties import FLOOD_NETWORKS, TOOL, VISITOR_NETWORKS, Party, source
from holdfast.drill.plan import Part, Plan
from holdfast.drill.result import Progress, Run
from holdfast.drill.tally import Outcome, count, share
from holdfast.drill.target import Target
from holdfast.drill.verdict import Seen

KEPT_AWAY: Final = (Outcome.CHALLENGED, Outcome.DENIED, Outcome.SILENT)


def announced(target: Target, plan: Plan) -> str:
    """What is about to happen."""
    lines = [
        f"A drill against {target.site}: http://{target.authority}/ at {target.address}, this machine only.",
        f"  {plan.calm:.0f} s of {plan.visitors:.0f} visitors/s,"
        f" then {plan.flood:.0f} s of a flood of {plan.rate:.0f} requests/s besides,"
        f" then {plan.after:.0f} s of visitors. Ctrl-C stops it.",
    ]
    if target.watches:
        lines.append("  The shield only watches here (watch_only, [edge] shield): nothing will be refused.")
    return "\n".join(lines)


HEAD: Final = "  second  flood sent  reached origin  challenged  denied  unanswered  visitors served"


def second(plan: Plan, progress: Progress) -> str:
    """One line of progress: totals of the flood, and the visitors of the last two seconds."""
    flood = count(progress.answers, Party.FLOOD)
    people = count(progress.answers, Party.VISITORS, progress.passed - 2)
    served = _served(people) if people else "—"
    return (
        f"  {progress.passed:6.0f}  {progress.sent:10}  {_reached(flood):14}  {flood[Outcome.CHALLENGED]:10}"
        f"  {flood[Outcome.DENIED]:6}  {flood[Outcome.SILENT]:10}  {served:>15}"
        f"  {plan.part(progress.passed).value}"
    )


def timeline(run: Run, seen: Seen | None) -> str:
    """What happened when, and to whom."""
    return "\n".join(
        [
            *(
                f"  {at:5.1f} s  {words}"
                for at, words in sorted(_events(run, seen), key=lambda event: event[0])
            ),
            "",
            *_visitors(run),
            _flood(run, seen),
        ]
    )


def suggested(target: Target, seen: Seen) -> str:
    """What to look at next."""
    lines = [("the attack, in words", f"holdfast attack show {seen.attack}")]
    if seen.mitigation:
        lines.append(("what is in force, for a minute", f"holdfast mitigations {target.site}"))
        lines.append(("what it is, and why", f"holdfast explain {seen.mitigation}"))
    return "\n".join(f"  {what:<32}{command}" for what, command in lines)


def _events(run: Run, seen: Seen | None) -> Iterator[tuple[float, str]]:
    plan = run.plan
    begin, end = plan.span(Part.FLOOD)
    bots = len({source(Party.FLOOD, number, plan.seed) for number in range(run.sent)})
    yield (0.0, f"visitors come from {VISITOR_NETWORKS} networks")
    yield (begin, f"the flood begins: {TOOL}, {bots} addresses in {FLOOD_NETWORKS} networks")
    if seen is not None:
        yield (seen.confirmed - run.began, f"the shield is sure that it is an attack: {seen.why}")
        if seen.in_force is not None:
            after = seen.in_force - run.began - begin
            what = f"{seen.action}, {seen.matches}" if seen.matches else seen.action
            yield (seen.in_force - run.began, f"first mitigation in force, {after:.1f} s after that: {what}")
    stays = "; what was done about it stays for a minute, as floods come in pulses"
    yield (end, f"the flood ends{stays if seen is not None and seen.in_force is not None else ''}")
    yield (plan.seconds, "the drill ends")


def _visitors(run: Run) -> Iterator[str]:
    for part in Part:
        begin, end = run.plan.span(part)
        people = count(run.answers, Party.VISITORS, begin, end)
        if not people:
            continue
        unserved = [each for each in Outcome if each is not Outcome.SERVED and people[each]]
        also = "".join(f"; {people[each]} {each.value}" for each in unserved)
        yield (
            f"  visitors served {part.value}: {_served(people)}"
            f" ({people[Outcome.SERVED]} of {people.total()}{also})"
        )


def _flood(run: Run, seen: Seen | None) -> str:
    whole = count(run.answers, Party.FLOOD)
    words = f"  of {run.sent} flood requests {_reached(whole)} reached the origin"
    if seen is not None and seen.in_force is not None:
        later = _reached(count(run.answers, Party.FLOOD, seen.in_force - run.began))
        words += f", {later} of them sent after the mitigation was in force"
    kept = ", ".join(f"{whole[each]} were {each.value}" for each in KEPT_AWAY if whole[each])
    return f"{words}; {kept}" if kept else words


def _reached(counts: Counter[Outcome]) -> int:
    return counts[Outcome.SERVED] + counts[Outcome.FAILED]


def _served(counts: Counter[Outcome]) -> str:
    served = share(counts, Outcome.SERVED)
    return "100 %" if served == 1 else f"{min(100 * served, 99.9):.1f} %"
