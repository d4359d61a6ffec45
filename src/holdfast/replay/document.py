"""What a replay has found, for programs. Times are unix times. Pure.

Not here: the same in words (``report``).
"""

from __future__ import annotations

from typing import Any

from holdfast.replay.attack_report import flood_of
from holdfast.replay.flood import FLOODS
from holdfast.replay.report import all_lines, own_requests
from holdfast.replay.run import SEED, Result
from holdfast.replay.tally import PASSED, Touched
from holdfast.shield.record import AttackRecord, record_document


def document(result: Result, seconds: float, damage: str = "") -> dict[str, Any]:
    """As JSON can hold it; the arguments are those of ``report``."""
    replay, sieve, order = result.replay, result.sieve, result.order
    baseline, own = replay.brain.baseline, own_requests(result)
    lines = all_lines(result)
    return {
        "log": result.name,
        "site": result.site,
        "begins": replay.first,
        "ends": replay.last,
        "lines": sieve.lines,
        "requests": own,
        "seconds": round(seconds, 3),
        "lines_per_second": round(lines / max(seconds, 1e-9)),
        "left_out": {
            "malformed": sieve.malformed,
            "malformed_by_reason": dict(sieve.reasons),
            "malformed_first": [{"line": each.number, "why": each.why} for each in sieve.first],
            "no_request": sieve.no_requests,
            "late": order.late,
            "latest_s": order.latest,
            "astray": order.astray,
        },
        "sorted": order.sorted,
        "cut": sieve.cut,
        "damage": damage,
        "learned": None
        if result.learned is None
        else {
            "log": result.learned.name,
            "lines": result.learned.lines,
            "requests": result.learned.requests,
            "attacks": result.learned.attacks,
            "left_out": result.learned.left_out,
        },
        "unknown_features": sorted(each.name.lower() for each in replay.brain.unknown),
        "baseline": {
            "is_young": baseline.is_young(replay.until),
            "clean_samples": baseline.clean_samples,
            "networks": len(baseline.networks(replay.until)),
            "programs": len(baseline.friends()),
        },
        "kept_away": dict(replay.tally.real),
        "attacks": [_attack(result, each) for each in replay.records],
        "surges": [
            {"began": each.began, "ended": each.ended, "peak": each.peak, "usual": each.usual}
            for each in replay.surges
        ],
        "generated": None if result.mixture is None else _generated(result, result.mixture.began),
    }


def _attack(result: Result, record: AttackRecord) -> dict[str, Any]:
    replay, attack = result.replay, record.attack
    return record_document(record) | {
        "first_sign": replay.signs.get(attack.id, attack.began),
        "reached": round(replay.reached.get(attack.id, 0.0)),
        "usual_clients_requests": replay.tally.meanwhile[attack.id],
        "generated_flood": flood_of(result, record),
        "touched": {
            each: _touched(replay.tally.mitigations.get(each, Touched())) for each in record.mitigations
        },
    }


def _touched(touched: Touched) -> dict[str, Any]:
    return {
        "requests": dict(touched.all),
        "of_the_log": dict(touched.real),
        "of_usual_clients": dict(touched.usual),
        "usual_clients_kept_away": len(touched.clients),
    }


def _generated(result: Result, began: dict[int, int]) -> list[dict[str, Any]]:
    floods = result.replay.tally.floods
    return [
        {
            "number": each.number,
            "words": each.words,
            "seed": SEED,
            "began": began.get(each.number),
            "requests": floods[each.number].total() if each.number in floods else 0,
            "passed": floods[each.number][PASSED] if each.number in floods else 0,
        }
        for each in FLOODS
    ]
