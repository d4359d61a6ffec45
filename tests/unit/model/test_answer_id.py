"""Ids as refusals show them, and as people type them."""

from __future__ import annotations

import pytest

from holdfast.model.answer_id import AnswerId, parse_answer_id, parse_id
from holdfast.model.errors import HoldfastError

AT = 1_795_780_400


@pytest.mark.parametrize(
    ("by", "rule", "mitigation", "limit"),
    [
        ("", "shop-20261127T120000-1", "shop-20261127T120000-1", ""),
        ("", "shop-under-attack", "shop-under-attack", ""),
        ("", "s-20261127T120000-ada.l@x", "s-20261127T120000-ada.l@x", ""),
        ("", "limit-rate", "", "rate"),
        ("", "limit-at_once", "", "at_once"),
        ("m-1", "limit-rate", "m-1", "rate"),
        ("", "ceiling", "", ""),
        ("", "challenge", "", ""),
        ("", "limit-rate-20261127T120000-1", "limit-rate-20261127T120000-1", ""),
    ],
)
def test_what_an_answer_shows(by: str, rule: str, mitigation: str, limit: str) -> None:
    text = f"{by}/{rule}.{AT}" if by else f"{rule}.{AT}"
    answer = AnswerId(rule, AT, by)
    assert parse_answer_id(text) == answer
    assert str(answer) == text
    assert (answer.mitigation, answer.limit) == (mitigation, limit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "shop-1",
        ".1795780400",
        "shop.17957804",
        "shop.179578040012",
        "a/b/c.1795780400",
        "20261127-0a1b2c3d",
    ],
)
def test_what_is_no_answers_id(text: str) -> None:
    assert parse_answer_id(text) is None


@pytest.mark.parametrize("text", [" shop-1 \n", "X-Holdfast-Id: shop-1", "X-Holdfast-Id:shop-1"])
def test_an_id_may_be_copied_with_what_is_around_it(text: str) -> None:
    assert parse_id(text) == "shop-1"


@pytest.mark.parametrize(
    "text", ["", "  ", "shop 1", "shöp", "../etc/passwd", "-x", "a" * 201, "a|b", "a;b", "shop/"]
)
def test_what_can_be_no_id_is_told_with_what_ids_look_like(text: str) -> None:
    with pytest.raises(HoldfastError, match="ids look like shop-"):
        parse_id(text)
