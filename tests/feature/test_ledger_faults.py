"""A log whose writer is killed, whose disk fails, whose machine loses power: at every step that there is."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.ledger.errors import StorageError
from holdfast.ledger.files import Files
from holdfast.ledger.log import Log
from holdfast.ledger.note import Ed25519Signer
from tests.feature.ledger_checks import FIRST, KEY, Told, copy, goes_on, made, signed, sound, writer
from tests.feature.ledger_disk import Failing, PowerLost, Steps, Volatile
from tests.feature.ledger_writer import ALL_STEPS, act, entries

KINDS = {"create", "write", "write on", "truncate", "sync", "mkdir", "rename", "unlink", "rmdir"}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """In memory, where there is such a place: what a test is killed in need not outlive it, and thousands of
    syncs are quick."""
    memory = Path("/dev/shm")  # noqa: S108 - below it the name is random
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def beginning(place: Path) -> Path:
    return made(place / "beginning")


@pytest.fixture
def here(place: Path) -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(dir=place))
    yield made
    shutil.rmtree(made)


def first() -> Told:
    """What the writer of the beginning was told."""
    kept = [each.decode().rstrip(".") for each in entries("first", FIRST)]
    return Told(dict(enumerate(kept)), [FIRST])


def write(place: Path, files: Files, told: Told) -> None:
    """All steps, in this process."""
    with Log.open(place, files=files) as log:
        for what, several in ALL_STEPS:
            act(log, what, several, told.keep, told.published.append)


def steps(place: Path) -> int:
    """How many there are, all of which are taken."""
    files = Steps()
    write(place, files, Told())
    assert set(files.seen) == KINDS
    return files.count


def test_killed_at_every_step(here: Path, beginning: Path) -> None:
    total = steps(copy(beginning, here / "0"))
    assert total > 50
    places = [copy(beginning, here / str(number)) for number in range(1, total + 2)]
    with writer("kill", *map(str, places)) as process:
        said, _ = process.communicate(timeout=120)
    # The last one has a step more than there are: the count is right, and all others died.
    assert said.splitlines() == ["ended -9"] * total + ["ended 0"]
    for place in places:
        told = first()
        told.read(place.with_suffix(".said").read_text())
        goes_on(place, told, signed(beginning))


@pytest.mark.parametrize(
    ("number", "is_for_good"),
    [(errno.EIO, False), (errno.ENOSPC, True)],
    ids=["EIO once", "ENOSPC from then on"],
)
@pytest.mark.parametrize("is_same", [False, True], ids=["opened anew", "same process"])
def test_fails_at_every_step(
    here: Path, beginning: Path, number: int, is_for_good: bool, is_same: bool
) -> None:
    for at in range(1, steps(copy(beginning, here / "0")) + 1):
        place = copy(beginning, here / str(at))
        told, before = first(), signed(place)
        files = Failing(at, number, is_for_good)
        log = Log.open(place, files=files)
        for what, several in ALL_STEPS:
            with suppress(StorageError):
                act(log, what, several, told.keep, told.published.append)
            sound(place)
        assert files.count >= at
        files.at = 0
        if is_same:
            goes_on(place, told, before, log)
        else:
            log.close()
            goes_on(place, told, before)


def test_power_is_lost_at_every_step(here: Path, beginning: Path) -> None:
    for at in range(1, steps(copy(beginning, here / "0")) + 1):
        place = copy(beginning, here / str(at))
        told, before = first(), signed(place)
        files = Volatile(place, at)
        with pytest.raises(PowerLost):
            write(place, files, told)
        left = here / f"{at} left"
        files.left(left)
        goes_on(left, told, [*before, *signed(place)])


@pytest.mark.parametrize("does", ["append", "publish"])
def test_power_is_lost_after_a_kill(here: Path, beginning: Path, does: str) -> None:
    """What the killed one has not synced the next one must, before it builds on it."""
    files = Volatile(place := copy(beginning, here / "log"))
    files.at = 4  # the sync of an append, after truncate and the two halves of its write
    with pytest.raises(PowerLost):
        write(place, files, Told())
    assert files.seen[-1] == "sync"
    files.at = 0
    told = Told({FIRST: "one 0 "})
    with Log.open(place, files=files) as log:
        act(log, does, [b"next"] if does == "append" else [], told.keep, told.published.append)
    assert len(told.kept) + len(told.published) == 2
    files.left(left := here / "left")
    goes_on(left, told, signed(place))


@pytest.mark.parametrize("does", ["append", "publish"])
def test_power_is_lost_after_a_kill_at_any_step(here: Path, beginning: Path, does: str) -> None:
    """Also the name of a journal that was begun anew is the next one's to make durable."""
    for at in range(1, steps(copy(beginning, here / "0")) + 1):
        place = copy(beginning, here / str(at))
        told, before = first(), signed(place)
        files = Volatile(place, at)
        with pytest.raises(PowerLost):
            write(place, files, told)
        files.at = 0
        with Log.open(place, files=files) as log:
            act(log, does, [b"next"] if does == "append" else [], told.keep, told.published.append)
        files.left(left := here / f"{at} left")
        goes_on(left, told, [*before, *signed(place)])


def test_no_fault_stops_a_log_that_is_being_made_half_way(here: Path) -> None:
    files = Steps()
    Log.create(here / "0", Ed25519Signer(KEY), KEY, files).close()
    for at in range(1, files.count + 1):
        place = here / str(at)
        with pytest.raises(StorageError, match="cannot make a log in"):
            Log.create(place, Ed25519Signer(KEY), KEY, Failing(at)).close()
        with suppress(StorageError):
            with Log.open(place) as log:
                assert log.publish().checkpoint.size == 0
            continue
        assert not (place / "ledger.json").exists()
