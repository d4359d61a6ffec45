from __future__ import annotations

import pytest

from holdfast.ledger.disclosure import choose, encode_disclosures, parse_disclosures
from holdfast.ledger.entry import Disclosure
from holdfast.ledger.errors import MalformedError, MissingError

WHO = Disclosure("who", "Ada Ä", bytes(range(32)))
WHY = Disclosure("why", "", bytes(32))


@pytest.mark.parametrize("disclosures", [(), (WHO,), (WHO, WHY)])
def test_a_file_and_what_it_reveals(disclosures: tuple[Disclosure, ...]) -> None:
    assert parse_disclosures(encode_disclosures(disclosures)) == disclosures


def test_only_what_is_chosen_is_revealed() -> None:
    assert choose((WHO, WHY), ["why"]) == (WHY,)
    with pytest.raises(MissingError) as raised:
        choose((WHO, WHY), ["why", "whom"])
    assert str(raised.value) == "the entry has no private field 'whom'; it has who, why"


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"{}", b"\xff", b"[" * 100_000),
        b'{"format": "another/1", "fields": []}',
        b'{"format": "holdfast-disclosure/1", "fields": {}}',
        b'{"format": "holdfast-disclosure/1", "fields": [{"field": "a", "value": "b"}]}',
        b'{"format": "holdfast-disclosure/1", "fields": [{"field": "a", "value": 1, "salt": ""}]}',
        b'{"format": "holdfast-disclosure/1", "fields": [{"field": "a", "value": "b", "salt": "!"}]}',
    ],
)
def test_what_reveals_nothing(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_disclosures(data)
