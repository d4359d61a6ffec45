"""Checkpoints: each rule of C2SP tlog-checkpoint, and whose they must be."""

from __future__ import annotations

import base64

import pytest

from holdfast.ledger.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, parse_number
from holdfast.ledger.cosignature import cosign
from holdfast.ledger.errors import MalformedError, UntrustedError
from holdfast.ledger.note import COSIGNATURE, ED25519, Ed25519Signer, Note, SignerKey

LOG = SignerKey("log.example", ED25519, b"l" * 32)
WITNESSES = [SignerKey(f"{name}.example", COSIGNATURE, name.encode() * 32) for name in "abc"]
KEYS = [each.verifier for each in WITNESSES]
ROOT = bytes(range(32))
ROOT_TEXT = base64.b64encode(ROOT).decode()
HEAD = Checkpoint("log.example", 7, ROOT)


def signed(checkpoint: Checkpoint = HEAD, witnesses: list[SignerKey] | None = None) -> bytes:
    text = checkpoint.text()
    lines = [cosign(text, each, 1_800_000_000 + at) for at, each in enumerate(witnesses or [])]
    return Note(text, (Ed25519Signer(LOG).sign(text), *lines)).encode()


def test_a_checkpoint_is_these_lines() -> None:
    assert HEAD.text() == f"log.example\n7\n{ROOT_TEXT}\n"
    more = Checkpoint("a log + its name", 2**63 - 1, ROOT, ("one", "two"))
    assert more.text() == f"a log + its name\n9223372036854775807\n{ROOT_TEXT}\none\ntwo\n"
    assert parse_checkpoint(more.text()) == more


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "log\n7\n",
        f"log\n7\n{ROOT_TEXT}",
        f"\n7\n{ROOT_TEXT}\n",
        f"log\n\n{ROOT_TEXT}\n",
        "log\n7\n\n",
        f"log\n7\n{ROOT_TEXT}\n\n",
        f"log\n7\n{ROOT_TEXT}\none\n\ntwo\n",
        f"log\n07\n{ROOT_TEXT}\n",
        f"log\n00\n{ROOT_TEXT}\n",
        f"log\n-1\n{ROOT_TEXT}\n",
        f"log\n+7\n{ROOT_TEXT}\n",
        f"log\n 7\n{ROOT_TEXT}\n",
        f"log\n7 \n{ROOT_TEXT}\n",
        f"log\n7_0\n{ROOT_TEXT}\n",
        f"log\n7.0\n{ROOT_TEXT}\n",
        f"log\n0x7\n{ROOT_TEXT}\n",
        f"log\n\u0667\n{ROOT_TEXT}\n",
        f"log\n9223372036854775808\n{ROOT_TEXT}\n",
        f"log\n{'9' * 5_000}\n{ROOT_TEXT}\n",
        f"log\n7\n{ROOT_TEXT} \n",
        f"log\n7\n{ROOT_TEXT[:-1]}\n",
        f"log\n7\n{ROOT_TEXT[:-2]}9=\n",
        f"log\n7\n{base64.b64encode(ROOT[1:]).decode()}\n",
        f"log\n7\n{base64.b64encode(ROOT + b'x').decode()}\n",
        f"log\n7\n{base64.urlsafe_b64encode(bytes([255] * 32)).decode()}\n",
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(text)


@pytest.mark.parametrize("number", [0, 1, 9, 10, 2**63 - 1])
def test_numbers(number: int) -> None:
    assert parse_number(str(number), "it") == number


def test_an_opened_checkpoint() -> None:
    opened = open_checkpoint(signed(witnesses=WITNESSES[:2]), LOG.verifier, KEYS, quorum=2)
    assert opened.checkpoint == HEAD
    assert [(each.key, each.time) for each in opened.cosignatures] == [
        (KEYS[0], 1_800_000_000),
        (KEYS[1], 1_800_000_001),
    ]
    assert open_checkpoint(signed(), LOG.verifier).cosignatures == ()


@pytest.mark.parametrize(
    ("there", "known", "quorum"), [(0, 3, 1), (1, 3, 2), (3, 1, 2), (3, 0, 1), (2, 3, 3)]
)
def test_too_few_witnesses(there: int, known: int, quorum: int) -> None:
    with pytest.raises(UntrustedError, match=f"{min(there, known)} of the {quorum} witnesses"):
        open_checkpoint(signed(witnesses=WITNESSES[:there]), LOG.verifier, KEYS[:known], quorum)


def test_a_checkpoint_of_another_log() -> None:
    """Signed by the key that is trusted, but for another tree of whoever has it."""
    with pytest.raises(UntrustedError, match=r"is of 'other\.example', not of log\.example"):
        open_checkpoint(signed(Checkpoint("other.example", 7, ROOT)), LOG.verifier)


def test_a_checkpoint_by_somebody_else() -> None:
    mallory = SignerKey(LOG.name, ED25519, b"m" * 32)
    note = Note(HEAD.text(), (Ed25519Signer(mallory).sign(HEAD.text()),))
    with pytest.raises(UntrustedError, match=r"not signed by log\.example"):
        open_checkpoint(note.encode(), LOG.verifier)


def test_witnesses_do_not_stand_in_for_the_log() -> None:
    text = HEAD.text()
    note = Note(text, tuple(cosign(text, each, 1) for each in WITNESSES))
    with pytest.raises(UntrustedError, match="not signed by"):
        open_checkpoint(note.encode(), LOG.verifier, KEYS, quorum=3)


def test_a_signed_note_that_is_no_checkpoint() -> None:
    note = Note("hello\n", (Ed25519Signer(LOG).sign("hello\n"),))
    with pytest.raises(MalformedError, match="three lines"):
        open_checkpoint(note.encode(), LOG.verifier)
