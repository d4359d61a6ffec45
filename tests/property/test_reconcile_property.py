"""The one writer, with changes that come while it writes, faults at any command, and refusals: it always ends
at what is wanted, never makes it worse on the way, and everybody who waits is told."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.edge.dataplane.plan import ENFORCEMENT_MAPS, plan
from holdfast.edge.desired import Unit
from tests.property import moments as m
from tests.property.haproxy_model import Model
from tests.property.pictures import currents, exactly
from tests.property.virtual import ModelRuntime, at_once, lost, reconciling, swept
from tests.property.world import CHANGES, Change, World

CHANGED = st.lists(CHANGES, min_size=1, max_size=8)


@given(CHANGED, CHANGED)
def test_one_change_is_never_worse_on_the_way(before: list[Change], after: list[Change]) -> None:
    """As the plan alone (see ``test_plan_safety_property``), but in lanes."""

    async def main() -> None:
        world = World()
        for change in before:
            world.do(change)
        current = world.picture()
        runtime = ModelRuntime(Model.of(current))
        async with reconciling(world, runtime) as reconciler:
            units: set[Unit] = set()
            for change in after:
                units |= world.do(change)
            desired = world.picture()

            def check(_: str) -> None:
                moment = m.Moment(runtime.model.picture())
                m.check_references(moment, desired)
                m.check_service(moment, current, desired)
                m.check_blocks(moment, current, desired)
                m.check_bans(moment, current, desired)

            runtime.after = check
            await reconciler.settle(units)
            then, will = m.Moment(runtime.model.picture()), m.Moment(desired)
            for asked in m.ASKED:
                assert then.site(*asked) == will.site(*asked)
                assert then.is_blocked(*asked, "/p/") == will.is_blocked(*asked, "/p/")
            assert await swept(reconciler, runtime, world) == desired

    at_once(main())


@given(CHANGED, st.lists(st.tuples(CHANGES, st.integers(0, 12)), max_size=10))
def test_changes_that_come_while_others_are_written(
    before: list[Change], later: list[tuple[Change, int]]
) -> None:
    async def main() -> None:
        world = World()
        for change in before:
            world.do(change)
        runtime = ModelRuntime(Model())
        async with reconciling(world, runtime) as reconciler:
            waits = []
            for change, turns in later:
                for _ in range(turns):
                    await asyncio.sleep(0)
                units = world.do(change)
                waits.append(asyncio.create_task(reconciler.settle(units)))
                await asyncio.sleep(0)
            await asyncio.gather(*waits)
            assert await swept(reconciler, runtime, world) == world.picture()
            assert reconciler.trouble == ""

    at_once(main())


@given(currents(), CHANGED, st.lists(CHANGES, max_size=6))
def test_whatever_haproxy_holds_becomes_what_is_wanted(
    current: Picture, before: list[Change], meanwhile: list[Change]
) -> None:
    """Also where changes come while it is brought there."""

    async def main() -> None:
        world = World()
        for change in before:
            world.do(change)
        runtime = ModelRuntime(Model.of(current))
        async with reconciling(world, runtime) as reconciler:
            reconciler.distrust("a test")
            waits = []
            for change in meanwhile:
                await asyncio.sleep(0)
                waits.append(asyncio.create_task(reconciler.settle(world.do(change))))
            await asyncio.gather(*waits)
            assert await swept(reconciler, runtime, world) == world.picture()

    at_once(main())


FAULTS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["lost before", "lost after", "restart", "distrust"])),
    max_size=4,
    unique_by=lambda fault: fault[0],
)


@given(CHANGED, CHANGED, FAULTS)
def test_faults_at_any_command(
    before: list[Change], after: list[Change], faults: list[tuple[int, str]]
) -> None:
    """The connection is lost before or after a command is performed; HAProxy restarts on old files; somebody
    finds another worker. Those who wait are told in the end."""

    async def main() -> None:
        world = World()
        for change in before:
            world.do(change)
        stale = world.picture()
        runtime = ModelRuntime(Model())
        due = dict(faults)
        async with reconciling(world, runtime) as reconciler:

            def fault(number: int, text: str) -> None:
                match due.pop(number, None):
                    case "lost before":
                        raise lost("before")
                    case "lost after":
                        runtime.model.ask(text)
                        raise lost("after")
                    case "restart":
                        runtime.model = Model.of(stale)
                        runtime.model.maps["meta", "epoch"] = "0"
                        raise lost("restart")
                    case "distrust":
                        reconciler.distrust("somebody")

            runtime.before = fault
            for change in after:
                await reconciler.settle(world.do(change))
                if not due:
                    await reconciler.synced.wait()
                    assert_in_force(runtime.model.picture(), world.picture())
            assert await swept(reconciler, runtime, world) == world.picture()
            assert reconciler.trouble == ""

    at_once(main())


def assert_in_force(held: Picture, wanted: Picture) -> None:
    then, will = m.Moment(held), m.Moment(wanted)
    for asked in m.ASKED:
        assert then.site(*asked) == will.site(*asked)
        assert then.is_blocked(*asked, "/p/q/") == will.is_blocked(*asked, "/p/q/")
        assert then.is_served(*asked) == will.is_served(*asked)
    for index in range(len(m.SOURCES)):
        assert then.is_refused(index) == will.is_refused(index)


@given(CHANGED, CHANGED, st.booleans())
def test_during_a_reload_only_sites_wait(before: list[Change], during: list[Change], doubt: bool) -> None:
    """Blocks and bans go on, whatever else goes wrong; nothing that leads to a site is written."""

    async def main() -> None:
        world = World()
        for change in before:
            world.do(change)
        runtime = ModelRuntime(Model.of(world.picture()))
        async with reconciling(world, runtime) as reconciler:
            waits = []
            with reconciler.frozen():
                frozen_at = len(runtime.commands)
                for change in during:
                    waits.append(asyncio.create_task(reconciler.settle(world.do(change))))
                    if doubt:
                        reconciler.distrust("a test")
                    await asyncio.sleep(5)
                for text in runtime.commands[frozen_at:]:
                    assert text.split()[1] == "map", text
                    assert any(f"/{name}.map" in text for name in ENFORCEMENT_MAPS), text
                held, wanted = runtime.model.picture(), world.picture()
                for key, value in wanted.maps.items():
                    if key[0] in ENFORCEMENT_MAPS and key[0] != Maps.BLOCK_RECORDS:
                        assert held.maps.get(key) == value, "what blocks is in force at once"
            await asyncio.gather(*waits)
            assert_in_force(runtime.model.picture(), world.picture())
            assert await swept(reconciler, runtime, world) == world.picture()

    at_once(main())


TURNS = st.tuples(CHANGES, st.integers(0, 12))


@given(CHANGED, st.lists(TURNS, max_size=3), st.lists(TURNS, min_size=1, max_size=6), st.booleans())
def test_nobody_is_told_before_the_next_worker_knows(
    before: list[Change], early: list[tuple[Change, int]], late: list[tuple[Change, int]], starts: bool
) -> None:
    """A worker starts on files that were rendered after the ``early`` changes, or it fails to; nobody knows
    when exactly it takes over. From when somebody is told on, what was asked for holds at both workers."""

    async def main() -> None:
        world = World()
        for change in before:
            world.do(change)
        runtime = ModelRuntime(Model.of(world.picture()))
        workers = [runtime.model]
        """Those that may take the next connection."""

        async def ask(change: Change) -> None:
            parts = {unit: world.desired.facts(unit) for unit in world.desired.units()}
            units = world.do(change)
            facts = {unit: world.desired.facts(unit) for unit in units}
            await reconciler.settle(units)
            for unit, fact in facts.items():
                if exactly(world.desired.facts(unit)) == exactly(fact):  # else it was asked for otherwise
                    scope = fact, parts.get(unit, Picture())
                    for worker in workers:
                        held, wanted = worker.picture().only(*scope), reconciler.wanted.only(*scope)
                        assert plan(held, wanted).now == [], unit

        async def ask_all(changes: list[tuple[Change, int]]) -> list[asyncio.Task[None]]:
            asked = []
            for change, turns in changes:
                asked.append(asyncio.create_task(ask(change)))
                for _ in range(turns + 1):
                    await asyncio.sleep(0)
            return asked

        async with reconciling(world, runtime) as reconciler:
            with reconciler.frozen():
                asked = await ask_all(early)
                with reconciler.handing_over():
                    successor = Model.of(reconciler.rendering())
                    successor.maps["meta", "epoch"] = "0"
                    if starts:
                        workers.append(successor)
                    asked += await ask_all(late)
                    if starts:
                        workers[:] = [successor]
                        runtime.model = successor
                        reconciler.distrust("another worker")
                await asyncio.sleep(60)
                for task in asked:
                    assert not task.done() or task.exception() is None, task.exception()
            await asyncio.gather(*asked)
            assert await swept(reconciler, runtime, world) == world.picture()

    at_once(main())
