"""Whether a client that says it is a crawler is one: its name in the DNS must be the crawler's, and lead back
to its address; or its operator publishes the address.

The shell around ``crawler_table``. Made for a flood whose agents are forged: what is asked of the DNS is
limited whatever comes, and clients that are none cannot push those out of memory that are. Answers are as
trustworthy as the name server that is asked. Nothing here names a client in a log.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from holdfast.edge.traffic.crawler_table import (
    BY_NAME,
    Address,
    Crawler,
    Networks,
    claimed,
    parse_networks,
)
from holdfast.model.ban import counted_as
from holdfast.model.errors import error

LOOKUP_SECONDS = 2.0
LOOKUPS_AT_ONCE = 10
LOOKUPS_PER_SECOND = 50.0
QUEUE = 500
"""Checks that may wait: ten seconds' worth."""
REMEMBERED = 10_000
"""Crawlers, and as many clients that are none."""
VERIFIED_SECONDS = 24 * 3600.0
REFRESH_SECONDS = 3600.0
"""So long before its end, what is verified is checked anew when the client comes."""
FORGED_SECONDS = 3600.0
UNANSWERED_SECONDS = 60.0
"""Where the DNS gave no answer, the client is none for now, but may be soon."""
MOST_NAMES = 3
"""Names of one address that are followed."""


class Outcome(Enum):
    """Of a check."""

    VERIFIED = "verified"
    FORGED = "forged"
    UNANSWERED = "unanswered"


class Memory:
    """Keys with an end, of bounded number: the one that was not used for the longest makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ends: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ends)

    def left(self, key: str, now: float) -> float:
        """Seconds until its end; 0: not there."""
        end = self._ends.get(key, 0.0)
        if end <= now:
            self._ends.pop(key, None)
            return 0.0
        self._ends.move_to_end(key)
        return end - now

    def put(self, key: str, end: float) -> None:
        self._ends[key] = end
        self._ends.move_to_end(key)
        if len(self._ends) > self._most:
            self._ends.popitem(last=False)

    def drop(self, key: str) -> None:
        self._ends.pop(key, None)


class Crawlers:
    """Knows verified crawlers. ``on_verified`` is called with the address each time that one is verified: at
    first, and about once a day while it comes.

    ``on_verified`` must not raise. ``networks``: name of a crawler → its published networks, see
    ``read_networks``. ``nameservers``: addresses to ask instead of the system's. For one event loop. Raises
    HoldfastError for a crawler that is not known.
    """

    def __init__(
        self,
        on_verified: Callable[[str], None],
        networks: Mapping[str, Networks] | None = None,
        nameservers: list[str] | None = None,
        port: int = 53,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_verified = on_verified
        self._networks = dict(networks or {})
        for name in self._networks.keys() - BY_NAME.keys():
            raise error(f"there is no crawler {name!r}", f"write one of {', '.join(BY_NAME)}")
        self._resolver = _resolver(nameservers, port)
        self._clock = clock
        self._verified = Memory(REMEMBERED)
        self._others = Memory(REMEMBERED)
        self._queue: asyncio.Queue[tuple[Address, Crawler]] = asyncio.Queue(QUEUE)
        self._pending: set[str] = set()
        self._next_lookup = 0.0
        self.counts: Counter[str] = Counter()
        """Checks ``verified``, ``forged``, ``unanswered`` and ``dropped`` for want of room; ``lookups``."""

    def verified(self, address: str) -> bool:
        """Whether the client at this address is a verified crawler, as far as is known now."""
        return self._verified.left(address, self._clock()) > 0

    def consider(self, address: str, agent: str) -> None:
        """A request came with this user agent; returns at once. An address that is no single one (an IPv6
        /64) is let pass."""
        crawler = claimed(agent)
        if crawler is None:
            return
        at = _parsed(address)
        if at is None:
            return
        now = self._clock()
        if self._verified.left(str(at), now) > REFRESH_SECONDS:
            return
        if at in self._networks.get(crawler.name, _NONE):
            self._settle(at, Outcome.VERIFIED)
        elif (
            crawler.names
            and not self._others.left(counted_as(at), now)
            and counted_as(at) not in self._pending
        ):
            try:
                self._queue.put_nowait((at, crawler))
            except asyncio.QueueFull:
                self.counts["dropped"] += 1
            else:
                self._pending.add(counted_as(at))

    async def run(self) -> None:
        """Check until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(LOOKUPS_AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            at, crawler = await self._queue.get()
            try:
                outcome = await self._check(at, crawler)
            except dns.exception.DNSException:  # nothing in an answer may end this task
                outcome = Outcome.UNANSWERED
            finally:
                self._pending.discard(counted_as(at))
            self._settle(at, outcome)

    def _settle(self, at: Address, outcome: Outcome) -> None:
        self.counts[outcome.value] += 1
        now = self._clock()
        if outcome is Outcome.VERIFIED:
            self._verified.put(str(at), now + VERIFIED_SECONDS)
            self._on_verified(str(at))
        elif outcome is Outcome.FORGED:
            self._verified.drop(str(at))
            self._others.put(counted_as(at), now + FORGED_SECONDS)
        else:
            self._others.put(counted_as(at), now + UNANSWERED_SECONDS)

    async def _check(self, at: Address, crawler: Crawler) -> Outcome:
        """Raises DNSException."""
        reverse = dns.name.from_text(at.reverse_pointer)
        told = await self._ask(reverse, dns.rdatatype.PTR)
        if told is None:
            return Outcome.UNANSWERED
        names = [name for each in told if crawler.owns(name := dns.name.from_text(each))]
        forward = dns.rdatatype.A if at.version == 4 else dns.rdatatype.AAAA
        worst = Outcome.FORGED
        for name in names[:MOST_NAMES]:
            addresses = await self._ask(name, forward)
            if addresses is None:
                worst = Outcome.UNANSWERED
            elif any(ipaddress.ip_address(each) == at for each in addresses):
                return Outcome.VERIFIED
        return worst

    async def _ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> list[str] | None:
        """What the DNS has, as text; empty: it says that there is none; None: it does not say."""
        await self._turn()
        self.counts["lookups"] += 1
        try:
            answer = await self._resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, EOFError):
            return None
        return [each.to_text() for each in answer]

    async def _turn(self) -> None:
        """Lookups are spread evenly, by the loop's own clock."""
        now = asyncio.get_running_loop().time()
        mine = max(now, self._next_lookup)
        self._next_lookup = mine + 1 / LOOKUPS_PER_SECOND
        await asyncio.sleep(mine - now)


_NONE = Networks()


def read_networks(path: Path) -> Networks:
    """Published networks from a file. Raises HoldfastError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as refused:
        raise error(
            f"cannot read the crawler's networks ({refused})",
            "name a file that the agent can read",
            str(path),
        ) from refused
    return parse_networks(text, str(path))


def _resolver(nameservers: list[str] | None, port: int) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=nameservers is None)
    except dns.resolver.NoResolverConfiguration:
        resolver = dns.asyncresolver.Resolver(configure=False)  # then nothing is answered
    if nameservers is not None:
        resolver.nameservers = list(nameservers)
        resolver.port = port
    resolver.lifetime = LOOKUP_SECONDS
    resolver.timeout = LOOKUP_SECONDS / 2  # then another server is asked, or the same one again
    return resolver


def _parsed(address: str) -> Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
