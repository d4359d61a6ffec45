"""Requests of which each feature can be changed by itself, over each protocol."""

from __future__ import annotations

import asyncio
import functools
import ssl
from dataclasses import dataclass, replace
from typing import Final

from holdfast.shield.features import Feature
from tests.feature.lab import Lab
from tests.feature.wire import Answer, Http2, connect

PROTOCOLS: Final = ("http/1.1", "tls", "h2")
SOURCE, OTHER_NETWORK, KNOWN_SOURCE = "127.0.0.1", "127.0.5.1", "127.0.9.1"
KNOWN_NETWORK = "127.0.9.0"


@dataclass(frozen=True)
class Shape:
    """One request; what is None is absent."""

    method: str = "GET"
    path: str = "/shop/list"
    query: str | None = "page=1&sort=up"
    agent: str | None = "Mozilla/5.0"
    referer: str | None = "https://search.example/q?x=1"
    language: str | None = "de-DE,de;q=0.9"
    cookie: str | None = None
    more: tuple[tuple[str, str], ...] = ()
    source: str = SOURCE
    ciphers: str = "ECDHE"

    @property
    def target(self) -> str:
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def headers(self) -> list[tuple[str, str]]:
        named = (
            ("user-agent", self.agent),
            ("referer", self.referer),
            ("accept-language", self.language),
            ("cookie", self.cookie),
        )
        return [(name, value) for name, value in named if value is not None] + list(self.more)


USUAL: Final = Shape()
BARE: Final = Shape(path="/", query=None, agent=None, referer=None, language=None)
"""As little as a request can have."""
OTHERWISE: Final[dict[Feature, Shape]] = {
    Feature.AGENT: replace(USUAL, agent="Mozilla/5.1"),
    Feature.NAMES: replace(USUAL, more=(("x-more", "1"),)),
    Feature.PATH: replace(USUAL, path="/shop/lists"),
    Feature.SECTION: replace(USUAL, path="/shops/list"),
    Feature.METHOD: replace(USUAL, method="DELETE"),
    Feature.QUERY: replace(USUAL, query="page=1&sorts=up"),
    Feature.PRESENCE: replace(USUAL, query=None),
    Feature.TLS: replace(USUAL, ciphers="ECDHE+AESGCM"),
    Feature.REFERER: replace(USUAL, referer="https://other.example/q?x=1"),
    Feature.LANGUAGE: replace(USUAL, language="de-AT,de;q=0.9"),
    Feature.NETWORK: replace(USUAL, source=OTHER_NETWORK),
    Feature.STRANGER: replace(USUAL, source=KNOWN_SOURCE),
}
"""The usual one with another value of one feature; of those in a template with it no other one changes."""


@functools.cache
def offering(ciphers: str, *protocols: str) -> ssl.SSLContext:
    """A client's TLS with these ciphers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


async def send(lab: Lab, shape: Shape, protocol: str = "http/1.1", host: str = "shop.test") -> Answer:
    """One request on a connection of its own."""
    plain = protocol == "http/1.1"
    tls = None if plain else offering(shape.ciphers, *(["h2"] if protocol == "h2" else []))
    async with connect(
        lab.http if plain else lab.https, tls=tls, name=None if plain else host, source=shape.source
    ) as wire:
        if protocol != "h2":
            lines = [f"{name}: {value}" for name, value in shape.headers]
            return await wire.get(shape.target.encode(), host, *lines, method=shape.method)
        client = Http2(wire.reader, wire.writer)
        try:
            return await client.whole(client.start(host, shape.target, *shape.headers, method=shape.method))
        finally:
            client.task.cancel()
            await asyncio.gather(client.task, return_exceptions=True)
