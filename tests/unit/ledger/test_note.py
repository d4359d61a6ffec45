"""Signed notes and keys: each rule of C2SP signed-note, and each way to break it."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from holdfast.ledger.errors import MalformedError, UntrustedError
from holdfast.ledger.note import (
    COSIGNATURE,
    ED25519,
    LARGEST_NOTE,
    MOST_SIGNATURES,
    Ed25519Signer,
    Note,
    Signature,
    SignerKey,
    VerifierKey,
    parse_note,
    parse_signature,
    parse_signer_key,
    parse_verifier_key,
    verify_note,
)

ALICE = SignerKey("alice.example/log", ED25519, b"a" * 32)
BOB = SignerKey("bob.example/log", ED25519, b"b" * 32)
TEXT = "First line\n\nafter an empty one: ünïcode\n"
BY_ALICE = Ed25519Signer(ALICE).sign(TEXT)
BY_BOB = Ed25519Signer(BOB).sign(TEXT)
NOTE = Note(TEXT, (BY_ALICE,))
LINE = BY_ALICE.line()


def test_a_note_is_these_bytes() -> None:
    data = f"{TEXT}\n— alice.example/log ".encode()
    assert NOTE.encode().startswith(data)
    assert NOTE.encode().endswith(b"\n")
    assert parse_note(NOTE.encode()) == NOTE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"text\n{LINE}".encode(),
        f"text\n\n{LINE}"[:-1].encode(),
        f"text\n\n{LINE}\n".encode(),
        f"text\n\n{LINE}more\n".encode(),
        f"text\n\n {LINE}".encode(),
        f"\n{LINE}".encode(),
        f"text\r\n\r\n{LINE}".encode(),
        f"te\0xt\n\n{LINE}".encode(),
        f"te\txt\n\n{LINE}".encode(),
        f"te\x1fxt\n\n{LINE}".encode(),
        f"text\n\n{LINE}".encode("utf-16"),
        b"te\xffxt\n\n" + LINE.encode(),
        b"te\xed\xa0\x80xt\n\n" + LINE.encode(),
        b"te\xc0\x80xt\n\n" + LINE.encode(),
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_note(data)


@pytest.mark.parametrize(
    "text", ["\n", "a\n", "\n\n\n", "a\n\n\n", "— a b\n", "\x7f\u0085\u00a0\ufeff\U0010ffff\n"]
)
def test_texts_that_a_note_may_have(text: str) -> None:
    """Empty lines too: the last one ends the text."""
    assert parse_note(f"{text}\n{LINE}".encode()) == Note(text, (BY_ALICE,))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "—",
        "— a",
        "- alice AAAAAAA=",
        "–  alice AAAAAAA=",
        "—alice AAAAAAA=",
        "—  alice AAAAAAA=",
        "— alice  AAAAAAA=",
        "— alice AAAAAAA= ",
        "— alice\u00a0b AAAAAAA=",
        "— al+ice AAAAAAA=",
        "— al\u2003ice AAAAAAA=",
        "— al\u3000ice AAAAAAA=",
        "— alice AAAA",
        "— alice AAAAAA==",
        "— alice AAAAAAB=",
        "— alice AAAAAAA",
        "— alice AAAAAAA==",
        "— alice AAAAA-A=",
        "— alice AAAAA_A=",
        "— alice =AAAAAAA",
        "— alice AAAAAAA=AAAA",
        "— alice ÄAAAAAA=",
    ],
)
def test_what_is_no_signature_line(line: str) -> None:
    with pytest.raises(MalformedError):
        parse_signature(line)


def test_the_shortest_signature() -> None:
    assert parse_signature("— a AAECAwQ=") == Signature("a", b"\0\1\2\3", b"\4")


def test_many_signatures() -> None:
    """At least 16 must be accepted; and there is a limit, in number and in bytes."""
    most = Note(TEXT, (BY_ALICE,) * MOST_SIGNATURES)
    assert MOST_SIGNATURES >= 16
    assert len(verify_note(parse_note(most.encode()), [ALICE.verifier])) == MOST_SIGNATURES
    with pytest.raises(MalformedError, match="65 signatures"):
        parse_note(Note(TEXT, (BY_ALICE,) * (MOST_SIGNATURES + 1)).encode())
    with pytest.raises(MalformedError, match="too large"):
        parse_note(Note("x" * LARGEST_NOTE + "\n", (BY_ALICE,)).encode())


def test_sixteen_of_the_largest_signatures_fit() -> None:
    """Of post-quantum keys: nearly 5 kB each."""
    large = Signature("new.example", b"\6\6\6\6", bytes(5_000))
    note = Note(TEXT, (*(large,) * 15, BY_ALICE))
    assert verify_note(parse_note(note.encode()), [ALICE.verifier]) == (BY_ALICE,)


UNKNOWN = [
    BY_BOB,
    replace(BY_BOB, name=ALICE.name),
    replace(BY_ALICE, name=BOB.name),
    replace(BY_ALICE, key_id=bytes(4)),
    Signature(ALICE.name, b"\0\0\0\1", b"of a type that is not invented yet"),
    Signature(ALICE.name, replace(ALICE, kind=COSIGNATURE).verifier.key_id, bytes(72)),
]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_unknown_signatures_are_ignored(unknown: Signature) -> None:
    """Also those that share name or id, but not both, with a known key."""
    for signatures in ((unknown, BY_ALICE), (BY_ALICE, unknown)):
        assert verify_note(Note(TEXT, signatures), [ALICE.verifier]) == (BY_ALICE,)
    with pytest.raises(UntrustedError, match=r"not signed by alice\.example/log"):
        verify_note(Note(TEXT, (unknown,)), [ALICE.verifier])


@pytest.mark.parametrize(
    "wrong",
    [
        replace(BY_ALICE, data=BY_BOB.data),
        replace(BY_ALICE, data=BY_ALICE.data[:-1]),
        replace(BY_ALICE, data=BY_ALICE.data + b"\0"),
        replace(BY_ALICE, data=b"\0"),
    ],
)
def test_a_wrong_signature_of_a_known_key_ends_it(wrong: Signature) -> None:
    """Whatever else is under the note: before it, after it, and of the same key."""
    keys = [ALICE.verifier, BOB.verifier]
    for signatures in ((wrong,), (wrong, BY_BOB), (BY_BOB, wrong), (wrong, BY_ALICE), (BY_ALICE, wrong)):
        with pytest.raises(UntrustedError, match=r"signature of alice\.example/log is wrong"):
            verify_note(Note(TEXT, signatures), keys)


def test_nobody_is_trusted() -> None:
    with pytest.raises(UntrustedError, match="not signed by anybody"):
        verify_note(NOTE, [])
    with pytest.raises(UntrustedError):
        verify_note(Note(TEXT, ()), [ALICE.verifier])


def test_a_cosignature_is_no_signature_of_the_text() -> None:
    """One key under both types: what it signed as one does not count as the other."""
    both = replace(ALICE, kind=COSIGNATURE)
    disguised = Signature(both.name, both.verifier.key_id, ALICE.sign(TEXT.encode()))
    with pytest.raises(UntrustedError):
        verify_note(Note(TEXT, (disguised,)), [both.verifier])


def test_a_log_does_not_sign_with_a_witnesss_key() -> None:
    with pytest.raises(MalformedError, match="for cosignatures"):
        Ed25519Signer(replace(ALICE, kind=COSIGNATURE))


GOOD = str(ALICE.verifier)
NAME, ID, KEY = GOOD.split("+", 2)


def key_text(data: bytes, name: str = NAME) -> str:
    """With the id that belongs to it."""
    key = VerifierKey(name, data[0], data[1:])
    return f"{name}+{key.key_id.hex()}+{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no verifier key"),
        (NAME, "no verifier key"),
        (f"{NAME}+{ID}", "no verifier key"),
        (f"+{ID}+{KEY}", "cannot be a key's name"),
        (f"a b+{ID}+{KEY}", "cannot be a key's name"),
        (f"a\u2028b+{ID}+{KEY}", "cannot be a key's name"),
        (f"a\x01b+{ID}+{KEY}", "cannot be a key's name"),
        (f"a\udcffb+{ID}+{KEY}", "cannot be a key's name"),
        (f"{'x' * 256}+{ID}+{KEY}", "more than 255 bytes"),
        (f"{NAME}+00000000+{KEY}", "the id"),
        (f"{NAME}+{ID.upper()}+{KEY}", "the id"),
        (f"{NAME}+{ID[:7]}+{KEY}", "the id"),
        (f"{NAME}++{KEY}", "the id"),
        (f"{NAME}+{ID}+", "not known here"),
        (f"{NAME}+{ID}+{KEY[:-1]}", "not spelled right"),
        (f"{NAME}+{ID}+{KEY}=", "not spelled right"),
        (f"{NAME}+{ID}+ {KEY}", "not spelled right"),
        (f"{NAME}+{ID}+{KEY}\u00e9", "not spelled right"),
        (f"{BOB.name}+{ID}+{KEY}", "the id"),
        (key_text(b"\1" + bytes(31)), "31 bytes"),
        (key_text(b"\4" + bytes(33)), "33 bytes"),
        (key_text(b"\2" + bytes(90)), "not known here"),
        (key_text(b"\6" + bytes(1_312)), "not known here"),
        (ALICE.text(), "the id|not spelled|cannot|not known"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_is_no_verifier_key(text: str, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason) as refused:
        parse_verifier_key(text)
    assert "holdfast ledger init" in refused.value.remedy or "use a" in refused.value.remedy


@pytest.mark.parametrize("text", [f"{GOOD}\n", f"  {GOOD}\r\n"])
def test_blanks_around_a_key_are_no_part_of_it(text: str) -> None:
    assert parse_verifier_key(text) == ALICE.verifier


SECRET = ALICE.text()
SEED = SECRET.split("+")[-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD,
        SECRET[1:],
        SECRET.lower(),
        SECRET[:-1],
        f"{SECRET}=",
        SECRET.replace(NAME, BOB.name),
        SECRET.replace(NAME, "a b"),
        SECRET.replace("+", " "),
        f"{SECRET} {SECRET}",
        f"PRIVATE+KEY+{NAME}+{ID}+{base64.b64encode(bytes((1,)) + b'a' * 31).decode()}",
        f"PRIVATE+KEY+{NAME}+{ID}+{base64.b64encode(bytes((2,)) + b'a' * 32).decode()}",
    ],
)
def test_what_is_no_signer_key(text: str) -> None:
    """What is said about it never shows the seed."""
    with pytest.raises(MalformedError) as refused:
        parse_signer_key(text)
    shown = f"{refused.value} {refused.value.__cause__!r} {refused.value.args}"
    assert SEED[:12] not in shown
    assert SEED[:12].lower() not in shown


def test_a_signer_key_keeps_its_secret() -> None:
    assert parse_signer_key(f"{SECRET}\n") == ALICE
    for shown in (repr(ALICE), str(ALICE), repr(Ed25519Signer(ALICE)), str(ALICE.verifier)):
        assert SEED not in shown
        assert repr(ALICE.seed) not in shown
        assert ALICE.seed.hex() not in shown
