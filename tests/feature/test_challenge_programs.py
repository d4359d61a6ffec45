"""curl, git, a feed reader and a JSON client at a site under attack: those that it knows go on as ever, and
the rest are told what this is, and how to be let in."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.shielded import Known
from holdfast.model.mitigation import Action
from holdfast.shield.features import Feature
from tests.feature.programs import PROGRAMS, gazette
from tests.feature.shielding import Ground, mitigation

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVERY = pytest.mark.parametrize("name", PROGRAMS)
SHOWS = {"curl", "httpie"}
"""The programs that show their user what a refusal says."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """One for all of them."""
    async with gazette(tmp_path_factory.mktemp("gazette")) as made:
        yield made


async def know(ground: Ground, known: Known | None) -> None:
    """As the guard tells it."""
    shielded = ground.edge.desired.shielded
    await ground.edge.reconciler.settle(shielded.put_known("shop", known))


async def came(ground: Ground) -> frozenset[tuple[str, str]]:
    """Network and agent of whoever has come since the last call, as the baseline keeps them."""
    await asyncio.sleep(0.3)  # the last record is on its way
    taken = ground.edge.guard._intake.take()
    return frozenset((each.values[Feature.NETWORK], each.values[Feature.AGENT]) for each in taken)


async def friends(ground: Ground) -> frozenset[tuple[str, str]]:
    """The same, once there is one: after an agent's start the first record takes a second."""
    async with asyncio.timeout(5):
        while not (found := await came(ground)):
            pass
    return found


async def refused(ground: Ground) -> int:
    """How many requests were, until now."""
    totals = await ground.totals()
    return sum(totals.get(f"gpc{int(each)}", 0) for each in (Verdict.CHALLENGED, Verdict.DENIED))


@EVERY
async def test_what_the_site_knows_is_never_challenged(ground: Ground, name: str) -> None:
    """By its network and its agent, as it came while all was calm. The others, from the same network, are."""
    await came(ground)  # whoever it was, that was before
    await ground.put()
    assert (await PROGRAMS[name](ground)).worked
    known, before = await friends(ground), await refused(ground)
    assert len(known) == 1
    await know(ground, Known(friends=known))
    await ground.put(mitigation())
    assert (await PROGRAMS[name](ground)).worked
    assert await refused(ground) == before
    other = next(each for each in PROGRAMS if each != name)
    assert not (await PROGRAMS[other](ground)).worked
    assert await refused(ground) > before
    await know(ground, None)


@pytest.mark.parametrize(
    ("action", "kind"), [(Action.CHALLENGE, "challenge"), (Action.DENY, "denied")], ids=["challenge", "deny"]
)
@EVERY
async def test_the_rest_get_a_problem_document(ground: Ground, name: str, action: Action, kind: str) -> None:
    """RFC 9457, with the answer's id, whom to turn to, and how to be let in; where the program shows what it
    was answered, its user reads it."""
    await ground.put(mitigation(action, name="m-77"))
    before = await refused(ground)
    outcome = await PROGRAMS[name](ground)
    assert not outcome.worked
    assert "403" in outcome.told
    assert await refused(ground) == before + 1, "it does not come again and again"
    if name == "git":
        # What is challenged tells git's user in words: it shows no other kind of answer.
        kind_of = "text/plain" if action is Action.CHALLENGE else "application/problem+json"
        assert f"Recv header: content-type: {kind_of}" in outcome.told
        said = re.findall(r"^remote: (.+)$", outcome.told, re.MULTILINE)
        assert ["allow list (m-77." in each for each in said] == [True] * (action is Action.CHALLENGE)
        assert re.search(r"Recv header: x-holdfast-id: m-77\.\d{10}\n", outcome.told)
    if name in SHOWS:
        (text,) = re.findall(r"^{.*}$", outcome.told, re.MULTILINE)
        told = json.loads(text)
        assert re.fullmatch(r"m-77\.\d{10}", told["id"])
        assert told["status"] == 403
        assert told["type"] == f"urn:holdfast:problem:{kind}"
        assert told["contact"] == "The Test Co-operative, https://provider.example/"
        assert ("allow list" in told["detail"]) == (action is Action.CHALLENGE)


async def test_whom_the_site_allows_is_let_in(tmp_path: Path) -> None:
    async with gazette(tmp_path, allow=["127.0.0.0/8", "::1/128"]) as ground:
        for action in (Action.CHALLENGE, Action.DENY):
            await ground.put(mitigation(action))
            for name in PROGRAMS:
                assert (await PROGRAMS[name](ground)).worked, name
        assert await refused(ground) == 0
