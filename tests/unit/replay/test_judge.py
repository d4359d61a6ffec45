"""What is done to a request under the mitigations in force."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.model.mitigation import Action, Mitigation
from holdfast.replay.judge import LIMIT_BURST, Judge, Judgement
from holdfast.replay.telling import Told, tell
from holdfast.shield.ladder import LIMIT_RATE
from tests.unit.replay.logs import START, entry

NOW = datetime.fromtimestamp(START, UTC)


def mitigation(action: Action, name: str = "m", **values: str) -> Mitigation:
    return Mitigation(name, "site", action, tuple(values), tuple(values.values()), "", NOW, NOW)


def told(**fields: Any) -> Told:
    return tell(entry(**fields))


def judged(judge: Judge, **fields: object) -> Judgement | None:
    return judge.judge(*told(**fields)[:2], float(START))


@pytest.mark.parametrize(
    ("action", "is_kept"),
    [
        (Action.OBSERVE, False),
        (Action.LIMIT, False),
        (Action.CHALLENGE, True),
        (Action.DENY, True),
        (Action.DROP, True),
    ],
)
def test_each_rung(action: Action, is_kept: bool) -> None:
    judge = Judge()
    judge.put([mitigation(action, agent="bad")])
    assert judged(judge, agent="bad") == Judgement("m", action, is_kept)
    assert judged(judge, agent="good") is None


def test_all_of_its_features_must_be_there() -> None:
    judge = Judge()
    judge.put([mitigation(Action.DENY, method="GET", path="/a", agent="bad")])
    assert judged(judge, agent="bad", request="GET /a?x=y HTTP/1.1") is not None
    assert judged(judge, agent="bad", request="POST /a HTTP/1.1") is None
    assert judged(judge, agent="bad", request="GET /b HTTP/1.1") is None


def test_the_more_particular_decides() -> None:
    judge = Judge()
    judge.put(
        [
            mitigation(Action.CHALLENGE, "all"),
            mitigation(Action.LIMIT, "agent", agent="bad"),
            mitigation(Action.DENY, "both", agent="bad", path="/"),
        ]
    )
    found = [
        judged(judge, agent="bad"),
        judged(judge, agent="bad", request="GET /a HTTP/1.1"),
        judged(judge, agent="good"),
    ]
    assert [each.mitigation for each in found if each] == ["both", "agent", "all"]


def test_strangers_are_those_that_the_site_does_not_know() -> None:
    judge = Judge()
    judge.put([mitigation(Action.CHALLENGE, stranger="1")])
    judge.know(frozenset({"192.0.2.0"}), frozenset())
    assert judged(judge, host="192.0.2.9") is None
    assert judged(judge, host="198.51.100.9") is not None


def test_a_program_that_the_site_knows_is_exempt_from_its_network_only() -> None:
    judge = Judge()
    judge.put([mitigation(Action.CHALLENGE), mitigation(Action.DENY, agent="feed")])
    judge.know(frozenset({"192.0.2.0"}), frozenset({("192.0.2.0", "feed")}))
    assert judged(judge, agent="feed") is None
    assert judged(judge, agent="feed", host="198.51.100.9") is not None
    assert judged(judge, agent="other") is not None


def test_a_limited_client_has_a_burst_and_then_its_rate() -> None:
    judge = Judge()
    judge.put([mitigation(Action.LIMIT, agent="bad")])
    sent = told(agent="bad")
    passed = []
    for each in range(1000):  # ten a second
        found = judge.judge(*sent[:2], START + each / 10)
        assert found is not None
        passed.append(not found.is_kept)
    assert all(passed[: int(LIMIT_BURST)])
    assert sum(passed[-500:]) == pytest.approx(50 * LIMIT_RATE, abs=1)
    other = judge.judge(*told(agent="bad", host="192.0.2.8")[:2], START + 100.0)
    assert other is not None
    assert not other.is_kept


def test_what_was_limited_may_have_its_burst_again_after_a_pause() -> None:
    judge = Judge()
    judge.put([mitigation(Action.LIMIT, agent="bad")])
    found = [judge.judge(*told(agent="bad")[:2], START + offset) for offset in [0.0] * 30 + [60.0] * 20]
    assert [each.is_kept for each in found if each] == [False] * 20 + [True] * 10 + [False] * 20
