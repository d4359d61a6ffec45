"""Several processes that write to one log, and disks that are really full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.ledger.log import Log
from holdfast.ledger.merkle import verify_consistency
from holdfast.ledger.note import Ed25519Signer
from tests.feature.ledger_checks import KEY, Told, goes_on, sound, writer
from tests.feature.ledger_writer import fill


def empty(place: Path) -> Path:
    Log.create(place, Ed25519Signer(KEY), KEY).close()
    return place


@pytest.mark.parametrize("count", [2, 4])
def test_several_writers_at_once(tmp_path: Path, count: int) -> None:
    place = empty(tmp_path / "log")
    told = Told()
    seen = []
    writers = [writer("write", str(place), str(number)) for number in range(count)]
    with Log.open(place) as log:
        while any(each.poll() is None for each in writers):  # whoever reads meanwhile sees a whole log
            seen.append(log.checkpoint().checkpoint)
            sound(place)
    for each in writers:
        said, _ = each.communicate(timeout=60)
        assert each.returncode == 0
        told.read(said)  # an index that was given twice is found here
    assert sorted(told.kept) == list(range(len(told.kept)))
    assert len(told.kept) == count * sum(1 + round % 5 for round in range(30))
    assert len({each.size for each in seen}) > 1, "nothing was published meanwhile"
    with Log.open(place) as log:
        head = log.publish().checkpoint
        for former in seen:
            proof = log.consistency(former.size, head.size)
            verify_consistency(former.size, head.size, proof, former.root, head.root)
    goes_on(place, told, seen)


def test_no_file_may_grow_any_more(tmp_path: Path) -> None:
    place = empty(tmp_path / "log")
    with writer("fill", str(place), "350000") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    refused = [line for line in said.splitlines() if line.startswith("refused")]
    assert refused
    for line in refused:
        assert line.startswith(f"refused cannot append to {place} (File too large)") or line.startswith(
            f"refused cannot write to {place} (File too large)"
        )
        assert line.endswith("; make room there; what was acknowledged before is kept")
    told = Told()
    told.read(said)
    assert told.kept
    goes_on(place, told, [])


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "holdfast-test", str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(2_600_000))
        place = empty(disk / "log")
        fill(place)
        said = capsys.readouterr().out
        assert "(No space left on device); make room there" in said
        told = Told()
        told.read(said)
        assert len(told.kept) > 5
        sound(place)
        assert list((place / "private/tmp").iterdir()) == []
        ballast.unlink()
        goes_on(place, told, [])
