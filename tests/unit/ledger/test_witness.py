"""What a witness decides, as a table, and what it remembers. Asking one is in ``tests/feature``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.ledger.checkpoint import Checkpoint
from holdfast.ledger.cosignature import verify_cosignature
from holdfast.ledger.errors import LedgerError, MalformedError, StorageError, UntrustedError
from holdfast.ledger.merkle import prove_consistency
from holdfast.ledger.note import (
    COSIGNATURE,
    ED25519,
    Ed25519Signer,
    Note,
    SignerKey,
    parse_note,
    parse_signature,
)
from holdfast.ledger.witness import Witness, parse_witness
from holdfast.ledger.witness_judge import (
    Request,
    Seen,
    Verdict,
    judge,
    origin_of,
    parse_request,
    parse_seen,
    trusted_logs,
)
from holdfast.ledger.witness_service import WitnessService
from holdfast.ledger.witness_store import MOST_EVIDENCE, WitnessStore
from tests.unit.ledger.folders import LOG, SIGNER, checkpoint, entries, leaf, tree

WITNESS = SignerKey("witness.example", COSIGNATURE, b"w" * 32)
NEW_KEY = SignerKey("example.org/log", ED25519, b"n" * 32)
NOW = 1_764_000_000
LEAVES = [leaf(each) for each in entries(20)]
FORK = [*LEAVES[:7], *(leaf(b"another") for _ in range(13))]


def head(size: int, leaves: list[bytes] = LEAVES) -> bytes:
    return checkpoint(leaves[:size]).encode()


def node(level: int, index: int) -> bytes:
    return tree(LEAVES[index << level : (index + 1) << level])


def request(
    old: int, new: int, leaves: list[bytes] = LEAVES, proof: tuple[bytes, ...] | None = None
) -> Request:
    made = prove_consistency(old, new, node) if proof is None and old <= new else proof or ()
    return Request(old, made, head(new, leaves))


def seen(size: int) -> Seen:
    return parse_seen(head(size))


def decide(asked: Request, before: Seen | None) -> Verdict:
    return judge(asked, before, (LOG.verifier,), WITNESS, NOW)


@pytest.mark.parametrize(
    ("asked", "before", "status"),
    [
        (request(0, 10), None, 200),
        (request(0, 0), None, 200),
        (request(10, 13), seen(10), 200),
        (request(10, 10), seen(10), 200),
        (request(0, 5), seen(0), 200),
        (request(8, 13), seen(10), 409),
        (request(0, 13), seen(10), 409),
        (request(3, 5), seen(10), 409),
        (request(5, 10), None, 409),
        (request(10, 10, FORK), seen(10), 409),
        (request(7, 10, FORK), seen(10), 409),
        (request(13, 10), seen(10), 400),
        (request(10, 13, FORK), seen(10), 422),
        (request(10, 13, proof=()), seen(10), 422),
        (request(10, 13, proof=(b"x" * 32,) * 63), seen(10), 422),
        (request(0, 13, proof=(b"x" * 32,)), None, 422),
        (request(10, 10, proof=(b"x" * 32,)), seen(10), 422),
    ],
)
def test_the_table_of_answers(asked: Request, before: Seen | None, status: int) -> None:
    verdict = decide(asked, before)
    assert verdict.status == status
    if status != 200:
        assert verdict.remember is None
        assert "—" not in verdict.body


def test_a_cosignature_is_of_this_checkpoint_at_this_time() -> None:
    verdict = decide(request(10, 13), seen(10))
    signature = parse_signature(verdict.body.removesuffix("\n"))
    text = parse_note(head(13)).text
    assert verify_cosignature(text, signature, WITNESS.verifier).time == NOW
    assert verdict.remember == seen(13)


def test_what_was_seen_is_not_replaced_by_the_same_size() -> None:
    """But written down once more: whoever did may not have made it durable."""
    assert decide(request(10, 10), seen(10)).remember == seen(10)


def test_a_conflict_tells_the_size_that_was_seen() -> None:
    verdict = decide(request(0, 13), seen(10))
    assert (verdict.body, verdict.kind) == ("10\n", "text/x.tlog.size")
    assert decide(request(5, 10), None).body == "0\n"


@pytest.mark.parametrize("old", [0, 5, 10])
def test_a_split_view_is_refused_and_both_checkpoints_are_kept(old: int) -> None:
    verdict = decide(Request(old, (), head(10, FORK)), seen(10))
    assert verdict.status == 409
    assert verdict.evidence == (head(10), head(10, FORK))
    # Only where sizes agree does another size not help.
    assert (verdict.kind == "text/x.tlog.size") == (old != 10)


def test_an_unsigned_split_view_is_no_evidence() -> None:
    forged = checkpoint(FORK[:10], signer=Ed25519Signer(NEW_KEY)).encode()
    verdict = decide(Request(10, (), forged), seen(10))
    assert (verdict.status, verdict.evidence) == (403, None)


def test_an_empty_tree_has_one_root() -> None:
    text = Checkpoint("example.org/log", 0, b"x" * 32).text()
    assert decide(Request(0, (), Note(text, (SIGNER.sign(text),)).encode()), None).status == 409


def test_an_unknown_log_comes_before_its_signature() -> None:
    assert judge(request(0, 10), None, (), WITNESS, NOW).status == 404


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ((NEW_KEY,), 403),
        ((NEW_KEY, LOG), 200),
    ],
)
def test_a_log_may_have_a_new_key(keys: tuple[SignerKey, ...], status: int) -> None:
    trusted = [each.verifier for each in keys]
    assert judge(request(0, 10), None, trusted, WITNESS, NOW).status == status
    assert trusted_logs(trusted) == {"example.org/log": tuple(trusted)}


def test_a_signature_of_a_known_key_that_is_wrong_is_refused_whatever_stands_beside_it() -> None:
    note = checkpoint(LEAVES[:10])
    wrong = SIGNER.sign("another text\n")
    for signatures in ((wrong,), (*note.signatures, wrong)):
        assert decide(Request(0, (), Note(note.text, signatures).encode()), None).status == 403


@pytest.mark.parametrize("data", [b"", b"a\nb\nc\n", head(3)[:-1], b"one\n1\nxx\n\n\xe2\x80\x94 a AAAA\n"])
def test_a_malformed_checkpoint(data: bytes) -> None:
    assert decide(Request(0, (), data), None).status == 400


def test_extension_lines_are_cosigned_with_the_rest() -> None:
    note = checkpoint(LEAVES[:10], "an extension")
    verdict = decide(Request(0, (), note.encode()), None)
    verify_cosignature(note.text, parse_signature(verdict.body.strip()), WITNESS.verifier)


@pytest.mark.parametrize("asked", [request(0, 0), request(0, 10), request(3, 13)])
def test_a_request_and_its_bytes(asked: Request) -> None:
    assert parse_request(asked.encode()) == asked
    assert origin_of(asked) == "example.org/log"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 1\n",
        b"old 1\n" + head(3),
        b"old 01\n\n" + head(3),
        b"old -1\n\n" + head(3),
        b"old 1 \n\n" + head(3),
        b"new 1\n\n" + head(3),
        b"old 1\r\n\n" + head(3),
        b"old 1\nAAAA\n\n" + head(3),
        b"old 1\n" + b"A" * 43 + b"\n\n" + head(3),
        b"old 99999999999999999999\n\n" + head(3),
        b"old \xff\n\n" + head(3),
        Request(1, (bytes(32),) * 64, head(3)).encode(),
    ],
)
def test_what_is_no_request(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_request(data)


def test_a_witness_as_text() -> None:
    witness = Witness("https://w.example/a", WITNESS.verifier)
    assert parse_witness(f" {witness}\n") == witness


@pytest.mark.parametrize(
    "text", ["", "https://w.example", str(WITNESS.verifier), "w.example=" + str(WITNESS.verifier)]
)
def test_what_names_no_witness(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_witness(text)


def test_a_logs_key_is_no_witness() -> None:
    with pytest.raises(MalformedError, match="not a witness's"):
        parse_witness(f"https://w.example={LOG.verifier}")


# What is remembered.


@pytest.fixture
def store(tmp_path: Path) -> WitnessStore:
    made = WitnessStore.create(tmp_path / "witness", WITNESS)
    made.add_log(LOG.verifier)
    return made


def service(store: WitnessStore) -> WitnessService:
    return WitnessService(store, lambda: NOW)


def test_a_directory_of_ones_own(store: WitnessStore, tmp_path: Path) -> None:
    again = WitnessStore(tmp_path / "witness")
    assert again.key == WITNESS.verifier
    assert again.signer() == WITNESS
    assert again.logs() == (LOG.verifier,)
    assert (tmp_path / "witness/key").stat().st_mode & 0o777 == 0o600


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    for doing in (WitnessStore, lambda path: WitnessStore.create(path, WITNESS)):
        with pytest.raises(StorageError):
            doing(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["notes"]


def test_what_was_cosigned_is_remembered_by_whoever_comes_next(store: WitnessStore, tmp_path: Path) -> None:
    assert service(store).add_checkpoint(request(0, 10).encode()).status == 200
    other = service(WitnessStore(tmp_path / "witness"))
    assert other.add_checkpoint(request(0, 13).encode()).body == "10\n"
    assert other.add_checkpoint(request(10, 13).encode()).status == 200
    assert service(store).add_checkpoint(request(10, 13).encode()).body == "13\n"


def test_evidence_is_kept_once_and_not_without_end(store: WitnessStore, tmp_path: Path) -> None:
    witness = service(store)
    witness.add_checkpoint(request(0, 10).encode())
    for _ in range(2):
        assert witness.add_checkpoint(request(10, 10, FORK).encode()).status == 409
    kept = sorted((tmp_path / "witness/evidence").iterdir())
    assert [each.read_bytes() for each in kept] == [head(10), head(10, FORK)]
    for number in range(MOST_EVIDENCE + 3):
        other = [*LEAVES[:9], leaf(b"%d" % number)]
        assert witness.add_checkpoint(Request(10, (), head(10, other)).encode()).status == 409
    assert len(list((tmp_path / "witness/evidence").iterdir())) == 2 * MOST_EVIDENCE
    assert witness.add_checkpoint(request(10, 13).encode()).status == 200


def test_nothing_is_written_for_a_log_that_is_not_known(store: WitnessStore, tmp_path: Path) -> None:
    stranger = Ed25519Signer(SignerKey("stranger.example", ED25519, b"s" * 32))
    asked = Request(0, (), checkpoint(LEAVES[:3], signer=stranger).encode())
    assert service(store).add_checkpoint(asked.encode()).status == 404
    assert list((tmp_path / "witness/seen").iterdir()) == []


def test_a_witness_does_not_sign_what_it_cannot_remember(store: WitnessStore, tmp_path: Path) -> None:
    witness = service(store)
    folder = tmp_path / "witness/seen"
    folder.rename(tmp_path / "moved")
    with pytest.raises(StorageError):
        witness.add_checkpoint(request(0, 10).encode())


def test_a_witness_that_has_lost_its_memory_says_so(store: WitnessStore, tmp_path: Path) -> None:
    witness = service(store)
    witness.add_checkpoint(request(0, 10).encode())
    (memory,) = (each for each in (tmp_path / "witness/seen").iterdir() if not each.suffix)
    memory.write_bytes(b"")
    with pytest.raises(StorageError, match="damaged"):
        witness.add_checkpoint(request(10, 13).encode())


def test_a_key_that_others_can_read_is_not_used(store: WitnessStore, tmp_path: Path) -> None:
    os.chmod(tmp_path / "witness/key", 0o644)
    with pytest.raises(UntrustedError, match="others can read"):
        service(store)


@pytest.mark.parametrize("line", ["example.org/log", str(WITNESS.verifier)])
def test_a_line_that_is_no_logs_key(store: WitnessStore, tmp_path: Path, line: str) -> None:
    with (tmp_path / "witness/logs").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(LedgerError, match="line 3"):
        service(store)
