"""What can be missing, full, read-only or refused: whoever asked hears of it and what to do, nothing is half
done, and what is in force stays in force."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.configuration import Configuration
from holdfast.edge.dataplane.disk import MEMORY_FILESYSTEMS, filesystem
from holdfast.edge.dataplane.process import alive
from holdfast.edge.machine import haproxy_binary
from holdfast.edge.supervise import QUIET_SECONDS
from holdfast.model.ban import Ban
from holdfast.model.enforcement import SiteScope
from holdfast.model.errors import HoldfastError
from tests.feature.lab import echo_origin, enforcement, eventually, lab, released, running, site

VISITOR = "127.9.8.7"
ON_DISK = Path("/var/tmp/holdfast-test-never-made")  # noqa: S108
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


@pytest.fixture
def port() -> Iterator[int]:
    with echo_origin() as number:
        yield number


@contextlib.contextmanager
def small_memory(directory: Path, kilobytes: int) -> Iterator[Path]:
    """A file system in memory that is soon full."""
    directory.mkdir()
    options = f"size={kilobytes}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def resize(directory: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", directory], check=True)


def fill(directory: Path) -> Path:
    """Leave not a byte free."""
    waste = directory / "waste"
    with contextlib.suppress(OSError), waste.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return waste


def present(path: Path) -> bool:
    return path.exists()


def ban(source: str) -> Ban:
    return Ban(ip_network(source), datetime.now(UTC) + timedelta(seconds=60))


async def refused(configuration: Configuration, binary: str | None = None) -> str:
    """How a start is refused."""
    with pytest.raises(HoldfastError) as caught:
        async with Edge(configuration, binary=binary):
            pass
    return str(caught.value)


@pytest.mark.skipif(filesystem(ON_DISK) in MEMORY_FILESYSTEMS, reason="this machine has nothing but memory")
async def test_a_run_directory_on_a_disk_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as made:
        made.run_dir = ON_DISK
        assert "not in memory; set [edge] run_dir" in await refused(made.configuration())
        assert not present(ON_DISK)


@needs_root
async def test_a_run_directory_without_room_is_refused(tmp_path: Path, port: int) -> None:
    sites = [site("a", ["a.test"], port)]
    with small_memory(tmp_path / "run", 32) as full:
        async with lab(tmp_path) as made:
            made.run_dir = full
            words = await refused(made.configuration(sites))
            assert f"cannot write to the run directory {full} (No space left on device); make room" in words
            assert await made.status("a.test") == 0
            resize(full, 8192)
            async with Edge(made.configuration(sites)):
                assert await made.status("a.test") == 200


@needs_root
async def test_an_edge_whose_run_directory_fills_up_goes_on(tmp_path: Path, port: int) -> None:
    """It takes blocks and sites, even through HAProxy's death; once there is room, it is written again."""
    with small_memory(tmp_path / "run", 8192) as small:
        async with lab(tmp_path) as made:
            made.run_dir = small
            sites = [site(name, [f"{name}.test"], port) for name in ("a", "b", "c")]
            async with Edge(made.configuration(sites)) as edge:
                waste = fill(small)
                await edge.block(released(enforcement(SiteScope("b"))))
                await edge.ban(ban(VISITOR))
                await asyncio.sleep(2 * QUIET_SECONDS + 0.5)  # the files are written now, if they can be
                await edge.put_site(site("new", ["new.test"], port))
                with pytest.raises(HoldfastError, match="No space left on device"):
                    await edge.reload()
                os.kill(edge.processes.master, 9)
                await eventually(lambda: edge.starts == 2, 15)
                await edge.block(released(enforcement(SiteScope("c"))))
                seen = [await made.status(f"{name}.test") for name in ("a", "b", "c", "new")]
                assert (seen, await made.status("a.test", source=VISITOR)) == ([200, 403, 403, 200], 0)
                assert (await edge.reconciler.difference()).now == []
                waste.unlink()
                await edge.reload()
                assert not edge.crashed.done()
                assert (edge.starts, edge.reloads) == (2, 1)


@needs_root
@pytest.mark.parametrize("fault", ["full", "held"])
async def test_a_state_directory_that_takes_nothing_changes_nothing(
    tmp_path: Path, port: int, fault: str
) -> None:
    with small_memory(tmp_path / "state", 512) as state:
        sites = [site(name, [f"{name}.test"], port) for name in ("a", "b")]
        async with running(tmp_path, sites) as (made, edge):
            await edge.put_site(site("given", ["given.test"], port))
            block = enforcement(SiteScope("b"))
            await edge.block(released(block))
            before = dict(edge.desired.sites), dict(edge.desired.ids), dict(edge.desired.enforcements)
            free = [pool.free for pool in edge.pools.values()]
            undo = _break(state, fault)
            moved = site("a", ["a.test"], port, customer="other")
            for attempt in (
                edge.block(released(enforcement(SiteScope("a")))),
                edge.unblock(block.id),
                edge.put_site(site("new", ["new.test"], port)),
                edge.put_site(site("given", ["given.test", "more.test"], port)),
                edge.remove_site("given"),
                edge.apply(made.configuration([moved])),
            ):
                with pytest.raises(HoldfastError, match=r"the state directory .* does not take .*; make"):
                    await attempt
            assert before == (edge.desired.sites, edge.desired.ids, edge.desired.enforcements)
            assert free == [pool.free for pool in edge.pools.values()]
            assert edge.configuration.sites.keys() == {"a", "b"}
            seen = [await made.status(f"{name}.test") for name in ("a", "b", "given", "new", "more")]
            assert seen == [200, 403, 200, 421, 421]
            assert (await edge.reconciler.difference()).now == []
            await edge.ban(ban(VISITOR))  # which is nowhere stored
            assert await made.status("a.test", source=VISITOR) == 0
            undo()
            await edge.unblock(block.id)
            await edge.remove_site("given")
            assert (await made.status("b.test"), await made.status("given.test")) == (200, 421)
            assert not edge.crashed.done()
        try:
            async with Edge(made.configuration(sites)) as edge:
                assert edge.desired.sites.keys() == {"a", "b"}
        finally:
            await made.clean()  # the lab was closed before this HAProxy was started


def _break(state: Path, fault: str) -> Callable[[], None]:
    """Have the state directory take nothing more; returns what undoes that."""
    if fault == "full":
        return fill(state).unlink
    # By another process, as by a person with sqlite3 open, or a backup.
    holder = sqlite3.connect(state / "edge.db", isolation_level=None, timeout=0)
    holder.execute("BEGIN IMMEDIATE")
    return holder.close


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "is not installed; run 'apt-get install haproxy'"),
        ("echo HAProxy version 2.4.22-1 2023/02/14", "HAProxy 2.4.22 is too old; install 2.6 or newer"),
        ("echo HAProxy version 2.6.12 2023/02/14", "built without OPENSSL, THREAD, PCRE2; install"),
        ("exit 1", "does not run"),
        ("echo something else", "HAProxy of unknown version is too old"),
    ],
)
async def test_an_unfit_haproxy_is_refused(tmp_path: Path, script: str | None, words: str) -> None:
    binary = tmp_path / "haproxy"
    if script is not None:
        binary.write_text(f"#!/bin/sh\n{script}\n")
        binary.chmod(0o755)
    async with lab(tmp_path) as made:
        assert words in await refused(made.configuration(), str(binary))
        assert not present(made.run_dir), "nothing was begun"


async def test_haproxy_that_disappears_does_not_take_the_agent_along(tmp_path: Path, port: int) -> None:
    """An upgrade that goes wrong: HAProxy ends, and its program is not there. Then it is back."""
    binary, away = tmp_path / "haproxy", tmp_path / "away"
    binary.write_text(f'#!/bin/sh\nexec {haproxy_binary()} "$@"\n')
    binary.chmod(0o755)
    sites = [site("a", ["a.test"], port)]
    async with lab(tmp_path) as made, Edge(made.configuration(sites), binary=str(binary)) as edge:
        binary.rename(away)
        os.kill(edge.processes.master, 9)
        await eventually(lambda: not alive(edge.processes.master))
        await asyncio.sleep(1)
        assert not edge.crashed.done()
        away.rename(binary)
        await eventually(lambda: edge.starts == 2, 15)
        assert await made.status("a.test") == 200
