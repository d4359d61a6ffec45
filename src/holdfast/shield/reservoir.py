"""The clean samples of one site: what its calm requests look like, as codes, of up to a week.

A reservoir: who comes at random replaces one at random. Nobody can have more than a share of it, nor replace
more of it in an hour than the hour's part: an attacker who behaves for hours, so as to be taken for normal,
gains a bounded part. Not here: what a signature would harm of it (``harm``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.shield.features import WIDTH, Codes, Feature, code
from holdfast.shield.packing import pack, unpack
from holdfast.shield.sample import Sample
from holdfast.shield.texts import TEXTS, Texts

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
_BUSIEST = 2.0  # times the average


class Reservoir:
    """One site's."""

    def __init__(self) -> None:
        self._rows = np.zeros((SAMPLES, WIDTH), dtype=np.uint32)
        self._clients = np.zeros(SAMPLES, dtype=np.uint32)
        self._n = 0
        self._version = 0
        """Changes whenever the samples do."""
        self._of_client: dict[int, int] = {}
        self._of_network: dict[int, int] = {}
        self._room = 0.0
        self._texts = Texts()
        self._familiar: tuple[int, dict[Feature, frozenset[str]]] = (-1, {})

    def __len__(self) -> int:
        return self._n

    @property
    def rows(self) -> Codes:
        """Shape (samples, 13). A view."""
        return self._rows[: self._n]

    @property
    def clients(self) -> NDArray[np.uint32]:
        """Whose each of them is."""
        return self._clients[: self._n]

    # What is familiar.

    def familiar(self, feature: Feature) -> frozenset[str]:
        """The agents, or lists of header names, of at least two clients or 0.05 % of the samples."""
        if feature not in TEXTS:
            raise ValueError(f"{feature.name} is not kept as text; {', '.join(f.name for f in TEXTS)} are")
        version, familiar = self._familiar
        if version != self._version:
            familiar = {one: self._familiar_values(one) for one in TEXTS}
            self._familiar = (self._version, familiar)
        return familiar[feature]

    def _familiar_values(self, feature: Feature) -> frozenset[str]:
        column = self.rows[:, feature].astype(np.uint64)
        values, counts = np.unique(column, return_counts=True)
        pairs = np.unique(column << np.uint64(32) | self.clients)
        clients = np.unique(pairs >> np.uint64(32), return_counts=True)[1]
        often = values[(clients >= 2) | (counts >= max(0.0005 * self._n, 2))]
        texts = self._texts.of(feature)
        return frozenset(texts[value] for value in often.tolist() if value in texts)

    # What is taken in.

    def make_room(self, seconds: float, age: float, busy: float) -> None:
        """So much time has passed at a site of this age. ``busy``: how many times the average came in it. A
        busy hour has more of the reservoir than a quiet one, but at most twice the average: who sends a lot
        for an hour does not have the week."""
        stands_for = min(max(age, YOUNG), MEMORY)
        room = SAMPLES * min(busy, _BUSIEST) * seconds / stands_for
        self._room = min(self._room + room, SAMPLES * CLIENT_SHARE)

    def pick(self, samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
        """As many as there is room for, by their weight."""
        wanted = min(SAMPLES - self._n + int(self._room), len(samples))
        if wanted == len(samples):
            return list(samples)
        if wanted == 0:
            return []
        weights = np.array([max(sample.weight, 1e-9) for sample in samples])
        are_equal = weights.max() == weights.min()  # the usual case, and much faster
        shares = None if are_equal else weights / weights.sum()
        chosen = rng.choice(len(samples), wanted, replace=False, p=shares)
        return [samples[index] for index in sorted(chosen.tolist())]

    def take(self, samples: Sequence[Sample], rows: Codes, rng: np.random.Generator) -> None:
        """Those that were picked, and their codes."""
        for sample, row in zip(samples, rows, strict=True):
            self._put(sample, row, rng)
        self._version += 1
        self._texts.trim(self.rows)

    def _put(self, sample: Sample, row: NDArray[np.uint32], rng: np.random.Generator) -> None:
        client, network = code(sample.client), int(row[Feature.NETWORK])
        place = self._place(client, network, rng)
        if place == self._n:
            self._n += 1
        else:
            _less(self._of_client, int(self._clients[place]))
            _less(self._of_network, int(self._rows[place, Feature.NETWORK]))
        self._rows[place], self._clients[place] = row, client
        self._of_client[client] = self._of_client.get(client, 0) + 1
        self._of_network[network] = self._of_network.get(network, 0) + 1
        for feature in TEXTS:
            self._texts.add(feature, int(row[feature]), sample.values[feature])

    def _place(self, client: int, network: int, rng: np.random.Generator) -> int:
        """Who has his share already replaces one of his own."""
        if self._of_client.get(client, 0) >= SAMPLES * CLIENT_SHARE:
            own = np.flatnonzero(self.clients == client)
            return int(own[rng.integers(len(own))])
        if self._of_network.get(network, 0) >= SAMPLES * NETWORK_SHARE:
            own = np.flatnonzero(self.rows[:, Feature.NETWORK] == network)
            return int(own[rng.integers(len(own))])
        if self._n < SAMPLES:
            return self._n
        self._room -= 1
        return int(rng.integers(SAMPLES))

    # Saving.

    def document(self) -> dict[str, Any]:
        """As JSON can hold it. Which client is whose does not matter, and a checksum beside a network would
        give the address away, so clients are numbered."""
        return {
            "room": self._room,
            "rows": pack(np.ascontiguousarray(self.rows.T, dtype="<u4").tobytes()),
            "clients": pack(_numbered(self.clients).astype("<u4").tobytes()),
            **self._texts.document(self.rows),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Reservoir:
        """The inverse, but for who is who."""
        new = cls()
        new._room = float(document["room"])
        rows = np.frombuffer(unpack(document["rows"]), "<u4").reshape(WIDTH, -1).T
        n = new._n = min(len(rows), SAMPLES)
        new._rows[:n] = rows[:n]
        new._clients[:n] = np.frombuffer(unpack(document["clients"]), "<u4")[:n]
        new._of_client = _counts(new.clients)
        new._of_network = _counts(new.rows[:, Feature.NETWORK])
        new._texts = Texts.from_document(document)
        return new


def _numbered(codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """The same values have the same number."""
    return np.unique(codes, return_inverse=True)[1]


def _less(counts: dict[int, int], key: int) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _counts(column: NDArray[np.uint32]) -> dict[int, int]:
    values, counts = np.unique(column, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
