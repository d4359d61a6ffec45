"""For all notes, keys, checkpoints, proofs, tiles and entries: there and back byte for byte. For all bytes: a
value whose bytes these are, or the ledger's own error, and nothing else. For all signed things: one bit less,
and they are not believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.ledger.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, parse_number
from holdfast.ledger.cosignature import cosign, verify_cosignature
from holdfast.ledger.entry import (
    LARGEST_NUMBER,
    LATEST,
    Disclosure,
    Entry,
    canonical,
    check_disclosure,
    compose,
    parse_entry,
)
from holdfast.ledger.errors import InconsistentError, LedgerError, MalformedError, UntrustedError
from holdfast.ledger.merkle import LARGEST, prove_inclusion
from holdfast.ledger.note import (
    COSIGNATURE,
    ED25519,
    Ed25519Signer,
    Note,
    Signature,
    SignerKey,
    VerifierKey,
    check_name,
    parse_note,
    parse_signature,
    parse_signer_key,
    parse_verifier_key,
    verify_note,
)
from holdfast.ledger.proof import TlogProof, parse_proof, verify_proof
from holdfast.ledger.tiles import Tile, decode_bundle, encode_bundle, parse_path
from tests.property.ledger_model import ModelTree

letters = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"], exclude_characters="+"
)
names = st.text(letters, min_size=1, max_size=20)
kinds = st.sampled_from([ED25519, COSIGNATURE])
seeds = hashes = st.binary(min_size=32, max_size=32)
signer_keys = st.builds(SignerKey, names, kinds, seeds)
numbers = st.one_of(st.integers(0, 300), st.integers(0, LARGEST))
lines = st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1, max_size=20)
bodies = st.lists(st.one_of(lines, st.just("")), max_size=5).map(
    lambda each: "".join(f"{x}\n" for x in each) or "\n"
)
signatures = st.builds(
    Signature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=90)
)
notes = st.builds(Note, bodies, st.lists(signatures, min_size=1, max_size=16).map(tuple))
checkpoints = st.builds(Checkpoint, lines, numbers, hashes, st.lists(lines, max_size=3).map(tuple))
proofs = st.builds(
    TlogProof,
    numbers,
    st.lists(hashes, max_size=63).map(tuple),
    st.one_of(st.binary(max_size=50), notes.map(Note.encode)),
    st.one_of(st.none(), st.binary(max_size=50)),
)
tiles = st.builds(
    Tile,
    st.one_of(st.none(), st.integers(0, 63)),
    st.one_of(st.integers(0, 2_000), st.integers(0, LARGEST)),
    st.integers(1, 256),
)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-LARGEST_NUMBER, LARGEST_NUMBER), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
disclosures = st.builds(Disclosure, texts.filter(lambda text: "\0" not in text), texts, seeds)
private = st.lists(disclosures, max_size=4).map(lambda each: {x.field: x for x in each})
entries = st.builds(
    compose, texts, st.integers(0, LATEST), st.dictionaries(texts, json_values, max_size=4), private
)


@given(signer_keys)
def test_keys_there_and_back(key: SignerKey) -> None:
    assert parse_signer_key(key.text()) == key
    assert parse_verifier_key(str(key.verifier)) == key.verifier
    assert key.seed.hex() not in repr(key)


@given(notes)
def test_a_note_there_and_back(note: Note) -> None:
    assert parse_note(note.encode()) == note


@given(checkpoints)
def test_a_checkpoint_there_and_back(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(checkpoint.text()) == checkpoint


@given(proofs)
def test_a_proof_there_and_back(proof: TlogProof) -> None:
    assert parse_proof(proof.encode()) == proof


@given(tiles)
def test_a_path_there_and_back(tile: Tile) -> None:
    assert parse_path(tile.path) == tile


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_there_and_back(bundle: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(bundle), len(bundle)) == tuple(bundle)


@given(entries)
def test_an_entry_there_and_back(entry: Entry) -> None:
    data = entry.encode()
    assert parse_entry(data) == entry
    assert json.loads(data)["public"] == entry.public  # any reader of JSON reads the same


@given(json_values)
def test_canonical_json_is_what_any_reader_reads(value: Any) -> None:
    assert json.loads(canonical(value)) == value


def same_note(data: bytes) -> bytes:
    return parse_note(data).encode()


def same_proof(data: bytes) -> bytes:
    return parse_proof(data).encode()


def same_entry(data: bytes) -> bytes:
    return parse_entry(data).encode()


def same_bundle(data: bytes) -> bytes:
    return encode_bundle(decode_bundle(data, 3))


def same_text(parse: Callable[[str], str]) -> Callable[[bytes], bytes]:
    """As a command line gives it: what is no UTF-8 becomes lone surrogates."""
    return lambda data: parse(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def stripped(parse: Callable[[str], str]) -> Callable[[str], str]:
    """Keys may have blanks around them, as files and copying leave them."""

    def same(text: str) -> str:
        found = parse(text)
        assert found == text.strip()
        return text

    return same


def same_name(name: str) -> str:
    check_name(name)
    return VerifierKey(name, ED25519, bytes(32)).name


PARSERS: dict[str, Callable[[bytes], bytes]] = {
    "note": same_note,
    "proof": same_proof,
    "entry": same_entry,
    "bundle": same_bundle,
    "checkpoint": same_text(lambda text: parse_checkpoint(text).text()),
    "signature": same_text(lambda text: parse_signature(text).line().removesuffix("\n")),
    "path": same_text(lambda text: parse_path(text).path),
    "number": same_text(lambda text: str(parse_number(text, "it"))),
    "name": same_text(same_name),
    "verifier key": same_text(stripped(lambda text: str(parse_verifier_key(text)))),
    "signer key": same_text(stripped(lambda text: parse_signer_key(text).text())),
}
KEY = SignerKey("log.example/one", ED25519, bytes(range(32)))
WITNESS = SignerKey("witness.example/two", COSIGNATURE, bytes(range(1, 33)))
TREE = ModelTree([f"entry {index}".encode() for index in range(11)])
ENTRY = compose("block", 1_800_000_000, {"id": "x", "n": [1, None, {"é": True}]}, {}).encode()


def signed(origin: str = KEY.name, size: int = 11) -> Note:
    text = Checkpoint(origin, size, TREE.hash(0, size)).text()
    return Note(text, (Ed25519Signer(KEY).sign(text), cosign(text, WITNESS, 1_800_000_000)))


PROOF = TlogProof(4, prove_inclusion(4, 11, TREE.node), signed().encode())
VALID: dict[str, bytes] = {
    "note": PROOF.checkpoint,
    "proof": replace(PROOF, extra=b"more").encode(),
    "entry": ENTRY,
    "bundle": encode_bundle([b"one", b"", b"three"]),
    "checkpoint": signed().text.encode(),
    "signature": signed().signatures[0].line().removesuffix("\n").encode(),
    "path": Tile(1, 1_234_067, 17).path.encode(),
    "number": b"20852163",
    "name": b"log.example/one",
    "verifier key": str(KEY.verifier).encode(),
    "signer key": KEY.text().encode(),
}
STRANGE = [
    *(b"\0", b"\n", b"\n\n", b"\r\n", b" ", b"+", b"-", b"0", b"00", b"1e9", b"9" * 5_000, b"[" * 100_000),
    *(
        "é".encode(),
        "\u00a0".encode(),
        "\u2003".encode(),
        "\u0661".encode(),
        "\ud800".encode("utf-8", "replace"),
    ),
    *(b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\\ud800", b'"\\ud83d\\ude00"', b"=", b"==", b"x000/", b".p/1"),
    *(
        b"-0",
        b"1.0",
        b"NaN",
        b"Infinity",
        b"null",
        b"{}",
        b'{"":' * 2_000,
        "— ".encode(),
        b"extra ",
        b"index 0\n",
    ),
]


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """Something valid with a few parts replaced, doubled or cut out."""
    data = valid
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 8)))
        part = draw(st.one_of(st.binary(max_size=3), st.sampled_from(STRANGE), st.just(data[start:end] * 2)))
        data = data[:start] + part + data[end:]
    return data


def is_taken_whole_or_refused(parse: Callable[[bytes], bytes], data: bytes) -> bool:
    """Refused in few words, however much came."""
    try:
        written = parse(data)
    except MalformedError as wrong:
        return bool(wrong.problem and wrong.remedy) and len(str(wrong)) < 600
    return written == data


@pytest.mark.parametrize("what", PARSERS)
def test_what_is_valid_is_taken(what: str) -> None:
    assert PARSERS[what](VALID[what]) == VALID[what]


@pytest.mark.parametrize("what", PARSERS)
@given(data=st.data())
def test_any_bytes_are_the_value_they_spell_or_malformed(what: str, data: st.DataObject) -> None:
    given_bytes = data.draw(st.one_of(st.binary(), mutated(VALID[what])))
    assert is_taken_whole_or_refused(PARSERS[what], given_bytes)


@pytest.mark.parametrize("what", PARSERS)
@pytest.mark.parametrize("part", STRANGE, ids=lambda part: repr(part[:12]))
def test_what_is_strange_at_either_end_too(what: str, part: bytes) -> None:
    for given_bytes in (part, part + VALID[what], VALID[what] + part):
        assert is_taken_whole_or_refused(PARSERS[what], given_bytes)


def is_believed(check: Callable[[bytes], object], data: bytes) -> bool:
    try:
        check(data)
    except LedgerError:
        return False
    return True


def bits(data: bytes) -> list[bytes]:
    """The data with each of its bits changed."""
    return [
        data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :]
        for at in range(len(data))
        for bit in range(8)
    ]


def test_no_single_bit_of_a_signed_checkpoint_may_change() -> None:
    def check(data: bytes) -> object:
        return open_checkpoint(data, KEY.verifier, [WITNESS.verifier], quorum=1)

    assert is_believed(check, PROOF.checkpoint)
    assert not [changed for changed in bits(PROOF.checkpoint) if is_believed(check, changed)]


def test_no_single_bit_of_a_proof_or_its_entry_may_change() -> None:
    def check(data: bytes) -> object:
        return verify_proof(TREE.entries[4], parse_proof(data), KEY.verifier, [WITNESS.verifier], quorum=1)

    assert is_believed(check, PROOF.encode())
    assert not [changed for changed in bits(PROOF.encode()) if is_believed(check, changed)]
    for changed in bits(TREE.entries[4]):
        with pytest.raises(InconsistentError):
            verify_proof(changed, PROOF, KEY.verifier)


def test_no_single_bit_of_a_key_may_change() -> None:
    for what in ("verifier key", "signer key"):
        for changed in bits(VALID[what]):
            with pytest.raises(MalformedError):
                PARSERS[what](changed)


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(0, LARGEST), signer_keys)
def test_who_signs_is_who_is_verified(text: str, time: int, key: SignerKey) -> None:
    if key.kind == ED25519:
        signature = Ed25519Signer(key).sign(text)
        assert verify_note(Note(text, (signature,)), [key.verifier]) == (signature,)
        with pytest.raises(UntrustedError):
            verify_note(Note(text + "x", (signature,)), [key.verifier])
    else:
        signature = cosign(text, key, time)
        assert verify_cosignature(text, signature, key.verifier).time == time
        later = replace(signature, data=(time ^ 1).to_bytes(8, "big") + signature.data[8:])
        with pytest.raises(UntrustedError):
            verify_cosignature(text, later, key.verifier)


@given(disclosures, st.binary(min_size=32, max_size=32), texts)
def test_a_commitment_is_to_one_field_value_and_salt(made: Disclosure, salt: bytes, other: str) -> None:
    entry = compose("kind", 0, {}, {made.field: made})
    check_disclosure(entry, made)
    for changed in (
        replace(made, salt=salt),
        replace(made, value=other),
        replace(made, value=made.value + other),
    ):
        if changed != made:
            with pytest.raises(InconsistentError):
                check_disclosure(entry, changed)


@given(texts, texts, seeds)
def test_nothing_moves_between_a_field_and_its_value(field: str, value: str, salt: bytes) -> None:
    whole = (field + value).replace("\0", "")
    commitments = {Disclosure(whole[:at], whole[at:], salt).commitment() for at in range(len(whole) + 1)}
    assert len(commitments) == len(whole) + 1
