"""Only what is on the trusted record is ever in force: asked for through HAProxy, over restarts, other keys,
a database that somebody has changed, and deaths in between."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.block_admin import BlockAdmin
from holdfast.edge.configuration import Configuration
from holdfast.edge.dataplane.render import Frame
from holdfast.edge.dataplane.runtime import Runtime
from holdfast.edge.release import IN_FORCE, LIFTED, NOT_IN_FORCE, PublicRecord, Release
from holdfast.edge.status import as_table, take_snapshot
from holdfast.ledger.note import COSIGNATURE, SignerKey
from holdfast.model.enforcement import HostScope, SiteScope
from holdfast.model.errors import HoldfastError
from holdfast.model.record import LIFT
from tests.feature.lab import Lab, echo_origin, enforcement, eventually, lab, released, site
from tests.feature.recorded import LOG, MemoryLog, enforce_request, ledger_table

FOREIGN = MemoryLog()
"""Of the same name, with a key of its own."""
WITNESSES = [SignerKey(f"w{number}.test", COSIGNATURE, bytes([number]) * 32) for number in range(3)]
NOW = datetime.now(UTC)
BLOCK = enforcement(SiteScope("a"), id="D-1")
LOG.append(b"so that every proof has hashes")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with echo_origin() as made:
        yield made


@asynccontextmanager
async def labs(directory: Path) -> AsyncIterator[Lab]:
    """One whose edge trusts the tests' own log if two of three witnesses have countersigned it."""
    async with lab(directory) as made:
        keys = [str(each.verifier) for each in WITNESSES]
        made.ledger = {**ledger_table(), "witnesses": keys, "quorum": 2}
        yield made


def sites(port: int) -> list[dict[str, Any]]:
    return [site("a", ["a.test"], port), site("b", ["b.test"], port)]


def good(**more: Any) -> Release:
    """Of a block that is on the trusted record."""
    return released(replace(BLOCK, **more), witnesses=WITNESSES[:2])


def forged(line: int, *, of_checkpoint: bool = False) -> Release:
    """The middle letter of a line of the proof is another."""
    made = good()
    lines = made.proof.split("\n")
    line += lines.index("") + 1 if of_checkpoint else 0
    text, middle = lines[line], len(lines[line]) // 2
    lines[line] = text[:middle] + ("1" if text[middle] != "1" else "2") + text[middle + 1 :]
    return replace(made, proof="\n".join(lines))


BAD: dict[str, Callable[[], Release]] = {
    "no proof": lambda: replace(good(), proof=""),
    "a forged header": lambda: forged(0),
    "a forged index": lambda: forged(1),
    "a forged hash": lambda: forged(2),
    "a forged origin": lambda: forged(0, of_checkpoint=True),
    "a forged size": lambda: forged(1, of_checkpoint=True),
    "a forged root": lambda: forged(2, of_checkpoint=True),
    "a forged signature": lambda: forged(4, of_checkpoint=True),
    "a forged cosignature": lambda: forged(5, of_checkpoint=True),
    "a forged entry": lambda: replace(good(), entry=good().entry.replace(b"officer", b"Officer")),
    "a foreign log": lambda: released(BLOCK, FOREIGN, witnesses=WITNESSES),
    "too few witnesses": lambda: released(BLOCK, witnesses=WITNESSES[:1]),
    "no record of a block": lambda: released(BLOCK, kind=LIFT, witnesses=WITNESSES),
    "another scope": lambda: replace(good(), enforcement=replace(BLOCK, scope=HostScope("a.test"))),
    "another end": lambda: replace(good(), enforcement=replace(BLOCK, until=NOW + timedelta(days=900))),
    "another statement": lambda: replace(good(), statement="Something milder."),
    "over": lambda: good(since=NOW - timedelta(hours=2), until=NOW - timedelta(seconds=1)),
    "to come": lambda: good(since=NOW + timedelta(minutes=30), until=NOW + timedelta(hours=1)),
}


async def test_what_is_not_on_the_trusted_record_leaves_the_site_open(tmp_path: Path, port: int) -> None:
    async with labs(tmp_path) as here:
        configuration = here.configuration(sites(port))
        async with Edge(configuration) as edge:
            for name, make in BAD.items():
                with pytest.raises(HoldfastError):
                    await edge.block(make())
                assert await here.status("a.test") == 200, name
            assert (edge.store.releases(), edge.releases.withheld) == ([], {})
            await edge.block(good())
            assert (await here.status("a.test"), await here.status("b.test")) == (403, 200)
            for name, make in BAD.items():
                with pytest.raises(HoldfastError):
                    await edge.block(make())
                assert await here.status("a.test") == 403, name
        async with Edge(configuration) as edge:
            assert set(edge.desired.enforcements) == {"D-1"}


async def test_without_a_trusted_log_nothing_is_blocked(tmp_path: Path, port: int) -> None:
    async with labs(tmp_path) as here:
        here.ledger = {}
        async with Edge(here.configuration(sites(port))) as edge:
            with pytest.raises(HoldfastError, match=r"set \[ledger\] key"):
                await edge.block(good())
            assert await here.status("a.test") == 200


TAMPERED = {
    "proof": FOREIGN.prove(FOREIGN.append(b"x")).encode().decode(),
    "statement": "Something milder.",
    "entry": b"{}",
    "body": "{}",
}


@pytest.mark.parametrize("column", TAMPERED)
@pytest.mark.parametrize("adopted", [True, False], ids=["adopting", "starting"])
async def test_a_changed_database_leaves_the_site_open(
    tmp_path: Path, port: int, column: str, adopted: bool
) -> None:
    """Whether HAProxy ran on with the block meanwhile or starts with the agent; and it does not go unseen."""
    async with labs(tmp_path) as here:
        configuration = here.configuration(sites(port))
        async with Edge(configuration) as edge:
            await edge.block(good())
            await edge.block(good(id="D-2", scope=SiteScope("b")))
            assert await here.status("a.test") == 403
        if not adopted:
            await edge.master.stop()
        with closing(sqlite3.connect(tmp_path / "state" / "edge.db")) as database, database:
            update = f"UPDATE releases SET {column} = ? WHERE id = 'D-1'"  # noqa: S608 - one of ours
            database.execute(update, (TAMPERED[column],))
        async with Edge(configuration) as edge:
            assert edge.starts == (0 if adopted else 1)
            assert (await here.status("a.test"), await here.status("b.test")) == (200, 403)
            assert set(edge.releases.withheld) == {"D-1"}
            assert (await edge.reconciler.difference()).now == []


async def test_another_key_is_applied_at_once(tmp_path: Path, port: int) -> None:
    """What the new log does not hold is open; what the old one held comes back with its key. A file that
    cannot be applied changes nothing of it."""
    async with labs(tmp_path) as here:
        configuration = here.configuration(sites(port))
        async with Edge(configuration) as edge:
            await edge.block(good())
            here.ledger = {"key": str(FOREIGN.key)}
            other = here.configuration(sites(port))
            done = await edge.apply(other)
            assert (done["withheld"], await here.status("a.test")) == (1, 200)
            await edge.block(released(replace(BLOCK, id="D-2", scope=SiteScope("b")), FOREIGN))
            assert await here.status("b.test") == 403
            assert (await edge.apply(configuration))["withheld"] == 1
            assert (await here.status("a.test"), await here.status("b.test")) == (403, 200)
            with closing(sqlite3.connect(tmp_path / "state" / "edge.db", isolation_level=None)) as somebody:
                somebody.execute("BEGIN IMMEDIATE")
                with pytest.raises(HoldfastError, match="does not take this"):
                    await edge.apply(replace(other, sites={}))
            assert set(edge.releases.withheld) == {"D-2"}
            assert (await here.status("a.test"), await here.status("b.test")) == (403, 200)
            assert edge.reloads == 0
        async with Edge(other):
            assert (await here.status("a.test"), await here.status("b.test")) == (200, 403)


async def test_a_lifted_block_cannot_be_replayed(tmp_path: Path, port: int) -> None:
    async with labs(tmp_path) as here:
        configuration = here.configuration(sites(port))
        release = good()
        async with Edge(configuration) as edge:
            await edge.block(release)
            lifted = await edge.unblock("D-1")
            assert await edge.unblock("D-1") == lifted
        for _ in range(2):
            async with Edge(configuration) as edge:
                for again in (release, good()):
                    with pytest.raises(HoldfastError, match="does not come back"):
                        await edge.block(again)
                assert await here.status("a.test") == 200


class Dying(Runtime):
    """Dies with the agent before it performs a command that puts a block in force or lifts it."""

    armed = False

    async def change(self, texts: Sequence[str]) -> list[str]:
        if self.armed:
            raise Dead
        return await super().change(texts)


class Dead(BaseException):
    """The agent is no more: nothing in it may catch this."""


def dying(frame: Frame) -> Dying:
    return Dying(frame.change_socket, frame.scan_socket)


@pytest.mark.parametrize("what", ["block", "unblock"])
async def test_an_agent_that_dies_between_its_store_and_haproxy(tmp_path: Path, port: int, what: str) -> None:
    """The next one makes good what was stored, and who asks it again has the same answer."""
    async with labs(tmp_path) as here:
        configuration, release = here.configuration(sites(port)), good()
        async with Edge(configuration, runtime=dying) as edge:
            if what == "unblock":
                await edge.block(release)
            assert isinstance(edge.runtime, Dying)
            edge.runtime.armed = True
            change = asyncio.ensure_future(edge.block(release) if what == "block" else edge.unblock("D-1"))
            await asyncio.wait((change, edge.crashed), timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert edge.crashed.done()
            change.cancel()
            with suppress(BaseException):
                await change
            assert await here.status("a.test") == (200 if what == "block" else 403), "not yet"
        async with Edge(configuration) as edge:
            assert await here.status("a.test") == (403 if what == "block" else 200)
            for _ in range(2):
                await (edge.block(release) if what == "block" else edge.unblock("D-1"))
            assert await here.status("a.test") == (403 if what == "block" else 200)


async def test_blocks_outlive_whatever_restarts(tmp_path: Path, port: int) -> None:
    """The agent, HAProxy by SIGKILL, a reload, and a file that is applied."""
    async with labs(tmp_path) as here:
        configuration = here.configuration(sites(port))
        async with Edge(configuration) as edge:
            await edge.block(good())
        async with Edge(configuration) as edge:
            await edge.reload()
            assert await here.status("a.test") == 403
            await edge.apply(configuration)
            assert await here.status("a.test") == 403
            for process in (edge.processes.worker, edge.processes.master):
                os.kill(process or 0, signal.SIGKILL)

            async def answers() -> bool:
                return await here.status("b.test") == 200 and await here.status("a.test") == 403

            await eventually(answers, 15)


class Board:
    """Keeps what the public is told, and serves it nowhere."""

    address = None

    def __init__(self) -> None:
        self.told: dict[str, str] = {}
        self.index: dict[str, int] = {}

    def show(self, records: Sequence[PublicRecord]) -> None:
        self.told = {each.release.enforcement.id: each.status for each in records}
        self.index = {each.release.enforcement.id: each.index for each in records}

    def configure(self, configuration: Configuration) -> None:
        pass

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        pass


async def test_the_public_is_told_of_each_change(tmp_path: Path, port: int) -> None:
    board = Board()
    async with labs(tmp_path) as here:
        configuration = here.configuration(sites(port))
        async with Edge(configuration, public=board) as edge:
            index = await edge.block(good())
            assert (board.told, board.index) == ({"D-1": IN_FORCE}, {"D-1": index})
            soon = datetime.now(UTC) + timedelta(seconds=1)
            await edge.block(good(id="D-2", until=soon))
            await edge.unblock("D-1")
            assert board.told["D-1"] == LIFTED
            await eventually(lambda: board.told == {"D-1": LIFTED, "D-2": "over"})
            await edge.block(good(id="D-3"))
            here.ledger = {"key": str(FOREIGN.key)}
            await edge.apply(here.configuration(sites(port)))
            await eventually(lambda: board.told["D-3"] == NOT_IN_FORCE)
        later = Board()
        async with Edge(configuration, public=later):
            await eventually(lambda: later.told == {"D-1": LIFTED, "D-2": "over", "D-3": IN_FORCE})


async def test_the_admin_socket_takes_releases_and_tells_which_are_not_in_force(
    tmp_path: Path, port: int
) -> None:
    async with labs(tmp_path) as here:
        configuration = here.configuration(sites(port))
        request = enforce_request(good())
        async with Edge(configuration) as edge:
            for wrong, words in (
                ({"entry": "?"}, "the entry is not base 64"),
                ({"enforcement": {}}, "this is no enforcement"),
                ({"enforcement": {**request["enforcement"], "until": "soon"}}, "is no time"),
                ({"enforcement": {**request["enforcement"], "scope": ["site"]}}, "is no scope"),
                ({"enforcement": {**request["enforcement"], "by": "somebody else"}}, "of the record says"),
                ({"proof": ""}, "there is no proof"),
            ):
                with pytest.raises(HoldfastError, match=words):
                    await asked(edge, "enforce", **{**request, **wrong})
            assert await asked(edge, "scope", target="a.test/evil") == {
                "scope": ["path", "a", "/evil/"],
                "words": "path /evil/ of site a",
                "hostnames": ["a.test"],
            }
            row = await asked(edge, "enforce", **request)
            assert (row["id"], row["scope"], row["in_force"], row["why"]) == ("D-1", "site a", True, "")
            assert await asked(edge, "enforce", **request) == row
            assert await asked(edge, "blocks") == [row]
            await asked(edge, "enforce", **enforce_request(good(id="D-2", scope=SiteScope("b"))))
        for column, value in (("proof", ""), ("body", "")):
            with closing(sqlite3.connect(tmp_path / "state" / "edge.db")) as database, database:
                update = f"UPDATE releases SET {column} = ? WHERE id = 'D-1'"  # noqa: S608 - one of ours
                database.execute(update, (value,))
            async with Edge(configuration) as edge:
                other, tampered = await asked(edge, "blocks")
                assert (other["id"], other["in_force"]) == ("D-2", True)
                assert tampered.keys() == other.keys()
                assert (tampered["id"], tampered["in_force"], tampered["index"]) == ("D-1", False, None)
                assert tampered["why"]
                snapshot = await take_snapshot(edge)
                assert (snapshot.blocks, snapshot.withheld) == (1, 1)
                assert "Blocks recorded here and NOT IN FORCE: 1;" in as_table(snapshot)
        async with Edge(configuration) as edge:
            lifted = await asked(edge, "unblock", id="D-1")
            assert (lifted["lifted"], len(await asked(edge, "blocks"))) == ("D-1", 1)
            assert await asked(edge, "unblock", id="D-1") == lifted


async def asked(edge: Edge, do: str, **fields: Any) -> Any:
    """As the admin socket has it performed."""
    shape, perform = BlockAdmin(edge).operations[do]
    return await perform(shape.model_validate(fields))
