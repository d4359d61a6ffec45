"""Solutions of proofs of work, and clearances, as many as are needed: made with the key that the edge signs
with, so that none has to be searched for. And what ALTCHA's own library takes for the same, in Python."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from altcha.v1 import ChallengeOptions, create_challenge, verify_solution

from holdfast.shield.difficulty import LEAST_TRIES
from tests.feature.clearances import Asked, cookie, made, shown, token

VALID_SECONDS: Final = 250.0
"""So long solutions are good that were made now; a challenge holds five minutes."""
NUMBER: Final = 123_456
PIECE: Final = 200
"""Calls between two looks at the clock."""


def solutions(key: tuple[str, str], host: str, count: int) -> list[str]:
    """Paths that show a right solution; each is another one."""
    return [_asked(key, host, f"n-{number}").shown(NUMBER) for number in range(count)]


def junk(key: tuple[str, str], host: str, count: int) -> list[str]:
    """The same in all but the signature: only when everything has been computed is it known to be wrong."""
    return [
        _asked(key, host, f"j-{number}").shown(NUMBER, signature=f"{number:064x}") for number in range(count)
    ]


def _asked(key: tuple[str, str], host: str, nonce: str) -> Asked:
    return made(key, NUMBER, host=host, seconds=VALID_SECONDS, most=LEAST_TRIES, nonce=nonce)


def nonsense() -> str:
    """What is no solution at all."""
    return shown(b"{}")


def clearance(key: tuple[str, str], host: str) -> str:
    """The header line that shows a valid one."""
    return cookie(token(key, host, number="bench", seconds=3600, how="proof"))


def forgery(key: tuple[str, str], host: str) -> str:
    """One that only its signature gives away."""
    return cookie(token((key[0], "another key"), host, number="bench", seconds=3600, how="proof"))


@dataclass(frozen=True, slots=True)
class Library:
    """Microseconds of processor time for each call of ALTCHA's library."""

    issue: float
    verify: float


def library(seconds: float) -> Library:
    """On the core that we are on."""
    secret = "a key of the benchmark"  # noqa: S105 - it guards nothing
    wanted = create_challenge(ChallengeOptions(hmac_key=secret, max_number=LEAST_TRIES, number=NUMBER))
    told = {
        "algorithm": wanted.algorithm,
        "challenge": wanted.challenge,
        "number": NUMBER,
        "salt": wanted.salt,
        "signature": wanted.signature,
    }
    payload = base64.b64encode(json.dumps(told).encode()).decode()
    good, why = verify_solution(payload, secret, True)
    assert good, why
    options = ChallengeOptions(hmac_key=secret, max_number=LEAST_TRIES)
    return Library(
        issue=_micros(lambda: create_challenge(options), seconds),
        verify=_micros(lambda: verify_solution(payload, secret, True), seconds),
    )


def _micros(call: Callable[[], object], seconds: float) -> float:
    calls, began = 0, time.process_time()
    while (used := time.process_time() - began) < seconds:
        for _ in range(PIECE):
            call()
        calls += PIECE
    return 1e6 * used / calls
