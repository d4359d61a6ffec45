"""The admin socket: how the command line, and later the control plane's link, ask the agent for something.

A Unix socket of mode 0600 in the run directory; one JSON object a line each way. A request names what to
``do``; the answer holds ``result`` or ``mistakes``, each with its remedy. What concerns blocks is in
``block_admin``, what concerns the shield in ``shield_admin``, what a drill asks in ``drill_admin``.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import Field, ValidationError

from holdfast.edge.admin_request import Nothing, Operations, Request
from holdfast.edge.agent import Edge
from holdfast.edge.block_admin import BlockAdmin
from holdfast.edge.dataplane.runtime import RuntimeLostError
from holdfast.edge.drill_admin import DrillAdmin
from holdfast.edge.settings import dotted
from holdfast.edge.shield_admin import ShieldAdmin
from holdfast.edge.status import take_snapshot
from holdfast.model.ban import LONGEST_BAN, Ban, parse_network, parse_source
from holdfast.model.errors import HoldfastError, Mistake, error

BIGGEST_REQUEST = 1 << 24


class BanRequest(Request):
    source: str
    seconds: int = Field(default=60, ge=1, le=int(LONGEST_BAN.total_seconds()))
    reason: str = ""


class UnbanRequest(Request):
    source: str


class SiteRequest(Request):
    site: dict[str, Any]


class NameRequest(Request):
    name: str


class SecretRequest(Request):
    name: str
    next: bool = False
    renew: bool = False


class Admin:
    """Serves the socket for one edge."""

    def __init__(self, edge: Edge, stop: Callable[[], None]) -> None:
        self._edge = edge
        self._stop = stop
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._operations: Operations = {
            "status": (Nothing, self._status),
            "diff": (Nothing, self._diff),
            "apply": (Nothing, self._apply),
            "reload": (Nothing, self._reload),
            "stop": (Nothing, self._end),
            "ban": (BanRequest, self._ban),
            "unban": (UnbanRequest, self._unban),
            "put_site": (SiteRequest, self._put_site),
            "remove_site": (NameRequest, self._remove_site),
            "site_secret": (SecretRequest, self._site_secret),
            **BlockAdmin(edge).operations,
            **ShieldAdmin(edge).operations,
            **DrillAdmin(edge).operations,
        }

    async def serve(self) -> None:
        """Listen, until ``close``."""
        path = self._edge.root / "agent.sock"
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, str(path), limit=BIGGEST_REQUEST)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Before the edge goes: hear nobody any more. What has no answer by now gets none."""
        if self._server is not None:
            self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A task of our own: one that asyncio's server makes may not be cancelled without a traceback."""
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # the asker has gone, or sent more than a request can be
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, object]:
        try:
            request = json.loads(line)
            shape, perform = self._operations[request.pop("do")]
            return {"result": await perform(shape.model_validate(request))}
        except HoldfastError as wrong:
            return _mistakes(*wrong.mistakes)
        except ValidationError as wrong:
            return _mistakes(
                *(Mistake(dotted(each["loc"]), each["msg"], "correct it") for each in wrong.errors())
            )
        except RuntimeLostError as lost:
            return _mistakes(
                Mistake("", f"HAProxy does not answer ({lost})", "the agent is at it: try again in a second")
            )
        except (ValueError, KeyError, AttributeError, TypeError):
            return _mistakes(
                Mistake("", "this is no request that the agent knows", "use the holdfast command")
            )

    async def _status(self, _: Nothing) -> object:
        return (await take_snapshot(self._edge)).as_json()

    async def _diff(self, _: Nothing) -> object:
        """What HAProxy lacks or has too much; ``later`` is only waiting to be swept up."""
        steps = await self._edge.reconciler.difference()
        places = self._edge.places
        return {
            "now": [command.text(places).splitlines()[0] for command in steps.now],
            "later": [command.text(places).splitlines()[0] for command in steps.later],
        }

    async def _apply(self, _: Nothing) -> object:
        return await self._edge.apply()

    async def _reload(self, _: Nothing) -> object:
        await self._edge.reload()
        return {"reloads": self._edge.reloads}

    async def _end(self, _: Nothing) -> object:
        asyncio.get_running_loop().call_later(0.05, self._stop)
        return {"stopping": True}

    async def _ban(self, request: BanRequest) -> object:
        source = parse_source(request.source, "source")
        until = self._edge.clock() + timedelta(seconds=request.seconds)
        await self._edge.ban(Ban(source, until, request.reason))
        return {"source": str(source), "until": until.isoformat()}

    async def _unban(self, request: UnbanRequest) -> object:
        source = parse_network(request.source, "source")
        await self._edge.unban(source)
        return {"source": str(source)}

    async def _site_secret(self, request: SecretRequest) -> object:
        site = self._edge.desired.sites.get(request.name)
        if site is None:
            raise error(f"there is no site {request.name!r}", "see 'holdfast status'", "name")
        if not site.sign:
            raise error(f"the requests of {request.name!r} are not signed", "set sign = true for it", "name")
        if request.renew:
            await self._edge.renew_key(request.name)
        key = self._edge.roster.signing_key(request.name, ahead=int(request.next))
        return {"secret": base64.b64encode(key).decode()}

    async def _put_site(self, request: SiteRequest) -> object:
        await self._edge.put_site(request.site)
        return {"site": request.site.get("name")}

    async def _remove_site(self, request: NameRequest) -> object:
        await self._edge.remove_site(request.name)
        return {"removed": request.name}


def _mistakes(*mistakes: Mistake) -> dict[str, object]:
    return {
        "mistakes": [
            {"place": each.place, "problem": each.problem, "remedy": each.remedy} for each in mistakes
        ]
    }
