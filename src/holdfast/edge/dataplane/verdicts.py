"""What the shield's maps hold: mitigations as a signature's look-up finds them, and back; what a site knows;
the keys of clearances."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.edge.dataplane.rules.features import LINGERING, WHOLE_SITE, bit
from holdfast.edge.dataplane.rules.limits import WITH_NETWORKS
from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.features import TEMPLATES, Feature

STRICT_LIMIT: Final = "500000:9500000:6"
"""Of a client whose requests look like a flood: two a second, a burst of twenty, six at the same time; the
rest is the site's (see ``limits``)."""


def template_of(features: tuple[str, ...]) -> int:
    """The number of the template of these features, by their names.

    Raises KeyError where there is none.
    """
    if not features:
        return WHOLE_SITE
    return _BITS[features]


_BITS: Final = {
    tuple(feature.name.lower() for feature in template.features): template.bit for template in TEMPLATES
}


def shield_facts(
    sid: str, mitigations: Iterable[Mitigation], limits: str, *, lingers: bool = False
) -> Picture:
    """What HAProxy should hold for the mitigations of one site. ``limits``: the site's own, as text;
    ``lingers``: links of its challenge are honoured although it has no mitigation."""
    picture = Picture()
    mask = bit(LINGERING) if lingers else 0
    for mitigation in mitigations:
        number = template_of(mitigation.features)
        mask |= bit(number)
        key = "|".join((sid, str(number), *mitigation.values))
        picture.maps[Maps.SIGNATURES, key] = _verdict(mitigation, limits)
    if mask:
        picture.maps[Maps.MASKS, sid] = str(mask)
    return picture


def _verdict(mitigation: Mitigation, limits: str) -> str:
    until = str(int(mitigation.until.astimezone(UTC).timestamp()))
    parts = [mitigation.action.value, mitigation.id, until]
    if mitigation.action is Action.LIMIT:
        parts.append(":".join((STRICT_LIMIT, *limits.split(":")[3:])))
    return "|".join(parts)


def held_mitigations(entries: Mapping[str, str]) -> dict[str, tuple[str, datetime]]:
    """What a running HAProxy holds: id → site id, end. The rest of a mitigation is in the agent's notes."""
    found = {}
    for key, value in entries.items():
        sid, _, _ = key.partition("|")
        _, identifier, until, *_ = (*value.split("|"), "", "")
        if until.isdigit():
            found[identifier] = (sid, datetime.fromtimestamp(int(until), UTC))
    return found


def familiar_facts(
    sid: str,
    familiar: Mapping[Feature, Iterable[str]],
    networks: Collection[str],
    friends: Iterable[tuple[str, str]],
) -> Picture:
    """What a site under suspicion knows: values of agents and orders of headers, networks, and programs
    (network, agent)."""
    picture = Picture()
    for network in networks:
        picture.maps[Maps.NETWORKS, f"{sid}|{network}"] = "0"
        picture.maps[Maps.FAMILIAR, f"{sid}|{int(Feature.NETWORK)}|{network}"] = "1"
    for feature, values in familiar.items():
        for value in values:
            picture.maps[Maps.FAMILIAR, f"{sid}|{int(feature)}|{value}"] = "1"
    if any(name == Maps.FAMILIAR for name, _ in picture.maps):
        picture.maps[Maps.FAMILIAR, sid] = str(WITH_NETWORKS) if networks else "1"
    for network, agent in friends:
        picture.maps[Maps.FRIENDS, sid] = "1"
        picture.maps[Maps.FRIENDS, f"{sid}|{network}|{agent}"] = "1"
    return picture


def key_facts(current: str, honoured: Mapping[str, str]) -> Picture:
    """``current``: the id of the key that signs what is new; ``honoured``: id → key, text. HAProxy's ``hmac``
    takes a key in base64, its ``jwt_verify`` takes it as it is."""
    picture = Picture(maps={(Maps.KEYS, name): key for name, key in honoured.items()})
    if current:
        coded = b64encode(honoured[current].encode()).decode()
        picture.maps[Maps.KEY_IDS, "now"] = f"{current}|{coded}"
    return picture
