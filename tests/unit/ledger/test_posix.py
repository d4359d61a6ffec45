from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from holdfast.ledger.errors import MissingError, StorageError, UntrustedError
from holdfast.ledger.files import Files
from holdfast.ledger.note import ED25519, SignerKey
from holdfast.ledger.posix import Directory

KEY = SignerKey("log.example/test", ED25519, bytes(range(32)))


def made(path: Path, files: Files | None = None) -> Directory:
    return Directory.create(path, KEY.verifier, b"first", KEY, files)


def snapshot(path: Path) -> dict[str, bytes | None]:
    return {str(each): each.read_bytes() if each.is_file() else None for each in sorted(path.rglob("*"))}


def test_what_a_new_one_has(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        directory = made(tmp_path / "deep" / "log")
    finally:
        os.umask(before)
    found = {
        str(each.relative_to(tmp_path / "deep/log")): oct(each.stat().st_mode & 0o777)
        for each in (tmp_path / "deep/log").rglob("*")
    }
    assert found == {
        "ledger.json": "0o644",
        "public": "0o755",
        "public/checkpoint": "0o644",
        "private": "0o700",
        "private/append.lock": "0o600",
        "private/disclosures": "0o700",
        "private/journal": "0o600",
        "private/key": "0o600",
        "private/publish.lock": "0o600",
        "private/signed": "0o600",
        "private/tmp": "0o700",
    }
    assert (directory.key, directory.signer_key()) == (KEY.verifier, KEY)
    assert directory.get("checkpoint") == directory.signed() == b"first"


def test_an_empty_directory_may_be_there(tmp_path: Path) -> None:
    assert made(tmp_path).key == KEY.verifier


@pytest.mark.parametrize("what", ["a file", "a folder", "a log", "no directory"])
def test_a_directory_that_is_not_ours_is_left_alone(tmp_path: Path, what: str) -> None:
    place = tmp_path / "log"
    if what == "a log":
        made(place).close()
    elif what == "no directory":
        place.write_text("text")
    else:
        place.mkdir()
        (place / "photographs").mkdir() if what == "a folder" else (place / "diary").write_text("dear")
    before = snapshot(tmp_path)
    with pytest.raises(StorageError, match=r"there and not empty; name another directory"):
        made(place)
    if what != "a log":
        with pytest.raises(StorageError, match=r"not a log of Holdfast.*make one with 'holdfast ledger"):
            Directory(place)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "mark",
    [
        "",
        "[]",
        "{}",
        '{"format": "holdfast-ledger/2", "origin": "log.example/test", "key": "KEY"}',
        '{"format": "holdfast-ledger/1", "origin": "other.example", "key": "KEY"}',
        '{"format": "holdfast-ledger/1", "origin": "log.example/test", "key": "log.example/test+0+0"}',
    ],
)
def test_a_wrong_mark_is_refused(tmp_path: Path, mark: str) -> None:
    made(tmp_path).close()
    (tmp_path / "ledger.json").write_text(mark.replace("KEY", str(KEY.verifier)))
    before = snapshot(tmp_path)
    with pytest.raises(StorageError, match="no right ledger"):
        Directory(tmp_path)
    assert snapshot(tmp_path) == before


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    directory = made(tmp_path)
    (tmp_path / "private/key").chmod(0o640)
    with pytest.raises(UntrustedError, match=r"others can read .*; chmod 600"):
        directory.signer_key()
    (tmp_path / "private/key").unlink()
    with pytest.raises(MissingError, match="put the log's signer key there"):
        directory.signer_key()


def test_public_files_come_whole_and_go(tmp_path: Path) -> None:
    directory = made(tmp_path)
    files = {"tile/0/x001/234.p/7": b"seven", "tile/entries/000": b"", "checkpoint": b"second"}
    directory.put(files)
    assert {path: directory.get(path) for path in files} == files
    assert list((tmp_path / "private/tmp").iterdir()) == []
    directory.remove("tile/0/x001/234.p")
    directory.remove("tile/0/x001/235.p")
    assert not (tmp_path / "public/tile/0/x001/234.p").exists()
    for path in ("tile/0/x001/234.p/7", "checkpoint/7", "nothing"):
        with pytest.raises(MissingError, match="is not there; restore it from a copy of the log"):
            directory.get(path)
    directory.put({"tile/0/x001/234.p/8": b"again"})
    assert directory.get("tile/0/x001/234.p/8") == b"again"


class Watched(Files):
    """Names the folders that are synced."""

    def __init__(self) -> None:
        self.synced: list[str] = []

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self.synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)


def test_a_folder_that_somebody_else_has_made_is_synced_too(tmp_path: Path) -> None:
    made(tmp_path).close()
    (tmp_path / "public/tile/0").mkdir(parents=True)  # and was killed before its sync
    watched = Watched()
    directory = Directory(tmp_path, watched)
    directory.put({"tile/0/000.p/1": b"1"})
    assert watched.synced[-4:] == ["000.p", "0", "tile", "public"]
    watched.synced.clear()
    directory.put({"tile/0/000.p/2": b"2"})
    assert watched.synced[-1:] == ["000.p"]
    assert "0" not in watched.synced[1:], "this is known to be durable"


def test_disclosures_are_kept_by_entry(tmp_path: Path) -> None:
    directory = made(tmp_path)
    directory.keep_disclosure(b"entry", b"salts")
    assert directory.disclosure(b"entry") == b"salts"
    with pytest.raises(MissingError, match="appended elsewhere, or has no private fields"):
        directory.disclosure(b"other entry")


def test_one_thread_publishes_at_a_time_and_appends_do_not_wait(tmp_path: Path) -> None:
    directory = made(tmp_path)
    entered = threading.Event()

    def publish() -> None:
        with directory.publishing():
            entered.set()

    waiting = threading.Thread(target=publish)
    with directory.publishing():
        waiting.start()
        assert Directory(tmp_path).append([b"meanwhile"]) == 0
        assert not entered.wait(0.1)
    assert entered.wait(10)
    waiting.join()


def test_what_the_system_refuses_is_told(tmp_path: Path) -> None:
    directory = made(tmp_path)
    (tmp_path / "private/signed").unlink()
    with pytest.raises(StorageError, match=r"cannot read .*signed \(No such file or directory\); check"):
        directory.signed()
