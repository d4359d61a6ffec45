"""Reads what HAProxy holds, over the scan connection: the shell around ``dataplane.answers``."""

from __future__ import annotations

from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.commands import Places
from holdfast.edge.dataplane.picture import META, ORDER, Picture
from holdfast.edge.dataplane.render import HOP
from holdfast.edge.dataplane.runtime import Runtime


async def read_picture(runtime: Runtime, places: Places) -> Picture:
    """The whole picture of the current worker. Raises RuntimeLostError."""
    picture = Picture()
    for name in ORDER:
        entries = answers.map_entries(await runtime.scan(f"show map {places.map(name)}"))
        picture.maps.update(((name, key), value) for key, value in entries)
    limits = answers.server_limits(await runtime.scan("show stat -1 4 -1"))
    servers = answers.server_states(await runtime.scan("show servers state"), limits)
    picture.servers = {key: server for key, server in servers.items() if key[0] != HOP}
    listed = await runtime.scan(f"show ssl crt-list -n {places.certificate_list}")
    picture.certificates = answers.certificate_list(listed)
    names = answers.certificate_names(await runtime.scan("show ssl cert"))
    picture.strays = names - picture.certificates.keys()
    picture.authorities = answers.authorities(await runtime.scan("show ssl ca-file"))
    return picture


async def read_meta(runtime: Runtime, places: Places) -> dict[str, str]:
    """Which rendering the worker has read (``boot``, ``frame``) and the last ``epoch`` written to it."""
    return dict(answers.map_entries(await runtime.scan(f"show map {places.map(META)}")))
