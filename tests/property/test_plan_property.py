"""``plan``: from any picture to any other; shortest; safe to stop anywhere; alike for a part and all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.commands import AddMap, Command, RetireServer, SetMaxconn
from holdfast.edge.dataplane.effect import apply
from holdfast.edge.dataplane.picture import Picture, Server
from holdfast.edge.dataplane.plan import plan
from tests.property.haproxy_model import Model
from tests.property.pictures import DESIRED, currents
from tests.property.world import CHANGES, PLACES, Change, World


def perform(model: Model, picture: Picture, commands: list[Command]) -> None:
    """On the model by the commands' text, on the picture by ``effect``: they must agree at every step."""
    for command in commands:
        answer = model.ask(command.text(PLACES))
        assert command.refusal(answer) is None, f"{command}: {answer}"
        apply(picture, command)
        assert model.picture() == picture, command


@given(currents(), DESIRED)
def test_a_plan_leads_from_any_picture_to_any_other(current: Picture, desired: Picture) -> None:
    model, picture = Model.of(current), current.copy()
    perform(model, picture, plan(current, desired).all())
    assert model.picture() == desired
    assert not plan(picture, desired)


@given(DESIRED)
def test_the_plan_is_empty_when_nothing_differs(desired: Picture) -> None:
    assert not plan(desired, desired.copy())


@given(currents(), DESIRED, st.data())
def test_a_plan_may_stop_after_any_command(current: Picture, desired: Picture, data: st.DataObject) -> None:
    whole = plan(current, desired).all()
    model, picture = Model.of(current), current.copy()
    perform(model, picture, whole[: data.draw(st.integers(0, len(whole)))])
    rest = plan(model.picture(), desired).all()
    perform(model, picture, rest)
    assert model.picture() == desired


@given(currents(), DESIRED)
def test_a_plan_is_as_short_as_haproxy_allows(current: Picture, desired: Picture) -> None:
    assert len(plan(current, desired).all()) == fewest(current, desired)


def fewest(current: Picture, desired: Picture) -> int:
    """What has to be said at the least: an entry each to change or delete, a payload for each map that
    gains some, and the sequences that HAProxy demands for the rest."""
    changed = [key for key, value in desired.maps.items() if current.maps.get(key, value) != value]
    gaining = {name for name, key in desired.maps if (name, key) not in current.maps}
    count = len(changed) + len(gaining) + len(current.maps.keys() - desired.maps.keys())
    for key, server in desired.servers.items():
        held = current.servers.get(key)
        if held is None:
            count += 3
        else:
            count += (held.maxconn != server.maxconn) + (not held.checked) + (not held.in_service)
    count += sum(1 + held.in_service for key, held in current.servers.items() if key not in desired.servers)
    count += sum(
        6 if name in current.strays else 4
        for name in desired.certificates.keys() - current.certificates.keys()
    )
    count += 2 * len((current.certificates.keys() | current.strays) - desired.certificates.keys())
    for name in desired.authorities:
        held_authority = current.authorities.get(name)
        count += 3 if held_authority is None else 0 if held_authority.loaded else 2
    return count + len(current.authorities.keys() - desired.authorities.keys())


@given(
    st.lists(
        st.tuples(st.text("abc", min_size=1, max_size=9), st.text("v", max_size=900)),
        unique_by=lambda e: e[0],
        min_size=1,
    )
)
def test_additions_fill_their_payloads(entries: list[tuple[str, str]]) -> None:
    desired = Picture(maps={("bans", key): value for key, value in entries})
    commands = plan(Picture(), desired).all()
    perform(Model(), Picture(), commands)
    pairs = [command.entries for command in commands if isinstance(command, AddMap)]
    sizes = [sum(len(key) + len(value) + 2 for key, value in each) for each in pairs]
    assert all(one + two > 12_000 for one, two in pairwise(sizes))


CHANGED = st.lists(CHANGES, max_size=8)


@given(CHANGED, CHANGED)
def test_a_plan_for_a_unit_is_that_part_of_the_whole_plan(before: list[Change], after: list[Change]) -> None:
    world = World()
    for change in before:
        world.do(change)
    parts = {unit: world.desired.facts(unit) for unit in world.desired.units()}
    current = world.picture()
    units = {unit for change in after for unit in world.do(change)}
    desired = world.picture()
    whole = plan(current, desired)
    seen: Counter[str] = Counter()
    for unit in units:
        scope = (parts.get(unit, Picture()), world.desired.facts(unit))
        part = plan(current.only(*scope), desired.only(*scope))
        for mine, everyones in ((part.now, whole.now), (part.later, whole.later)):
            assert set(pieces(mine)) <= set(pieces(everyones))
            seen.update(pieces(mine))
    assert set(seen) == set(pieces(whole.all())), "the units together are the whole"


def pieces(commands: list[Command]) -> Iterator[str]:
    """Each command as text, additions entry by entry."""
    for command in commands:
        if isinstance(command, AddMap):
            yield from (AddMap(command.map, (entry,)).text(PLACES) for entry in command.entries)
        else:
            yield command.text(PLACES)


@given(st.integers(1, 3), st.integers(1, 3))
def test_a_limit_changes_in_place(before: int, after: int) -> None:
    steps = plan(
        Picture(servers={("slot0", "o1"): Server(before)}), Picture(servers={("slot0", "o1"): Server(after)})
    )
    assert steps.now == ([] if before == after else [SetMaxconn("slot0", "o1", after)])
    assert not any(isinstance(each, RetireServer) for each in steps.all())
