"""``fsck`` on folders that another, naive, writer has made (``folders``): what is wrong is named, and nothing
that only stands beside it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.ledger.fsck import MOST_PROBLEMS, fsck
from holdfast.ledger.note import Note
from holdfast.ledger.source import FolderSource
from holdfast.ledger.verify import Report
from tests.unit.ledger.folders import LOG, SIGNER, checkpoint, entries, flip, leaf, put, tree, write_log

SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 1000]


def check(folder: Path, **options: Any) -> tuple[str, ...]:
    return look(folder, **options).problems


def look(folder: Path, **options: Any) -> Report:
    return fsck(FolderSource(folder), LOG.verifier, **options)


@pytest.mark.parametrize("size", SIZES)
def test_a_right_log_has_no_problems(tmp_path: Path, size: int) -> None:
    assert check(write_log(tmp_path, size)) == ()


def test_progress_goes_from_the_left_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    check(write_log(tmp_path, 1000), progress=lambda done, size: told.append((done, size)))
    assert told == [(256, 1000), (512, 1000), (768, 1000), (1000, 1000)]


@pytest.mark.parametrize("size", [1, 256, 300, 1000])
def test_every_file_matters(tmp_path: Path, size: int) -> None:
    """Without it, or with one bit of it changed, there is one problem, and it is there."""
    write_log(tmp_path, size)
    for file in sorted(tmp_path.glob("tile/**/*")):
        if file.is_dir():
            continue
        path, data = str(file.relative_to(tmp_path)), file.read_bytes()
        file.unlink()
        assert check(tmp_path) == (f"{path}: it is not there",)
        file.write_bytes(data)
        flip(file, len(data) - 1)
        (problem,) = check(tmp_path)
        assert problem.startswith(f"{path}: ")
        file.write_bytes(data)


Change = Callable[[Path], None]


def cut(path: str, by: int = 1) -> Change:
    return lambda folder: put(folder, path, (folder / path).read_bytes()[:-by])


def add(path: str, more: bytes) -> Change:
    return lambda folder: put(folder, path, (folder / path).read_bytes() + more)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda log: flip(log / "tile/entries/000", 4),
            "tile/entries/000: not what the log had here: entry 0",
        ),
        (lambda log: flip(log / "tile/0/001", 33), "tile/0/001: not the hash of its entry: 257"),
        (lambda log: flip(log / "tile/0/003.p/232", 0), "tile/0/003.p/232: not the hash of its entry: 768"),
        (lambda log: flip(log / "tile/1/000.p/3", 64), "tile/1/000.p/3: not the hash of tile/0/002"),
        (cut("tile/entries/000"), "tile/entries/000: it is cut off after 255 entries, and should have 256"),
        (add("tile/entries/003.p/232", b"\0\0"), "tile/entries/003.p/232: it has more than 232 entries"),
        (add("tile/0/000", b"\0"), "tile/0/000: "),
        (cut("tile/0/000", 32), "tile/0/000: it has 8160 bytes, not 8192"),
        (cut("tile/1/000.p/3", 96), "tile/1/000.p/3: it has 0 bytes, not 96"),
    ],
)
def test_where_and_what(tmp_path: Path, change: Change, problem: str) -> None:
    change(write_log(tmp_path, 1000))
    (found,) = check(tmp_path)
    assert found.startswith(problem)


def test_several_entries_of_one_bundle_are_one_problem(tmp_path: Path) -> None:
    bundle = write_log(tmp_path, 300) / "tile/entries/000"
    for at in (4, 13, 22, 31, 40):
        flip(bundle, at)
    assert check(tmp_path) == ("tile/entries/000: not what the log had here: entry 0, 1, 2 and 2 more",)


def test_entry_and_hash_changed_together_do_not_fit_what_lies_above(tmp_path: Path) -> None:
    """A log that rewrites one of its entries, and the tile over it."""
    write_log(tmp_path, 1000)
    forged = entries(256)
    forged[7] = b"another"
    put(tmp_path, "tile/entries/000", b"".join(len(each).to_bytes(2, "big") + each for each in forged))
    put(tmp_path, "tile/0/000", b"".join(leaf(each) for each in forged))
    assert check(tmp_path) == ("tile/0/000: it fits what lies below, and not what lies above it",)


def test_another_tree_than_the_one_that_was_signed(tmp_path: Path) -> None:
    write_log(tmp_path, 1000)
    leaves = [leaf(each) for each in entries(1000)]
    put(tmp_path, "checkpoint", checkpoint([*leaves[:-1], leaf(b"another")]).encode())
    assert check(tmp_path) == ("checkpoint: its root is not that of the tree that is served",)


def test_two_things_wrong_above_one_another(tmp_path: Path) -> None:
    write_log(tmp_path, 1000)
    flip(tmp_path / "tile/1/000.p/3", 0)
    flip(tmp_path / "tile/entries/002", 2)
    flip(tmp_path / "tile/0/003.p/232", 0)
    problems = check(tmp_path)
    assert any(each.startswith("tile/1/000.p/3: not the hash of tile/0/000") for each in problems)
    assert any(each.startswith("tile/0/002: these entries have other hashes") for each in problems)
    assert any(each.startswith("tile/0/003.p/232: these entries have other hashes") for each in problems)


def test_a_log_that_has_grown_meanwhile_keeps_only_full_files(tmp_path: Path) -> None:
    write_log(tmp_path, 512)
    put(tmp_path, "checkpoint", checkpoint([leaf(each) for each in entries(300)]).encode())
    put(tmp_path, "tile/1/000.p/1", tree([leaf(each) for each in entries(256)]))
    assert check(tmp_path) == ()
    flip(tmp_path / "tile/entries/001", 2)
    assert check(tmp_path) == ("tile/entries/001.p/44: not what the log had here: entry 256",)


def test_a_pruned_log(tmp_path: Path) -> None:
    write_log(tmp_path, 1000)
    for path in ("tile/entries/000", "tile/0/000", "tile/entries/001", "tile/0/001"):
        (tmp_path / path).unlink()
    assert len(check(tmp_path)) == 4
    assert check(tmp_path, pruned_below=600) == ()
    assert check(tmp_path, pruned_below=512) == ()
    assert set(check(tmp_path, pruned_below=511)) == {
        "tile/0/001: it is not there",
        "tile/entries/001: it is not there",
    }
    flip(tmp_path / "tile/entries/002", 2)
    assert check(tmp_path, pruned_below=600) == ("tile/entries/002: not what the log had here: entry 512",)


def test_a_log_pruned_to_its_end(tmp_path: Path) -> None:
    write_log(tmp_path, 512)
    for path in ("entries/000", "0/000", "entries/001", "0/001"):
        (tmp_path / "tile" / path).unlink()
    assert check(tmp_path, pruned_below=512) == ()
    assert check(tmp_path, pruned_below=10**9) == ()


def test_a_log_that_serves_its_entries_in_its_own_form(tmp_path: Path) -> None:
    write_log(tmp_path, 600)
    for bundle in (tmp_path / "tile/entries").rglob("*"):
        if bundle.is_file():
            bundle.unlink()
    assert len(check(tmp_path)) == 3
    assert check(tmp_path, has_entries=False) == ()
    flip(tmp_path / "tile/0/001", 0)
    assert check(tmp_path, has_entries=False) == (
        "tile/0/001: it fits what lies below, and not what lies above it",
    )


def test_a_log_of_which_nothing_is_left(tmp_path: Path) -> None:
    write_log(tmp_path, 100 * 256)
    put(tmp_path / "left", "checkpoint", (tmp_path / "checkpoint").read_bytes())
    problems = check(tmp_path / "left")
    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1].startswith("there are more than 100 problems")


def test_a_checkpoint_of_more_entries_than_there_can_be(tmp_path: Path) -> None:
    """It ends, and soon."""
    text = checkpoint([]).text.replace("\n0\n", f"\n{2**63 - 1}\n")
    put(tmp_path, "checkpoint", Note(text, (SIGNER.sign(text),)).encode())
    assert len(check(tmp_path)) == MOST_PROBLEMS + 1


def test_large_entries(tmp_path: Path) -> None:
    entry = bytes(65_535)
    put(tmp_path, "tile/entries/000.p/2", (b"\xff\xff" + entry) * 2)
    put(tmp_path, "tile/0/000.p/2", leaf(entry) * 2)
    put(tmp_path, "checkpoint", checkpoint([leaf(entry)] * 2).encode())
    assert check(tmp_path) == ()


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    def peak(size: int) -> int:
        source = FolderSource(write_log(tmp_path / str(size), size))
        tracemalloc.start()
        try:
            assert fsck(source, LOG.verifier).problems == ()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(5_000), peak(40_000)
    assert large < 1.5 * small
