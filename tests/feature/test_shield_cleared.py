"""What a clearance is worth: to whom it is given, for an hour, at one site; and that it, not the address, is
what is counted. Nobody but the edge can make one."""

from __future__ import annotations

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
HEAD = {"alg": "HS256", "typ": "JWT", "kid": "1"}


async def shown(ground: Ground, *values: str, host: str = SHOP, source: str = "127.0.0.1") -> int:
    """The status of a request with these clearances."""
    return (await ask(ground.lab, source, host, "/", *map(cookie, values))).status


async def test_a_clearance_that_nobody_gave_is_worth_nothing(tmp_path: Path) -> None:
    """Forged in all the ways that are known of JSON Web Tokens (RFC 8725), ended, or another site's."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        key, sid = await ground.key(), ground.sid()
        good = token(key, sid)
        head, body, signature = good.split(".")
        wide = coded(b'{"site":"' + sid.encode() + b'","exp":9999999999,"jti":"x"}')
        bad = {
            "no token": "x",
            "empty": "",
            "only dots": "..",
            "another key": token("0" * 64, sid),
            "the empty key": token("", sid),
            "the key's id as a key": token("1", sid),
            "alg none": token(key, sid, header=HEAD | {"alg": "none"}),
            "alg none with a signature": f"{coded(b'{}')}.{body}.{signature}",
            "alg HS512": token(key, sid, header=HEAD | {"alg": "HS512"}),
            "alg none, kid": f'{coded(b"""{"alg":"none","kid":"1"}""")}.{body}.',
            "another kid": token(key, sid, header=HEAD | {"kid": "2"}),
            "no kid": token(key, sid, header={"alg": "HS256", "typ": "JWT"}),
            "ended": token(key, sid, seconds=-1),
            "ended long ago": token(key, sid, seconds=-100_000),
            "no end": token(key, sid, exp=None),
            "another site's": token(key, ground.sid("other")),
            "no site's": token(key, ""),
            "begins like the site": token(key, sid + "0"),
            "changed": f"{head}.{wide}.{signature}",
            "cut": good[:-1],
            "no signature": f"{head}.{body}.",
            "two parts": f"{head}.{body}",
        }
        for what, value in bad.items():
            assert await shown(ground, value) == ASKED, what
        assert await shown(ground, good) == PASSED
        assert await shown(ground, good, host=OTHER) == PASSED, "nobody is asked there"
        assert len(ground.origin.requests) == 2
        cleared = [each.cleared for each in await ground.samples(len(bad) + 2)]
        assert cleared == [False] * len(bad) + [True, False]


async def test_a_clearance_is_its_sites_own(tmp_path: Path) -> None:
    """Although one key signs those of all sites."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        await ground.put(mitigation(), name="other")
        key, sids = await ground.key(), (ground.sid(), ground.sid("other"))
        for host, sid in ((SHOP, sids[0]), (OTHER, sids[1])):
            seen = [await shown(ground, token(key, each), host=host) for each in sids]
            assert seen == [PASSED if each == sid else ASKED for each in sids]


async def test_a_clearance_spares_the_challenge_only(tmp_path: Path) -> None:
    """What is denied stays denied."""
    async with sightless(tmp_path) as ground:
        value = token(await ground.key(), ground.sid())
        for action, expected in ((Action.OBSERVE, 200), (Action.CHALLENGE, 200), (Action.DENY, 403)):
            await ground.put(mitigation(action))
            assert await shown(ground, value) == expected, action
        totals = await ground.totals()
        assert [totals[f"gpc{int(each)}"] for each in Verdict] == [1, 0, 1, 0, 0]


@pytest.mark.parametrize("action", [Action.CHALLENGE, Action.OBSERVE])
async def test_who_is_cleared_is_counted_by_his_clearance(tmp_path: Path, action: Action) -> None:
    """From however many addresses: one shared by a botnet is worth one client. Two at one address are two."""
    limits = {"requests_per_second": 1, "burst": 10}
    async with sightless(tmp_path, limits) as ground:
        await ground.put(mitigation(action))
        key, sid = await ground.key(), ground.sid()

        async def seen(number: str, source: str, count: int) -> list[int]:
            line = cookie(token(key, sid, number=number))
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
        key, sid = await ground.key(), ground.sid()
        seen: dict[str, list[int]] = {}
        for number in ("one", "two"):
            for source in ("127.0.0.1", "127.0.0.2"):
                async with connect(ground.lab.http, source=source) as wire:
                    line = cookie(token(key, sid, number=number))
                    found = [(await wire.get(b"/", SHOP, line)).status for _ in range(15)]
                    seen.setdefault(number, []).extend(found)
        for number, found in seen.items():
            assert 20 <= found.count(200) <= 22, number
            assert set(found[:20]) == {200}


async def test_the_clearance_among_other_cookies(tmp_path: Path) -> None:
    """In one line, in several, over HTTP/2 in pieces; the site's own cookies reach it as they were."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        value = token(await ground.key(), ground.sid())
        for lines in (
            [f"Cookie: a=1; __holdfast={value}; b=2"],
            ["Cookie: a=1", f"Cookie: __holdfast={value}"],
            [f"Cookie: x__holdfast=no; __holdfast={value}"],
        ):
            assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", *lines)).status == 200, lines
        sent: list[Any] = ground.origin.requests[0].all("cookie")
        assert sent == [f"a=1; __holdfast={value}; b=2"]


async def test_the_name_of_the_newest_key_is_no_key(tmp_path: Path) -> None:
    """The map of keys says under ``now`` which one is used: that id is known to everybody."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        header = {"alg": "HS256", "typ": "JWT", "kid": "now"}
        value = token("1", ground.sid(), header=header)
        assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", cookie(value))).status == 403
