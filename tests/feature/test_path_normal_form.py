"""HAProxy and the model agree on every path, however disguised; what is not blocked arrives untouched."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from holdfast.model.enforcement import PathScope
from holdfast.model.path import normal_path
from tests.feature.lab import Lab, enforcement, released, running, site, write_certificate
from tests.feature.origins import Origin, origin
from tests.feature.wire import Answer, connect, http2

PREFIX = "/evil/x/"
HOST = "a.test"

_TABLE = (
    "/ // /. /.. /... /evil /evil/ /evil/x /evil/x/ /evil/x/y /evil/xy /evilx/x /EVIL/X /Evil/x/Y?q=/ok",
    "//evil/x /evil//x ///evil///x/// /./evil/x /evil/./x /evil/x/. /evil/x/./y /../evil/x",
    "/ok/../evil/x /ok/../../evil/x /evil/../evil/x /evil/x/.. /evil/x/../ok /evil/x/../x",
    "/evil/x/../../ok /evil/..x/x /.evil/x /evil./x /evil/.x /%65vil/x /evil%2fx /%2fevil/x /evil%2Fx",
    "/evil/%78 /%45vil/%58 /%2e/evil/x /%2e%2e/evil/x /ok/%2e%2E/evil/x /ok/.%2e/evil/x",
    "/ok%2f..%2fevil%2fx /%2565vil/x /evil/%2578 /%252e%252e/evil/x /evil/x%00 /%00/evil/x",
    "/ok%00/../evil/x /evil%00/x /%3f/../evil/x /evil/x%3f /evil/x%3fy /evil%3f/x /%3F%3f/",
    "/%23/../evil/x /evil/x%23 /evil%23/x /%253f/../evil/x /%3%66 /%20/../evil/x /evil/x%20 /evil%20/x",
    "/%0a/../evil/x /evil/%0d%0ax /evil/x%09 /evil;p=1/x /evil/x;p=1 /evil/x;/y /;/evil/x /;p/../evil/x",
    "/%ff/../evil/x /evil/x/%ff%fe /%c3%a9vil/x /evil/%c3%bc/../x /evil+/x /+/../evil/x /evil\\x",
    "/ok\\..\\evil\\x /evil/x?/../.. /ok?/../evil/x /?/evil/x /evil/x? /ok?? /evil?/x /%zz /ok/%",
    "/evil/x/%4 /%%65vil/x /evil/x/%u0041 /%2 /ok?%zz=% /evil/x?%zz /evil|x /evil/x|y /~evil/x",
    "/evil:80/x /a:b/../evil/x",
)
HANDMADE = [path for line in _TABLE for path in line.split(" ")]

LONG = ("/" + "a" * 12_000, "/" + "%61" * 4_000, PREFIX + "%61" * 4_000, "/ok" * 50 + "/.." * 50 + PREFIX)


def disguised(seed: int, count: int) -> Iterator[str]:
    """Paths made of the blocked one, or nearly, behind every disguise at once."""
    dice = random.Random(seed)
    for _ in range(count):
        names = dice.choice([["evil", "x"], ["evil", "x", "y"], ["evil", "y"], ["x", "evil"], ["evilx"]])
        path = dice.choice(["/ok", "", "", ""])
        if path:
            path += dice.choice(["/..", "/%2e%2e", "/.%2E", ""])
        for name in names:
            path += dice.choice(
                ["/", "/", "/", "//", "/./", "%2f", "/%2e/", "/z/../", "/?/", "/%3f/../", "/%00/../"]
            )
            path += "".join(_spelt(char, dice) for char in name)
        path = path if path.startswith("/") else "/" + path
        yield path + dice.choice(
            ["", "", "/", "/..", "/.", "%2f", "?q", ";p", "%3f", "%", "%zz", "/%20", "%ff"]
        )


def _spelt(char: str, dice: random.Random) -> str:
    coded = f"%{ord(char):02x}"
    return dice.choice([char, char, char, char.upper(), coded, coded.upper()])


PATHS = tuple(dict.fromkeys([*HANDMADE, *LONG, *disguised(seed=2, count=500)]))


def verdict(path: str) -> int:
    """The status that the model asks for."""
    parts = path.partition("?")[0].split("%")[1:]
    if not all(len(part) >= 2 and set(part[:2]) <= set("0123456789abcdefABCDEF") for part in parts):
        return 400  # what cannot be decoded cannot be compared
    return 403 if normal_path(path).startswith(PREFIX) else 200


@asynccontextmanager
async def blocked_prefix(directory: Path) -> AsyncIterator[tuple[Lab, Origin]]:
    """A site with ``PREFIX`` blocked."""
    certificate = str(write_certificate(directory / "a.pem", HOST))
    async with (
        origin() as content,
        running(directory, [site("a", [HOST], content.port, certificate=certificate)]) as (lab, edge),
    ):
        await edge.block(released(enforcement(PathScope("a", PREFIX))))
        yield lab, content


async def compare(get: Callable[[bytes], Awaitable[Answer]], content: Origin) -> None:
    """Send every path; check verdict and, where it passes, that it passes byte by byte."""
    seen: Counter[int] = Counter()
    for path in PATHS:
        answer = await get(path.encode("latin-1"))
        assert answer.status == verdict(path), path
        seen[answer.status] += 1
        if answer.status == 200:
            assert content.requests[-1].target == path.encode("latin-1")
    assert len(content.requests) == seen[200], "a refused request has reached the origin"
    assert min(seen[status] for status in (200, 400, 403)) > 30, "the table has become one-sided"


async def test_over_http1_haproxy_decides_as_the_model_does(tmp_path: Path) -> None:
    """Raw, on one keep-alive connection."""
    async with blocked_prefix(tmp_path) as (lab, content), connect(lab.http) as wire:
        await compare(lambda target: wire.get(target, HOST), content)


async def test_over_http2_haproxy_decides_as_the_model_does(tmp_path: Path) -> None:
    async with blocked_prefix(tmp_path) as (lab, content), http2(lab.https, HOST) as wire:
        await compare(lambda target: wire.get2(HOST, target), content)


OTHER_FORMS = [
    (b"http://a.test/evil/x", 403),
    (b"HTTP://A.TEST:80/ok/..//evil/%78", 403),
    (b"http://a.test/evil/x?q", 403),
    (b"http://a.test/ok", 200),
    (b"http://a.test", 200),
    (b"http://b.test/evil/x", 400),
    (b"evil/x", 400),
    (b"http:/evil/x", 400),
    (b"/evil/x#y", 400),
    (b"/ok#/../evil/x", 400),
    (b"/\xe9/../evil/x", 400),
    (b"/\x7f/../evil/x", 403),
    (b"/\x01/../evil/x", 400),
]


async def test_other_forms_of_a_target_are_no_way_round(tmp_path: Path) -> None:
    """An absolute URI (RFC 9112, section 3.2.2) is judged by its path; what is no target is refused."""
    async with blocked_prefix(tmp_path) as (lab, content):
        for target, status in OTHER_FORMS:
            async with connect(lab.http) as wire:
                assert (await wire.get(target, HOST)).status == status, target
        passed = [target for target, status in OTHER_FORMS if status == 200]
        assert [request.target for request in content.requests] == passed


async def test_a_site_without_a_blocked_prefix_takes_what_cannot_be_decoded(tmp_path: Path) -> None:
    async with origin() as content, running(tmp_path, [site("a", [HOST], content.port)]) as (lab, _):
        async with connect(lab.http) as wire:
            for target in (b"/100%", b"/%zz", b"//x/../%"):
                assert (await wire.get(target, HOST)).status == 200
        assert [request.target for request in content.requests] == [b"/100%", b"/%zz", b"//x/../%"]
