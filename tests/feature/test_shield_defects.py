"""Ways past the challenge and the signatures that were open once: each must stay shut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.edge.dataplane.rules.challenge import LONGEST_TARGET
from holdfast.model.mitigation import Action
from holdfast.shield.features import Feature
from tests.feature.clearances import CONTINUE, coded, cookie, cookie_of, fresh, link_of, target_of, token
from tests.feature.clients import ask
from tests.feature.requests_of_shape import USUAL, send
from tests.feature.shielding import SHOP, like, mitigation, sightless
from tests.feature.wire import connect


async def test_the_name_of_the_newest_key_is_no_key(tmp_path: Path) -> None:
    """The map of keys says under ``now`` which one is used: that id is known to everybody."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        header = {"alg": "HS256", "typ": "JWT", "kid": "now"}
        value = token("1", ground.sid(), header=header)
        assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", cookie(value))).status == 403


@pytest.mark.parametrize(
    "back", ["@evil.example/", ".evil.example/", ":80@evil.example/", "/x\r\nSet-Cookie: a=b"], ids=repr
)
async def test_nobody_has_a_target_signed_that_he_made_up(tmp_path: Path, back: str) -> None:
    """The page that answers a bad link has a good one: not to where the bad one said."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        page = await ask(ground.lab, "127.0.0.1", SHOP, f"{CONTINUE}?w={coded(back.encode())}")
        assert target_of(link_of(page)) == "/"


async def test_who_is_cleared_goes_on_from_a_second_tab(tmp_path: Path) -> None:
    """Opened before he was cleared in the first; without another clearance."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        first = await ask(ground.lab, "127.0.0.1", SHOP, await fresh(ground, back="/a"))
        link = await fresh(ground, back="/b")
        second = await ask(ground.lab, "127.0.0.1", SHOP, link, cookie(cookie_of(first)))
        assert (second.status, second.headers.get("location")) == (303, f"http://{SHOP}/b")


async def test_who_is_allowed_by_now_goes_on(tmp_path: Path) -> None:
    async with sightless(tmp_path, allow=["127.0.0.7"]) as ground:
        await ground.put(mitigation())
        answer = await ask(ground.lab, "127.0.0.7", SHOP, await fresh(ground, back="/a"))
        assert (answer.status, answer.headers.get("location")) == (303, f"http://{SHOP}/a")


async def test_the_longest_target_fits_the_page(tmp_path: Path) -> None:
    """It is in there six times, and HAProxy's buffer holds 16 KB."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await ask(ground.lab, "127.0.0.1", SHOP, ("/a?" + "b" * LONGEST_TARGET)[:LONGEST_TARGET])
        assert (answer.status, answer.body[-8:]) == (403, b"</html>\n")


@pytest.mark.parametrize("method", [b"PROPFIND", b"A|b", b"M" * 100, b"M" * 3000], ids=len)
async def test_methods_that_haproxy_has_no_number_for(tmp_path: Path, method: bytes) -> None:
    """They are sampled, and the signature made of a sample denies them."""
    async with sightless(tmp_path) as ground:
        request = method + b" /a HTTP/1.1\r\nHost: shop.test\r\n\r\n"
        async with connect(ground.lab.http) as wire:
            assert (await wire.ask(request)).status == 200
        await ground.put(like(await ground.sample(), Feature.METHOD, Feature.PATH))
        async with connect(ground.lab.http) as wire:
            assert (await wire.ask(request)).status == 403


async def test_a_mitigation_that_has_ended_does_not_hide_another(tmp_path: Path) -> None:
    """The more particular one has ended by HAProxy's clock, and no agent has withdrawn it."""
    async with sightless(tmp_path) as ground:
        await send(ground.lab, USUAL)
        seen = await ground.sample()
        ended = replace(like(seen, Feature.AGENT), until=mitigation(seconds=-1).until)
        await ground.put(ended, like(seen, Feature.PATH, action=Action.DENY, name="m-2"))
        assert (await send(ground.lab, USUAL)).status == 403


async def test_a_tls_fingerprint_counts_extensions(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        found = []
        for protocol in ("tls", "h2"):  # only the latter offers protocols (ALPN)
            await send(ground.lab, USUAL, protocol)
            found.append((await ground.sample()).values[Feature.TLS].split("_"))
        assert [each[:2] for each in found] == [found[0][:2]] * 2
        assert int(found[1][2]) == int(found[0][2]) + 4, "four digits for one extension"
