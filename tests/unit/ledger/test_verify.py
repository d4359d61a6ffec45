"""``verify`` on folders that another, naive, writer has made (``folders``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.ledger.cosignature import cosign
from holdfast.ledger.errors import MissingError
from holdfast.ledger.note import COSIGNATURE, ED25519, Ed25519Signer, Note, Signature, SignerKey, parse_note
from holdfast.ledger.source import FolderSource
from holdfast.ledger.tiles import Tile, tiles_of
from holdfast.ledger.verify import ENTRIES, Report, tile_path, verify
from tests.unit.ledger.folders import LOG, SIGNER, checkpoint, entries, flip, leaf, put, tree, write_log

W1, W2 = (SignerKey(f"w{number}.example", COSIGNATURE, bytes([number]) * 32) for number in (1, 2))
SIZES = [0, 1, 2, 255, 256, 257, 300, 511, 512, 1000]


def look(folder: Path, *witnesses: SignerKey, quorum: int = 0) -> Report:
    return verify(FolderSource(folder), LOG.verifier, [each.verifier for each in witnesses], quorum)


def sign_again(folder: Path, *more: Signature) -> None:
    note = parse_note((folder / "checkpoint").read_bytes())
    put(folder, "checkpoint", Note(note.text, (*note.signatures, *more)).encode())


@pytest.mark.parametrize("size", SIZES)
def test_a_right_log_has_no_problems(tmp_path: Path, size: int) -> None:
    report = look(write_log(tmp_path, size))
    assert report.checkpoint is not None
    assert report.checkpoint.size == size
    assert report.checkpoint.root == tree([leaf(each) for each in entries(size)])
    assert report.problems == ()
    assert [each.name for each in report.signatures] == ["example.org/log"]


@pytest.mark.parametrize("size", [70_000, 65_536])
def test_more_levels(tmp_path: Path, size: int) -> None:
    assert look(write_log(tmp_path, size)).problems == ()
    (tmp_path / tile_path(2, 0, 1)).unlink()
    assert look(tmp_path).problems == ("tile/2/000.p/1: it is not there",)


def test_the_paths_are_those_of_the_other_spelling() -> None:
    for tile in tiles_of(70_000):
        level = ENTRIES if tile.level is None else tile.level
        assert tile_path(level, tile.index, tile.width) == tile.path
    assert tile_path(63, 1_234_067, 256) == Tile(63, 1_234_067).path == "tile/63/x001/x234/067"


def test_a_partial_tile_may_be_gone_when_the_full_one_is_there(tmp_path: Path) -> None:
    write_log(tmp_path, 300)
    full = tree_of_more(tmp_path)
    (tmp_path / "tile/0/001.p/44").unlink()
    assert look(tmp_path).problems == ("tile/0/001.p/44: it is not there",)
    put(tmp_path, "tile/0/001", full)
    assert look(tmp_path).problems == ()


def tree_of_more(folder: Path) -> bytes:
    return b"".join(leaf(each) for each in entries(512)[256:])


def test_a_full_tile_in_place_of_a_partial_one_is_too_long(tmp_path: Path) -> None:
    write_log(tmp_path, 300)
    put(tmp_path, "tile/0/001.p/44", tree_of_more(tmp_path))
    assert look(tmp_path).problems == ("tile/0/001.p/44: it has 8192 bytes, not 1408",)


@pytest.mark.parametrize("path", ["tile/0/001.p/44", "tile/1/000.p/1"])
def test_a_flipped_bit_at_the_right_edge(tmp_path: Path, path: str) -> None:
    flip(write_log(tmp_path, 300) / path, 5)
    assert look(tmp_path).problems == ("checkpoint: its root is not that of the tree that is served",)


def test_there_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        look(tmp_path)


def test_extension_lines_and_unknown_signatures_are_no_problem(tmp_path: Path) -> None:
    write_log(tmp_path, 10)
    note = checkpoint([leaf(each) for each in entries(10)], "an extension", "another=1")
    stranger = Signature("stranger.example", b"\1\2\3\4", b"of a type that nobody knows")
    put(tmp_path, "checkpoint", Note(note.text, (stranger, *note.signatures)).encode())
    report = look(tmp_path)
    assert report.problems == ()
    assert report.unknown == (stranger,)
    assert report.checkpoint is not None
    assert report.checkpoint.extensions == ("an extension", "another=1")


OTHER = Ed25519Signer(SignerKey("example.org/log", ED25519, bytes(32)))
ELSEWHERE = Ed25519Signer(SignerKey("example.org/other", ED25519, bytes(32)))


@pytest.mark.parametrize("signer", [OTHER, ELSEWHERE])
def test_somebody_elses_checkpoint_is_not_looked_at(tmp_path: Path, signer: Ed25519Signer) -> None:
    write_log(tmp_path, 10)
    put(tmp_path, "checkpoint", checkpoint([], signer=signer).encode())
    report = look(tmp_path)
    assert report.checkpoint is None
    assert report.problems == ("checkpoint: the note is not signed by example.org/log",)


def test_a_checkpoint_of_another_log_that_this_key_has_signed(tmp_path: Path) -> None:
    text = checkpoint([], signer=ELSEWHERE).text
    put(tmp_path, "checkpoint", Note(text, (SIGNER.sign(text),)).encode())
    assert look(tmp_path).problems == ("checkpoint: it is of example.org/other, not of example.org/log",)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe", b"three\nlines\nonly\n", b"a" * 100])
def test_a_malformed_checkpoint(tmp_path: Path, data: bytes) -> None:
    put(tmp_path, "checkpoint", data)
    report = look(tmp_path)
    assert report.checkpoint is None
    (problem,) = report.problems
    assert problem.startswith("checkpoint: ")


def test_a_quorum_of_witnesses(tmp_path: Path) -> None:
    write_log(tmp_path, 10)
    text = parse_note((tmp_path / "checkpoint").read_bytes()).text
    few = look(tmp_path, W1, W2, quorum=1)
    assert few.problems == ("checkpoint: 0 of the 1 witnesses that are needed have signed it",)
    sign_again(tmp_path, cosign(text, W1, 1_700_000_000), cosign(text, W1, 1_700_000_001))
    report = look(tmp_path, W1, W2, quorum=1)
    assert report.problems == ()
    assert [(each.key.name, each.time) for each in report.cosignatures] == [("w1.example", 1_700_000_000)]
    twice = look(tmp_path, W1, W2, quorum=2)
    assert twice.problems == ("checkpoint: 1 of the 2 witnesses that are needed have signed it",)


def test_one_witness_under_two_names_is_one_witness(tmp_path: Path) -> None:
    twin = SignerKey("w9.example", COSIGNATURE, W1.seed)
    write_log(tmp_path, 5)
    text = parse_note((tmp_path / "checkpoint").read_bytes()).text
    sign_again(tmp_path, cosign(text, W1, 7), cosign(text, twin, 8))
    seen = look(tmp_path, W1, twin, quorum=2)
    assert seen.problems == ("checkpoint: 1 of the 2 witnesses that are needed have signed it",)


def test_a_wrong_cosignature_is_named_and_the_right_one_counts(tmp_path: Path) -> None:
    write_log(tmp_path, 10)
    text = parse_note((tmp_path / "checkpoint").read_bytes()).text
    sign_again(tmp_path, cosign(text.replace("10", "11"), W1, 1), cosign(text, W2, 2))
    report = look(tmp_path, W1, W2, quorum=1)
    assert report.problems == ("checkpoint: the signature of w1.example is wrong",)
    assert [each.key.name for each in report.cosignatures] == ["w2.example"]
