"""Whom the shield never touches, until when a mitigation holds, what the stricter limit is, and how clients
are told apart by their TLS and by whether their network is known."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.reasons import Reason, Verdict
from holdfast.edge.shielded import Known
from holdfast.model.mitigation import Action
from holdfast.shield.features import Feature
from tests.feature.clients import REFUSED, ask, status, statuses
from tests.feature.lab import eventually, ipv6_network, lab, site
from tests.feature.origins import origin
from tests.feature.requests_of_shape import USUAL, offering, send
from tests.feature.shielding import OTHER, SHOP, Ground, like, mitigation, sightless
from tests.feature.wire import connect

ALLOWED, CRAWLER, FRIEND, ANYBODY = "127.0.0.7", "127.0.0.8", "127.0.6.6", "127.0.0.1"
STRICT_BURST, STRICT_AT_ONCE = 20, 6


async def know(ground: Ground, known: Known) -> None:
    await ground.edge.reconciler.settle(ground.edge.desired.shielded.put_known("shop", known))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("action", [Action.LIMIT, Action.CHALLENGE, Action.DENY, Action.DROP])
async def test_whom_no_mitigation_touches(tmp_path: Path, action: Action, whole: bool) -> None:
    """A source that the site allows, a program that it knows, a verified crawler; nobody like them."""
    async with sightless(tmp_path, allow=[ALLOWED]) as ground:
        agents = ("feed/1", "feed/2", "any")
        for agent in agents:
            await ask(ground.lab, FRIEND, SHOP, "/", f"User-Agent: {agent}")
        seen = await ground.samples(len(agents))
        values = seen[0].values
        await know(ground, Known(friends=frozenset({(values[Feature.NETWORK], values[Feature.AGENT])})))
        crawlers = ground.edge.desired.shielded.put_crawlers({CRAWLER})
        await ground.edge.reconciler.settle(crawlers)
        if whole:
            await ground.put(mitigation(action))
        else:
            named = (like(each, Feature.AGENT, action=action, name=each.agent) for each in seen)
            await ground.put(*named)

        async def answers(source: str, name: str) -> set[int]:
            async with connect(ground.lab.http, source=source) as wire:
                try:
                    async with asyncio.timeout(3):
                        many = range(STRICT_BURST + 2)
                        return {(await wire.get(b"/", SHOP, f"User-Agent: {name}")).status for _ in many}
                except (TimeoutError, EOFError, ConnectionError):
                    return {REFUSED}

        touched = {Action.LIMIT: 429, Action.DROP: REFUSED}.get(action, 403)
        for source, name in ((ALLOWED, "any"), (CRAWLER, "any"), (FRIEND, "feed/1"), ("127.0.6.9", "feed/1")):
            assert await answers(source, name) == {200}, source
        for source, name in ((ANYBODY, "feed/1"), (FRIEND, "feed/2"), (FRIEND, "any")):
            assert touched in await answers(source, name), (source, name)
        assert await statuses(ground.lab, 3, CRAWLER, OTHER) == [200] * 3


async def test_a_crawler_over_ipv6_is_its_64(tmp_path: Path) -> None:
    with ipv6_network() as network:
        async with sightless(tmp_path) as ground:
            shielded = ground.edge.desired.shielded
            await ground.edge.reconciler.settle(shielded.put_crawlers({f"{network}:7::"}))
            await ground.put(mitigation(Action.DENY))
            assert await status(ground.lab, f"{network}:7::1234", SHOP) == 200
            assert await status(ground.lab, f"{network}:8::1234", SHOP) == 403


async def test_strangers_are_those_of_networks_that_the_site_does_not_know(tmp_path: Path) -> None:
    """Of IPv4 /24 and IPv6 /48, and each site has its own."""
    with ipv6_network() as network, ipv6_network() as elsewhere:
        async with sightless(tmp_path) as ground:
            await know(ground, Known(networks=frozenset({"127.0.9.0", f"{network}::"})))
            known = ("127.0.9.1", "127.0.9.254", f"{network}::1", f"{network}:77::1")
            strange = ("127.0.8.1", "127.0.10.1", f"{elsewhere}::1")
            for value, denied, passing in (("1", strange, known), ("0", known, strange)):
                await ground.put(mitigation(Action.DENY, ("stranger",), (value,)))
                assert {await status(ground.lab, source, SHOP) for source in denied} == {403}, value
                assert {await status(ground.lab, source, SHOP) for source in passing} == {200}, value
            await ground.put(mitigation(Action.DENY, ("stranger",), ("1",)))
            await know(ground, Known(networks=frozenset({"127.0.8.0"})))
            assert [await status(ground.lab, each, SHOP) for each in ("127.0.8.1", "127.0.9.1")] == [200, 403]


async def test_the_end_is_kept_by_haproxy(tmp_path: Path) -> None:
    """While no agent lives: whatever was done to the requests, they pass again then."""
    async with origin() as one, lab(tmp_path) as made:
        names = ("challenge", "deny", "limit")
        sites = [site(name, [f"{name}.test"], one.port) for name in names]
        end = time.time() + 3
        async with Edge(made.configuration(sites)) as edge:
            for name in names:
                put = replace(mitigation(Action(name), seconds=end - time.time()), site=name)
                units = edge.desired.shielded.put_mitigations(name, (put,), lingers=True)
                await edge.reconciler.settle(units)
        seen = [await status(made, host=f"{name}.test") for name in names]
        limited = await statuses(made, STRICT_BURST + 5, host="limit.test")
        assert time.time() < int(end), "too slow a machine for this test"
        assert seen == [403, 403, 200]
        assert limited.count(429) >= 3
        await asyncio.sleep(end - time.time())
        assert [await status(made, host=f"{name}.test") for name in names[:2]] == [200, 200]
        # The limit of the site is in force again: no more than what was passed counts against it.
        assert set(await statuses(made, STRICT_BURST + 5, "127.0.0.2", "limit.test")) == {200}


async def test_the_stricter_limit(tmp_path: Path) -> None:
    """Twenty at once and then two a second, for each client that matches; others have the site's."""
    async with sightless(tmp_path) as ground:
        await send(ground.lab, USUAL)
        await ground.put(like(await ground.sample(), Feature.AGENT, action=Action.LIMIT))
        agent = f"User-Agent: {USUAL.agent}"
        for source in (ANYBODY, "127.0.0.2"):
            async with connect(ground.lab.http, source=source) as wire:
                begun = time.monotonic()
                answers = [await wire.get(b"/", SHOP, agent) for _ in range(STRICT_BURST + 5)]
                spent = time.monotonic() - begun
                passed = sum(each.status == 200 for each in answers)
                # The sample was charged by the site's own limit.
                assert STRICT_BURST - 1 <= passed <= STRICT_BURST + 1 + int(spent * 2), source
                assert answers[-1].status == 429
                assert answers[-1].headers["retry-after"] == "1"
                await asyncio.sleep(1)
                after = [(await wire.get(b"/", SHOP, agent)).status for _ in range(4)]
                assert 1 <= after.count(200) <= 3, after
        assert set(await statuses(ground.lab, STRICT_BURST + 5, "127.0.0.3", SHOP)) == {200}
        assert (await ground.totals())[f"gpc{int(Reason.RATE)}"] >= 8


async def test_the_stricter_limit_of_requests_at_once(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation(Action.LIMIT))
        held = [asyncio.ensure_future(ask(ground.lab, path="/?held=1", host=SHOP)) for _ in range(6)]
        await eventually(lambda: ground.origin.open == STRICT_AT_ONCE)
        refused = await ask(ground.lab, host=SHOP)
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert await status(ground.lab, "127.0.0.2", SHOP) == 200
        ground.origin.release.set()
        assert {each.status for each in await asyncio.gather(*held)} == {200}
        assert await status(ground.lab, host=SHOP) == 200


@pytest.mark.parametrize("protocol", ["tls", "h2"])
async def test_a_tls_fingerprint_is_that_of_a_program(tmp_path: Path, protocol: str) -> None:
    """The same for all connections of one, whatever it asks for; another for other ciphers and for
    other curves. Without TLS there is none."""
    async with sightless(tmp_path) as ground:

        async def fingerprint(ciphers: str = "ECDHE", path: str = "/") -> str:
            await send(ground.lab, replace(USUAL, ciphers=ciphers, path=path), protocol)
            return (await ground.sample()).values[Feature.TLS]

        usual = await fingerprint()
        assert usual != ""
        assert {await fingerprint(path=f"/{number}") for number in range(3)} == {usual}
        ciphers, curves, extensions = usual.split("_")
        other = (await fingerprint("ECDHE+AESGCM")).split("_")
        assert (other[0] != ciphers, other[1:]) == (True, [curves, extensions])
        context = offering("ECDHE:@SECLEVEL=0")  # an object of its own, with another curve
        context.set_ecdh_curve("prime256v1")
        async with connect(ground.lab.https, tls=context, name=SHOP) as wire:
            await wire.get(b"/", SHOP)
        one_curve = (await ground.sample()).values[Feature.TLS].split("_")
        assert one_curve[1] != curves
        await send(ground.lab, USUAL)
        assert (await ground.sample()).values[Feature.TLS] == ""


async def test_what_was_done_is_counted_for_its_site(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        for action, verdict, times in (
            (Action.OBSERVE, Verdict.OBSERVED, 4),
            (Action.CHALLENGE, Verdict.CHALLENGED, 3),
            (Action.DENY, Verdict.DENIED, 2),
        ):
            await ground.put(mitigation(action))
            await statuses(ground.lab, times, host=SHOP)
            assert (await ground.totals())[f"gpc{int(verdict)}"] == times
        assert await status(ground.lab, host=OTHER) == 200
        of_other = await ground.totals("other")
        assert [of_other[f"gpc{int(each)}"] for each in Verdict] == [0] * len(Verdict)


async def test_a_tls_fingerprint_counts_extensions(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        found = []
        for protocol in ("tls", "h2"):  # only the latter offers protocols (ALPN)
            await send(ground.lab, USUAL, protocol)
            found.append((await ground.sample()).values[Feature.TLS].split("_"))
        assert [each[:2] for each in found] == [found[0][:2]] * 2
        assert int(found[1][2]) == int(found[0][2]) + 4, "four digits for one extension"
