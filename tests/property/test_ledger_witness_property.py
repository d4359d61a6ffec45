"""Whatever it is sent, a witness signs one history; and a check finds whatever is changed in a log."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from holdfast.ledger.fsck import fsck
from holdfast.ledger.merkle import prove_consistency
from holdfast.ledger.note import COSIGNATURE, SignerKey
from holdfast.ledger.source import FolderSource
from holdfast.ledger.verify import verify
from holdfast.ledger.witness_judge import Request, Seen, judge, parse_request
from tests.unit.ledger.folders import LOG, checkpoint, entries, flip, leaf, tree, write_log

WITNESS = SignerKey("witness.example", COSIGNATURE, b"w" * 32)
SIZE = 12
LEAVES = [leaf(each) for each in entries(SIZE)]


def histories() -> st.SearchStrategy[list[bytes]]:
    """The log's, or one that leaves it at some entry."""
    return st.integers(0, SIZE).map(
        lambda at: LEAVES[:at] + [leaf(b"other %d" % index) for index in range(at, SIZE)]
    )


@st.composite
def requests(draw: st.DrawFn) -> tuple[Request, list[bytes]]:
    """Mostly as an honest client of a dishonest log sends them; and the history that it is of."""
    history = draw(histories())
    old, new = draw(st.integers(0, SIZE)), draw(st.integers(0, SIZE))
    proof: tuple[bytes, ...] = draw(st.lists(st.binary(min_size=32, max_size=32), max_size=5).map(tuple))
    if old <= new and draw(st.booleans()):
        proof = prove_consistency(old, new, lambda level, at: tree(history[at << level : (at + 1) << level]))
    return Request(old, proof, checkpoint(history[:new]).encode()), history[:new]


@given(st.lists(requests(), max_size=12))
def test_what_was_signed_is_one_history(sent: list[tuple[Request, list[bytes]]]) -> None:
    seen: Seen | None = None
    signed: list[bytes] = []
    for request, history in sent:
        verdict = judge(request, seen, (LOG.verifier,), WITNESS, 1)
        if verdict.status == 200:
            assert history[: len(signed)] == signed
            signed = history
        else:
            assert verdict.remember is None
        seen = verdict.remember or seen
        assert seen is None or seen.checkpoint.size == len(signed)


@given(requests())
def test_a_request_and_its_bytes(sent: tuple[Request, list[bytes]]) -> None:
    assert parse_request(sent[0].encode()) == sent[0]


@given(st.integers(1, 700), st.data())
def test_any_bit_of_any_file_matters(size: int, data: st.DataObject) -> None:
    with TemporaryDirectory() as directory:
        folder = write_log(Path(directory), size)
        source = FolderSource(folder)
        assert verify(source, LOG.verifier).problems == fsck(source, LOG.verifier).problems == ()
        file = data.draw(st.sampled_from(sorted(each for each in folder.rglob("*") if each.is_file())))
        flip(file, data.draw(st.integers(0, file.stat().st_size - 1)))
        problems = fsck(source, LOG.verifier).problems
        assert len(problems) == 1
        assert problems[0].startswith(f"{file.relative_to(folder)}: ")
