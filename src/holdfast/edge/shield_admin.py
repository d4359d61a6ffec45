"""What people ask of the shield over the admin socket: what is in force and why, to undo, forbid, permit, pin
or add a mitigation, and the owner's switch.

Not here: how it is done (``traffic.guard``), how it looks (``shield_status``), what was (``record_admin``).
"""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from holdfast.edge.admin_request import Operations, Request
from holdfast.edge.agent import Edge
from holdfast.edge.record_admin import RecordAdmin
from holdfast.edge.shield_status import mitigation_rows
from holdfast.edge.traffic.alert_words import plain
from holdfast.model.errors import error
from holdfast.model.mitigation import AUTOMATIC, Action
from holdfast.model.site import Service, Site

LONGEST: Final = timedelta(days=7)
"""What a person wants to stay for longer is a limit, a block or the switch."""
REFUSING: Final = (Action.DENY, Action.DROP)
"""Of a whole site, that is a block, and a block says who decided and why."""
_AUTHOR: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")
"""It becomes part of an id that HAProxy keeps between bars and shows to those whom it refuses."""


class MitigationsRequest(Request):
    site: str = ""


class UndoRequest(Request):
    id: str
    forbid: bool = False


class PermitRequest(Request):
    site: str


class PinRequest(Request):
    id: str
    seconds: int
    by: str


class AddRequest(Request):
    site: str
    action: Action
    seconds: int
    by: str
    reason: str = Field(min_length=1, max_length=500)


class SwitchRequest(Request):
    site: str
    on: bool


class ShieldAdmin:
    """For one edge."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.operations: Operations = {
            "mitigations": (MitigationsRequest, self._mitigations),
            "undo_mitigation": (UndoRequest, self._undo),
            "permit_mitigations": (PermitRequest, self._permit),
            "pin_mitigation": (PinRequest, self._pin),
            "add_mitigation": (AddRequest, self._add),
            **RecordAdmin(edge).operations,
            "under_attack": (SwitchRequest, self._switch),
        }

    async def _mitigations(self, request: MitigationsRequest) -> object:
        guard = self._edge.guard
        if request.site:
            self._site(request.site)
        listed = [each for each in guard.mitigations() if request.site in ("", each.site)]
        return [asdict(row) for row in mitigation_rows(listed, guard.brains)]

    async def _undo(self, request: UndoRequest) -> object:
        self._refuse_switch(request.id)
        await self._edge.guard.undo(request.id, forbid=request.forbid)
        return {"id": request.id}

    async def _permit(self, request: PermitRequest) -> object:
        site = self._web_site(request.site)
        return {"site": site.name, "permitted": await self._edge.guard.permit(site.name)}

    async def _pin(self, request: PinRequest) -> object:
        self._refuse_switch(request.id)
        until, by = self._until(request.seconds), _author(request.by)
        await self._edge.guard.pin(request.id, until, by)
        return {"id": request.id, "until": until.isoformat()}

    async def _add(self, request: AddRequest) -> object:
        site = self._web_site(request.site)
        if request.action in REFUSING:
            raise error(
                "to refuse everybody is to block the site",
                f"'holdfast block {site.name}' does, and tells visitors why",
                "action",
            )
        until, by = self._until(request.seconds), _author(request.by)
        made = await self._edge.guard.add(site.name, request.action, (), (), until, by, plain(request.reason))
        return {"id": made.id, "until": until.isoformat(), "watches": self._watches(site)}

    async def _switch(self, request: SwitchRequest) -> object:
        site = self._web_site(request.site)
        if site.under_attack and not request.on:
            raise error(
                f"{site.name} has under_attack = true in its configuration",
                "set it to false there, then run 'holdfast edge apply'",
            )
        await self._edge.guard.switch(site.name, request.on)
        return {"site": site.name, "on": request.on, "watches": self._watches(site)}

    def _site(self, name: str) -> Site:
        site = self._edge.desired.sites.get(name)
        if site is None:
            raise error(f"there is no site {name!r}", "see 'holdfast status'", "site")
        return site

    def _web_site(self, name: str) -> Site:
        site = self._site(name)
        if site.service is not Service.WEB:
            raise error(
                f"{name} passes TLS through unopened: there are no requests to look at",
                "'holdfast ban' refuses a source's connections",
                "site",
            )
        return site

    def _watches(self, site: Site) -> bool:
        """Whether nothing is done there but counting."""
        return site.watch_only or self._edge.configuration.edge.shield == "watch"

    def _refuse_switch(self, identifier: str) -> None:
        """The owner's switch shows as a mitigation that no brain has made."""
        guard = self._edge.guard
        made = {each.id for brain in guard.brains.values() for each in brain.response.mitigations()}
        for each in guard.mitigations():
            if each.id == identifier and each.id not in made:
                raise error(
                    f"{identifier} is the switch 'under attack' of {each.site}",
                    f"turn it off with 'holdfast under-attack {each.site} off'",
                )

    def _until(self, seconds: int) -> datetime:
        if not 1 <= seconds <= LONGEST.total_seconds():
            raise error(
                f"{seconds} s is no time to keep a mitigation for",
                f"name one from 1s to {LONGEST.days}d; it can be pinned again",
                "for",
            )
        return self._edge.clock() + timedelta(seconds=seconds)


def _author(name: str) -> str:
    if not _AUTHOR.fullmatch(name) or name.lower() == AUTOMATIC:
        raise error(
            f"{name!r} is no name for who decides",
            "use letters, digits, spaces and . _ @ - (at most 64), and not the word 'automatic'",
            "by",
        )
    return name
