"""Who reads the samples, and that HAProxy does not care: nobody, somebody who does not read, the next agent.
Only HAProxy's own account, in its jail, can write to the agent."""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.traffic.intake import MOST_WAITING, Intake
from holdfast.shield.sample import Sample
from tests.feature.lab import Lab, eventually, lab, site
from tests.feature.load import ANY_CONNECTIONS, ANY_RATE, wrk
from tests.feature.origins import Origin, origin

REQUESTS = 5_000
HOST = "shop.test"


@asynccontextmanager
async def left_alone(directory: Path) -> AsyncIterator[tuple[Lab, Origin]]:
    """HAProxy with one site, and no agent."""
    async with origin() as one, lab(directory) as made:
        sites = [site("shop", [HOST], one.port, limits=ANY_RATE)]
        async with Edge(made.configuration(sites, **ANY_CONNECTIONS)):
            await made.get(HOST)
        yield made, one


async def all_are_answered(made: Lab, one: Origin) -> None:
    seen = len(one.requests)
    async with wrk(made.http, HOST) as load:
        await eventually(lambda: len(one.requests) - seen >= REQUESTS, 40)
    assert load.requests >= REQUESTS - 10
    assert load.failures == []


async def gets_new_samples(made: Lab, reader: Intake) -> None:
    """A request is made again and again, until its sample comes; others may come before it."""
    seen: list[Sample] = []

    async def has_come() -> bool:
        await made.get(HOST, "/new")
        seen.extend(reader.take())
        return any(each.path == "/new" for each in seen)

    await eventually(has_come, 10)


def socket_of(made: Lab) -> Path:
    return made.run_dir / "jail" / "samples.sock"


async def test_nobody_reads(tmp_path: Path) -> None:
    """Every request is answered, and who comes later is told of what comes then."""
    async with left_alone(tmp_path) as (made, one):
        assert not socket_of(made).exists()
        await all_are_answered(made, one)
        async with Intake(socket_of(made)) as reader:
            await gets_new_samples(made, reader)


async def test_somebody_listens_and_does_not_read(tmp_path: Path) -> None:
    """As an agent that is stopped, or busy for long."""
    async with left_alone(tmp_path) as (made, one):
        taken: list[asyncio.StreamWriter] = []

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            taken.append(writer)

        server = await asyncio.start_unix_server(take, socket_of(made))
        socket_of(made).chmod(0o666)
        await eventually(lambda: taken, 10)
        await all_are_answered(made, one)
        server.close()
        for writer in taken:
            writer.close()
        socket_of(made).unlink(missing_ok=True)
        async with Intake(socket_of(made)) as reader:
            await gets_new_samples(made, reader)


async def test_the_next_agent_reads_on(tmp_path: Path) -> None:
    async with left_alone(tmp_path) as (made, one):
        configuration = made.configuration(
            [site("shop", [HOST], one.port, limits=ANY_RATE)], **ANY_CONNECTIONS
        )
        for _ in range(2):
            async with Edge(configuration) as edge:
                assert edge.starts == 0
                counts = edge.guard.samples

                async def reads(counts: Mapping[str, int] = counts) -> bool:
                    await made.get(HOST)
                    return counts["read"] > 0

                await eventually(reads, 10)


async def test_a_reader_gets_all_lines_whole(tmp_path: Path) -> None:
    """However many come at once, while it keeps up with them: none is torn, none comes twice."""
    async with left_alone(tmp_path) as (made, _), Intake(socket_of(made)) as reader:
        await gets_new_samples(made, reader)
        await asyncio.sleep(0.3)
        reader.take()
        read = reader.counts["read"]
        seen: list[Sample] = []
        async with made.client(HOST) as client:
            for number in range(1_500):
                await client.get(f"/{number}")
                seen += reader.take()
        await eventually(lambda: reader.counts["read"] - read >= 1_500)
        seen += reader.take()
        assert [each.path for each in seen] == [f"/{number}" for number in range(1_500)]
        assert (reader.counts["malformed"], reader.counts["dropped"]) == (0, 0)


async def one_line(made: Lab) -> bytes:
    """As HAProxy sends it."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            lines.put_nowait(line)
        writer.close()

    server = await asyncio.start_unix_server(take, socket_of(made))
    socket_of(made).chmod(0o666)
    async with asyncio.timeout(10):
        while lines.empty():
            await made.get(HOST)
            await asyncio.sleep(0.05)
    server.close()
    return lines.get_nowait()


async def test_lines_come_in_pieces_and_in_masses(tmp_path: Path) -> None:
    """Pieces are put together; of masses what can be looked at is kept, and the rest is counted."""
    async with left_alone(tmp_path) as (made, _):
        line = await one_line(made)
    async with Intake(tmp_path / "own.sock") as reader:
        _, writer = await asyncio.open_unix_connection(tmp_path / "own.sock")
        for start in range(0, 3 * len(line), 7):
            writer.write((line * 3)[start : start + 7])
            await asyncio.sleep(0.001)
        await eventually(lambda: reader.counts["read"] == 3)
        assert len(reader.take()) == 3
        writer.write(b"no sample\n" + line * (MOST_WAITING + 500))
        await eventually(lambda: reader.counts.total() == 3 + MOST_WAITING + 500 + 1)
        assert len(reader.take()) == reader.counts["read"] - 3 <= MOST_WAITING
        assert reader.counts["malformed"] == 1
        assert 500 <= reader.counts["dropped"] <= 501
        writer.write(line)
        await eventually(lambda: len(reader.take()) == 1)
        writer.close()


WRITE = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(int(sys.argv[2]))
socket.socket(socket.AF_UNIX).connect(sys.argv[1])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
@pytest.mark.parametrize("account", ["nobody", "haproxy", "daemon"])
async def test_nobody_else_can_tell_the_agent_anything(tmp_path: Path, account: str) -> None:
    """Not even HAProxy's account, outside its jail; in it HAProxy can, as every test here shows."""
    number = str(pwd.getpwnam(account).pw_uid)
    async with left_alone(tmp_path) as (made, _), Intake(socket_of(made)) as reader:
        await gets_new_samples(made, reader)
        assert await asyncio.to_thread(owners_in, made.run_dir / "jail") == {"haproxy"}
        assert made.run_dir.stat().st_mode & 0o777 == 0o700
        words = [sys.executable, "-I", "-c", WRITE, str(socket_of(made)), number]
        tried = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
        assert "PermissionError" in tried.stderr, tried


def owners_in(jail: Path) -> set[str]:
    """Whose processes have this directory for their root."""
    owners = set()
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # it has just ended, or is no process
            if Path(os.readlink(process / "root")) == jail:
                owners.add(process.owner())
    return owners
