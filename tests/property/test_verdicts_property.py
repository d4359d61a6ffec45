"""Whatever is in force: HAProxy's look-ups, as ``rules.shield`` makes them, find just that, and nothing of
another site or template; and what HAProxy holds says which mitigations there are."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.limits import DEFAULT, FIELDS
from holdfast.edge.dataplane.picture import Maps, Picture
from holdfast.edge.dataplane.rules.features import LINGERING, WHOLE_SITE, bit
from holdfast.edge.dataplane.verdicts import held_mitigations, shield_facts
from holdfast.model.mitigation import Action, Mitigation
from holdfast.shield.features import TEMPLATES, Feature, Template

HASHES = st.one_of(st.just(""), st.integers(-(1 << 63), (1 << 63) - 1).map(str))
VALUES = {
    Feature.METHOD: st.sampled_from(["GET", "POST", "PURGE"]),
    Feature.PRESENCE: st.text("01", min_size=4, max_size=5),
    Feature.TLS: st.one_of(
        st.just(""), st.from_regex(r"-?[0-9]{1,19}_-?[0-9]{1,19}_[0-9]{1,2}", fullmatch=True)
    ),
    Feature.STRANGER: st.sampled_from(["0", "1"]),
    Feature.NETWORK: st.sampled_from(["192.0.2.0", "2001:db8::"]),
}
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
SIDS = st.tuples(st.integers(1, 30), st.integers(1, 30)).map(lambda each: f"{each[0]}-{each[1]}")
EVERYBODY = Template(WHOLE_SITE, ())


@st.composite
def mitigations(draw: st.DrawFn, number: int) -> Mitigation:
    template = draw(st.sampled_from([*TEMPLATES, EVERYBODY]))
    return Mitigation(
        id=f"m-{number}",
        site="shop",
        action=draw(st.sampled_from(Action)),
        features=tuple(each.name.lower() for each in template.features),
        values=tuple(draw(VALUES.get(each, HASHES)) for each in template.features),
        reason="r",
        since=draw(MOMENTS),
        until=draw(MOMENTS),
    )


@st.composite
def sites(draw: st.DrawFn) -> dict[str, tuple[tuple[Mitigation, ...], bool]]:
    """Site id → its mitigations, no two of which match the same, and whether it lingers."""
    found = {}
    for sid in draw(st.lists(SIDS, max_size=4, unique=True)):
        made = [draw(mitigations(number)) for number in range(draw(st.integers(0, 8)))]
        distinct = {(each.features, each.values): each for each in made}
        found[sid] = tuple(distinct.values()), draw(st.booleans())
    return found


def pictured(state: dict[str, tuple[tuple[Mitigation, ...], bool]]) -> Picture:
    whole = Picture()
    for sid, (made, lingers) in state.items():
        whole.add(shield_facts(sid, made, DEFAULT, lingers=lingers))
    return whole


def looked_up(maps: dict[tuple[str, str], str], sid: str, template: Template, values: tuple[str, ...]) -> str:
    """As the rule of a template does: only where the site's mask has its bit."""
    if not int(maps.get((Maps.MASKS, sid), "0")) & bit(template.bit):
        return ""
    key = f"{sid}|{template.bit}" + "".join(f"|{value}" for value in values)
    return maps.get((Maps.SIGNATURES, key), "")


@given(sites())
def test_a_look_up_finds_what_is_in_force_there_and_nothing_else(
    state: dict[str, tuple[tuple[Mitigation, ...], bool]],
) -> None:
    maps = pictured(state).maps
    every = {(each.features, each.values) for made, _ in state.values() for each in made}
    for sid, (made, _) in state.items():
        own = {(each.features, each.values): each for each in made}
        for features, values in every:
            (template,) = (
                each
                for each in (*TEMPLATES, EVERYBODY)
                if tuple(one.name.lower() for one in each.features) == features
            )
            found = looked_up(maps, sid, template, values)
            assert bool(found) == ((features, values) in own)
            if found:
                put = own[features, values]
                action, identifier, end, *limits = found.split("|")
                assert (action, identifier, int(end)) == (put.action, put.id, int(put.until.timestamp()))
                assert bool(limits) == (put.action is Action.LIMIT)
                assert all(len(each.split(":")) == len(FIELDS) for each in limits)


@given(sites())
def test_a_site_has_a_mask_just_while_the_shield_has_something_to_do_there(
    state: dict[str, tuple[tuple[Mitigation, ...], bool]],
) -> None:
    """HAProxy leaves the shield's rules at once where there is none. It fits an integer of HAProxy's."""
    maps = pictured(state).maps
    for sid, (made, lingers) in state.items():
        mask = maps.get((Maps.MASKS, sid))
        assert (mask is not None) == (bool(made) or lingers)
        if mask is not None:
            assert 0 < int(mask) < 1 << 63
            assert bool(int(mask) & bit(LINGERING)) == lingers


@given(sites())
def test_what_haproxy_holds_is_read_back(state: dict[str, tuple[tuple[Mitigation, ...], bool]]) -> None:
    for sid, (made, lingers) in state.items():
        maps = shield_facts(sid, made, DEFAULT, lingers=lingers).maps
        held = {key: value for (name, key), value in maps.items() if name == Maps.SIGNATURES}
        expected = {each.id: (sid, each.until.replace(microsecond=0)) for each in made}
        assert held_mitigations(held) == expected


@given(sites())
def test_every_entry_is_one_line_of_a_map_file(
    state: dict[str, tuple[tuple[Mitigation, ...], bool]],
) -> None:
    """A key ends at the first space, and no value holds a line's end (configuration manual, section 7.3)."""
    for (_, key), value in pictured(state).maps.items():
        assert key
        assert not set(key) & set(" \t\r\n")
        assert value
        assert not set(value) & set(" \t\r\n")
