"""What a witness signs, byte for byte, and who counts as one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.ledger.cosignature import Cosignature, cosign, cosignatures, verify_cosignature
from holdfast.ledger.errors import MalformedError, UntrustedError
from holdfast.ledger.note import COSIGNATURE, ED25519, Note, Signature, SignerKey, parse_note, verify_ed25519

TEXT = "log.example\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
ONE = SignerKey("one.example", COSIGNATURE, b"1" * 32)
TWO = SignerKey("two.example", COSIGNATURE, b"2" * 32)
TIME = 1_679_315_147
BY_ONE = cosign(TEXT, ONE, TIME)


def test_what_is_signed() -> None:
    """tlog-cosignature, section "Ed25519 signed message"."""
    assert len(BY_ONE.data) == 72
    assert BY_ONE.data[:8] == TIME.to_bytes(8, "big")
    verify_ed25519(ONE.verifier, b"cosignature/v1\ntime 1679315147\n" + TEXT.encode(), BY_ONE.data[8:])
    assert verify_cosignature(TEXT, BY_ONE, ONE.verifier) == Cosignature(ONE.verifier, TIME)


@pytest.mark.parametrize("time", [0, 1, 2**63 - 1])
def test_times(time: int) -> None:
    assert verify_cosignature(TEXT, cosign(TEXT, ONE, time), ONE.verifier).time == time


def test_a_time_that_no_clock_shows() -> None:
    message = f"cosignature/v1\ntime {2**63}\n{TEXT}".encode()
    data = (2**63).to_bytes(8, "big") + ONE.sign(message)
    with pytest.raises(UntrustedError, match="impossible time"):
        verify_cosignature(TEXT, Signature(ONE.name, ONE.verifier.key_id, data), ONE.verifier)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (replace(BY_ONE, data=BY_ONE.data[:-1]), "malformed"),
        (replace(BY_ONE, data=BY_ONE.data + b"\0"), "malformed"),
        (replace(BY_ONE, data=b"\0"), "malformed"),
        (replace(BY_ONE, data=(TIME + 1).to_bytes(8, "big") + BY_ONE.data[8:]), "is wrong"),
        (replace(BY_ONE, data=BY_ONE.data[:8] + bytes(64)), "is wrong"),
        (replace(BY_ONE, name=TWO.name), "no cosignature of one"),
        (replace(BY_ONE, key_id=TWO.verifier.key_id), "no cosignature of one"),
        (cosign(TEXT, TWO, TIME), "no cosignature of one"),
    ],
)
def test_what_is_no_cosignature(signature: Signature, reason: str) -> None:
    """Also the right bytes in another name: what is signed does not say who signs."""
    with pytest.raises(UntrustedError, match=reason):
        verify_cosignature(TEXT, signature, ONE.verifier)


def test_it_covers_the_whole_text() -> None:
    with pytest.raises(UntrustedError, match="is wrong"):
        verify_cosignature(TEXT + "an extension\n", BY_ONE, ONE.verifier)


def test_a_logs_key_makes_no_cosignatures_and_checks_none() -> None:
    log = replace(ONE, kind=ED25519)
    with pytest.raises(MalformedError, match="not one for cosignatures"):
        cosign(TEXT, log, TIME)
    disguised = Signature(log.name, log.verifier.key_id, BY_ONE.data)
    with pytest.raises(UntrustedError, match="no cosignature"):
        verify_cosignature(TEXT, disguised, log.verifier)
    assert cosignatures(Note(TEXT, (disguised,)), [log.verifier]) == ()


def test_each_known_witness_counts_once() -> None:
    again = cosign(TEXT, ONE, TIME + 60)
    note = parse_note(Note(TEXT, (again, BY_ONE, cosign(TEXT, TWO, TIME))).encode())
    assert cosignatures(note, [ONE.verifier, ONE.verifier]) == (Cosignature(ONE.verifier, TIME + 60),)
    assert [each.key for each in cosignatures(note, [TWO.verifier, ONE.verifier])] == [
        ONE.verifier,
        TWO.verifier,
    ]
    assert cosignatures(note, []) == ()


def test_two_names_of_one_key_are_one_witness() -> None:
    """Whoever has its cosignature can write it under the other name, too."""
    other = replace(ONE, name="other.example")
    copied = Signature(other.name, other.verifier.key_id, BY_ONE.data)
    note = Note(TEXT, (BY_ONE, copied))
    assert cosignatures(note, [ONE.verifier, other.verifier]) == (Cosignature(ONE.verifier, TIME),)


def test_a_wrong_one_of_a_known_witness_is_not_passed_over() -> None:
    wrong = replace(BY_ONE, data=bytes(72))
    for signatures in ((wrong, BY_ONE), (BY_ONE, wrong)):
        with pytest.raises(UntrustedError, match=r"signature of one\.example is wrong"):
            cosignatures(Note(TEXT, signatures), [ONE.verifier])
        assert cosignatures(Note(TEXT, signatures), [TWO.verifier]) == ()
