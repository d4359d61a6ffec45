"""The agents and the lists of header names among the clean samples of one site, as text: the data plane is to
be told them. All other values are kept as codes.

The most frequent are kept, as far as there is room. Not here: which of them are familiar (``reservoir``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from holdfast.shield.features import LONGEST_TEXT, Codes, Feature, code
from holdfast.shield.packing import pack_json, unpack_json

TEXT_BYTES = 65_536
"""Of agents, and again of lists of header names."""
TEXTS = (Feature.AGENT, Feature.NAMES)


class Texts:
    """One site's: for each of ``TEXTS``, code → text."""

    def __init__(self) -> None:
        self._held: dict[Feature, dict[int, str]] = {feature: {} for feature in TEXTS}
        self._size = 0

    def of(self, feature: Feature) -> Mapping[int, str]:
        return self._held[feature]

    def add(self, feature: Feature, number: int, text: str) -> None:
        held = self._held[feature]
        if number not in held and len(text) <= LONGEST_TEXT:
            held[number] = text
            self._size += len(text)

    def trim(self, rows: Codes) -> None:
        """Now and then, down to what is kept."""
        if self._size > 2 * len(TEXTS) * TEXT_BYTES:
            self._held = {feature: self.kept(feature, rows) for feature in TEXTS}
            self._size = self.size()

    def size(self) -> int:
        return sum(len(text) for held in self._held.values() for text in held.values())

    def kept(self, feature: Feature, rows: Codes) -> dict[int, str]:
        """Of values that are among the clean samples, the most frequent, as far as there is room."""
        values, counts = np.unique(rows[:, feature], return_counts=True)
        room, texts, kept = TEXT_BYTES, self._held[feature], dict[int, str]()
        for number in values[np.argsort(-counts, kind="stable")].tolist():
            text = texts.get(number)
            if text is not None and len(text) <= room:
                kept[number] = text
                room -= len(text)
        return kept

    def document(self, rows: Codes) -> dict[str, Any]:
        """Of these clean samples, as JSON can hold it."""
        return {"texts": pack_json([list(self.kept(feature, rows).values()) for feature in TEXTS])}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Texts:
        """The inverse."""
        new = cls()
        for feature, texts in zip(TEXTS, unpack_json(document["texts"]), strict=True):
            new._held[feature] = {code(text): text for text in texts}
        new._size = new.size()
        return new
