from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.ledger.errors import LedgerError, MalformedError, MissingError, StorageError
from holdfast.ledger.source import FolderSource, HttpSource, open_source
from tests.unit.ledger.folders import put, write_log


def test_a_folder_gives_its_files_as_they_are(tmp_path: Path) -> None:
    put(tmp_path, "checkpoint", b"bytes\xff")
    assert FolderSource(tmp_path).get("checkpoint") == b"bytes\xff"


def test_the_directory_of_a_log_leads_to_what_it_serves(tmp_path: Path) -> None:
    write_log(tmp_path / "public", 3)
    source = open_source(str(tmp_path))
    assert source.name == str(tmp_path / "public")
    assert source.get("tile/0/000.p/3") == (tmp_path / "public/tile/0/000.p/3").read_bytes()


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "file/below"])
def test_what_is_not_there_is_missing(tmp_path: Path, path: str) -> None:
    put(tmp_path, "file", b"")
    with pytest.raises(MissingError):
        FolderSource(tmp_path).get(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no folder"):
        open_source(str(tmp_path / "none"))


def test_what_cannot_be_read_is_told_from_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(StorageError):
        FolderSource(tmp_path).get("checkpoint")


def test_no_more_is_read_than_a_tile_can_have(tmp_path: Path) -> None:
    put(tmp_path, "tile/0/000", bytes(8192))
    put(tmp_path, "tile/0/001", bytes(8193))
    assert len(FolderSource(tmp_path).get("tile/0/000")) == 8192
    with pytest.raises(StorageError, match="larger than 8192 bytes"):
        FolderSource(tmp_path).get("tile/0/001")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://log.example",
        "http://",
        "https://log.example:port",
        "https://log.example/?a",
        "http://[::1",
        "http://a..b",
        f"http://{'a' * 70}",
        "http://a b",
    ],
)
def test_what_is_no_web_address(url: str) -> None:
    with pytest.raises(MalformedError):
        open_source(url)


def test_a_web_address_loses_its_last_slash() -> None:
    source = open_source("https://log.example/a/")
    assert isinstance(source, HttpSource)
    assert source.name == "https://log.example/a"


def test_every_error_says_what_to_do_next(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as raised:
        FolderSource(tmp_path).get("checkpoint")
    assert raised.value.remedy


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "checkpoint")
    with pytest.raises(StorageError, match="no plain file"):
        FolderSource(tmp_path).get("checkpoint")
