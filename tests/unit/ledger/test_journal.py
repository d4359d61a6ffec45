from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.ledger.errors import InconsistentError, MalformedError
from holdfast.ledger.files import Files, fill
from holdfast.ledger.frame import HEADER_BYTES, encode_header
from holdfast.ledger.journal import LARGE, Journal
from holdfast.ledger.storage import Span


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(Files(), tmp_path / "journal", encode_header(5), 0o600)
    return tmp_path / "journal"


def opened(path: Path, files: Files | None = None) -> Journal:
    return Journal(path, files or Files())


def read(journal: Journal, start: int, end: int) -> list[bytes]:
    return list(journal.entries(start, end))


def test_indexes_follow_one_another(path: Path) -> None:
    journal = opened(path)
    assert journal.span() == Span(5, 5)
    assert [journal.append([b"a"]), journal.append([b"b", b"c"]), journal.append([b"d"])] == [5, 6, 8]
    assert journal.settle() == Span(5, 9)
    assert read(journal, 5, 9) == [b"a", b"b", b"c", b"d"]
    assert read(journal, 7, 8) == [b"c"]
    assert read(journal, 9, 9) == []


def test_two_that_know_it_see_what_the_other_does(path: Path) -> None:
    one, other = opened(path), opened(path)
    assert [each.append([b"x"]) for each in (one, other, one, other)] == [5, 6, 7, 8]
    assert read(one, 5, 8) == [b"x"] * 3
    assert one.span() == other.span() == opened(path).span() == Span(5, 9)


def test_what_an_interrupted_append_has_left_is_cut(path: Path) -> None:
    journal = opened(path)
    journal.append([b"kept"])
    kept = path.read_bytes()
    journal.append([b"interrupted", b"with all its entries"])
    whole = path.read_bytes()
    for length in range(len(kept), len(whole)):
        path.write_bytes(whole[:length])
        after = opened(path)
        assert after.span() == Span(5, 6)
        assert after.append([b"next"]) == 6
        after = opened(path)
        assert after.settle() == Span(5, 7)
        assert read(after, 5, 7) == [b"kept", b"next"]


def test_zeroes_at_the_end_were_never_written(path: Path) -> None:
    opened(path).append([b"kept"])
    with path.open("ab") as file:
        file.write(bytes(5000))
    journal = opened(path)
    assert journal.append([b"next"]) == 6
    assert opened(path).span() == Span(5, 7)
    assert path.stat().st_size < 1000


def test_any_flipped_bit_is_refused_and_nothing_is_cut(path: Path) -> None:
    journal = opened(path)
    journal.append([b"one"])
    journal.append([b"two"])
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        after = opened(path)
        if bit < 8 * HEADER_BYTES:
            with pytest.raises(MalformedError):
                after.append([b"three"])
        else:
            with pytest.raises(MalformedError, match=rf"damaged at byte \d+.*truncate -s \d+ {path}"):
                after.append([b"three"])
        assert path.read_bytes() == data
        after.close()


class Refusing(Files):
    """Some calls fail; writes are remembered."""

    def __init__(self) -> None:
        self.refuses: set[str] = set()
        self.written: list[tuple[int, bytes]] = []

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write(descriptor, data, offset)
        self.written.append((offset, data))

    def sync(self, descriptor: int) -> None:
        if "sync" in self.refuses:
            raise OSError("no sync")
        super().sync(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        if "truncate" in self.refuses:
            raise OSError("no truncate")
        super().truncate(descriptor, length)


def test_what_could_not_be_synced_is_taken_back(path: Path) -> None:
    files = Refusing()
    journal = opened(path, files)
    journal.append([b"kept"])
    before = path.read_bytes()
    files.refuses = {"sync"}
    with pytest.raises(OSError, match="no sync"):
        journal.append([b"refused"])
    assert path.read_bytes() == before
    files.refuses = set()
    assert journal.append([b"next"]) == 6


@pytest.mark.parametrize("is_same", [True, False])
@pytest.mark.parametrize("does", ["append", "settle"])
def test_what_could_not_be_taken_back_either_is_written_again(path: Path, is_same: bool, does: str) -> None:
    """After a failed sync the system takes pages for clean: another sync alone would not save them."""
    files = Refusing()
    journal = opened(path, files)
    journal.append([b"kept"])
    offset = path.stat().st_size
    files.refuses = {"sync", "truncate"}
    with pytest.raises(OSError, match="no sync"):
        journal.append([b"refused"])
    left = path.read_bytes()[offset:]
    files.refuses = set()
    files.written.clear()
    following = journal if is_same else opened(path, files)
    following.append([b"next"]) if does == "append" else following.settle()
    [(at, data)] = files.written
    assert at <= offset
    assert data[offset - at :].startswith(left)


def test_a_read_may_give_less_than_was_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does of more than 2 GiB. What others have appended is not written over."""
    several = [b"%d" % number * 500 for number in range(10)]
    first = opened(path).span().end
    for each in several:
        opened(path).append([each])
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, count, at: pread(file, min(count, 1500), at))
    assert opened(path).append([b"next"]) == first + 10
    again = opened(path)
    assert again.span().end == first + 11
    assert read(again, first, first + 11) == [*several, b"next"]


def test_one_that_has_become_shorter_is_refused(path: Path) -> None:
    journal = opened(path)
    journal.append([b"one"])
    os.truncate(path, HEADER_BYTES)
    with pytest.raises(InconsistentError, match="shorter than it was: entries are lost"):
        journal.append([b"two"])


def test_it_is_begun_anew_when_it_is_large(path: Path) -> None:
    one, other = opened(path), opened(path)
    one.append([b"small"])
    one.forget(6)
    assert one.span() == Span(5, 6), "this was not worth it"
    index = one.append([b"x" * 60_000] * (LARGE // 60_000 + 1))
    other.append([b"not published yet"])
    end = one.span().end
    one.forget(end - 1)
    assert path.stat().st_size < 1000
    for journal in (one, other, opened(path)):
        assert journal.span() == Span(end - 1, end)
        assert read(journal, end - 1, end) == [b"not published yet"]
    assert index < end - 1
    assert other.append([b"goes on"]) == end
    assert one.append([b"and on"]) == end + 1


def test_it_is_not_cut_in_the_middle_of_an_append(path: Path) -> None:
    journal = opened(path)
    journal.append([b"x" * 60_000] * 40)
    journal.forget(10)
    assert journal.span() == Span(5, 45)
