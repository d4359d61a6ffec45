"""Inclusion and consistency cases of transparency-dev/merkle, most of them negative (``README.md``)."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from holdfast.ledger.errors import InconsistentError
from holdfast.ledger.merkle import verify_consistency, verify_inclusion

DATA = Path(os.environ.get("HOLDFAST_DATA") or Path(__file__).parents[3] / "shared" / "data")
FILE = DATA / "tlog" / "rfc6962_proofs.json"


def cases() -> list[Any]:
    if not FILE.exists():
        reason = f"{FILE} is not there: put it there, or set HOLDFAST_DATA"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason), id="no data")]
    found = json.loads(FILE.read_bytes())
    kinds = ("inclusion/", "consistency/")
    return [pytest.param(case, id=case["name"]) for case in found if case["name"].startswith(kinds)]


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def check(case: dict[str, Any]) -> None:
    proof = [raw(text) for text in case["proof"] or ()]
    if "leafIdx" in case:
        verify_inclusion(raw(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, raw(case["root"]))
    else:
        verify_consistency(case["size1"], case["size2"], proof, raw(case["root1"]), raw(case["root2"]))


@pytest.mark.parametrize("case", cases())
def test_a_published_case_is_judged_as_published(case: dict[str, Any]) -> None:
    if case["wantErr"]:
        with pytest.raises(InconsistentError):
            check(case)
    else:
        check(case)


def test_no_case_is_left_out() -> None:
    if not FILE.exists():
        pytest.skip(f"{FILE} is not there")
    assert len(cases()) == 98
