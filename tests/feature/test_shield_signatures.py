"""What the shield has seen in a sample is what a signature matches, in HAProxy itself: for each template, by
each protocol, and for nothing else; what is done then, to whom never, and until when."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.shielded import Known
from holdfast.model.mitigation import Action
from holdfast.shield.features import TEMPLATES, Feature
from tests.feature.clients import REFUSED, ask
from tests.feature.requests_of_shape import (
    BARE,
    KNOWN_NETWORK,
    OTHERWISE,
    PROTOCOLS,
    USUAL,
    send,
)
from tests.feature.shielding import OTHER, SHOP, Ground, like, mitigation, names_of, sightless, values_of

ALLOWED, CRAWLER, FRIEND = "127.0.0.7", "127.0.0.8", "127.0.6.6"
NONE = dict.fromkeys(Verdict, 0)


async def know(ground: Ground, known: Known | None) -> None:
    await ground.edge.reconciler.settle(ground.edge.desired.shielded.put_known("shop", known))


async def counted(ground: Ground, name: str = "shop") -> dict[Verdict, int]:
    totals = await ground.totals(name)
    return {each: totals[f"gpc{int(each)}"] for each in Verdict}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_every_template_matches_what_was_sampled_and_nothing_else(
    tmp_path: Path, protocol: str
) -> None:
    """The same request is denied; one that differs in a single feature of the template passes."""
    async with sightless(tmp_path) as ground:
        await know(ground, Known(networks=frozenset({KNOWN_NETWORK})))
        assert (await send(ground.lab, USUAL, protocol)).status == 200
        seen = await ground.sample()
        assert (seen.values[Feature.TLS] != "") == (protocol != "http/1.1")
        for template in TEMPLATES:
            told = names_of(template)
            await ground.put(mitigation(Action.DENY, told, values_of(seen, template)))
            assert (await send(ground.lab, USUAL, protocol)).status == 403, told
            for feature in template.features:
                if feature is Feature.TLS and protocol == "http/1.1":
                    continue
                answer = await send(ground.lab, OTHERWISE[feature], protocol)
                assert answer.status == 200, (told, feature.name)
            assert (await send(ground.lab, USUAL, protocol, OTHER)).status == 200, told


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_is_absent_is_a_value_like_any_other(tmp_path: Path, protocol: str) -> None:
    """A flood of requests without an agent is one to be named, too."""
    async with sightless(tmp_path) as ground:
        assert (await send(ground.lab, BARE, protocol)).status == 200
        seen = await ground.sample()
        for feature in (Feature.AGENT, Feature.QUERY, Feature.REFERER, Feature.LANGUAGE):
            assert seen.values[feature] == ""
            await ground.put(like(seen, feature))
            assert (await send(ground.lab, BARE, protocol)).status == 403, feature.name
            assert (await send(ground.lab, USUAL, protocol)).status == 200, feature.name
        for template in TEMPLATES:
            await ground.put(mitigation(Action.DENY, names_of(template), values_of(seen, template)))
            assert (await send(ground.lab, BARE, protocol)).status == 403, template


async def test_what_does_not_tell_requests_apart(tmp_path: Path) -> None:
    """The values of parameters, the rest of a referer, the value of a cookie, the rest of a network."""
    async with sightless(tmp_path) as ground:
        await send(ground.lab, replace(USUAL, cookie="a=1"))
        seen = await ground.sample()
        same = replace(
            USUAL, cookie="b=2", query="page=7&sort=", referer="http://search.example/", source="127.0.0.99"
        )
        for features in (
            (Feature.QUERY,),
            (Feature.REFERER,),
            (Feature.NETWORK,),
            (Feature.PATH, Feature.PRESENCE),
            (Feature.AGENT, Feature.NAMES, Feature.PATH),
        ):
            await ground.put(like(seen, *features))
            assert (await send(ground.lab, same)).status == 403, features


async def test_the_more_particular_template_decides(tmp_path: Path) -> None:
    """All of them match: the sample names the first. It is withdrawn, and the next one decides."""
    async with sightless(tmp_path) as ground:
        assert (await send(ground.lab, USUAL, "tls")).status == 200
        seen = await ground.sample()
        every = [
            mitigation(Action.OBSERVE, names_of(each), values_of(seen, each), name=f"m-{each.bit}")
            for each in TEMPLATES
        ]
        every.append(mitigation(Action.OBSERVE, name="whole"))
        while every:
            await ground.put(*reversed(every))
            assert (await send(ground.lab, USUAL, "tls")).status == 200
            assert (await ground.sample()).verdict == every.pop(0).id
        counts = await counted(ground)
        assert counts == NONE | {Verdict.OBSERVED: len(TEMPLATES) + 1}
    assert [len(each.features) for each in TEMPLATES] == sorted(
        (len(each.features) for each in TEMPLATES), reverse=True
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_withdrawn_mitigation_is_no_longer_in_force(tmp_path: Path, protocol: str) -> None:
    """Although others of the same template are, and at once."""
    async with sightless(tmp_path) as ground:
        shapes = [replace(USUAL, agent=f"agent-{number}") for number in range(3)]
        made = []
        for number, shape in enumerate(shapes):
            await send(ground.lab, shape, protocol)
            made.append(like(await ground.sample(), Feature.AGENT, name=f"m-{number}"))
        await ground.put(*made)
        assert [(await send(ground.lab, shape, protocol)).status for shape in shapes] == [403] * 3
        await ground.put(made[0], made[2])
        assert [(await send(ground.lab, shape, protocol)).status for shape in shapes] == [403, 200, 403]


async def test_each_action(tmp_path: Path) -> None:
    """What the client gets, what the origin sees, what is counted and what the sample tells."""
    async with sightless(tmp_path) as ground:
        for action, verdict, expected in (
            (Action.OBSERVE, Verdict.OBSERVED, 200),
            (Action.LIMIT, None, 200),
            (Action.CHALLENGE, Verdict.CHALLENGED, 403),
            (Action.DENY, Verdict.DENIED, 403),
        ):
            before, reached = await counted(ground) if await ground.totals() else NONE, _reached(ground)
            await ground.put(mitigation(action, name=f"it-is-{action.value}"))
            answer = await ask(ground.lab, host=SHOP)
            assert answer.status == expected, action
            assert (await ground.sample()).verdict == f"it-is-{action.value}"
            after = before if verdict is None else before | {verdict: before[verdict] + 1}
            assert await counted(ground) == after, action
            assert _reached(ground) - reached == (expected == 200)
            assert ("x-holdfast-challenge" in answer.headers) == (action is Action.CHALLENGE)
            if action is Action.DENY:
                assert b'"id":"it-is-deny.' in answer.body
                assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("60", "no-store")
            assert (await ask(ground.lab, host=OTHER)).status == 200
            await ground.sample()


def _reached(ground: Ground) -> int:
    return sum(request.all("host") == [SHOP] for request in ground.origin.requests)


@pytest.mark.parametrize("secure", [False, True])
async def test_what_is_dropped_gets_no_answer(tmp_path: Path, secure: bool) -> None:
    async with sightless(tmp_path) as ground:
        await ground.put(mitigation(Action.DROP, name="dropped"))

        async def nothing_came() -> bool:
            try:
                async with asyncio.timeout(1):
                    return (await ask(ground.lab, host=SHOP, secure=secure)).status == REFUSED
            except TimeoutError:
                return True

        assert await nothing_came()
        assert await counted(ground) == NONE | {Verdict.DROPPED: 1}
        assert (await ground.sample()).verdict == "dropped"
        assert (await ask(ground.lab, host=OTHER, secure=secure)).status == 200
        assert _reached(ground) == 0


async def test_a_mitigation_that_has_ended_does_not_hide_another(tmp_path: Path) -> None:
    """The more particular one has ended by HAProxy's clock, and no agent has withdrawn it."""
    async with sightless(tmp_path) as ground:
        await send(ground.lab, USUAL)
        seen = await ground.sample()
        ended = replace(like(seen, Feature.AGENT), until=mitigation(seconds=-1).until)
        await ground.put(ended, like(seen, Feature.PATH, action=Action.DENY, name="m-2"))
        assert (await send(ground.lab, USUAL)).status == 403
