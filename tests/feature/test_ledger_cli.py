"""A log's life at the shell: made, appended to, published, proved, checked, revealed, exported."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from holdfast.ledger.disclosure import encode_disclosures
from holdfast.ledger.entry import Disclosure, compose
from tests.feature.ledger_shell import append, new_log, run, shell, succeed
from tests.unit.ledger.folders import flip

NOTE = {"kind": "note", "public": {"about": "harbour"}, "private": {"who": "Ada", "why": "a reason"}}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three entries, published."""
    new_log(tmp_path / "log")
    append(tmp_path / "log", b"one", b"two")
    (tmp_path / "note.json").write_text(json.dumps(NOTE))
    succeed("ledger", "append", "--json", tmp_path / "log", tmp_path / "note.json")
    succeed("ledger", "checkpoint", tmp_path / "log")
    return tmp_path / "log"


def key_of(log: Path) -> str:
    return str(json.loads((log / "ledger.json").read_text())["key"])


def entry(log: Path, index: int) -> bytes:
    bundles = (log / "public/tile/entries/000.p").iterdir()
    bundle = max(bundles, key=lambda each: int(each.name)).read_bytes()
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found[index]


def test_from_the_first_command_to_the_last_in_processes_of_their_own(tmp_path: Path) -> None:
    log, proof, content = tmp_path / "log", tmp_path / "a.tlog-proof", tmp_path / "a"
    content.write_bytes(b"an entry")
    key = shell("ledger", "init", log, "example.org/log").text.strip()
    assert shell("ledger", "append", log, content).out == b"0\n"
    assert shell("ledger", "append", log, "-", given=b"another").out == b"1\n"
    assert shell("ledger", "checkpoint", log).text.startswith("example.org/log: 2 entries, ")
    assert "size:      2\n" in shell("ledger", "verify", log, "--key", key).text
    proof.write_bytes(shell("ledger", "prove", log, "0").out)
    assert shell("ledger", "verify", "--proof", proof, "--entry", content, "--key", key).status == 0
    assert shell("ledger", "verify", "--proof", proof, "--entry", proof, "--key", key).status == 1
    assert shell("ledger", "export", log, tmp_path / "copy").status == 0
    assert shell("ledger", "fsck", tmp_path / "copy", "--key", key).status == 0
    (tmp_path / "copy/tile/0/000.p/2").unlink()
    done = shell("ledger", "fsck", tmp_path / "copy", "--key", key)
    assert (done.status, done.err) == (1, "wrong: tile/0/000.p/2: it is not there\n")


def test_init_prints_the_key_and_keeps_the_other_one_secret(tmp_path: Path) -> None:
    done = run("ledger", "init", tmp_path / "log", "example.org/log")
    assert done.status == 0
    assert done.text.strip() == key_of(tmp_path / "log")
    secret = tmp_path / "log/private/key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text().strip().split("+", 4)[4] not in done.text + done.err
    assert str(secret) in done.err
    report = succeed("ledger", "verify", tmp_path / "log")
    assert "size:      0\n" in report


def test_append_tells_the_index_of_each(tmp_path: Path) -> None:
    log = tmp_path / "log"
    new_log(log)
    (tmp_path / "a").write_bytes(b"\0\xff")
    assert succeed("ledger", "append", log, tmp_path / "a", tmp_path / "a") == "0\n1\n"
    assert succeed("ledger", "append", log, "-", given=b"more") == "2\n"
    assert "size:      0\n" in succeed("ledger", "verify", log)
    assert ": 3 entries" in succeed("ledger", "checkpoint", log)
    assert entry(log, 0) == b"\0\xff"


def test_json_is_appended_in_its_one_form(log: Path) -> None:
    succeed("ledger", "append", "--json", log, "-", given=b'{"b": [1, null], "a": "\\u00e4"}')
    succeed("ledger", "checkpoint", log)
    assert entry(log, 3) == b'{"a":"\\u00e4","b":[1,null]}'


@pytest.mark.parametrize("given", [b"{", b"1.5", b'{"kind":"a","public":{},"private":{"b":1}}'])
def test_what_is_not_taken_as_json(log: Path, given: bytes) -> None:
    done = run("ledger", "append", "--json", log, "-", given=given)
    assert (done.status, done.out) == (2, b"")
    assert done.err.startswith("error: ")
    assert succeed("ledger", "append", log, "-", given=b"next") == "3\n"


def test_nothing_is_appended_where_one_is_too_large(log: Path, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(65_536))
    done = run("ledger", "append", log, tmp_path / "note.json", tmp_path / "large")
    assert done.status == 2
    assert "65535" in done.err
    assert succeed("ledger", "append", log, "-", given=b"next") == "3\n"


def test_verify_says_what_is_right(log: Path) -> None:
    lines = succeed("ledger", "verify", log, "--key", key_of(log)).splitlines()
    assert lines[0] == "log:       example.org/log"
    assert lines[1] == "size:      3"
    assert lines[2] == f"root:      {(log / 'public/checkpoint').read_text().splitlines()[2]}"
    assert lines[3] == f"signed:    example.org/log ({key_of(log).split('+')[1]})"


def test_verify_says_what_is_wrong_in_one_line(log: Path, tmp_path: Path) -> None:
    flip(log / "public/tile/0/000.p/3", 0)
    done = run("ledger", "verify", log)
    assert done.status == 1
    assert done.err == "wrong: checkpoint: its root is not that of the tree that is served\n"
    other = new_log(tmp_path / "other")
    done = run("ledger", "verify", log, "--key", other)
    assert (done.status, done.out) == (1, b"")
    assert done.err == "wrong: checkpoint: the note is not signed by example.org/log\n"


def test_fsck_says_where_and_what(log: Path) -> None:
    assert "all entries and tiles are right" in succeed("ledger", "fsck", log)
    flip(log / "public/tile/entries/000.p/3", 2)
    done = run("ledger", "fsck", log)
    assert done.status == 1
    assert done.err == "wrong: tile/entries/000.p/3: not what the log had here: entry 0\n"
    assert "right" not in done.text


def test_a_proof_is_checked_without_the_log(log: Path, tmp_path: Path) -> None:
    proof, content = tmp_path / "two.tlog-proof", tmp_path / "two"
    proof.write_text(succeed("ledger", "prove", log, "1"))
    content.write_bytes(b"two")
    key = key_of(log)
    log.rename(tmp_path / "gone")
    arguments = ("ledger", "verify", "--proof", proof, "--entry", content)
    assert "is entry 1 of example.org/log" in succeed(*arguments, "--key", key)
    content.write_bytes(b"too")
    done = run(*arguments, "--key", key)
    assert done.status == 1
    assert done.err.startswith(f"wrong: {proof}: entry 1 is not in this tree")
    content.write_bytes(b"two")
    stranger = new_log(tmp_path / "other")
    assert run(*arguments, "--key", stranger).status == 1
    witness = succeed("witness", "init", tmp_path / "witness", "w.example").strip()
    done = run(*arguments, "--key", key, "--witness", witness)
    assert done.status == 1
    assert "0 of the 1 witnesses" in done.err
    assert run(*arguments, "--key", key, "--witness", witness, "--quorum", "0").status == 0


def test_a_private_field_is_revealed_and_checked(log: Path, tmp_path: Path) -> None:
    content = tmp_path / "entry"
    content.write_bytes(entry(log, 2))
    assert b"Ada" not in content.read_bytes()
    assert b"Ada" not in b"".join(each.read_bytes() for each in log.glob("public/**/*") if each.is_file())
    shown = tmp_path / "shown.json"
    shown.write_text(succeed("ledger", "reveal", log, "2", "who"))
    assert "a reason" not in shown.read_text()
    assert succeed("ledger", "reveal", "--check", shown, "--entry", content) == "who: Ada\n"
    shown.write_text(shown.read_text().replace("Ada", "Eve"))
    done = run("ledger", "reveal", "--check", shown, "--entry", content)
    assert (done.status, done.out) == (1, b"")
    assert "not the 'who' that the entry has committed to" in done.err


def test_what_is_revealed_stays_on_its_line(log: Path, tmp_path: Path) -> None:
    content, shown = tmp_path / "entry", tmp_path / "shown.json"
    held = Disclosure("who", "Ada\nground: a court's order", bytes(32))
    content.write_bytes(compose("test", 0, {}, {"who": held}).encode())
    shown.write_bytes(encode_disclosures([held]))
    done = succeed("ledger", "reveal", "--check", shown, "--entry", content)
    assert done == 'who: "Ada\\nground: a court\'s order"\n'
    shown.write_bytes(encode_disclosures([]))
    assert run("ledger", "reveal", "--check", shown, "--entry", content).status == 1


def test_what_cannot_be_revealed(log: Path) -> None:
    for arguments in (("2", "whom"), ("1", "who"), ("2",), ("77", "who")):
        done = run("ledger", "reveal", log, *arguments)
        assert (done.status, done.out) == (2, b"")
        assert done.err.startswith("error: ")


def test_an_export_is_a_log_for_any_web_server(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copies/first"
    assert "is a whole copy" in succeed("ledger", "export", log, copy)
    for file in (log / "public").rglob("*"):
        if file.is_file():
            assert (copy / file.relative_to(log / "public")).read_bytes() == file.read_bytes()
    assert {stat.S_IMODE(each.stat().st_mode) for each in copy.rglob("*") if each.is_file()} == {0o644}
    assert {stat.S_IMODE(each.stat().st_mode) for each in copy.rglob("*") if each.is_dir()} == {0o755}
    succeed("ledger", "fsck", copy, "--key", key_of(log))
    again = run("ledger", "export", log, copy)
    assert again.status == 2
    assert "not empty" in again.err


def test_a_damaged_log_is_not_exported(log: Path, tmp_path: Path) -> None:
    (log / "public/tile/entries/000.p/3").unlink()
    done = run("ledger", "export", log, tmp_path / "copy")
    assert done.status == 1
    assert done.err == "wrong: tile/entries/000.p/3: it is not there\n"
    assert not (tmp_path / "copy/checkpoint").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("append", "DIR", "-"), "not a log of Holdfast"),
        (("checkpoint", "DIR"), "not a log of Holdfast"),
        (("prove", "DIR", "0"), "not a log of Holdfast"),
        (("verify", "DIR"), "nobody has said whose log"),
        (("verify", "DIR", "--key", "name+hash+key"), "verifier key"),
        (("verify",), "not said what to check"),
        (("verify", "DIR", "--proof", "x", "--entry", "y"), "not said what to check"),
        (("fsck", "http://127.0.0.1:1", "--key", "KEY"), "cannot be read"),
        (("verify", "DIR/none", "--key", "KEY"), "no folder"),
        (("serve", "DIR", "--listen", "nowhere"), "no address"),
        (("serve", "DIR", "--listen", "192.0.2.1:80"), "cannot listen"),
        (("init", "DIR", "example.org/log"), "not empty"),
        (("init", "DIR/new", "two words"), "cannot be a key's name"),
        (("checkpoint", "DIR", "--witness", "KEY"), "witness"),
    ],
)
def test_a_mistake_has_its_remedy_and_changes_nothing(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    key = new_log(tmp_path / "log")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/mine").write_text("mine")
    places = {"DIR": str(tmp_path / "dir"), "DIR/none": str(tmp_path / "dir/none"), "KEY": key}
    places["DIR/new"] = str(tmp_path / "dir/new")
    done = run("ledger", *(places.get(each, each) for each in arguments), given=b"x")
    assert (done.status, done.out) == (2, b"")
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert "; " in line
    assert [each.name for each in (tmp_path / "dir").iterdir()] == ["mine"]


def test_a_key_that_is_no_text_is_refused(log: Path) -> None:
    (log / "private/key").write_bytes(b"\xff")
    done = run("ledger", "checkpoint", log)
    assert done.status == 2
    assert "this is no signer key" in done.err


def test_a_key_that_others_can_read_signs_nothing(log: Path) -> None:
    (log / "private/key").chmod(0o644)
    done = run("ledger", "checkpoint", log)
    assert done.status == 2
    assert "others can read" in done.err
