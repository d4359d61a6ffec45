"""What a clearance is worth: to whom it is given, for an hour, at one site; and that it, not the address, is
what is counted. Nobody but the edge can make one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.dataplane.reasons import Verdict
from holdfast.model.mitigation import Action
from tests.feature.clearances import coded, cookie, token
from tests.feature.clients import ask, statuses
from tests.feature.shielding import OTHER, SHOP, Ground, mitigation, sightless
from tests.feature.wire import connect

PASSED, ASKED = 200, 403
TYPE = {"alg": "HS256", "typ": "JWT"}


async def shown(ground: Ground, *values: str, host: str = SHOP, source: str = "127.0.0.1") -> int:
    """The status of a request with these clearances."""
    return (await ask(ground.lab, source, host, "/", *map(cookie, values))).status


async def test_a_clearance_that_nobody_gave_is_worth_nothing(tmp_path: Path) -> None:
    """Forged in all the ways that are known of JSON Web Tokens (RFC 8725), ended, or another site's."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        key = await ground.key()
        kid, sid = key[0], ground.sid()
        head = TYPE | {"kid": kid}
        good = token(key)
        first, body, signature = good.split(".")
        wide = coded(b'{"host":"shop.test","exp":9999999999,"jti":"x"}')
        bad = {
            "no token": "x",
            "empty": "",
            "only dots": "..",
            "another key": token((kid, "0" * 64)),
            "the empty key": token((kid, "")),
            "the key's id as a key": token((kid, kid)),
            "yesterday's id": token((str(int(kid) - 1), key[1])),
            "alg none": token(key, header=head | {"alg": "none"}),
            "alg none with a signature": f"{coded(b'{}')}.{body}.{signature}",
            "alg HS512": token(key, header=head | {"alg": "HS512"}),
            "alg none, kid": f"{coded(json.dumps({'alg': 'none', 'kid': kid}).encode())}.{body}.",
            "another kid": token(key, header=head | {"kid": "2"}),
            "no kid": token(key, header=TYPE),
            "ended": token(key, seconds=-1),
            "ended long ago": token(key, seconds=-100_000),
            "no end": token(key, exp=None),
            "another host's": token(key, OTHER),
            "no host's": token(key, ""),
            "begins like the host": token(key, SHOP + "0"),
            "the site's id for its host": token(key, sid),
            "changed": f"{first}.{wide}.{signature}",
            "cut": good[:-1],
            "no signature": f"{first}.{body}.",
            "two parts": f"{first}.{body}",
        }
        for what, value in bad.items():
            assert await shown(ground, value) == ASKED, what
        assert await shown(ground, good) == PASSED
        assert await shown(ground, good, host=OTHER) == PASSED, "nobody is asked there"
        assert len(ground.origin.requests) == 2
        cleared = [each.cleared for each in await ground.samples(len(bad) + 2)]
        assert cleared == [False] * len(bad) + [True, False]


async def test_a_clearance_is_its_hosts_own(tmp_path: Path) -> None:
    """Although one key signs those of all sites."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        await ground.put(mitigation(), name="other")
        key, hosts = await ground.key(), (SHOP, OTHER)
        for host in hosts:
            seen = [await shown(ground, token(key, each), host=host) for each in hosts]
            assert seen == [PASSED if each == host else ASKED for each in hosts]


async def test_a_clearance_spares_the_challenge_only(tmp_path: Path) -> None:
    """What is denied stays denied."""
    async with sightless(tmp_path) as ground:
        value = token(await ground.key())
        for action, expected in ((Action.OBSERVE, 200), (Action.CHALLENGE, 200), (Action.DENY, 403)):
            await ground.put(mitigation(action))
            assert await shown(ground, value) == expected, action
        totals = await ground.totals()
        assert [totals[f"gpc{int(each)}"] for each in Verdict] == [1, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("action", [Action.CHALLENGE, Action.OBSERVE])
async def test_who_is_cleared_is_counted_by_his_clearance(tmp_path: Path, action: Action) -> None:
    """From however many addresses: one shared by a botnet is worth one client. Two at one address are two."""
    limits = {"requests_per_second": 1, "burst": 10}
    async with sightless(tmp_path, limits) as ground:
        await ground.put(mitigation(action))
        key = await ground.key()

        async def seen(number: str, source: str, count: int) -> list[int]:
            line = cookie(token(key, number=number))
            async with connect(ground.lab.http, source=source) as wire:
                return [(await wire.get(b"/", SHOP, line)).status for _ in range(count)]

        assert await seen("one", "127.0.0.1", 6) == [200] * 6
        assert await seen("one", "127.0.77.1", 6) == [200] * 4 + [429] * 2
        assert await seen("one", "::1", 2) == [429] * 2
        assert await seen("two", "127.0.0.1", 11) == [200] * 10 + [429]
        if action is Action.OBSERVE:
            assert await statuses(ground.lab, 11, "127.0.0.1", SHOP) == [200] * 10 + [429], (
                "the address itself"
            )


async def test_the_stricter_limit_is_the_clearances_too(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation(Action.LIMIT))
        key = await ground.key()
        seen: dict[str, list[int]] = {}
        for number in ("one", "two"):
            for source in ("127.0.0.1", "127.0.0.2"):
                async with connect(ground.lab.http, source=source) as wire:
                    line = cookie(token(key, number=number))
                    found = [(await wire.get(b"/", SHOP, line)).status for _ in range(15)]
                    seen.setdefault(number, []).extend(found)
        for number, found in seen.items():
            assert 20 <= found.count(200) <= 22, number
            assert set(found[:20]) == {200}


async def test_the_clearance_among_other_cookies(tmp_path: Path) -> None:
    """In one line, in several, over HTTP/2 in pieces; the site's own cookies reach it as they were."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        value = token(await ground.key())
        for lines in (
            [f"Cookie: a=1; __holdfast={value}; b=2"],
            ["Cookie: a=1", f"Cookie: __holdfast={value}"],
            [f"Cookie: x__holdfast=no; __holdfast={value}"],
        ):
            assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", *lines)).status == 200, lines
        sent: list[Any] = ground.origin.requests[0].all("cookie")
        assert sent == [f"a=1; __holdfast={value}; b=2"]


async def test_the_name_of_the_newest_key_is_no_key(tmp_path: Path) -> None:
    """Another map says under ``now`` which one is used: that id is known to everybody."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        kid, _ = await ground.key()
        value = token((kid, kid), header=TYPE | {"kid": "now"})
        assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", cookie(value))).status == 403


async def test_a_connection_remembers_the_last_good_one_and_no_more(tmp_path: Path) -> None:
    """On one connection: another that is good counts as itself, a bad one counts for nothing and takes
    nothing away, what was good ends in time, and is good for its own host only."""
    limits = {"requests_per_second": 1, "burst": 10}
    async with sightless(tmp_path, limits) as ground:
        await ground.put(mitigation())
        await ground.put(mitigation(), name="other")
        key = await ground.key()
        one, two = (token(key, number=number) for number in ("one", "two"))
        ending = token(key, number="ending", seconds=2)
        async with connect(ground.lab.http) as wire:

            async def seen(value: str, count: int = 1, host: str = SHOP) -> list[int]:
                return [(await wire.get(b"/", host, cookie(value))).status for _ in range(count)]

            assert await seen(one, 8) == [PASSED] * 8
            assert await seen(two, 11) == [PASSED] * 10 + [429]
            assert await seen(one, 3) == [PASSED] * 2 + [429]
            for bad in (one[:-1], "x", token((key[0], "0" * 64)), token(key, OTHER), token(key, exp=None)):
                assert await seen(bad) == [ASKED], bad
            assert await seen(one) == [429], "it is known again"
            assert await seen(one, host=OTHER) == [ASKED]
            assert (await wire.get(b"/", SHOP)).status == ASKED, "who shows none has none"
            assert await seen(ending) == [PASSED]
            await asyncio.sleep(3)
            assert await seen(ending) == [ASKED]
