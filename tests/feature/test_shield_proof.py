"""The proof of work: made and checked by HAProxy alone, in ALTCHA's protocol. What is not of this edge's
making, not of this host or this moment, or not solved, earns nothing; what is shown twice earns the same
clearance."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import altcha.v1 as altcha
import pytest

from holdfast.edge.dataplane.picture import Maps
from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules.proof import PROOFS_PER_NETWORK
from holdfast.edge.dataplane.rules.shield import CEILING
from holdfast.edge.dataplane.rules.timed_link import LINKS_PER_NETWORK
from holdfast.edge.traffic.counters import since
from holdfast.shield.difficulty import LEAST_TRIES
from tests.feature.clearances import (
    ASK,
    BROWSER,
    Asked,
    asked_by,
    claims_of,
    cookie,
    cookie_of,
    made,
    shown,
    signed_link,
    token,
)
from tests.feature.clearances import WAIT as WAITS
from tests.feature.clients import ask
from tests.feature.shielding import OTHER, SHOP, Ground, mitigation, sightless
from tests.feature.wire import Answer, connect

PASSED, ASKED, WAIT = 204, 403, 429


async def show(ground: Ground, path: str, source: str = "127.0.0.1", host: str = SHOP) -> Answer:
    return await ask(ground.lab, source, host, path, "Accept: */*")


async def challenge(ground: Ground) -> Asked:
    return asked_by(await ask(ground.lab, "127.0.0.1", SHOP, ASK, "Accept: */*"))


async def test_it_is_what_altchas_protocol_says(tmp_path: Path) -> None:
    """Its makers' own library solves and verifies it, and HAProxy takes what that has made."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        (kid, key), asked = await ground.key(), await challenge(ground)
        theirs = altcha.Challenge("SHA-256", asked.goal, asked.most, asked.salt, asked.signature)
        found = altcha.solve_challenge(theirs.challenge, theirs.salt, theirs.algorithm, theirs.max_number, 0)
        assert found is not None
        payload = altcha.Payload("SHA-256", asked.goal, found.number, asked.salt, asked.signature)
        assert altcha.verify_solution(payload.to_base64(), key, check_expires=True) == (True, None)
        assert (await show(ground, shown(json.dumps(payload.to_dict()).encode()))).status == PASSED
        salt = f"abc?expires={int(time.time()) + 60}&k={kid}&host={SHOP}&max=1000&"
        ours = altcha.create_challenge(
            altcha.ChallengeOptions(salt=salt, number=321, max_number=1000, hmac_key=key)
        )
        same = Asked(ours.salt, ours.challenge, 1000, ours.signature)
        assert (await show(ground, same.shown(321))).status == PASSED


async def test_who_solves_it_is_let_in(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        asked = await challenge(ground)
        assert asked.most == LEAST_TRIES
        answer = await show(ground, asked.shown())
        assert (answer.status, answer.body) == (PASSED, b"")
        told = answer.headers["set-cookie"].split("; ")[1:]
        assert told[:1] + told[2:] == ["Path=/", "HttpOnly", "SameSite=Lax"]
        assert 3590 <= int(told[1].removeprefix("Max-Age=")) <= 3600
        claims = claims_of(cookie_of(answer))
        assert (claims["host"], claims["jti"], claims["how"]) == (SHOP, asked.goal[:32], "proof")
        assert abs(claims["exp"] - time.time() - 3600) <= 3
        assert ground.origin.requests == []
        back = await ask(ground.lab, "127.0.0.1", SHOP, "/shelf?q=1", cookie(cookie_of(answer)))
        assert (back.status, len(ground.origin.requests)) == (200, 1)
        assert (await ground.totals())[f"gpc{int(Verdict.EARNED)}"] == 1


async def test_over_tls_its_cookie_is_for_tls_only(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        answer = await ask(ground.lab, "127.0.0.1", SHOP, made(await ground.key()).shown(7), secure=True)
        assert answer.headers["set-cookie"].endswith("; SameSite=Lax; Secure")


async def test_what_is_not_solved_or_not_ours_earns_nothing(tmp_path: Path) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        key, good = await ground.key(), await challenge(ground)
        kid, number = key[0], good.solve()
        easier = good.salt.replace(f"max={LEAST_TRIES}", "max=10")
        later = good.salt.replace("expires=1", "expires=2")
        bad = {
            "another number": good.shown(number + 1),
            "no number": good.shown(number, number=None),
            "below nothing": good.shown(number, number=-number),
            "an easier one": replace(good, salt=easier).shown(number),
            "another's end": replace(good, salt=later).shown(number),
            "another host's": replace(good, salt=good.salt.replace(SHOP, OTHER)).shown(number),
            "made for another host": made(key, host=OTHER).shown(7),
            "made for the host in capitals": made(key, host=SHOP.upper()).shown(7),
            "ended": made(key, seconds=-1).shown(7),
            "ended just now": made(key, seconds=0).shown(7),
            "another's key": made(key, signed_with="0" * 64).shown(7),
            "the key's id as key": made(key, signed_with=kid).shown(7),
            "no key": made(key, signed_with="").shown(7),
            "a key's id that is none": made(("now", key[1])).shown(7),
            "no id": made(("", key[1])).shown(7),
            "no signature": good.shown(number, signature=""),
            "a signature without an end": good.shown(number, signature=good.signature[:-1]),
            "longer": good.shown(number, signature=good.signature + "0"),
            "in capitals": good.shown(number, signature=good.signature.upper()),
            "the goal for a signature": good.shown(number, signature=good.goal),
            "signature and goal of another": good.shown(number, signature=made(key).signature),
            "a number among the salt": good.shown(number, salt=f"{good.salt}{number}", number=0),
            "no salt": good.shown(number, salt=""),
            "salt of a list": good.shown(number, salt=[good.salt]),
            "nothing": shown(b""),
            "no JSON": shown(b"{"),
            "a list": shown(b"[]"),
            "deep": shown(b"[" * 4000),
            "not even base64": f"{good.shown(number).partition('=')[0]}=%%%",
            "no parameter": good.shown(number).partition("?")[0],
        }
        for what, path in bad.items():
            async with connect(ground.lab.http, source=f"127.0.3.{len(what)}") as wire:
                answer = await wire.get(path.encode(), SHOP)
            assert (answer.status, "set-cookie" in answer.headers) == (ASKED, False), what
        assert (await ground.totals()).get(f"gpc{int(Verdict.EARNED)}", 0) == 0
        assert (await show(ground, good.shown(number))).status == PASSED
        assert ground.origin.requests == []


async def test_digits_cannot_move_between_salt_and_number(tmp_path: Path) -> None:
    """Of CVE-2025-68113: they can, and nothing changes, as the end stands before the salt's last sign."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        asked = made(await ground.key(), 4711)
        honest = await show(ground, asked.shown(4711))
        moved = await show(ground, replace(asked, salt=asked.salt + "47").shown(11))
        assert (honest.status, moved.status) == (PASSED, PASSED)
        assert cookie_of(honest) == cookie_of(moved)
        ended = made(await ground.key(), 4711, seconds=-1)
        cut = ended.salt.rpartition("&")[0].rpartition("&")[0] + "&"
        assert (await show(ground, replace(ended, salt=cut).shown(4711))).status == ASKED


async def test_shown_twice_it_is_one_clearance(tmp_path: Path) -> None:
    """By whomever, from wherever: the same token to the letter, with the same end."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        path = made(await ground.key()).shown(7)
        first = await show(ground, path)
        await asyncio.sleep(1.1)
        again = [await show(ground, path, f"127.0.{net}.1") for net in range(5)]
        assert {cookie_of(each) for each in (first, *again)} == {cookie_of(first)}
        assert (await ground.totals())[f"gpc{int(Verdict.EARNED)}"] == 1, "and counts as one"


@pytest.mark.parametrize("way", ["proof", "link"])
async def test_what_is_shown_again_costs_nobody_his_own(tmp_path: Path, way: str) -> None:
    """Whoever shows one a thousand times does not use up what his network may earn."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        key = await ground.key()
        path = made(key).shown(7) if way == "proof" else signed_link(key)
        most = PROOFS_PER_NETWORK if way == "proof" else LINKS_PER_NETWORK
        for client in range(1, 4):
            async with connect(ground.lab.http, source=f"127.0.8.{client}") as wire:
                again = [(await wire.get(path.encode(), SHOP)).status for _ in range(most // 3 + 1)]
            assert len(set(again)) == 1
        neighbour = made(key, nonce="mine").shown(7) if way == "proof" else signed_link(key, number="mine")
        answer = await ask(ground.lab, "127.0.8.99", SHOP, neighbour)
        assert (answer.status, "set-cookie" in answer.headers) == (again[0], True)
        assert (await ground.totals())[f"gpc{int(Verdict.EARNED)}"] == 2


async def test_what_did_not_fit_may_be_shown_again_later(tmp_path: Path) -> None:
    """But it is no way around what a network may earn; at another site it may earn as much again."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        await ground.put(mitigation(), name="other")
        key = await ground.key()
        async with connect(ground.lab.http, source="127.0.9.1") as wire:
            links = [signed_link(key) for _ in range(LINKS_PER_NETWORK + 1)]
            seen = [(await wire.get(each.encode(), SHOP)).status for each in (*links, links[-1], links[0])]
        assert seen == [303] * LINKS_PER_NETWORK + [ASKED, ASKED, 303]
        assert (await ask(ground.lab, "127.0.9.1", OTHER, signed_link(key, OTHER))).status == 303


async def test_each_page_asks_for_another_number(tmp_path: Path) -> None:
    """Nothing of what was asked before says what is to be found next: none of the salts, goals or links."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        await ground.edge.reconciler.settle(ground.edge.desired.shielded.put_difficulty("shop", 1000))
        asked = [await challenge(ground) for _ in range(40)]
        assert len({each.salt for each in asked}) == len({each.goal for each in asked}) == 40
        numbers = [each.solve() for each in asked]
        assert len(set(numbers)) > 30
        assert min(numbers) < 200
        assert max(numbers) > 800


async def test_it_is_as_hard_as_the_agent_says(tmp_path: Path) -> None:
    """And what was asked before it got harder still holds: nobody's work is lost."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        shielded, before = ground.edge.desired.shielded, await challenge(ground)
        await ground.edge.reconciler.settle(shielded.put_difficulty("shop", 3 * LEAST_TRIES))
        after = await challenge(ground)
        assert (before.most, after.most) == (LEAST_TRIES, 3 * LEAST_TRIES)
        assert await ground.held(Maps.DIFFICULTY) == {ground.sid(): str(3 * LEAST_TRIES)}
        for each in (before, after):
            assert (await show(ground, each.shown())).status == PASSED
        await ground.edge.reconciler.settle(shielded.put_difficulty("shop", None))
        assert (await challenge(ground)).most == LEAST_TRIES


async def test_who_needs_no_clearance_gets_none(tmp_path: Path) -> None:
    """A second tab; a source that the site allows by now."""
    async with sightless(tmp_path, allow=["127.0.0.7"]) as ground:
        await ground.put(mitigation())
        path, value = made(await ground.key()).shown(7), token(await ground.key())
        cleared = await ask(ground.lab, "127.0.0.1", SHOP, path, cookie(value))
        allowed = await show(ground, path, "127.0.0.7")
        for answer in (cleared, allowed):
            assert (answer.status, "set-cookie" in answer.headers) == (PASSED, False)
        assert (await ground.totals()).get(f"gpc{int(Verdict.EARNED)}", 0) == 0


async def test_what_a_network_may_earn_by_work(tmp_path: Path) -> None:
    """In ten minutes; more than by waiting, and whoever comes too late is told to come again."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        key = await ground.key()

        async def earned(source: str, times: int) -> list[int]:
            async with connect(ground.lab.http, source=source) as wire:
                paths = [made(key, nonce=f"{source}-{number}").shown(7) for number in range(times)]
                return [(await wire.get(each.encode(), SHOP)).status for each in paths]

        statuses = [
            status
            for client in range(1, 1 + -(-PROOFS_PER_NETWORK // (CEILING - 1)))
            for status in await earned(f"127.0.5.{client}", CEILING - 1)
        ]
        assert statuses[:PROOFS_PER_NETWORK] == [PASSED] * PROOFS_PER_NETWORK
        assert set(statuses[PROOFS_PER_NETWORK:]) == {WAIT}
        late = await show(ground, made(key, nonce="late").shown(7), "127.0.5.99")
        told = json.loads(late.body)
        assert (late.status, told["type"]) == (WAIT, "urn:holdfast:problem:crowded")
        assert late.headers["retry-after"] == "60"
        assert await earned("127.0.6.1", 2) == [PASSED] * 2


async def test_a_client_without_a_clearance_has_a_ceiling(tmp_path: Path) -> None:
    """Beyond it nothing is signed for it any more, until it asks less; its neighbour, and whoever shares its
    address and has a clearance, notice nothing."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        async with connect(ground.lab.http, source="127.0.7.1") as wire:
            seen = [(await wire.get(ASK.encode(), SHOP)).status for _ in range(CEILING + 5)]
            assert seen == [200] * CEILING + [WAIT] * 5
            told = await wire.get(ASK.encode(), SHOP)
        assert told.status == WAIT
        assert json.loads(told.body)["type"] == "urn:holdfast:problem:ceiling"
        assert told.headers["x-holdfast-id"] == json.loads(told.body)["id"]
        assert (await ask(ground.lab, "127.0.7.2", SHOP, ASK)).status == 200
        assert (await ask(ground.lab, "127.0.7.1", SHOP, "/", BROWSER)).status == ASKED
        key = await ground.key()
        value, other, old = token(key), token(("1", "0" * 64)), token(key, seconds=-1)
        assert (await ask(ground.lab, "127.0.7.1", SHOP, "/", cookie(value))).status == 200
        async with connect(ground.lab.http, source="127.0.7.1") as wire:
            forged = [(await wire.get(b"/", SHOP, BROWSER, cookie(other))).status for _ in range(2)]
            late = await wire.get(b"/", SHOP, BROWSER, cookie(value))
        assert forged == [ASKED] * 2
        assert late.status == ASKED, "a connection that has shown a forged one is not listened to any more"
        async with connect(ground.lab.http, source="127.0.7.1") as wire:
            again = [(await wire.get(b"/", SHOP, BROWSER, cookie(each))).status for each in (old, value)]
        assert again == [ASKED, 200], "one that has ended is none of these"


async def test_who_has_a_clearance_leaves_the_ceiling_to_others(tmp_path: Path) -> None:
    async with sightless(tmp_path, allow=["127.0.7.2"]) as ground:
        await ground.put(mitigation())
        line = cookie(token(await ground.key()))
        for source, lines in (("127.0.7.1", [line]), ("127.0.7.2", [])):
            async with connect(ground.lab.http, source=source) as wire:
                seen = {(await wire.get(ASK.encode(), SHOP, *lines)).status for _ in range(CEILING + 5)}
            assert seen == {200}
        assert (await ask(ground.lab, "127.0.7.1", SHOP, ASK)).status == 200


async def test_over_tls_the_clearance_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Browsers keep what was set over TLS from being replaced over plain HTTP: the visitor could never pass
    there. And where plain HTTP leads to HTTPS he is led there first, and challenged once."""
    async with sightless(tmp_path, https="redirect") as ground:
        await ground.put(mitigation())
        led = await ask(ground.lab, "127.0.0.1", SHOP, "/a?b", BROWSER)
        assert (led.status, led.headers["location"]) == (308, f"https://{SHOP}:{ground.lab.https}/a?b")
        key = await ground.key()
        names = [
            (await ask(ground.lab, "127.0.0.1", SHOP, made(key, nonce=each).shown(7), secure=each == "s"))
            .headers["set-cookie"]
            .partition("=")[0]
            for each in "ps"
        ]
        assert names == ["__holdfast", "__Host-holdfast"]
        for name in names:
            line = f"Cookie: {name}={token(key)}"
            assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", line, secure=True)).status == 200


async def test_own_paths_name_no_attack(tmp_path: Path) -> None:
    """They are not told to the shield and not counted as requests; what only looks like one is none."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        for path in (ASK, WAITS, made(await ground.key()).shown(7)):
            await ask(ground.lab, "127.0.0.1", SHOP, path, BROWSER)
        await ask(ground.lab, "127.0.0.1", SHOP, "/page", BROWSER)
        assert (await ground.sample()).path == "/page"
        counts = since({}, await ground.totals(), 0.0, 1.0)
        assert (counts.requests, counts.challenged, counts.earned) == (1, 1, 1)
        for path in (f"/x{ASK}", f"{ASK}-zz.js", f"{ASK}-12/../x.js", f"{ASK}/", WAITS.replace(".", "x")):
            assert (await ask(ground.lab, "127.0.0.1", SHOP, path, BROWSER)).status == ASKED, path


async def test_it_needs_no_agent(tmp_path: Path) -> None:
    """Page, proof and clearance are HAProxy's: they go on while nobody looks after it."""
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        await ground.edge.__aexit__(None, None, None)
        asked = await challenge(ground)
        answer = await show(ground, asked.shown())
        assert answer.status == PASSED
        assert (await ask(ground.lab, "127.0.0.1", SHOP, "/", cookie(cookie_of(answer)))).status == 200


@pytest.mark.parametrize("payload", [b64encode(b'{"number":7}'), b"A" * 15_000, b"%00", b"\xff\xfe"])
async def test_any_payload_is_survived(tmp_path: Path, payload: bytes) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation())
        async with connect(ground.lab.http) as wire:
            answer = await wire.get(b"/.well-known/holdfast/solved?altcha=" + payload, SHOP)
        assert answer.status in (400, ASKED)
        assert (await show(ground, made(await ground.key()).shown(7))).status == PASSED
