"""What the shield knows, on disk: one file for each site with its baseline and what people have forbidden,
and one with the attacks that are going on and their mitigations, so that the next agent takes them over.

No addresses of clients are in them: networks (/24, /48), and what the mitigations match.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield import attack
from holdfast.shield.baseline import Baseline
from holdfast.shield.brain import Remembered, SiteBrain
from holdfast.shield.response import Match, signature_of

VERSION = 1

log = structlog.get_logger()


class Notes:
    """The files of one edge. Writing never raises: notes that cannot be kept cost the next start, and no
    visitor; it is logged."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with contextlib.suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read_site(self, name: str) -> dict[str, Any] | None:
        """The document of one site; None where there is none that can be read."""
        document = self._read(f"site-{name}.json.gz")
        return document if document and document.get("version") == VERSION else None

    def write_site(self, name: str, document: Mapping[str, Any]) -> None:
        self._write(f"site-{name}.json.gz", document)

    def read_attacks(self) -> dict[str, Any]:
        """Site → document of its attack."""
        sites = (self._read("attacks.json.gz") or {}).get("sites")
        return sites if isinstance(sites, dict) else {}

    def write_attacks(self, sites: Mapping[str, Any]) -> None:
        self._write("attacks.json.gz", {"version": VERSION, "sites": dict(sites)})

    def read_switched(self) -> set[str]:
        """Sites that their owners have switched to 'under attack'."""
        sites = (self._read("switched.json.gz") or {}).get("sites")
        return {str(each) for each in sites} if isinstance(sites, list) else set()

    def write_switched(self, sites: set[str]) -> None:
        self._write("switched.json.gz", {"version": VERSION, "sites": sorted(sites)})

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self._directory / name
        try:
            document = json.loads(gzip.decompress(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, zlib.error) as wrong:
            log.error("notes of the shield cannot be read and are left out", file=str(path), why=str(wrong))
            return None
        return document if isinstance(document, dict) else None

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        path = self._directory / name
        draft = path.with_name(path.name + ".new")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(gzip.compress(json.dumps(document).encode(), 1))
            draft.replace(path)
        except OSError as refused:
            log.error("notes of the shield cannot be written", file=str(path), why=str(refused))


def site_document(brain: SiteBrain) -> dict[str, Any]:
    """What one site's brain knows in calm."""
    return {
        "version": VERSION,
        "baseline": brain.baseline.document(),
        "forbidden": [list(map(list, match)) for match in sorted(brain.response.forbidden)],
        "remembered": [
            {"match": list(map(list, match)), "action": each.action, "harm": each.harm, "until": each.until}
            for match, each in sorted(brain.remembered.items())
        ],
    }


def brain_of(name: str, document: Mapping[str, Any] | None, now: float) -> SiteBrain:
    """A site's brain from its notes; of a site without any, or with broken ones, a new one."""
    if document is None:
        return SiteBrain(name, Baseline.new(now))
    try:
        brain = SiteBrain(name, Baseline.from_document(document["baseline"]))
        brain.response.forbidden = {_match(each) for each in document["forbidden"]}
        brain.remembered = {
            _match(each["match"]): Remembered(Action(each["action"]), each["harm"], each["until"])
            for each in document["remembered"]
            if each["until"] > now
        }
    except (KeyError, TypeError, ValueError) as wrong:
        log.error("a site's baseline cannot be read and begins anew", site=name, why=repr(wrong))
        return SiteBrain(name, Baseline.new(now))
    return brain


def attack_document(brain: SiteBrain) -> dict[str, Any]:
    """The attack that goes on at a site, and what stands against it."""
    return {
        "attack": None if brain.attack is None else attack.attack_document(brain.attack),
        "mitigations": [mitigation_document(each) for each in brain.response.mitigations()],
        "made": brain.response.made,
        "undone": [list(map(list, match)) for match in sorted(brain.response.undone)],
    }


def take_over(brain: SiteBrain, document: Mapping[str, Any], now: float) -> None:
    """Go on where the agent before this one has stopped; what has ended meanwhile is left out."""
    try:
        told, listed = document["attack"], list(map(read_mitigation, document["mitigations"]))
        brain.response.made = int(document.get("made", 0))
        brain.response.undone = {_match(each) for each in document.get("undone", ())}
        if told is not None:
            brain.resume(attack.read_attack({"site": brain.site, "ended": None, **told}), now)
    except (KeyError, TypeError, ValueError) as wrong:
        log.error("an attack's notes cannot be read and are left out", site=brain.site, why=repr(wrong))
        return
    for mitigation in listed:
        match = mitigation.features, mitigation.values
        if mitigation.features and signature_of(match) is None:
            log.error("a mitigation of another version is left out", id=mitigation.id)
        elif mitigation.until.timestamp() > now:
            brain.response.put(mitigation, now)


def mitigation_document(each: Mitigation) -> dict[str, Any]:
    return {
        "id": each.id,
        "site": each.site,
        "action": each.action.value,
        "features": list(each.features),
        "values": list(each.values),
        "reason": each.reason,
        "since": each.since.timestamp(),
        "until": each.until.timestamp(),
        "author": each.author,
        "attack": each.attack,
        "evidence": list(each.evidence),
        "harm": each.harm,
        "pinned": each.pinned,
    }


def read_mitigation(document: Mapping[str, Any]) -> Mitigation:
    """The inverse. Raises KeyError, TypeError or ValueError."""
    return Mitigation(
        **{
            **document,
            "action": Action(document["action"]),
            "since": datetime.fromtimestamp(document["since"], UTC),
            "until": datetime.fromtimestamp(document["until"], UTC),
            **{name: tuple(document[name]) for name in ("features", "values", "evidence")},
        }
    )


def _match(listed: Iterable[Iterable[str]]) -> Match:
    features, values = listed
    return tuple(features), tuple(values)
