"""What is normal for one site: its rhythm, a sample of its clean requests, the networks it knows, the
programs that come regularly, how fast its origin answers.

Only calm windows are learned; who decides what is calm is the ``brain``. Everything has a cap, and nobody can
have more than a share of it: an attacker who behaves for hours, so as to be taken for normal, gains a bounded
part. Not here: the rate (``rhythm``), what sets a flood apart (``signature``), harm (``harm``).
"""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from holdfast.shield.features import WIDTH, Codes, Feature, code, empty
from holdfast.shield.rhythm import Expectation, Rhythm
from holdfast.shield.sample import Sample

SAMPLES = 3000
"""Clean samples kept; ``harm.needed(DENY_HARM)`` is 2,995."""
CLIENT_SHARE = 0.01
NETWORK_SHARE = 0.05
"""Of the clean samples kept, at most this share is one client's, one network's."""
MEMORY = 7 * 86_400.0
"""Seconds that the clean samples stand for; a younger site's stand for its whole life. So 18 of them are new
in an hour on average, and 36 at most: that bounds what an attacker can teach in an hour, however much he
sends."""
YOUNG = 3600.0
"""Seconds; also the least time in which as many clean samples as are kept can be replaced."""
VISIT = 1800.0
"""Seconds. Who came first within this time is a stranger, still: during an attack nothing is learned, so a
new visitor stays a stranger for the whole of the visit; the baseline has to count alike."""
NEW_NETWORKS, REGULAR_NETWORKS = 2048, 4096
"""Seen in one hour only, in more than one. Apart, so that a crowd of new ones does not push out others."""
ADMIT = 8
"""When there is no room, one in so many new networks takes the place of the one that came last the longest
ago. Were it each, a site that more visit in an hour than there is room for would never know one again."""
SPAN = 600.0
FRIEND_SPANS, FRIEND_AGE = 6, 12
"""A program is regular that came in so many different spans of ten minutes, and first so many ago."""
CANDIDATES, FRIENDS = 512, 128
TEXT_BYTES = 65_536
"""Of agents, and again of lists of header names, kept as text: the most frequent."""

_HALF_LIFE = 2 * 86_400.0
_FORGET_FRIENDS = 14 * 144  # spans
_REFRESH = 300.0  # seconds: nobody is known before VISIT has passed, so there is no hurry
_CACHE = 32_768
_LONGEST = 512  # characters of a value that is kept as text
_TEXTS = (Feature.AGENT, Feature.NAMES)
_HOUR = 3600.0
_FASTEST, _PER_OCTAVE, _TIMES = 0.25, 6, 108  # buckets of the origin's time, from 0.25 ms to 65 s
_PROGRAM = re.compile(
    r"bot\b|crawl|spider|slurp|feed|rss|atom|podcast|^git/|jgit|curl|wget|python|java/|okhttp|go-http|perl|ruby"
    r"|php|node|axios|webhook|hook|monitor|uptime|check|client|lib|api|sync|\+https?:",
    re.IGNORECASE,
)


class Friend(NamedTuple):
    """A program, no browser, that comes regularly in calm: one agent from one network."""

    network: str
    agent: str
    rate: float
    """Requests/s in its busiest ten minutes, so that it can be exempt up to what it usually does."""


class _CodeOf(dict[str, int]):
    """Codes of values, remembered: coding is pure, so all sites share one."""

    def __missing__(self, value: str) -> int:
        if len(self) >= _CACHE:  # an attacker's random values; the usual ones are back at once
            self.clear()
        number = code(value)
        if len(value) <= _LONGEST:
            self[value] = number
        return number


def _numbered(codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """The same values have the same number."""
    return np.unique(codes, return_inverse=True)[1]


@lru_cache(maxsize=4096)
def _says_program(agent: str) -> bool:
    """Whether an agent says of itself that it is no browser."""
    return _PROGRAM.search(agent) is not None


_codes_of = _CodeOf()
_values_of: Callable[[Sample], tuple[str, ...]] = attrgetter("values")


class _Seen:
    """A network: when it came first and last (unix time), in how many different hours."""

    __slots__ = ("code", "first", "hours", "last")

    def __init__(self, code: int, first: float, last: float, hours: int) -> None:
        self.code, self.first, self.last, self.hours = code, first, last, hours


class _Program:
    __slots__ = ("busiest", "first", "here", "last", "spans")

    def __init__(self, first: int) -> None:
        self.first, self.last, self.spans = first, first, 0
        """Numbers of ten-minute spans since 1970; how many different ones it came in."""
        self.here, self.busiest = 0.0, 0.0
        """Requests in the latest span, in the busiest."""


class Baseline:
    """One site's. Fed by ``learn_rate`` (always) and ``learn`` (calm windows only)."""

    def __init__(self, at: float) -> None:
        self.born = at
        self.rhythm = Rhythm()
        self.version = 0
        """Changes whenever the clean samples do: for those who keep what they derived from them."""
        self._rows = np.zeros((SAMPLES, WIDTH), dtype=np.uint32)
        self._clients = np.zeros(SAMPLES, dtype=np.uint32)
        self._n = 0
        self._of_client: dict[int, int] = {}
        self._of_network: dict[int, int] = {}
        self._room = 0.0
        self._last = at
        self._texts: dict[Feature, dict[int, str]] = {feature: {} for feature in _TEXTS}
        self._text_bytes = 0
        self._new: dict[str, _Seen] = {}
        self._regular: dict[str, _Seen] = {}
        self._waiting = 0
        """Networks for which there was no room."""
        self._programs: dict[tuple[str, str], _Program] = {}
        self._friends: dict[tuple[str, str], _Program] = {}
        self._all = self._errors = self._judged = self._strangers = 0.0
        self._times = np.zeros(_TIMES)
        self._known: tuple[float, NDArray[np.uint32], NDArray[np.float64]] | None = None
        self._familiar: tuple[int, dict[Feature, frozenset[str]]] = (-1, {})

    @classmethod
    def new(cls, at: float) -> Baseline:
        """Of a site that is seen for the first time ``at`` (unix time)."""
        return cls(at)

    # The rate.

    def learn_rate(self, at: float, requests: float, seconds: float, exclude: bool = False) -> None:
        """See ``Rhythm.learn``; called in attacks, too, with ``exclude``."""
        self.rhythm.learn(at, requests, seconds, exclude)

    def expected(self, at: float, seconds: float) -> Expectation:
        return self.rhythm.expected(at, seconds)

    # What calm traffic looks like.

    @property
    def codes(self) -> Codes:
        """Shape (clean_samples, 13): the clean samples, ``STRANGER`` as it was when each came. A view."""
        return self._rows[: self._n]

    @property
    def clean_samples(self) -> int:
        return self._n

    def is_young(self, at: float) -> bool:
        """Too little is known to predict harm."""
        return at - self.born < YOUNG or self._n < SAMPLES

    @property
    def newcomers(self) -> float:
        """The usual share of requests that are from strangers; 1 where nothing is known."""
        return self._strangers / self._judged if self._judged > 0 else 1.0

    @property
    def errors(self) -> float:
        """The usual share of requests that are answered 5xx or not at all."""
        return self._errors / self._all if self._all > 0 else 0.0

    def origin_ms(self, share: float) -> float:
        """The time within which this share of the origin's answers begins (0.5: the median), to a tenth;
        0 where it was never asked."""
        total = float(self._times.sum())
        if total <= 0:
            return 0.0
        upto = np.cumsum(self._times)
        bucket = min(int(np.searchsorted(upto, share * total)), _TIMES - 1)
        return float(_FASTEST * 2 ** ((bucket + 0.5) / _PER_OCTAVE))

    # Who is known.

    def knows(self, network: str, at: float, hours: int = 1) -> bool:
        """Whether this /24 or /48 came before this visit, in at least so many different hours."""
        seen = self._regular.get(network) or self._new.get(network)
        return seen is not None and seen.first <= at - VISIT and seen.hours >= hours

    def networks(self, at: float) -> list[str]:
        """All that the site knows, those that came last at the end."""
        both = (*self._new.items(), *self._regular.items())
        known = [(int(seen.last), network) for network, seen in both if seen.first <= at - VISIT]
        return [network for _, network in sorted(known)]

    def friends(self) -> tuple[Friend, ...]:
        """API clients, feed readers, webhooks and git clients that come regularly."""
        return tuple(Friend(*key, program.busiest / SPAN) for key, program in sorted(self._friends.items()))

    def familiar(self, feature: Feature) -> frozenset[str]:
        """The agents, or lists of header names, of at least two clients or 0.05 % of the clean samples."""
        if feature not in _TEXTS:
            raise ValueError(f"{feature.name} is not kept as text; {', '.join(f.name for f in _TEXTS)} are")
        version, familiar = self._familiar
        if version != self.version:
            familiar = {one: self._familiar_values(one) for one in _TEXTS}
            self._familiar = (self.version, familiar)
        return familiar[feature]

    def _familiar_values(self, feature: Feature) -> frozenset[str]:
        column = self._rows[: self._n, feature].astype(np.uint64)
        values, counts = np.unique(column, return_counts=True)
        pairs = np.unique(column << np.uint64(32) | self._clients[: self._n])
        clients = np.unique(pairs >> np.uint64(32), return_counts=True)[1]
        often = values[(clients >= 2) | (counts >= max(0.0005 * self._n, 2))]
        texts = self._texts[feature]
        return frozenset(texts[value] for value in often.tolist() if value in texts)

    def encode(self, samples: Sequence[Sample]) -> Codes:
        """Shape (samples, 13), with ``STRANGER`` as this site has it when each sample came."""
        rows = len(samples)
        if rows == 0:
            return empty()
        flat = chain.from_iterable(map(_values_of, samples))
        codes = np.empty((rows, WIDTH), dtype=np.uint32)
        count = rows * (WIDTH - 1)
        codes[:, :-1] = np.fromiter(map(_codes_of.__getitem__, flat), np.uint32, count).reshape(rows, -1)
        at = np.fromiter((sample.at for sample in samples), np.float64, rows)
        networks, first = self._known_codes(samples[-1].at)
        if len(networks) == 0:
            codes[:, -1] = 1
            return codes
        place = np.minimum(np.searchsorted(networks, codes[:, Feature.NETWORK]), len(networks) - 1)
        known = (networks[place] == codes[:, Feature.NETWORK]) & (first[place] <= at - VISIT)
        codes[:, -1] = ~known
        return codes

    def _known_codes(self, at: float) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        """Of the networks, sorted, and when each came first; up to ``_REFRESH`` old."""
        if self._known is None or not 0 <= at - self._known[0] < _REFRESH:
            seen = [*self._new.values(), *self._regular.values()]
            codes = np.fromiter((each.code for each in seen), np.uint32, len(seen))
            first = np.fromiter((each.first for each in seen), np.float64, len(seen))
            order = np.argsort(codes, kind="stable")
            self._known = (at, codes[order], first[order])
        return self._known[1:]

    # Learning.

    def learn(self, samples: Sequence[Sample], rng: np.random.Generator) -> None:
        """Calm samples, the older first. Same state, samples and ``rng``: same state after."""
        if not samples:
            return
        at = max(self._last, samples[-1].at)
        fade = 0.5 ** ((at - self._last) / _HALF_LIFE)
        self._times *= fade
        self._all, self._errors = self._all * fade, self._errors * fade
        self._judged, self._strangers = self._judged * fade, self._strangers * fade
        weight = sum([self._learn_one(sample) for sample in samples])
        self._learn_clean(samples, weight, at, rng)
        self._last = at

    def _learn_one(self, sample: Sample) -> float:
        """All but the clean samples; returns the weight."""
        values, at, weight = sample.values, sample.at, max(sample.weight, 1e-9)
        self._all += weight
        if sample.status >= 500 or sample.status == 0:
            self._errors += weight
        if sample.origin_ms > 0:
            bucket = int(math.log2(max(sample.origin_ms / _FASTEST, 1.0)) * _PER_OCTAVE)
            self._times[min(bucket, _TIMES - 1)] += weight
        was_known = self._learn_network(values[Feature.NETWORK], at)
        if at - self.born >= YOUNG:  # before that, all are strangers
            self._judged += weight
            self._strangers += 0.0 if was_known else weight
        agent = values[Feature.AGENT]
        foreign = not values[Feature.LANGUAGE] and not sample.agent.startswith("Mozilla/")
        if agent and (foreign or _says_program(sample.agent)):
            self._learn_program((values[Feature.NETWORK], agent), sample)
        return weight

    def _learn_clean(
        self, samples: Sequence[Sample], weight: float, at: float, rng: np.random.Generator
    ) -> None:
        """A reservoir of the last week. A busy hour has more of it than a quiet one, but at most twice the
        average: who sends a lot for an hour does not have the week."""
        passed, level = at - self._last, self.rhythm.level
        busy = min(weight / (level * passed), 2.0) if level * passed > 0 else 1.0
        horizon = min(max(at - self.born, YOUNG), MEMORY)
        self._room = min(self._room + SAMPLES * busy * passed / horizon, SAMPLES * CLIENT_SHARE)
        wanted = min(SAMPLES - self._n + int(self._room), len(samples))
        if wanted == 0:
            return
        picked = list(samples)
        if wanted < len(samples):
            weights = np.array([max(sample.weight, 1e-9) for sample in samples])
            chosen = rng.choice(len(samples), wanted, replace=False, p=weights / weights.sum())
            picked = [samples[index] for index in sorted(chosen.tolist())]
        for sample, row in zip(picked, self.encode(picked), strict=True):
            self._put(sample, row, rng)
        self.version += 1
        if self._text_bytes > 2 * len(_TEXTS) * TEXT_BYTES:
            self._texts = {feature: self._kept_texts(feature) for feature in _TEXTS}
            self._text_bytes = sum(len(text) for texts in self._texts.values() for text in texts.values())

    def _put(self, sample: Sample, row: NDArray[np.uint32], rng: np.random.Generator) -> None:
        client, network = code(sample.client), int(row[Feature.NETWORK])
        if self._of_client.get(client, 0) >= SAMPLES * CLIENT_SHARE:
            own = np.flatnonzero(self._clients[: self._n] == client)
            place = int(own[rng.integers(len(own))])
        elif self._of_network.get(network, 0) >= SAMPLES * NETWORK_SHARE:
            own = np.flatnonzero(self._rows[: self._n, Feature.NETWORK] == network)
            place = int(own[rng.integers(len(own))])
        elif self._n < SAMPLES:
            place = self._n
        else:
            place = int(rng.integers(SAMPLES))
            self._room -= 1
        if place == self._n:
            self._n += 1
        else:
            _less(self._of_client, int(self._clients[place]))
            _less(self._of_network, int(self._rows[place, Feature.NETWORK]))
        self._rows[place], self._clients[place] = row, client
        self._of_client[client] = self._of_client.get(client, 0) + 1
        self._of_network[network] = self._of_network.get(network, 0) + 1
        for feature in _TEXTS:
            text, number = sample.values[feature], int(row[feature])
            if number not in self._texts[feature] and len(text) <= _LONGEST:
                self._texts[feature][number] = text
                self._text_bytes += len(text)

    def _kept_texts(self, feature: Feature) -> dict[int, str]:
        """Of values that are among the clean samples, the most frequent, as far as there is room."""
        values, counts = np.unique(self._rows[: self._n, feature], return_counts=True)
        room, texts, kept = TEXT_BYTES, self._texts[feature], dict[int, str]()
        for number in values[np.argsort(-counts, kind="stable")].tolist():
            text = texts.get(number)
            if text is not None and len(text) <= room:
                kept[number] = text
                room -= len(text)
        return kept

    def _learn_network(self, network: str, at: float) -> bool:
        """Returns whether it was known before this visit."""
        seen = self._regular.get(network) or self._new.get(network)
        if seen is None:
            if len(self._new) >= NEW_NETWORKS:
                self._waiting += 1
                if self._waiting % ADMIT:
                    return False
            self._new[network] = _Seen(_codes_of[network], at, at, 1)
            if len(self._new) > NEW_NETWORKS:
                del self._new[next(iter(self._new))]
            return False
        again = at // _HOUR != seen.last // _HOUR
        seen.last, seen.first = at, min(seen.first, at)  # a clock that was set back
        if again:  # ordered by the hour in which each came last
            seen.hours += 1
            self._new.pop(network, None)
            self._regular.pop(network, None)
            self._regular[network] = seen
            if len(self._regular) > REGULAR_NETWORKS:
                del self._regular[next(iter(self._regular))]
        return seen.first <= at - VISIT

    def _learn_program(self, key: tuple[str, str], sample: Sample) -> None:
        span = int(sample.at // SPAN)
        program = self._friends.get(key) or self._programs.get(key)
        if program is None:
            if len(key[1]) > _LONGEST:
                return
            program = self._programs[key] = _Program(span)
            if len(self._programs) > CANDIDATES:
                del self._programs[next(iter(self._programs))]
        if span != program.last or not program.spans:
            program.last, program.here = span, 0.0
            program.spans += 1
            program.busiest *= 0.99
            if self._programs.pop(key, None) is not None:
                self._programs[key] = program  # those that came last at the end
        program.here += sample.weight
        program.busiest = max(program.busiest, program.here)
        if key in self._programs and program.spans >= FRIEND_SPANS and span - program.first >= FRIEND_AGE:
            self._befriend(key, span)

    def _befriend(self, key: tuple[str, str], span: int) -> None:
        """Where there are too many friends, those stay that came most often."""
        self._friends[key] = self._programs.pop(key)
        for other in [one for one, program in self._friends.items() if program.last < span - _FORGET_FRIENDS]:
            del self._friends[other]
        if len(self._friends) > FRIENDS:
            del self._friends[min(self._friends, key=lambda one: (self._friends[one].spans, one))]

    # Saving.

    def document(self) -> dict[str, Any]:
        """All but the candidates for friends, as JSON can hold it. About 80 KB of a small
        real site, 160 KB where all is full, under 500 KB where an attacker made all values random ones."""
        seen = [*self._new.items(), *self._regular.items()]
        return {
            "born": self.born,
            "last": self._last,
            "rhythm": self.rhythm.to_document(),
            "room": self._room,
            "usual": [self._all, self._errors, self._judged, self._strangers],
            "times": _pack(self._times.astype("<f4").tobytes()),
            "rows": _pack(np.ascontiguousarray(self.codes.T, dtype="<u4").tobytes()),
            # Who is who does not matter, and a checksum beside a network would give the address away.
            "clients": _pack(_numbered(self._clients[: self._n]).astype("<u4").tobytes()),
            "texts": _pack_json([list(self._kept_texts(feature).values()) for feature in _TEXTS]),
            "networks": _pack_json([network for network, _ in seen]),
            "visits": _pack(
                np.array([[int(one.first), int(one.last), one.hours] for _, one in seen], "<u4")
                .T.reshape(3, -1)
                .tobytes()
            ),
            "new_networks": len(self._new),
            "friends": _pack_json(
                [[*key, one.first, one.last, one.spans, one.busiest] for key, one in self._friends.items()]
            ),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Baseline:
        """The inverse, seconds and the rhythm rounded. Raises ``ValueError`` for what is no such document."""
        try:
            return cls._read(document)
        except (KeyError, TypeError, IndexError, OverflowError, ValueError, zlib.error) as error:
            raise ValueError(f"no baseline: {error}") from error

    @classmethod
    def _read(cls, document: Mapping[str, Any]) -> Baseline:
        new = cls(float(document["born"]))
        new.rhythm = Rhythm.from_document(document["rhythm"])
        new._last, new._room = float(document["last"]), float(document["room"])
        new._all, new._errors, new._judged, new._strangers = map(float, document["usual"])
        new._times = np.frombuffer(_unpack(document["times"]), "<f4").astype(np.float64)
        if len(new._times) != _TIMES:
            raise ValueError(f"{len(new._times)} buckets of times, not {_TIMES}")
        rows = np.frombuffer(_unpack(document["rows"]), "<u4").reshape(WIDTH, -1).T
        n = new._n = min(len(rows), SAMPLES)
        new._rows[:n] = rows[:n]
        new._clients[:n] = np.frombuffer(_unpack(document["clients"]), "<u4")[:n]
        new._of_client = _counts(new._clients[:n])
        new._of_network = _counts(new._rows[:n, Feature.NETWORK])
        for feature, texts in zip(_TEXTS, json.loads(_unpack(document["texts"])), strict=True):
            new._texts[feature] = {code(text): text for text in texts}
            new._text_bytes += sum(map(len, texts))
        networks = json.loads(_unpack(document["networks"]))
        visits = np.frombuffer(_unpack(document["visits"]), "<u4").reshape(3, -1).T.tolist()
        seen = (
            (network, _Seen(code(network), float(first), float(last), hours))
            for network, (first, last, hours) in zip(networks, visits, strict=True)
        )
        new._new = dict(islice(seen, int(document["new_networks"])))
        new._regular = dict(seen)
        for network, agent, *numbers in json.loads(_unpack(document["friends"])):
            friend = new._friends[network, agent] = _Program(int(numbers[0]))
            friend.last, friend.spans, friend.busiest = int(numbers[1]), int(numbers[2]), float(numbers[3])
        return new


def _less(counts: dict[int, int], key: int) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _counts(column: NDArray[np.uint32]) -> dict[int, int]:
    values, counts = np.unique(column, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def _pack_json(data: object) -> str:
    return _pack(json.dumps(data, separators=(",", ":")).encode())


def _unpack(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
