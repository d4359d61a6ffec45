"""The story of an attack as it is told, and drawn with characters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.edge.attack_sketch import nice, sketch
from holdfast.edge.attack_words import MOST_TURNS, attack_as_text, turns
from holdfast.shield.attack import Attack
from holdfast.shield.mitigation_record import Step
from holdfast.shield.record import AttackRecord, Gap
from tests.unit.shield.recorded import ATTACK, FIRST, mitigation_record, record, row
from tests.unit.shield.traffic import START

STORY = """\
shop-20231114T221320: an attack on shop
  It began at 2023-11-14 22:13:20 UTC and was over after 1 min.
  At most 2,100 requests/s came, 52 times the usual; usual were 40.
  It was confirmed by this: 1900 requests/s, usually 40; few fingerprints.

Timeline, in UTC and in seconds from the confirmation
  22:13:19     -1.0  the rate leaves what is usual
  22:13:20     +0.0  the attack is confirmed
  22:13:20     +0.0  -1 challenge: 93% of the excess has one agent and one order of headers
  22:13:21     +1.2  -1 deny: 12% passed the step before (challenge)
  22:13:50    +30.0  the rate is back within what is usual
  22:14:20    +60.0  -1 withdrawn: the attack has ended
  22:14:20    +60.0  over: the flood has ended

What was done
  shop-20231114T221320-1  challenge → deny  one agent and one order of headers
      in force 0.0 s after the confirmation; withdrawn after 1 min
      predicted to touch at most 0.08% of usual requests; of the requests from known networks it
      kept away 0.30% at worst, none at last
      about 73,000 requests matched; 0.96% of them reached the origin

What came of it
  Of 62,400 requests 59,500 (95%) were kept away: 1,500 challenged, 58,000 denied, 0 dropped. 2,890
  were passed on to the origin, about 1,500 of them beyond the usual.
  Besides, clearances that were earned: 10.
  Half (and 95%) of the origin's answers began within: before 12 (40) ms, during 24 (66) ms, after
  12 (40) ms; in the worst second of it 900 ms."""

DRAWN = """\
requests/s   █ passed on to the origin   ░ kept away
     3,000 ┤
           │               ░░░░░░░░░░░░░░░
     1,500 ┤               ░░░░░░░░░░░░░░░
           │▁▁▁▁▁▁▁▁▁▁▁▁▁▁█░░░░░░░░░░░░░░░▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
         0 └────────────────────────────────────────────────────────────
                           ▲                             ▼
            ▲ pushed or changed   ▼ withdrawn

    origin   95% of its answers began within, up to 1,000 ms
  1,000 ms ┤▁▁▁▁▁▁▁▁▁▁▁▁▁▁█▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
            22:12:50                                        22:14:50 UTC"""


def going_on() -> AttackRecord:
    return AttackRecord(Attack(ATTACK, "shop", START, "why", peak=0.4, usual=0.0))


def test_the_whole_story() -> None:
    assert attack_as_text(record()) == STORY


def test_the_story_is_drawn() -> None:
    assert sketch(record(), width=60, height=4) == DRAWN


def test_one_that_has_just_begun() -> None:
    text = attack_as_text(going_on())
    assert "It goes on since 2023-11-14 22:13:20 UTC." in text
    assert "At most 0 requests/s came; usual were 0." in text
    assert "Nothing was done about it." in text
    assert "How fast the origin answered is not known" in text
    assert sketch(going_on()) == ""


def test_a_persons_mitigation_has_its_name_and_what_it_matches() -> None:
    made = record()
    made.put(mitigation_record(id="shop-x-Ada", author="Ada", reason="it looks odd", attack=""))
    text = attack_as_text(made)
    assert "shop-x-Ada challenge one agent and one order of headers: it looks odd" in text
    assert "  shop-x-Ada  challenge → deny  one agent and one order of headers, by Ada" in text


def test_what_was_in_force_before_and_what_still_is() -> None:
    made = going_on()
    standing = mitigation_record()
    standing.steps[:] = [Step(START - 100, "challenge", "earlier")]
    made.put(standing)
    assert "in force before it; still in force" in attack_as_text(made)
    assert turns(made)[0].at == START - 100


def test_of_a_long_story_the_first_lines() -> None:
    made = record()
    for number in range(MOST_TURNS):
        made.put(mitigation_record(id=f"{FIRST}{number}"))
    hidden = len(turns(made)) - MOST_TURNS
    assert f"  … and {hidden} more: --json has all" in attack_as_text(made)


def test_a_time_without_an_agent_is_told_and_not_drawn_as_calm() -> None:
    made = record()
    made.rows = [each for each in made.rows if not START + 5 <= each.at < START + 20]
    made.gaps.append(Gap(START + 5, START + 20))
    assert "+5.0  nothing is known of the next 15.0 s" in attack_as_text(made)
    drawn = sketch(made, width=60, height=4)
    assert "? not known" in drawn
    assert "░░??????" in drawn
    assert "?" not in sketch(record())


def test_where_nothing_came_there_was_calm() -> None:
    made = going_on()
    made.add([row(-20), row(0, requests=900, denied=850), row(1, requests=900, denied=850)])
    drawn = sketch(made, width=44, height=4)
    assert "?" not in drawn
    assert "│▁" in drawn


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 1), (0.7, 0.8), (1, 1), (61, 80), (99, 100), (2100, 3000), (0.0000011, 0.000002)],
)
def test_the_scale_ends_at_a_round_number(value: float, expected: float) -> None:
    assert nice(value) == pytest.approx(expected)


def test_one_row_alone_can_be_drawn() -> None:
    made = going_on()
    made.rows = [replace(row(0), seconds=0.2)]
    assert "requests/s" in sketch(made)
