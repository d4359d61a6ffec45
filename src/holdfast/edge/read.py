"""Reads what HAProxy holds, over the scan connection: the shell around ``dataplane.answers``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.picture import META, ORDER, Maps, Picture
from holdfast.edge.dataplane.render import HOP, SAMPLES
from holdfast.edge.dataplane.rules import PUBLIC
from holdfast.edge.dataplane.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Held:
    """What a running HAProxy, or else the files of the last one, tell a new agent."""

    bans: dict[str, str] = field(default_factory=dict)
    cleared: dict[str, str] = field(default_factory=dict)
    backends: dict[str, str] = field(default_factory=dict)
    """Site id → slot."""
    occupied: frozenset[str] = frozenset()
    """The slots with a server in them."""
    meta: dict[str, str] = field(default_factory=dict)
    key_id: str = ""
    """Of the key that signs clearances."""


async def read_picture(runtime: Runtime, places: Places, maps: Iterable[str] = ORDER) -> Picture:
    """The picture of the current worker: all of it, or all but the maps that are not named. Raises
    RuntimeLostError."""
    picture = await read_maps(runtime, places, maps)
    limits = answers.server_limits(await runtime.scan("show stat -1 4 -1"))
    servers = answers.server_states(await runtime.scan("show servers state"), limits)
    ours = (HOP, SAMPLES, PUBLIC)
    picture.servers = {key: server for key, server in servers.items() if key[0] not in ours}
    listed = await runtime.scan(f"show ssl crt-list -n {places.certificate_list}")
    picture.certificates = answers.certificate_list(listed)
    names = answers.certificate_names(await runtime.scan("show ssl cert"))
    picture.strays = names - picture.certificates.keys()
    picture.authorities = answers.authorities(await runtime.scan("show ssl ca-file"))
    return picture


async def read_maps(runtime: Runtime, places: Places, names: Iterable[str]) -> Picture:
    """Just these maps, at one go: a worker that has just started takes its time for each answer. Raises
    RuntimeLostError."""
    wanted = list(names)
    picture = Picture()
    told = await runtime.scans([f"show map {places.map(name)}" for name in wanted])
    for name, answer in zip(wanted, told, strict=True):
        picture.maps.update(((name, key), value) for key, value in answers.map_entries(answer))
    return picture


async def read_meta(runtime: Runtime, places: Places) -> dict[str, str]:
    """Which rendering the worker has read (``boot``, ``frame``) and the last ``epoch`` written to it."""
    return dict(answers.map_entries(await runtime.scan(f"show map {places.map(META)}")))


async def read_held(runtime: Runtime, places: Places) -> Held:
    """What a running HAProxy tells a new agent. Raises RuntimeLostError."""
    held = await read_maps(runtime, places, (Maps.CLEARED, Maps.BANS, Maps.BACKENDS, Maps.KEY_IDS))
    servers = answers.server_states(await runtime.scan("show servers state"), {})
    return Held(
        bans=dict(held.map(Maps.BANS)),
        cleared=dict(held.map(Maps.CLEARED)),
        backends=dict(held.map(Maps.BACKENDS)),
        occupied=frozenset(slot for slot, _ in servers),
        meta=await read_meta(runtime, places),
        key_id=dict(held.map(Maps.KEY_IDS)).get("now", "").partition("|")[0],
    )


def held_by_files(places: Places) -> Held:
    """What the files of the last HAProxy tell: only bans and clearances are nowhere else."""
    return Held(bans=_entries(places, Maps.BANS), cleared=_entries(places, Maps.CLEARED))


def _entries(places: Places, name: str) -> dict[str, str]:
    path = Path(places.map(name))
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split(" ", 1) for line in lines if " " in line)
