"""The life of the small service that hands out the public pages: started, watched, started again, adopted.

Here belongs when its process runs. Not here: what it does (``public_server``), what lies in its tree
(``public_files``), how HAProxy leads to it (``dataplane.rules.public``).

It runs in a session of its own, as HAProxy does, so that statements are served while the agent is dead. It
notes its process id once it listens; the next agent adopts it if it was started with the same words, and
puts another in its place if not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Final

import structlog

import holdfast
from holdfast.edge.dataplane.process import alive
from holdfast.edge.listen import Listener
from holdfast.model.errors import HoldfastError, error

WATCH_SECONDS: Final = 0.25
START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 30.0
"""Between two attempts to start what does not start."""
LOG_BYTES: Final = 1_000_000
"""Its messages lie in memory, and name no client."""
MODULE: Final = "holdfast.edge.public_server"
NOTE: Final = "public.pid"
_EVERY: Final = IPv4Address("0.0.0.0")  # noqa: S104 - only where the operator has written so

REMEDY: Final = "see [ledger] listen in holdfast.toml; it is tried again by itself"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Service:
    """What should run."""

    listen: Listener
    root: Path
    """The public tree."""
    ledger: Path | None = None
    """Directory of the log, where this machine keeps it; it may not be there yet."""
    user: str | None = None
    """The account that it drops to; None: it stays what it is (not root)."""

    def command(self, note: Path) -> list[str]:
        """The words that it is started with. Another version of Holdfast is another service. So is another
        folder of the same name: the service has opened those that were there when it started."""
        listen = Listener(self.listen.address or _EVERY, self.listen.port)
        words = [sys.executable, "-I", "-m", MODULE, "--version", holdfast.__version__]
        words += ["--listen", str(listen), "--root", str(self.root.absolute()), "--note", str(note)]
        words += ["--root-is", _identity(self.root)]
        if self.ledger is not None and (self.ledger / "public").is_dir():
            words += ["--ledger", str(self.ledger.absolute() / "public")]
            words += ["--ledger-is", _identity(self.ledger / "public")]
        return [*words, "--user", self.user] if self.user else words


def _identity(folder: Path) -> str:
    """Tells a folder from another one that is put in its place; '' for none."""
    try:
        found = folder.stat()
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def local_address(listen: Listener) -> str:
    """Where HAProxy, on the same machine, reaches what listens there."""
    address = listen.address or _EVERY
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    return str(Listener(address, listen.port))


class PublicService:
    """The one of a run directory."""

    def __init__(self, run_dir: Path) -> None:
        self._note = run_dir.absolute() / NOTE
        self._log = run_dir / "public.log"
        self._wanted: Service | None = None
        self._starting: subprocess.Popen[bytes] | None = None
        """One that may not have written its note yet."""
        self._failures = 0

    def configure(self, wanted: Service | None) -> None:
        """What should run from now on; None: nothing."""
        self._wanted, self._failures = wanted, 0

    @property
    def pid(self) -> int | None:
        """The process that runs, whoever started it."""
        found = self._found()
        return found[0] if found else None

    async def run(self) -> None:
        """Keep it running until cancelled; it then goes on alone."""
        while True:
            try:
                await self._keep()
                self._failures = 0
            except HoldfastError as failed:
                self._failures += 1
                if self._failures == 1:
                    log.error("the public pages are not served", why=str(failed))
            pause = WATCH_SECONDS * 2 ** min(self._failures, 10)
            await asyncio.sleep(min(pause, LONGEST_PAUSE_SECONDS))

    async def stop(self) -> None:
        """End it. Open requests get a moment."""
        found = self._found()
        if found is not None:
            await _end(found[0])
        if self._starting is not None:
            await _end(self._starting.pid)

    async def _keep(self) -> None:
        found = self._found()
        if self._wanted is None:
            if found is not None:
                await self.stop()
            return
        with contextlib.suppress(OSError):  # the start says why
            self._wanted.root.mkdir(parents=True, exist_ok=True)
        command = self._wanted.command(self._note)
        if found is not None and found[1] == command:
            with contextlib.suppress(OSError):
                if self._log.stat().st_size > LOG_BYTES:
                    os.truncate(self._log, 0)
            return
        if found is not None:
            await self.stop()
        await self._start(command, self._wanted)

    async def _start(self, command: list[str], wanted: Service) -> None:
        """Returns when it listens. Raises HoldfastError with its own words when it does not."""
        try:
            wanted.root.mkdir(parents=True, exist_ok=True)
            child = self._starting = self._spawn(command)
        except OSError as refused:
            raise error(
                f"the service of the public pages cannot be started ({refused})", "see 'holdfast doctor'"
            ) from refused
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if self._noted() == child.pid:
                self._starting = None
                log.info("started the service of the public pages", pid=child.pid)
                return
            if child.poll() is not None:
                self._starting = None
                raise error(f"the service of the public pages did not start: {self._last_words()}", REMEDY)
            await asyncio.sleep(0.02)
        child.kill()
        child.wait()
        self._starting = None
        raise error(f"the service of the public pages did not start within {START_SECONDS:.0f} s", REMEDY)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """The child is watched, not waited for."""
        self._log.write_bytes(b"")
        with self._log.open("ab") as words:  # appending, or it would leave a gap after it has been trimmed
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
                cwd="/",
            )

    def _found(self) -> tuple[int, list[str]] | None:
        """The process that the note names, and its words. Numbers are reused: it must be one of ours."""
        pid = self._noted()
        if pid is None or not alive(pid):
            return None
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
        except OSError:
            return None
        command = [os.fsdecode(word) for word in words]
        return (pid, command) if MODULE in command and str(self._note) in command else None

    def _noted(self) -> int | None:
        try:
            return int(self._note.read_text())
        except (OSError, ValueError):
            return None

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").split("\n")
        except OSError:
            lines = []
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


async def _end(pid: int) -> None:
    """Politely, and then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if not alive(pid):
                return
            await asyncio.sleep(0.02)
