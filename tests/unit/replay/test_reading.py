"""Lines out of files, plain and packed."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from holdfast.model.errors import HoldfastError
from holdfast.replay.access_log import LONGEST_LINE
from holdfast.replay.reading import BLOCK, LogFile

PLAIN = b"one\ntwo\r\n\nfour: \xc3\xa4 \xff\nlast"
LINES = ["one", "two\r", "", "four: ä \\xff", "last"]


def lines_of(path: Path) -> list[str]:
    with LogFile(str(path)) as file:
        return list(file.lines())


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_lines_come_whatever_they_are_packed_in(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(pack(PLAIN))  # type: ignore[operator]
    assert lines_of(path) == LINES
    with LogFile(str(path)) as file:
        assert file.count() == len(LINES)


def test_files_that_were_packed_one_by_one_and_put_together(tmp_path: Path) -> None:
    path = tmp_path / "access.log.gz"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert lines_of(path) == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "count"), [(b"", 0), (b"\n", 1), (b"one", 1), (b"one\n", 1), (b"\n\n", 2)]
)
def test_ends_of_lines(tmp_path: Path, content: bytes, count: int) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(content)
    assert len(lines_of(path)) == count
    with LogFile(str(path)) as file:
        assert file.count() == count


def test_lines_across_blocks_stay_whole(tmp_path: Path) -> None:
    made = [f"{number}{'ä' * (number % 97)}" for number in range(12_000)]
    path = tmp_path / "access.log"
    path.write_text("\n".join(made) + "\n")
    assert path.stat().st_size > 3 * BLOCK
    assert lines_of(path) == made


def test_an_endless_line_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"a" * 20 * BLOCK + b"\nnext\n")
    first, second = lines_of(path)
    assert LONGEST_LINE < len(first) < 2 * BLOCK
    assert second == "next"


def test_a_damaged_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "access.log.gz"
    path.write_bytes(gzip.compress(b"".join(b"line %d\n" % number for number in range(50_000)))[:20_000])
    with LogFile(str(path)) as file:
        lines = list(file.lines())
        assert lines[:2] == ["line 0", "line 1"]
        assert "end-of-stream" in file.damage


def test_how_much_has_been_read(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"a line\n" * BLOCK)
    with LogFile(str(path)) as file:
        lines = file.lines()
        next(lines)
        begun = file.share
        assert begun is not None
        assert 0 < begun < 0.5
        list(lines)
        assert file.share == 1.0


def test_a_name_in_place_of_standard_input() -> None:
    with LogFile("-") as file:
        assert file.name == "standard input"


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "this is a directory; name a log in it"), ("none.log", "No such file or directory")],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(HoldfastError) as wrong:
        LogFile(str(tmp_path / name))
    assert said in str(wrong.value)
