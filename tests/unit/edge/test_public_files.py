"""The public tree: what lies where, when it is written, and what of it is handed out."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import holdfast.demo
from holdfast.edge.dataplane.pages import LANGUAGES
from holdfast.edge.public_files import PublicFiles
from holdfast.edge.public_server import PublicTree
from holdfast.edge.release import IN_FORCE, LIFTED, PublicRecord, Trust
from holdfast.ledger.http_server import Request
from holdfast.model.enforcement import Enforcement, Provider, SiteScope
from holdfast.model.errors import HoldfastError
from tests.feature.recorded import MemoryLog, released

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BLOCK = Enforcement("D-1", SiteScope("shop"), "Clause 4", NOW, NOW + timedelta(days=7), "duty officer")
PROVIDER = Provider("The Test Co-operative", "https://provider.example/")
GROUNDS = Path(holdfast.demo.__file__).parent / "grounds.toml"
LOG = MemoryLog()


def record(block: Enforcement = BLOCK, statement: str = "Because é.\r\n") -> PublicRecord:
    return PublicRecord(released(block, LOG, statement=statement), LOG.append(b"later") - 1, IN_FORCE)


@pytest.fixture
def files(tmp_path: Path) -> PublicFiles:
    made = PublicFiles(tmp_path / "public")
    made.configure(PROVIDER, Trust(LOG.key), GROUNDS)
    return made


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_everything_of_a_block_is_there(files: PublicFiles, tmp_path: Path) -> None:
    shown = record()
    files.show([shown])
    found = tree(tmp_path / "public")
    tongues = ["", *(f"~{language}" for language in LANGUAGES[1:])]
    pages = {f"{page}{tongue}.html" for page in ("index", "grounds", "statements/D-1") for tongue in tongues}
    files_of_it = {"statements/D-1.md", "statements/D-1.json", "statements/D-1.tlog-proof"}
    assert set(found) == {*pages, *files_of_it, "grounds.toml"}
    # Byte for byte: others recompute hashes of these.
    assert found["statements/D-1.md"] == shown.release.statement.encode()
    assert found["statements/D-1.json"] == shown.release.entry
    assert found["statements/D-1.tlog-proof"] == shown.release.proof.encode()
    assert found["grounds.toml"] == GROUNDS.read_bytes()


def test_another_account_can_read_all_of_it(files: PublicFiles, tmp_path: Path) -> None:
    former = os.umask(0o077)
    try:
        files.show([record()])
    finally:
        os.umask(former)
    root = tmp_path / "public"
    for path in (root, *root.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


def test_what_is_the_same_is_not_written_again(files: PublicFiles, tmp_path: Path) -> None:
    root, shown = tmp_path / "public", record()
    files.show([shown])
    before = {path: path.stat().st_ino for path in root.rglob("*.*")}
    again = PublicFiles(root)  # the next agent's
    again.configure(PROVIDER, Trust(LOG.key), GROUNDS)
    for each in (files, again):
        each.show([shown])
        assert {path: path.stat().st_ino for path in root.rglob("*.*")} == before


def test_a_lifted_block_stays_and_says_so(files: PublicFiles, tmp_path: Path) -> None:
    shown = record()
    files.show([shown])
    files.show([replace(shown, status=LIFTED, ended=NOW + timedelta(hours=1))])
    page = (tmp_path / "public" / "statements" / "D-1.html").read_text()
    assert '<span class="status">lifted</span>' in page
    assert "2026-11-27 13:00 UTC" in page


def test_a_statement_is_never_taken_away(files: PublicFiles, tmp_path: Path) -> None:
    files.show([record()])
    before = tree(tmp_path / "public" / "statements")
    files.show([])
    assert tree(tmp_path / "public" / "statements") == before


def test_a_record_that_cannot_be_read_keeps_no_other_from_being_shown(
    files: PublicFiles, tmp_path: Path
) -> None:
    broken = record(replace(BLOCK, id="D-0"))
    files.show([replace(broken, release=replace(broken.release, proof="nonsense")), record()])
    assert (tmp_path / "public" / "statements" / "D-1.html").exists()
    assert not (tmp_path / "public" / "statements" / "D-0.html").exists()


def test_broken_grounds_leave_the_last_good_ones(files: PublicFiles, tmp_path: Path) -> None:
    grounds = tmp_path / "grounds.toml"
    grounds.write_bytes(GROUNDS.read_bytes())
    files.configure(PROVIDER, Trust(LOG.key), grounds)
    files.show([])
    good = tree(tmp_path / "public")
    grounds.write_text("format = 1")
    files.show([])
    assert tree(tmp_path / "public") == good
    files.configure(PROVIDER, Trust(LOG.key), None)
    files.show([])
    assert {name for name in good if "grounds" in name} & set(tree(tmp_path / "public")) == set()


def test_a_place_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("in the way")
    files = PublicFiles(tmp_path / "public")
    files.configure(PROVIDER, Trust(LOG.key), None)
    with pytest.raises(HoldfastError, match="make room there"):
        files.show([record()])


@pytest.fixture
def served(files: PublicFiles, tmp_path: Path) -> PublicTree:
    """The tree and a log, with secrets beside them."""
    files.show([record()])
    log = tmp_path / "log"
    (log / "public" / "tile" / "0").mkdir(parents=True)
    (log / "public" / "checkpoint").write_text("log.test\n1\nAAAA\n")
    (log / "public" / "tile" / "0" / "000").write_bytes(b"tile")
    (log / "private").mkdir()
    (log / "private" / "key").write_text("PRIVATE")
    (tmp_path / "secret.json").write_text("SECRET")
    (tmp_path / "public" / "statements" / "link.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "public" / "statements" / "away").symlink_to(tmp_path)
    (tmp_path / "public" / ".hidden.json").write_text("SECRET")
    return PublicTree({"/": tmp_path / "public", "/ledger/": log / "public"})


TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"
SERVED = [
    ("/", HTML, b"<h1>Blocks</h1>"),
    ("/?x=1", HTML, b"<h1>Blocks</h1>"),
    ("/index", HTML, b"<h1>Blocks</h1>"),
    ("/index~de", HTML, b"<h1>Sperren</h1>"),
    ("/index~de.html", HTML, b"<h1>Sperren</h1>"),
    ("/grounds", HTML, b"<h1>Grounds</h1>"),
    ("/grounds.toml", TEXT, b"[[grounds]]"),
    ("/statements/D-1", HTML, b"Because"),
    ("/statements/D-1~ar", HTML, b'dir="rtl"'),
    ("/statements/D-1.md", TEXT, b"Because"),
    ("/statements/D-1.json", "application/json", b'"kind":"block"'),
    ("/statements/D-1.tlog-proof", TEXT, b"c2sp.org/tlog-proof@v1"),
    ("/ledger/checkpoint", TEXT, b"log.test"),
    ("/ledger/tile/0/000", "application/octet-stream", b"tile"),
]


@pytest.mark.parametrize(("target", "kind", "words"), SERVED)
def test_what_is_handed_out(served: PublicTree, target: str, kind: str, words: bytes) -> None:
    response = served.answer(Request("GET", target))
    assert response.file is not None
    with response.file as file:
        assert words in file.read()
    assert (response.status, response.kind) == (200, kind)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "target",
    [
        *("/statements", "/statements/", "/ledger/", "/ledger", "/statements/D-2", "/nothing", "//", "", "*"),
        *(
            "/../secret.json",
            "/statements/../../secret.json",
            "/ledger/../private/key",
            "/ledger/private/key",
        ),
        *(
            "/%2e%2e/secret.json",
            "/statements/..%2f..%2fsecret.json",
            "/statements/link.json",
            "/.hidden.json",
        ),
        *(
            "/statements/away/secret.json",
            "/statements/./D-1.json",
            "//statements/D-1",
            "/statements//D-1.md",
        ),
        *(
            "http://a.test/statements/D-1",
            "/statements/D-1\0",
            "/statements/D-1.md/",
            "/statements/" + "x" * 999,
        ),
    ],
)
def test_what_is_not(served: PublicTree, target: str) -> None:
    response = served.answer(Request("GET", target))
    assert (response.status, response.file) == (404, None)
    assert b"SECRET" not in response.body
    assert b"PRIVATE" not in response.body


@pytest.mark.parametrize("name", ["index.html", ".index.html.new", "statements/D-1.md", "grounds.toml"])
def test_a_pipe_in_a_files_place_is_not_waited_for(files: PublicFiles, tmp_path: Path, name: str) -> None:
    root = tmp_path / "public"
    (root / "statements").mkdir(parents=True)
    os.mkfifo(root / name)
    files.show([record()])
    assert (root / "index.html").is_file()
    assert (root / "statements" / "D-1.md").is_file()


def test_grounds_that_are_no_file_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "grounds")
    files = PublicFiles(tmp_path / "public")
    files.configure(PROVIDER, Trust(LOG.key), tmp_path / "grounds")
    files.show([record()])
    assert not (tmp_path / "public" / "grounds.toml").exists()
