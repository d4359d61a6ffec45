"""The demonstration's record, and the commands that it offers to copy and paste."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from holdfast.accountable.drafts import Drafts
from holdfast.accountable.steps import Office
from holdfast.cli.demo import HOST, introduction
from holdfast.cli.demo_record import prepare_record
from holdfast.ledger.entry import parse_entry
from holdfast.ledger.log import Log
from holdfast.model.errors import HoldfastError
from tests.feature.deciding import Provider, decision
from tests.feature.lab import echo_origin, site


def offered(beginning: str) -> list[str]:
    """The words of a command in the introduction, without the program."""
    text = introduction(8080).replace("\\\n", " ")
    (found,) = re.findall(rf"holdfast ({beginning}.*)", text)
    return shlex.split(found)


def test_what_the_introduction_offers_works_by_copy_and_paste(tmp_path: Path) -> None:
    made = Provider(tmp_path)
    with echo_origin() as port:
        made.configure(site("gazette", [HOST], port, customer="gazette-press"))
        (tmp_path / "var" / "demo").mkdir(parents=True)
        for name in ("statement.md", "facts.md"):
            shutil.copy(tmp_path / name, tmp_path / "var" / "demo" / name)
        with made.up():
            for command, path, status in (
                (f"block {HOST}/clock", "/clock", 451),
                ("block gazette", "/", 403),
            ):
                done = made.run(*offered(command))
                assert done.returncode == 0, done.stderr
                assert made.get(HOST, path) == status
                lift = [decision(done.stdout) if word == "ID" else word for word in offered("unblock")]
                assert made.run(*lift).returncode == 0
                assert made.get(HOST, path) == 200
    shutil.rmtree(made.run_dir, ignore_errors=True)


def entries(directory: Path) -> list[str]:
    with Log.open(directory / "ledger") as log:
        return [parse_entry(log.entry(index)).kind for index in range(log.checkpoint().checkpoint.size)]


def test_the_record_is_kept_across_starts(tmp_path: Path) -> None:
    first = prepare_record(tmp_path, tmp_path / "state")
    (tmp_path / "statement.md").write_text("mine\n")
    assert prepare_record(tmp_path, tmp_path / "state") == first
    assert (tmp_path / "statement.md").read_text() == "mine\n"
    assert entries(tmp_path) == ["grounds"]
    shutil.rmtree(tmp_path / "ledger")
    assert prepare_record(tmp_path, tmp_path / "state") != first
    assert entries(tmp_path) == ["grounds"]


def test_a_first_start_that_was_interrupted_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ledger" / "private").mkdir(parents=True)  # before the log was one
    with monkeypatch.context() as broken:
        broken.setattr(Office, "_publish", lambda self, draft: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare_record(tmp_path, tmp_path / "state")
    prepare_record(tmp_path, tmp_path / "state")
    assert entries(tmp_path) == ["grounds"], "once"
    assert len(Drafts(tmp_path / "state" / "decisions").all()) == 1
    shutil.rmtree(tmp_path / "ledger")
    (tmp_path / "ledger").write_text("a file")
    with pytest.raises(HoldfastError):
        prepare_record(tmp_path, tmp_path / "state")
