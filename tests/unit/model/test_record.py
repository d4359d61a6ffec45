"""What a public record must not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.model.enforcement import HostScope, SiteScope
from holdfast.model.errors import HoldfastError
from holdfast.model.grounds import Measure
from holdfast.model.record import BlockRecord, GroundsRecord, LiftRecord, content_hash, parse_stamp, stamp

SINCE = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
RECORD = BlockRecord(
    id="20261127-0a1b2c3d",
    scope=SiteScope("shop"),
    measure=Measure.SITE,
    ground="Clause 4.2, threat to life: what a visitor reads",
    clause="4.2",
    grounds_hash=content_hash(b"grounds"),
    since=SINCE,
    until=SINCE + timedelta(days=1),
    by_role="duty officer",
    approved_by_role="head of trust",
    statement_hash=content_hash(b"statement"),
    hostnames=("shop.test", "*.shop.test"),
)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"id": "../../etc/passwd"}, "is no id"),
        ({"id": ".hidden"}, "is no id"),
        ({"id": ""}, "empty"),
        ({"id": "x" * 65}, "is no id"),
        ({"ground": " "}, "ground: this is empty"),
        ({"by_role": ""}, "by_role: this is empty"),
        ({"measure": Measure.URL}, "call it block-site"),
        ({"scope": HostScope("a.test")}, "call it block-hostname"),
        ({"statement_hash": content_hash(b"").upper()}, "is no hash"),
        ({"grounds_hash": "sha256:"}, "is no hash"),
        ({"until": SINCE}, "before it begins"),
        ({"since": SINCE.replace(tzinfo=None)}, "time zone"),
        ({"hostnames": ("SHOP.test",)}, "usual spelling"),
    ],
)
def test_what_no_block_can_say(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(HoldfastError, match=words):
        replace(RECORD, **wrong)  # type: ignore[arg-type]


def test_what_no_other_record_can_say() -> None:
    with pytest.raises(HoldfastError, match="reason: this is empty"):
        LiftRecord("D-1", SINCE, "duty officer", "")
    with pytest.raises(HoldfastError, match="is no hash"):
        GroundsRecord("md5:0", "2026-11", "duty officer", "head of trust")


def test_times_have_one_spelling() -> None:
    assert stamp(SINCE) == "2026-11-27T16:30:00Z"
    for other in ("2026-11-27T16:30:00+00:00", "2026-11-27 16:30:00Z", "2026-11-27T16:30Z", "soon", ""):
        with pytest.raises(HoldfastError, match="usual spelling"):
            parse_stamp(other)
