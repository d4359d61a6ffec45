"""An origin that keeps the bytes of its connections and reads them as the strictest of servers would: what
one program might read otherwise than another is a fault. Here belongs what an origin may never see; not
what a client sends (``smuggling_cases``)."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
LINE = re.compile(TOKEN + rb" ([^\0- #]+) HTTP/1\.[01]")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*([^\0\r\n]*)")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
ONCE = ("host", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "forwarded")
"""Each is just once in every request that has passed the edge's rules."""
KEPT = {"content-length", "transfer-encoding", "trailer", "cdn-loop", *ONCE}
"""What the next hop must not be made to drop: ``Connection`` names what goes no further."""


@dataclass
class Seen:
    """A request that has arrived whole."""

    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes = b""


@dataclass
class Recorder:
    """What has arrived, and what is wrong with it."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    cut: list[bytes] = field(default_factory=list)
    """What connections ended with that is not a whole request."""
    faults: list[str] = field(default_factory=list)
    open: dict[int, bytearray] = field(default_factory=dict)
    """What has arrived of a request that is not whole yet, for each connection."""

    def clear(self) -> None:
        self.seen, self.cut, self.faults = [], [], []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: answer each request with its own target."""
        rest = self.open[id(writer)] = bytearray()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while part := await reader.read(65_536):
                rest += part
                while (taken := take(bytes(rest))) is not None:
                    request, length, faults = taken
                    del rest[:length]
                    self.seen.append(request)
                    self.faults += faults
                    writer.write(answer(request))
        if rest:
            self.cut.append(bytes(rest))
        del self.open[id(writer)]
        writer.close()


def answer(request: Seen) -> bytes:
    body = b"" if request.method == "HEAD" else request.target.encode("latin-1")
    target = request.target.encode("latin-1")
    return b"HTTP/1.1 200 OK\r\nX-Target: %s\r\nContent-Length: %d\r\n\r\n%s" % (target, len(target), body)


def take(raw: bytes) -> tuple[Seen, int, list[str]] | None:
    """The first request of ``raw``, how long it is, and its faults; None: it is not whole."""
    head, end, rest = raw.partition(b"\r\n\r\n")
    if not end:
        return None
    line, *lines = head.split(b"\r\n")
    faults = []
    if not (matched := LINE.fullmatch(line)):
        faults.append(f"request line {line!r}")
    target = (matched[1] if matched else line).decode("latin-1")
    request = Seen(line.partition(b" ")[0].decode("latin-1"), target, {})
    for each in lines:
        if found := FIELD.fullmatch(each):
            name, value = found[1].decode().lower(), found[2].decode("latin-1").rstrip(" \t")
            request.headers.setdefault(name, []).append(value)
        else:
            faults.append(f"header line {each!r}")
    faults += _framing_faults(request.headers) + _rule_faults(request)
    length = request.headers.get("content-length", ["0"])[0]
    if "transfer-encoding" in request.headers:
        after = _chunks(request, rest, faults)
    else:
        wanted = int(length) if re.fullmatch("[0-9]+", length) else 0
        request.body = rest[:wanted]
        after = wanted if len(rest) >= wanted else None
    return None if after is None else (request, len(head) + 4 + after, faults)


def _framing_faults(headers: dict[str, list[str]]) -> list[str]:
    """RFC 9112, section 6: one Content-Length of digits, or one Transfer-Encoding that ends in chunked."""
    lengths, codings = headers.get("content-length", []), headers.get("transfer-encoding", [])
    faults = []
    if len(lengths) + len(codings) > 1:
        faults.append(f"two framings: {lengths} {codings}")
    if lengths and not re.fullmatch("[0-9]+", lengths[0]):
        faults.append(f"length {lengths[0]!r}")
    if codings and not re.fullmatch("([a-z]+, *)*chunked", codings[0].lower()):
        faults.append(f"coding {codings[0]!r}")
    return faults


def _rule_faults(request: Seen) -> list[str]:
    """What the edge adds is there once and stays, and nothing but a WebSocket is an upgrade."""
    headers = request.headers
    faults = [f"{name}: {headers.get(name)}" for name in ONCE if len(headers.get(name, [])) != 1]
    if str(headers.get("cdn-loop")).count("holdfast-") != 1:
        faults.append(f"cdn-loop: {headers.get('cdn-loop')}")
    if "x-forwarded-host" in headers:
        faults.append(f"x-forwarded-host: {headers['x-forwarded-host']}")
    named = {each.strip().lower() for value in headers.get("connection", []) for each in value.split(",")}
    faults += [f"Connection names {name}" for name in sorted(named & KEPT)]
    upgrades = [value.lower() for value in headers.get("upgrade", [])]
    if upgrades not in ([], ["websocket"]):
        faults.append(f"upgrade {upgrades}")
    if (absolute := re.match("[a-z]+://([^/?]*)", request.target)) and headers.get("host") != [absolute[1]]:
        faults.append(f"{request.target} with host {headers['host']}")
    return faults


def _chunks(request: Seen, rest: bytes, faults: list[str]) -> int | None:
    """Where a chunked body ends in ``rest``; None: not yet."""
    position = 0
    while chunk := CHUNK.match(rest, position):
        size = int(chunk[1], 16)
        if size == 0:
            return _trailers(rest, chunk.end(), faults)
        data = rest[chunk.end() : chunk.end() + size + 2]
        if len(data) < size + 2:
            return None
        if data[-2:] != b"\r\n":
            faults.append(f"chunk ends with {data[-2:]!r}")
        request.body += data[:-2]
        position = chunk.end() + size + 2
    if b"\n" in rest[position:]:
        faults.append(f"chunk size {rest[position : position + 20]!r}")
    return None


def _trailers(rest: bytes, position: int, faults: list[str]) -> int | None:
    while (end := rest.find(b"\r\n", position)) > position:
        line = rest[position:end]
        if b"\n" in line or not line.strip():
            faults.append(f"trailer {line!r}")
        position = end + 2
    return None if end < 0 else position + 2


@asynccontextmanager
async def recorder() -> AsyncIterator[Recorder]:
    """A recording origin on loopback."""
    made = Recorder()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = int(server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()
