"""What HAProxy refuses for good: nobody waits for ever, whoever asked is told, all else is in force, and what
the refused was to replace stays."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.dataplane.commands import RetireServer, UnlistCertificate
from holdfast.edge.dataplane.picture import Picture
from holdfast.edge.dataplane.plan import plan
from holdfast.edge.desired import Unit
from holdfast.model.errors import HoldfastError
from holdfast.model.site import Certificate, Site
from tests.property import moments as m
from tests.property.haproxy_model import Model
from tests.property.virtual import ModelRuntime, at_once, reconciling, swept
from tests.property.world import CHANGES, ORIGINS, PLACES, Change, World

REFUSED = st.sampled_from(
    [
        ("add server", "192.0.2.2:443"),
        ("add server", "192.0.2.1:80"),
        ("enable health", "slot1/"),
        ("set ssl ca-file", "authority two"),
        ("commit ssl ca-file", "/ca-1-1-"),
        ("set ssl cert", "pem two"),
        ("add ssl crt-list", "/1-1-"),
        ("new ssl cert", "/2-"),
        ("add map", "100.100.1.9/32"),
        ("add ssl crt-list", "certificates.list"),
        ("add map", "bans"),
        ("del map", "block_"),
        ("del map", "bans"),
        ("del server", "slot1/"),
        ("del ssl cert", "/1-1-"),
    ]
)
ONE_SITE = st.builds(
    Site,
    name=st.just("a"),
    customer=st.just("x"),
    hostnames=st.just(("a.test",)),
    origins=st.lists(st.sampled_from(ORIGINS), min_size=1, max_size=2, unique=True).map(tuple),
    certificate=st.sampled_from(["pem one", "pem two"]).map(lambda pem: Certificate(pem, ("a.test",))),
)
CHANGED = st.lists(st.one_of(ONE_SITE, CHANGES), min_size=1, max_size=6)


@given(CHANGED, CHANGED, REFUSED)
def test_a_refusal_holds_up_nothing_else(
    before: list[Change], after: list[Change], refused: tuple[str, str]
) -> None:
    verb, marker = refused

    def refuses(text: str) -> bool:
        return text.startswith(verb) and marker in text

    async def main() -> None:
        world = World()
        for change in before:
            world.do(change)
        current = world.picture()
        runtime = ModelRuntime(Model.of(current))
        async with reconciling(world, runtime) as reconciler:
            runtime.refuses = refuses
            parts = {unit: world.desired.facts(unit) for unit in world.desired.units()}
            units: set[Unit] = set()
            for change in after:
                units |= world.do(change)
            desired = world.picture()
            runtime.after = lambda _: check_service(runtime.model.picture(), current, desired)
            results = await asyncio.gather(
                *(reconciler.settle([unit]) for unit in sorted(units)), return_exceptions=True
            )
            for unit, result in zip(sorted(units), results, strict=True):
                facts = world.desired.facts(unit)
                scope = (facts, parts.get(unit, Picture()))
                missing = plan(runtime.model.picture().only(*scope), desired.only(*scope)).now
                assert (result is None) == (not missing), (unit, result, missing)
                assert result is None or (isinstance(result, HoldfastError) and "refuses" in str(result))
            await asyncio.sleep(60)
            left = plan(runtime.model.picture(), reconciler.rendering()).now
            for each in left:
                held_back = isinstance(each, RetireServer | UnlistCertificate)
                assert held_back or refuses(each.text(PLACES)), each
            assert bool(reconciler.trouble) == (runtime.model.picture() != desired)
            # It is tried again when HAProxy is another one; and what is wanted no more is no trouble.
            runtime.refuses = lambda text: False
            reconciler.distrust("another HAProxy")
            assert await swept(reconciler, runtime, world) == world.picture()
            assert reconciler.trouble == ""

    at_once(main())


def check_service(held: Picture, current: Picture, desired: Picture) -> None:
    """A site that stays the same one is served throughout, and so is its certificate."""
    moment, was, will = m.Moment(held), m.Moment(current), m.Moment(desired)
    for asked in m.ASKED:
        if was.site(*asked) == will.site(*asked) is not None and was.is_served(*asked):
            assert moment.is_served(*asked), asked
            if was.has_certificate(asked[1]) and will.has_certificate(asked[1]):
                assert moment.has_certificate(asked[1]), asked
