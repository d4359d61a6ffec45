"""Records to tell of: one of an attack of a minute, with a ladder of three steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.attack import Attack
from holdfast.shield.course import Row
from holdfast.shield.mitigation_record import WITHDRAWN, MitigationRecord, Step
from holdfast.shield.record import AttackRecord
from tests.unit.shield.traffic import START

ATTACK = "shop-20231114T221320"
FIRST = f"{ATTACK}-1"


def mitigation(**more: Any) -> Mitigation:
    since = datetime.fromtimestamp(START, UTC)
    fields: dict[str, Any] = {
        "id": FIRST,
        "site": "shop",
        "action": Action.CHALLENGE,
        "features": ("agent", "names"),
        "values": ("-12", "34"),
        "reason": "93% of the excess has one agent and one order of headers",
        "since": since,
        "until": since + timedelta(seconds=60),
        "attack": ATTACK,
        "evidence": ("GET / · floodtool · from 198.18.0.0/24", "GET / · floodtool · from 198.18.1.0/24"),
        "harm": 0.0008,
        **more,
    }
    return Mitigation(**fields)


def mitigation_record(**more: Any) -> MitigationRecord:
    """Challenged at first, denied a second later, withdrawn at the end."""
    made = MitigationRecord.of(mitigation(**more), START)
    made.steps += [
        Step(START + 1.2, "deny", "12% passed the step before (challenge)"),
        Step(START + 60, WITHDRAWN, "the attack has ended"),
    ]
    made.matched, made.passed, made.worst, made.last = 73_000.0, 700.0, 0.003, 0.0
    return made


def row(second: float, **counts: Any) -> Row:
    """A second after the confirmation, as usual but for ``counts``."""
    usual = {"requests": 40, "mean": 40.0, "upper": 90.0, "answers": 40, "median": 12.0, "p95": 40.0}
    return Row(START + second, 1.0, **{**usual, **counts})


def record() -> AttackRecord:
    """Calm, a second in which the flood reaches the origin, half a minute of denials, calm."""
    attack = Attack(ATTACK, "shop", START, "1900 requests/s, usually 40; few fingerprints", 2100.0, 40.0)
    attack.note(START, "begins", attack.why)
    attack.note(START + 1.2, "changes", "deny one agent and one order of headers")
    attack.touched, attack.reached, attack.ended = 60_000.0, 1500.0, START + 60
    attack.note(START + 60, "ends", "the flood has ended")
    made = AttackRecord(attack)
    made.put(mitigation_record())
    made.add([row(second) for second in range(-30, -1)])
    made.add([row(-1, requests=2000, overflowed=300, median=400.0, p95=900.0)])
    made.add([row(0, requests=2040, challenged=1500, earned=10)])
    made.add([row(second, requests=2040, denied=2000) for second in range(1, 30)])
    made.add([row(second) for second in range(30, 90)])
    return made
