from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.ledger.checkpoint import parse_checkpoint
from holdfast.ledger.cosignature import cosign
from holdfast.ledger.errors import (
    InconsistentError,
    LedgerError,
    MalformedError,
    MissingError,
    UntrustedError,
)
from holdfast.ledger.fsck import fsck
from holdfast.ledger.log import Log, Prove
from holdfast.ledger.merkle import verify_consistency
from holdfast.ledger.note import COSIGNATURE, ED25519, Ed25519Signer, Signature, SignerKey, parse_note
from holdfast.ledger.proof import verify_proof
from holdfast.ledger.source import FolderSource

KEY = SignerKey("log.example/test", ED25519, bytes(range(32)))
WITNESSES = [SignerKey(f"witness.example/{number}", COSIGNATURE, bytes([number]) * 32) for number in range(2)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.create(tmp_path / "log", Ed25519Signer(KEY), KEY) as made:
        yield made


def entries(start: int, end: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(start, end)]


def files(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def snapshot(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in files(path)}


def test_a_new_log_has_a_checkpoint_of_nothing(log: Log, tmp_path: Path) -> None:
    head = log.checkpoint().checkpoint
    assert (head.origin, head.size, log.pending) == ("log.example/test", 0, 0)
    assert fsck(FolderSource(tmp_path / "log"), KEY.verifier).problems == ()


def test_the_life_of_an_entry(log: Log) -> None:
    assert [log.append([b"one"]), log.append([b"two", b"three"])] == [0, 1]
    assert (log.pending, log.checkpoint().checkpoint.size) == (3, 0)
    with pytest.raises(InconsistentError, match="a tree of size 0 has no leaf 1"):
        log.prove(1)
    with pytest.raises(InconsistentError, match="no entry 1; publish first"):
        log.entry(1)
    assert log.publish().checkpoint.size == 3
    assert (log.pending, log.entry(1)) == (0, b"two")
    opened = verify_proof(b"two", log.prove(1, b"extra"), KEY.verifier)
    assert opened == log.checkpoint()


def test_every_tree_proves_its_entries_and_its_past(log: Log, tmp_path: Path) -> None:
    heads = [log.checkpoint().checkpoint]
    for size in (1, 2, 255, 256, 257, 700):
        log.append(entries(heads[-1].size, size))
        heads.append(log.publish().checkpoint)
        for index in {0, size // 2, size - 1}:
            assert log.entry(index) == b"entry %d" % index
            verify_proof(log.entry(index), log.prove(index), KEY.verifier)
        for number, former in enumerate(heads):
            for latter in heads[number:]:
                proof = log.consistency(former.size, latter.size)
                verify_consistency(former.size, latter.size, proof, former.root, latter.root)
    assert fsck(FolderSource(tmp_path / "log"), KEY.verifier).problems == ()
    with pytest.raises(InconsistentError, match="the log has 700 entries, not 701"):
        log.consistency(1, 701)


def test_partial_tiles_stay_until_the_full_one_is_there(log: Log, tmp_path: Path) -> None:
    tiles = tmp_path / "log/public/tile"
    for size in (100, 200):
        log.append(entries(log.checkpoint().checkpoint.size, size))
        log.publish()
    assert files(tiles) == ["0/000.p/100", "0/000.p/200", "entries/000.p/100", "entries/000.p/200"]
    log.append(entries(200, 256))
    log.publish()
    assert files(tiles) == ["0/000", "1/000.p/1", "entries/000"]


def test_who_reads_an_older_checkpoint_finds_the_full_tile(log: Log, tmp_path: Path) -> None:
    log.append(entries(0, 200))
    log.publish()
    older = (tmp_path / "log/public/checkpoint").read_bytes()
    log.append(entries(200, 300))
    log.publish()
    (tmp_path / "log/public/checkpoint").write_bytes(older)
    assert log.entry(150) == b"entry 150"
    verify_proof(b"entry 150", log.prove(150), KEY.verifier)


@pytest.mark.parametrize("count", [300, 1])
def test_finds_an_entry(log: Log, count: int) -> None:
    log.append([*entries(0, count), b"twice"])
    log.publish()
    log.append([b"twice", b"pending"])
    assert log.find(b"entry 0") == 0
    assert log.find(b"entry 0", 1) is None
    assert log.find(b"twice") == count
    assert log.find(b"twice", count + 1) == count + 1
    assert log.find(b"pending") == count + 2
    assert log.find(b"pending", count + 3) is None
    assert log.find(b"nothing") is None


@pytest.mark.parametrize(
    ("several", "problem"),
    [
        ([], "there is nothing to append; give an entry"),
        ([b"right", bytes(65_536)], "an entry of 65536 bytes is too large; 65535 are the limit"),
    ],
)
def test_what_no_log_takes(log: Log, tmp_path: Path, several: list[bytes], problem: str) -> None:
    before = snapshot(tmp_path)
    with pytest.raises(MalformedError, match=problem):
        log.append(several)
    assert snapshot(tmp_path) == before
    assert log.append([bytes(65_535)]) == 0


def test_a_key_of_another_log_is_refused(log: Log, tmp_path: Path) -> None:
    other = SignerKey("log.example/test", ED25519, bytes(32))
    before = snapshot(tmp_path)
    with pytest.raises(UntrustedError, match=r"not the one of the log in .*; use the key that the log"):
        Log.open(tmp_path / "log", Ed25519Signer(other))
    assert snapshot(tmp_path) == before


def test_without_a_key_all_but_publishing(log: Log, tmp_path: Path) -> None:
    log.append([b"one"])
    log.publish()
    (tmp_path / "log/private/key").rename(tmp_path / "key")
    with Log.open(tmp_path / "log") as other:
        assert other.append([b"two"]) == 1
        assert other.prove(0).index == 0
        with pytest.raises(UntrustedError, match="publish where it is"):
            other.publish()


def test_a_signer_that_signs_wrongly_publishes_nothing(log: Log, tmp_path: Path) -> None:
    class Wrong(Ed25519Signer):
        def sign(self, text: str) -> Signature:
            return super().sign(text.replace("1", "2"))

    log.append([b"one"])
    with Log.open(tmp_path / "log", Wrong(KEY)) as wrong, pytest.raises(UntrustedError, match="is wrong"):
        wrong.publish()
    assert log.publish().checkpoint.size == 1


def witnessed(number: int, time: int) -> Callable[[bytes, Prove], list[Signature]]:
    return lambda signed, prove: [cosign(parse_note(signed).text, WITNESSES[number], time)]


def cosigned(log: Log) -> dict[str, int]:
    """Witness → the first eight bytes of its signature, which are its time."""
    signatures = log.checkpoint().note.signatures[1:]
    return {each.name: int.from_bytes(each.data[:8], "big") for each in signatures}


def test_witnesses_sign_before_it_is_shown(log: Log) -> None:
    log.append([b"one"])
    log.publish()
    log.append([b"two", b"three"])
    former = log.checkpoint()

    def ask(signed: bytes, prove: Prove) -> list[Signature]:
        note = parse_note(signed)
        assert log.checkpoint() == former
        root = parse_checkpoint(note.text).root
        verify_consistency(1, 3, prove(1), former.checkpoint.root, root)
        assert prove(0) == ()
        return witnessed(0, 7)(signed, prove)

    log.publish(ask)
    assert cosigned(log) == {"witness.example/0": 7}
    log.publish(witnessed(1, 8))
    assert cosigned(log) == {"witness.example/0": 7, "witness.example/1": 8}
    log.publish(witnessed(0, 9))
    log.publish()
    assert cosigned(log) == {"witness.example/0": 9, "witness.example/1": 8}
    log.append([b"four"])
    log.publish()
    assert cosigned(log) == {}, "they have not seen this one"


def test_when_no_witness_answers_it_is_published_later(log: Log) -> None:
    def fail(signed: bytes, prove: Prove) -> list[Signature]:
        raise MissingError("no witness answers", "try again")

    log.append([b"one"])
    with pytest.raises(MissingError):
        log.publish(fail)
    assert log.checkpoint().checkpoint.size == 0
    log.append([b"two"])
    assert log.publish().checkpoint.size == 2


def flip(path: Path, at: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def roll_back_checkpoint(place: Path, past: Path) -> None:
    shutil.copy(past / "public/checkpoint", place / "public/checkpoint")


def roll_back_signed(place: Path, past: Path) -> None:
    shutil.copy(past / "private/signed", place / "private/signed")


def roll_back_journal(place: Path, past: Path) -> None:
    shutil.copy(past / "private/journal", place / "private/journal")


def fork(place: Path, past: Path) -> None:
    """Another tree of the same size, signed by the same key."""
    for name in ("public/checkpoint", "private/signed"):
        shutil.copy(past.parent / "fork" / name, place / name)


DAMAGES: dict[str, tuple[Callable[[Path, Path], object], type[LedgerError], str]] = {
    "flipped bit in a tile": (
        lambda place, past: flip(place / "public/tile/0/001.p/44"),
        InconsistentError,
        "entries in tile/entries/001.p/44 are not those that the tree has",
    ),
    "flipped bit in a tile above": (
        lambda place, past: flip(place / "public/tile/1/000.p/1"),
        InconsistentError,
        "is not the one that was signed at size 300",
    ),
    "truncated tile": (
        lambda place, past: (place / "public/tile/0/001.p/44").write_bytes(bytes(100)),
        MalformedError,
        "tile/0/001.p/44 in .* has 100 bytes",
    ),
    "tile is gone": (
        lambda place, past: (place / "public/tile/0/001.p/44").unlink(),
        MissingError,
        "is not there; restore it from a copy",
    ),
    "truncated bundle": (
        lambda place, past: (place / "public/tile/entries/001.p/44").write_bytes(b"\0\1"),
        MalformedError,
        "cut off",
    ),
    "flipped bit in the checkpoint": (
        lambda place, past: flip(place / "public/checkpoint", 18),
        UntrustedError,
        "the signature of log.example/test is wrong",
    ),
    "flipped bit in what was signed": (
        lambda place, past: flip(place / "private/signed", 18),
        UntrustedError,
        "the signature of log.example/test is wrong",
    ),
    "truncated journal": (
        roll_back_journal,
        InconsistentError,
        "shorter than it was: entries are lost|the journal ends at 200: some are lost",
    ),
    "what was signed is rolled back": (
        roll_back_signed,
        InconsistentError,
        "the published checkpoint of size 300 is newer than the one signed last",
    ),
    "forked": (fork, InconsistentError, "is not the one that was signed at size 300"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_refused_and_nothing_is_changed(tmp_path: Path, what: str) -> None:
    damage, kind, problem = DAMAGES[what]
    place, past = tmp_path / "log", tmp_path / "past"
    with Log.create(tmp_path / "fork", Ed25519Signer(KEY), KEY) as other:
        other.append([b"another", *entries(1, 300)])
        other.publish()
    with Log.create(place, Ed25519Signer(KEY), KEY) as log:
        log.append(entries(0, 200))
        log.publish()
        shutil.copytree(place, past)
        log.append(entries(200, 300))
        log.publish()
    with Log.open(place) as log:
        damage(place, past)
        before = snapshot(tmp_path)
        with pytest.raises(kind, match=problem):
            log.publish()
        with pytest.raises(kind, match=problem):
            Log.open(place)
        assert snapshot(tmp_path) == before


def test_a_flipped_bit_in_the_journal_is_refused(log: Log, tmp_path: Path) -> None:
    """By whoever has not read it yet, and by whoever is to publish it."""
    log.append([b"one"])
    flip(tmp_path / "log/private/journal")
    before = snapshot(tmp_path)
    with pytest.raises(MalformedError, match="damaged at byte 40, from entry 0 on; restore it from a copy"):
        Log.open(tmp_path / "log")
    with pytest.raises(MalformedError, match="damaged at byte 40"):
        log.publish()
    assert snapshot(tmp_path) == before


def test_a_checkpoint_rolled_back_behind_the_journal_is_refused(log: Log, tmp_path: Path) -> None:
    place = tmp_path / "log"
    first = (place / "public/checkpoint").read_bytes()
    log.append([bytes(60_000)] * 20)
    log.publish()  # the journal is large, and begun anew
    (place / "public/checkpoint").write_bytes(first)
    before = snapshot(place)
    for refused in (log.publish, lambda: Log.open(place)):
        with pytest.raises(InconsistentError, match="of size 0, and one of 20 was published before"):
            refused()
    assert snapshot(place) == before


def test_a_checkpoint_rolled_back_a_little_is_as_after_a_kill(log: Log, tmp_path: Path) -> None:
    first = (tmp_path / "log/public/checkpoint").read_bytes()
    log.append([b"one"])
    published = log.publish()
    (tmp_path / "log/public/checkpoint").write_bytes(first)
    with Log.open(tmp_path / "log") as again:
        assert again.publish() == published


def test_no_proof_is_given_out_that_does_not_hold(log: Log, tmp_path: Path) -> None:
    log.append(entries(0, 600))
    log.publish()
    flip(tmp_path / "log/public/tile/0/000")
    with pytest.raises(InconsistentError, match="the proof leads elsewhere"):
        log.prove(3)
    with pytest.raises(InconsistentError):
        log.consistency(3, 600)
    with pytest.raises(InconsistentError, match="entry 255 in tile/entries/000 is not what was hashed"):
        log.entry(255)
    flip(tmp_path / "log/public/tile/entries/001")
    with pytest.raises(InconsistentError, match="entry 511 in tile/entries/001 is not what was hashed"):
        log.entry(511)
