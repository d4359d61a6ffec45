"""Which clause admits what: the file's shape, and each reason for a no."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest

from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, SiteScope
from holdfast.model.errors import HoldfastError
from holdfast.model.grounds import Measure, admit, measure_of, parse_grounds

FILE = """
format = "holdfast-grounds/1"
version = "2026-11-01"

[[grounds]]
clause = "2"
name = "court order"
text = "A court has ordered it."
measures = ["block-url", "block-hostname", "block-site"]
max_days = 90
legal_demand = true

[[grounds]]
clause = "4.2"
name = "Threat to life"
text = "It threatens the life of a person."
measures = ["block-url", "block-site"]
max_days = 14
"""
GROUNDS = parse_grounds(FILE.encode())
DAY = timedelta(days=1)


def test_a_file_is_read() -> None:
    assert GROUNDS.version == "2026-11-01"
    order, threat = GROUNDS
    assert (order.legal_demand, threat.legal_demand) == (True, False)
    assert threat.measures == {Measure.URL, Measure.SITE}
    assert threat.words == "Clause 4.2, Threat to life: It threatens the life of a person."


def test_the_hash_is_of_the_bytes() -> None:
    """A comment may change what people understand: it is another version."""
    other = parse_grounds(FILE.encode() + b"# reviewed\n")
    assert other.grounds == GROUNDS.grounds
    assert other.hash != GROUNDS.hash
    assert GROUNDS.hash.startswith("sha256:")


def test_the_demonstrations_grounds_can_be_read() -> None:
    made = parse_grounds((files("holdfast.demo") / "grounds.toml").read_bytes())
    assert {measure for each in made for measure in each.measures} >= {Measure.SITE, Measure.URL}


@pytest.mark.parametrize(
    ("scope", "measure"),
    [
        (PathScope("a", "/x/"), "block-url"),
        (HostScope("a.test"), "block-hostname"),
        (SiteScope("a"), "block-site"),
        (CustomerScope("acme"), "block-customer"),
    ],
)
def test_each_scope_has_its_measure(scope: CustomerScope, measure: str) -> None:
    assert measure_of(scope) == measure


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("holdfast-grounds/1", "holdfast-grounds/9", "format: this is not a grounds file that is known here"),
        ('version = "2026-11-01"', "", "version: this is missing"),
        ('version = "2026-11-01"', 'version = "first one"', "version: 'first one' cannot be used"),
        ('clause = "4.2"', "", "grounds[2]: clause: this is missing"),
        ('clause = "4.2"', "clause = 4.2", "grounds[2]: clause: this is missing; write a number such as 4.2"),
        ('clause = "4.2"', 'clause = "2"', "clause 2 is there 2 times"),
        ('"block-url", "block-site"', '"delete-site"', "there is no measure 'delete-site'; use block-url"),
        ('["block-url", "block-site"]', "[]", "a ground that admits no measure is none"),
        ("max_days = 14", "", "grounds[2]: max_days: every block must end"),
        ("max_days = 14", "max_days = 4000", "write a number of days from 1 to 366"),
        ("max_days = 14", "max_days = true", "every block must end"),
        ("max_days = 14", "max_days = 14\nmax_hours = 1", "max_hours: there is no such field"),
        ("legal_demand = true", "legal_demand = 'yes'", "'yes' is neither true nor false"),
        ("It threatens", "x" * 401, "characters are too many; write at most 400"),
        ("It threatens", "\\u0007", "cannot be used"),
        ("[[grounds]]", "[[reasons]]", "there is no ground; add tables [[grounds]]"),
        ("[[grounds]]", "[[grounds", "this is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, expected: str) -> None:
    assert old in FILE
    with pytest.raises(HoldfastError) as raised:
        parse_grounds(FILE.replace(old, new).encode(), "g.toml")
    assert expected in str(raised.value)
    assert str(raised.value).startswith("g.toml")


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(HoldfastError) as raised:
        parse_grounds(FILE.replace("max_days", "days").replace("name =", "title =").encode())
    assert len(raised.value.mistakes) == 8


@pytest.mark.parametrize("data", [b"\xff\xfe", b"#" * 300_000], ids=["not UTF-8", "too long"])
def test_what_is_no_text_file_is_refused(data: bytes) -> None:
    with pytest.raises(HoldfastError):
        parse_grounds(data)


def asked(**changed: Any) -> str:
    """The clause that admits it, or why not; by default a site is blocked for a day for 4.2."""
    usual = {"clause": "4.2", "name": "threat to life", "measure": Measure.SITE, "span": DAY, "authority": ""}
    try:
        return admit(GROUNDS, **{**usual, **changed}).clause
    except HoldfastError as refused:
        return str(refused)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "4.2"),
        ({"name": "  THREAT  to Life "}, "4.2"),
        ({"span": 14 * DAY}, "4.2"),
        ({"clause": "2", "name": "court order", "authority": "the court"}, "2"),
        ({"clause": "", "name": ""}, "a block needs a ground; name it with --ground and --clause"),
        ({"clause": ""}, "block-site is admitted by clause 2 (court order), clause 4.2 (Threat to life)"),
        ({"name": "we find it disgusting"}, "'we find it disgusting' is not a ground"),
        ({"name": "we find it disgusting"}, "clause 4.2 is 'Threat to life'"),
        ({"clause": "9", "name": "we find it disgusting"}, "there is no clause 9"),
        ({"measure": Measure.HOSTNAME}, "clause 4.2 (Threat to life) does not admit block-hostname"),
        ({"measure": Measure.HOSTNAME}, "it admits block-url, block-site; block-hostname is admitted by"),
        ({"measure": Measure.CUSTOMER}, "no clause admits block-customer"),
        ({"span": 14 * DAY + timedelta(seconds=1)}, "admits at most 14 days; name an earlier end"),
        ({"clause": "2", "name": "court order"}, "rests on a legal demand; say whose with --legal-demand"),
        ({"authority": "the court"}, "does not rest on a legal demand; leave --legal-demand out or name"),
    ],
)
def test_a_ground_admits_it_or_the_lack_is_named(changed: dict[str, Any], expected: str) -> None:
    assert expected in asked(**changed)
