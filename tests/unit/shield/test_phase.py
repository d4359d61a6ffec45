"""The table of phases: none is unreachable, none is a trap, and only a confirmed attack is fought."""

from __future__ import annotations

from holdfast.shield.phase import TABLE, Event, Phase, step


def reachable(start: Phase) -> set[Phase]:
    found, front = {start}, [start]
    while front:
        phase = front.pop()
        for event in Event:
            after = step(phase, event)
            if after not in found:
                found.add(after)
                front.append(after)
    return found


def test_every_phase_can_be_reached_from_every_other() -> None:
    for phase in Phase:
        assert reachable(phase) == set(Phase)


def test_every_event_changes_something_somewhere() -> None:
    assert {event for _, event in TABLE} == set(Event)


def test_what_is_not_in_the_table_changes_nothing() -> None:
    for phase in Phase:
        for event in Event:
            if (phase, event) not in TABLE:
                assert step(phase, event) is phase


def test_an_attack_begins_only_by_being_confirmed_or_coming_back() -> None:
    ways = {(phase, event) for (phase, event), after in TABLE.items() if after is Phase.ATTACK}
    assert {event for _, event in ways} == {Event.CONFIRMED, Event.BACK}
    assert {phase for phase, event in ways if event is Event.BACK} == {Phase.EASING}
