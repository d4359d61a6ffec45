"""Arbitrary pictures: what HAProxy may hold, and what it may be wanted to hold."""

from __future__ import annotations

from hypothesis import strategies as st

from holdfast.edge.dataplane.picture import ORDER, Authority, Listed, Picture, Server

KEYS = st.sampled_from(["1-1", "1-2", "a.test", "1-1/a/", "1-1/(b)%3c/"])
VALUES = st.sampled_from(["slot0", "1-1", "1", "two words", "semi;colon"])
MAPS = st.dictionaries(st.tuples(st.sampled_from(ORDER), KEYS), VALUES, max_size=12)
SERVER_KEYS = st.tuples(st.sampled_from(["slot0", "slot1"]), st.sampled_from(["o1", "o2"]))
ARGUMENTS = st.sampled_from(["192.0.2.1:80 check", "192.0.2.2:443 ssl check"])
NAMES = st.sampled_from(["1-1-aa", "1-1-bb", "1-2-aa"])
LISTED = st.builds(Listed, st.just(("a.test", "*.b.test")), st.just("-----BEGIN\nx\n-----END"))

DESIRED = st.builds(
    Picture,
    maps=MAPS,
    servers=st.dictionaries(SERVER_KEYS, st.builds(Server, st.integers(1, 3), arguments=ARGUMENTS)),
    certificates=st.dictionaries(NAMES, LISTED),
    authorities=st.dictionaries(NAMES, st.just(Authority(pem="-----BEGIN\ny\n-----END"))),
)


@st.composite
def currents(draw: st.DrawFn) -> Picture:
    """Whatever a life full of sudden deaths may leave in HAProxy."""
    flags = st.builds(Server, st.integers(1, 3), st.booleans(), st.booleans())
    certificates = draw(st.dictionaries(NAMES, st.just(Listed())))
    return Picture(
        draw(MAPS),
        draw(st.dictionaries(SERVER_KEYS, flags)),
        certificates,
        draw(st.sets(NAMES)) - certificates.keys(),
        draw(st.dictionaries(NAMES, st.builds(Authority, st.booleans()))),
    )


def exactly(picture: Picture) -> tuple[object, ...]:
    """A picture with all that comparing two of them leaves out."""
    return (
        picture.maps,
        {key: (server, server.arguments) for key, server in picture.servers.items()},
        {name: (listed.patterns, listed.pem) for name, listed in picture.certificates.items()},
        picture.strays,
        {name: (authority.loaded, authority.pem) for name, authority in picture.authorities.items()},
    )
