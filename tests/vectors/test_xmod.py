"""A log that golang.org/x/mod has written (``xmod/``): read, verified, and written again byte for byte."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.ledger.checkpoint import open_checkpoint
from holdfast.ledger.merkle import (
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root,
    verify_consistency,
    verify_inclusion,
)
from holdfast.ledger.note import VerifierKey, parse_verifier_key
from holdfast.ledger.tiles import decode_bundle, encode_bundle, node_reader, parse_path, tiles_of
from tests.vectors.write_log import SEEN, files

LOG = Path(__file__).parent / "xmod" / "log"
PROOFS: dict[str, Any] = json.loads((LOG / "proofs.json").read_bytes())
ROOTS = {int(size): base64.b64decode(text) for size, text in PROOFS["Roots"].items()}


def key(name: str) -> VerifierKey:
    return parse_verifier_key((LOG / name).read_text())


def entries() -> list[bytes]:
    found: list[bytes] = []
    for tile in tiles_of(600):
        if tile.level is None:
            found += decode_bundle((LOG / tile.path).read_bytes(), tile.width)
    return found


def hashes(texts: list[str] | None) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(text) for text in texts or ())


def test_its_checkpoint_opens_and_is_of_its_tiles() -> None:
    data = (LOG / "checkpoint").read_bytes()
    opened = open_checkpoint(data, key("key"), [key("witness")], quorum=1)
    assert opened.note.encode() == data
    assert [(each.key, each.time) for each in opened.cosignatures] == [(key("witness"), SEEN)]
    assert opened.checkpoint.size == 600
    node = node_reader(600, lambda tile: (LOG / tile.path).read_bytes())
    assert root(600, node) == opened.checkpoint.root


def test_it_has_the_tiles_of_its_size_and_no_others() -> None:
    paths = {path.relative_to(LOG).as_posix() for path in (LOG / "tile").rglob("*") if path.is_file()}
    assert {tile.path for tile in tiles_of(600)} == paths
    assert {parse_path(path).path for path in paths} == paths


def test_each_entry_is_under_its_leaf_hash() -> None:
    found = entries()
    node = node_reader(600, lambda tile: (LOG / tile.path).read_bytes())
    assert [leaf_hash(entry) for entry in found] == [node(0, index) for index in range(600)]
    assert (found[7], found[8], len(found[300])) == (b"", b"\0", 300)
    for tile in tiles_of(600):
        if tile.level is None:
            start = tile.index * 256
            assert encode_bundle(found[start : start + tile.width]) == (LOG / tile.path).read_bytes()


@pytest.mark.parametrize("case", PROOFS["Inclusion"], ids=lambda case: f"{case['Index']} in {case['Size']}")
def test_its_inclusion_proofs_are_ours(case: dict[str, Any]) -> None:
    index, size, proof = case["Index"], case["Size"], hashes(case["Proof"])
    verify_inclusion(leaf_hash(entries()[index]), index, size, proof, ROOTS[size])
    node = node_reader(600, lambda tile: (LOG / tile.path).read_bytes())
    assert prove_inclusion(index, size, node) == proof


@pytest.mark.parametrize("case", PROOFS["Consistency"], ids=lambda case: f"{case['Old']} to {case['New']}")
def test_its_consistency_proofs_are_ours(case: dict[str, Any]) -> None:
    old, new, proof = case["Old"], case["New"], hashes(case["Proof"])
    verify_consistency(old, new, proof, ROOTS[old], ROOTS[new])
    node = node_reader(600, lambda tile: (LOG / tile.path).read_bytes())
    assert prove_consistency(old, new, node) == proof


def test_of_the_same_entries_and_keys_we_write_the_same_log() -> None:
    written = files(entries())
    theirs = {
        path.relative_to(LOG).as_posix(): path.read_bytes() for path in LOG.rglob("*") if path.is_file()
    }
    assert json.loads(written.pop("proofs.json"), object_hook=_with_nothing) == json.loads(
        theirs.pop("proofs.json"), object_hook=_with_nothing
    )
    assert written == theirs


def _with_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    """Go writes null for a list without elements."""
    return {name: [] if value is None else value for name, value in fields.items()}
