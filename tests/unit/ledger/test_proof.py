"""The file that a customer keeps: each rule of C2SP tlog-proof, and what it must not be taken for."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from holdfast.ledger.checkpoint import Checkpoint
from holdfast.ledger.cosignature import cosign
from holdfast.ledger.errors import InconsistentError, MalformedError, UntrustedError
from holdfast.ledger.merkle import leaf_hash, node_hash
from holdfast.ledger.note import COSIGNATURE, ED25519, LARGEST_NOTE, Ed25519Signer, Note, SignerKey
from holdfast.ledger.proof import MOST_HASHES, TlogProof, parse_proof, verify_proof

LOG = SignerKey("log.example", ED25519, b"l" * 32)
OTHER = SignerKey("other.example", ED25519, b"o" * 32)
WITNESS = SignerKey("witness.example", COSIGNATURE, b"w" * 32)
FIRST, SECOND = leaf_hash(b"first"), leaf_hash(b"second")


def signed(log: SignerKey = LOG) -> bytes:
    text = Checkpoint(log.name, 2, node_hash(FIRST, SECOND)).text()
    return Note(text, (Ed25519Signer(log).sign(text), cosign(text, WITNESS, 1))).encode()


PROOF = TlogProof(1, (FIRST,), signed())
HEAD = b"c2sp.org/tlog-proof@v1\n"
HASH = base64.b64encode(FIRST) + b"\n"


def test_a_proof_is_these_lines() -> None:
    assert PROOF.encode() == HEAD + b"index 1\n" + HASH + b"\n" + signed()
    assert (
        replace(PROOF, extra=b"more").encode()
        == HEAD + b"extra bW9yZQ==\nindex 1\n" + HASH + b"\n" + signed()
    )
    assert parse_proof(HEAD + b"index 0\n\n") == TlogProof(0, (), b"")


def test_a_proof_that_holds() -> None:
    opened = verify_proof(b"second", PROOF, LOG.verifier, [WITNESS.verifier], quorum=1)
    assert (opened.checkpoint.size, opened.checkpoint.origin) == (2, "log.example")
    assert len(opened.cosignatures) == 1
    verify_proof(b"first", replace(PROOF, index=0, hashes=(SECOND,), extra=b"ignored"), LOG.verifier)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        HEAD,
        HEAD + b"\n",
        HEAD + b"\nindex 1\n\n",
        HEAD + HASH + b"\n",
        HEAD + b"index 1\n" + HASH,
        HEAD + b"index 1\nextra bW9yZQ==\n\n",
        HEAD + b"extra bW9yZQ==\nextra bW9yZQ==\nindex 1\n\n",
        HEAD + b"extra bW9yZQ=\nindex 1\n\n",
        HEAD + b"extra bW9yZR==\nindex 1\n\n",
        HEAD + b"extra  bW9yZQ==\nindex 1\n\n",
        HEAD + b"extra\nindex 1\n\n",
        HEAD + b"index 1\nindex 1\n\n",
        HEAD + b"index 01\n\n",
        HEAD + b"index -1\n\n",
        HEAD + b"index\n\n",
        HEAD + b"index  1\n\n",
        HEAD + b"index 1 \n\n",
        HEAD + b"index 1\r\n\r\n\n\n",
        HEAD + "index \u0661\n\n".encode(),
        HEAD + b"index 9223372036854775808\n\n",
        HEAD + b"index " + b"9" * 5_000 + b"\n\n",
        HEAD + b"index 1\n" + HASH[:-2] + b"\n\n",
        HEAD + b"index 1\n " + HASH + b"\n",
        HEAD + b"index 1\nAAAA\n\n",
        HEAD + b"index 1\n" + HASH * (MOST_HASHES + 1) + b"\n",
        HEAD.upper() + b"index 1\n\n",
        b" " + HEAD + b"index 1\n\n",
        HEAD.replace(b"v1", b"v2") + b"index 1\n\n",
        HEAD + b"index 1\n\n" + bytes(2 * LARGEST_NOTE),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_no_proof(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_proof(data)


@pytest.mark.parametrize("checkpoint", [b"", b"\n", signed()[:-1], signed() + b"\n", b"\n" + signed()])
def test_a_proof_without_a_right_checkpoint(checkpoint: bytes) -> None:
    """It is kept as it came, and refused when it is needed."""
    proof = parse_proof(replace(PROOF, checkpoint=checkpoint).encode())
    assert proof.checkpoint == checkpoint
    with pytest.raises((MalformedError, UntrustedError)):
        verify_proof(b"second", proof, LOG.verifier)


@pytest.mark.parametrize(
    ("entry", "proof"),
    [
        (b"first", PROOF),
        (b"third", PROOF),
        (b"\x00second", PROOF),
        (FIRST + SECOND, replace(PROOF, index=0, hashes=())),
        (b"second", replace(PROOF, index=0)),
        (b"second", replace(PROOF, index=2)),
        (b"second", replace(PROOF, hashes=())),
        (b"second", replace(PROOF, hashes=(SECOND,))),
        (b"second", replace(PROOF, hashes=(FIRST, FIRST))),
    ],
)
def test_a_proof_of_something_else(entry: bytes, proof: TlogProof) -> None:
    with pytest.raises(InconsistentError):
        verify_proof(entry, proof, LOG.verifier)


def test_a_proof_from_another_log() -> None:
    foreign = replace(PROOF, checkpoint=signed(OTHER))
    verify_proof(b"second", foreign, OTHER.verifier)
    with pytest.raises(UntrustedError, match="not signed by"):
        verify_proof(b"second", foreign, LOG.verifier)


def test_a_proof_that_too_few_have_seen() -> None:
    with pytest.raises(UntrustedError, match="1 of the 2 witnesses"):
        verify_proof(b"second", PROOF, LOG.verifier, [WITNESS.verifier], quorum=2)
