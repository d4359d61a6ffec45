"""Which files are served, as what, and which never are. Connections and limits are in ``tests/feature``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.ledger.errors import MalformedError
from holdfast.ledger.http_server import Request, Response, format_address, parse_address
from holdfast.ledger.serve import FOREVER, FRESH, SHORT, StaticMounts
from tests.unit.ledger.folders import put, write_log

TYPES = {".html": "text/html; charset=utf-8", ".toml": "text/plain; charset=utf-8"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    public = write_log(tmp_path / "public", 300)
    put(public, "a/page.html", b"page")
    put(public, "index.html", b"first")
    put(public, "a/index.html", b"second")
    put(public, "file", b"of no type")
    put(public, ".hidden.html", b"hidden")
    put(public, ".tmp/page.html", b"hidden")
    put(tmp_path, "secret.html", b"secret")
    (public / "link.html").symlink_to(tmp_path / "secret.html")
    (public / "inner.html").symlink_to("index.html")
    (public / "up").symlink_to(tmp_path)
    (public / "folder.html").mkdir()
    os.mkfifo(public / "pipe.html")
    return public


def get(mounts: StaticMounts, target: str) -> tuple[int, bytes, Response]:
    response = mounts.answer(Request("GET", target))
    if response.file is None:
        return response.status, response.body, response
    with response.file as file:
        data = file.read()
    assert len(data) == response.length
    return response.status, data, response


@pytest.mark.parametrize(
    ("path", "kind", "caching"),
    [
        ("checkpoint", "text/plain; charset=utf-8", FRESH),
        ("tile/0/000", "application/octet-stream", FOREVER),
        ("tile/0/001.p/44", "application/octet-stream", FOREVER),
        ("tile/entries/000", "application/octet-stream", FOREVER),
        ("a/page.html", "text/html; charset=utf-8", SHORT),
    ],
)
@pytest.mark.parametrize("prefix", ["/", "/.well-known/x/ledger/"])
def test_what_is_served_as_what(folder: Path, path: str, kind: str, caching: str, prefix: str) -> None:
    mounts = StaticMounts({prefix: folder}, TYPES, {"X-More": "1"})
    status, data, response = get(mounts, prefix + path)
    assert (status, response.kind) == (200, kind)
    assert data == (folder / path).read_bytes()
    assert response.headers == {"Cache-Control": caching, "X-More": "1"}


@pytest.mark.parametrize(
    "target",
    [
        *("/../secret.html", "/a/../../secret.html", "/%2e%2e/secret.html", "/..%2fsecret.html"),
        *("/a/..%5c..%5csecret.html", "/a%2fpage.html", "//a/page.html", "/a//page.html", "/./a/page.html"),
        *("/link.html", "/inner.html", "/up/secret.html", "/pipe.html", "/folder.html"),
        *("/.hidden.html", "/.tmp/page.html", "/file", "/a", "/a/", "/", "", "*", "/page\0.html"),
        *(
            "/none.html",
            "/page.html/more.html",
            "/checkpoint/",
            "/checkpoint/x.html",
            "http://host/a/page.html",
        ),
        *("/tile/0/000.p/", "/tile/0/0000", "/tile/0/", "/" + "a/" * 2000 + "b.html", f"/{'a' * 300}.html"),
        *("/a/page.html#x", "/a/page.html;x", "/a\\page.html", "/ä.html", "/a/page.html/", "/.html"),
    ],
)
def test_what_is_never_served(folder: Path, target: str) -> None:
    status, data, _ = get(StaticMounts({"/": folder}, TYPES), target)
    assert (status, data) == (404, b"404 Not Found\n")


def test_a_query_is_ignored(folder: Path) -> None:
    assert get(StaticMounts({"/": folder}, TYPES), "/a/page.html?a=../b")[1] == b"page"


def test_an_index_stands_for_its_folder(folder: Path) -> None:
    mounts = StaticMounts({"/x/": folder}, TYPES, index="index.html")
    assert get(mounts, "/x/")[1] == b"first"
    assert get(mounts, "/x/a/")[1] == b"second"
    assert get(mounts, "/x/a")[0] == get(mounts, "/x")[0] == get(mounts, "/x/tile/")[0] == 404


def test_the_longest_prefix_counts_and_does_not_fall_back(folder: Path, tmp_path: Path) -> None:
    put(tmp_path / "other", "page.html", b"other")
    mounts = StaticMounts({"/": folder, "/a/": tmp_path / "other"}, TYPES)
    assert get(mounts, "/a/page.html")[1] == b"other"
    assert get(mounts, "/a/index.html")[0] == 404
    assert get(mounts, "/index.html")[1] == b"first"


@pytest.fixture
def descriptor(folder: Path) -> Iterator[int]:
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    yield opened
    os.close(opened)


def test_an_open_folder_stays_what_it_is(folder: Path, descriptor: int, tmp_path: Path) -> None:
    """As for a process that may no longer reach it by its path."""
    folder.rename(tmp_path / "moved")
    mounts = StaticMounts({"/": descriptor}, TYPES)
    for _ in range(2):
        assert get(mounts, "/a/page.html")[1] == b"page"
    assert get(mounts, "/up/secret.html")[0] == get(mounts, "/../secret.html")[0] == 404


def test_no_descriptor_is_left_open(folder: Path, descriptor: int) -> None:
    mounts = StaticMounts({"/": folder, "/d/": descriptor}, TYPES)
    targets = ["/a/page.html", "/d/a/page.html", "/none.html", "/up/x.html", "/pipe.html", "/d/folder.html"]
    before = len(os.listdir("/proc/self/fd"))
    for target in targets:
        get(mounts, target)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_mount_is_a_folder_of_the_web(folder: Path) -> None:
    for prefix in ("", "a", "/a", "a/"):
        with pytest.raises(ValueError, match="slash"):
            StaticMounts({prefix: folder})


@pytest.mark.parametrize("text", ["127.0.0.1:9465", "[::1]:80", "localhost:0"])
def test_an_address_as_text(text: str) -> None:
    assert format_address(parse_address(text)) == text


@pytest.mark.parametrize("text", ["", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "a:b", "a:-1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_address(text)
