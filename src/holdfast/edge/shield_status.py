"""What people see of the shield: mitigations and attacks as rows, and rows as text for a terminal.

Rows are plain data, so that they cross the admin socket as JSON. Not here: a site's row (``status``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.model.mitigation import Mitigation
from holdfast.shield.attack import Attack
from holdfast.shield.brain import SiteBrain
from holdfast.shield.response import Standing, words_of


@dataclass(frozen=True, slots=True)
class MitigationRow:
    """One mitigation. Times are ISO 8601, in UTC."""

    id: str
    site: str
    action: str
    matches: str
    """In words."""
    since: str
    until: str
    author: str
    pinned: bool
    rate: float | None
    """Requests/s that match, of the last seconds; None while no attack is looked at."""
    passed: float | None
    """The share of them that reached the origin all the same."""
    harm: float
    """Upper 95 % bound of the share of usual requests that it touches, as predicted; as measured where it has
    stepped down for that."""
    reason: str
    attack: str
    features: list[str]
    values: list[str]
    """As the data plane finds them: hashes of what clients choose."""
    evidence: list[str]
    """Some of the requests, redacted."""


@dataclass(frozen=True, slots=True)
class AttackRow:
    """One attack, going on or ended."""

    id: str
    site: str
    began: str
    ended: str
    """'' while it goes on."""
    why: str
    """What confirmed it."""
    peak: float
    """Requests/s."""
    usual: float
    kept_away: int
    """Requests that mitigations kept from the origin."""
    reached: int
    """Requests of the excess that reached it, estimated."""
    journal: list[dict[str, str]]
    """``at``, ``kind`` (begins, changes, ends) and ``words``."""


def mitigation_rows(
    mitigations: Iterable[Mitigation], brains: Mapping[str, SiteBrain]
) -> Iterator[MitigationRow]:
    """``mitigations`` in force, and how each does."""
    for each in mitigations:
        standing = measured(brains.get(each.site), each.id)
        yield MitigationRow(
            id=each.id,
            site=each.site,
            action=each.action.value,
            matches=words_of((each.features, each.values)),
            since=_iso(each.since),
            until=_iso(each.until),
            author=each.author,
            pinned=each.pinned,
            rate=round(standing.rate, 1) if standing else None,
            passed=round(standing.solved, 4) if standing else None,
            harm=each.harm,
            reason=each.reason,
            attack=each.attack,
            features=list(each.features),
            values=list(each.values),
            evidence=list(each.evidence),
        )


def measured(brain: SiteBrain | None, identifier: str) -> Standing | None:
    """How a mitigation does. In calm nothing is measured: what was measured before says nothing any more."""
    if brain is None or brain.attack is None:
        return None
    standing = brain.response.standing.values()
    return next((each for each in standing if each.mitigation.id == identifier), None)


def attack_row(attack: Attack) -> AttackRow:
    return AttackRow(
        id=attack.id,
        site=attack.site,
        began=_iso(_moment(attack.began)),
        ended="" if attack.ended is None else _iso(_moment(attack.ended)),
        why=attack.why,
        peak=round(attack.peak, 1),
        usual=round(attack.usual, 1),
        kept_away=round(attack.touched),
        reached=round(attack.reached),
        journal=[
            {"at": _iso(_moment(note.at)), "kind": note.kind, "words": note.words} for note in attack.notes
        ],
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


# -- as text ---------------------------------------------------------------------------------------------


def mitigations_as_text(rows: Iterable[MitigationRow]) -> str:
    blocks = [_mitigation(row) for row in rows]
    return "\n".join(blocks) if blocks else "no mitigation is in force"


def _mitigation(row: MitigationRow) -> str:
    until = f"until {_clock(row.until)}" + (", pinned" if row.pinned else "")
    rate = "" if row.rate is None else f" · {row.rate:.0f} requests/s match"
    if row.passed is not None and row.rate:
        rate += f", {row.passed:.0%} of them passed"
    return (
        f"{row.id}  {row.action}  {row.site}: {row.matches}\n"
        f"    since {_clock(row.since)}, {until} · by {row.author}{rate} · {_harm(row)}\n"
        f"    {row.reason}"
    )


def _harm(row: MitigationRow) -> str:
    if row.harm < 1:
        return f"touches at most {row.harm:.2%} of usual requests"
    return "the site is too young to tell whom it touches" if row.features else "touches all visitors"


def attacks_as_text(rows: Iterable[AttackRow]) -> str:
    blocks = [_attack(row) for row in rows]
    return "\n".join(blocks) if blocks else "no attack in the last 30 days"


def _attack(row: AttackRow) -> str:
    when = (
        f"{_clock(row.began)} to {_clock(row.ended)}" if row.ended else f"going on since {_clock(row.began)}"
    )
    return (
        f"{row.id}  {row.site}  {when}\n"
        f"    at most {row.peak:.0f} requests/s, usually {row.usual:.0f} · {row.kept_away} kept away,"
        f" about {row.reached} of the excess reached the origin\n"
        f"    confirmed: {row.why}"
    )


def _clock(text: str) -> str:
    return f"{text[:10]} {text[11:19]} UTC"
