"""Programs that people and machines really use, from Debian's packages, at a site of files behind an edge:
each is run, and says what became of it. Not here: load (``load``)."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.edge.agent import Edge
from tests.feature.lab import lab, site, write_certificate
from tests.feature.nginx import nginx_files
from tests.feature.origins import Origin
from tests.feature.shielding import Ground, Sightless

LONGEST_SECONDS = 30
HOST, CERTIFICATE = "localhost", "one.pem"
ITEM = "The harbour is open again"
FEED = f"""\
<?xml version="1.0"?><rss version="2.0"><channel><title>Gazette</title><link>https://localhost/</link>
<description>News</description><item><title>{ITEM}</title><link>https://localhost/1</link>
<guid>1</guid></item></channel></rss>
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    worked: bool
    """Whether it has what it was to fetch."""
    told: str
    """All that it says, and what it logs of the answer where it says little."""


Program = Callable[[Ground], Awaitable[Outcome]]


async def curl(ground: Ground) -> Outcome:
    code, told = await _run("curl", "-sS", "--cacert", _certificate(ground), _url(ground, "feed.xml"))
    return Outcome(code == 0 and ITEM in told, told)


async def git(ground: Ground) -> Outcome:
    """A whole clone, whose content is checked. Of a refusal it says the status alone, unless it is traced."""
    clone = _empty(ground, "clone")
    code, told = await _run(
        *("git", "clone", _url(ground, "repo.git"), str(clone)),
        GIT_SSL_CAINFO=_certificate(ground),
        GIT_TRACE_CURL="1",
    )
    note = clone / "note"
    return Outcome(code == 0 and note.read_text() == ITEM, told)


async def newsboat(ground: Ground) -> Outcome:
    """A feed reader that looks for news, and then shows which it has."""
    home = _empty(ground, "newsboat")
    home.mkdir()
    (home / "urls").write_text(_url(ground, "feed.xml") + "\n")
    (home / "config").write_text("")
    files = ("-u", home / "urls", "-C", home / "config", "-c", home / "cache.db")
    log = home / "log"
    await _run(
        *("newsboat", *map(str, files), "-d", str(log), "-l", "4", "-x", "reload"),
        CURL_CA_BUNDLE=_certificate(ground),
        HOME=str(home),
    )
    code, told = await _run("newsboat", *map(str, files), "-x", "print-unread", HOME=str(home))
    return Outcome(code == 0 and told.startswith("1 unread"), told + log.read_text())


async def httpie(ground: Ground) -> Outcome:
    """A client that asks for JSON, and fails where it gets no good answer."""
    code, told = await _run(
        *("http", "--ignore-stdin", "--check-status", "--verify", _certificate(ground), "--print=b"),
        *("--json", _url(ground, "items.json")),
    )
    return Outcome(code == 0 and ITEM in told, told)


PROGRAMS: dict[str, Program] = {"curl": curl, "git": git, "newsboat": newsboat, "httpie": httpie}


@asynccontextmanager
async def gazette(directory: Path, **more: Any) -> AsyncIterator[Ground]:
    """A site of files: a feed, a list as JSON, a repository; ``more`` as in ``site``."""
    root, work = _write_files(directory)
    await _make_repository(root / "repo.git", work)
    certificate = write_certificate(directory / CERTIFICATE, HOST)
    async with nginx_files(directory, root) as port, lab(directory) as made:
        document = site("shop", [HOST], port, certificate=str(certificate), **more)
        configuration = made.configuration([document])
        async with Edge(configuration, runtime=_sightless) as edge:
            yield Ground(made, edge, Origin())


def _write_files(directory: Path) -> tuple[Path, Path]:
    """The folder that is served, and one that is to become a repository."""
    root, work = directory / "files", directory / "work"
    root.mkdir()
    (root / "feed.xml").write_text(FEED)
    (root / "items.json").write_text(f'{{"items": ["{ITEM}"]}}')
    work.mkdir()
    (work / "note").write_text(ITEM)
    return root, work


async def _make_repository(bare: Path, work: Path) -> None:
    """As a web server of files can serve it, without a git at its side."""
    who = ("-c", "user.name=A", "-c", "user.email=a@a.test")
    for words in (
        ("init", "-q", str(work)),
        ("-C", str(work), "add", "note"),
        ("-C", str(work), *who, "commit", "-q", "-m", "a note"),
        ("clone", "-q", "--bare", str(work), str(bare)),
        ("-C", str(bare), "update-server-info"),
    ):
        code, told = await _run("git", *words)
        assert code == 0, told


async def _run(*words: str, **environment: str) -> tuple[int, str]:
    """Exit status, and both streams. Without the settings of whoever runs the tests."""
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "TERM": "dumb"}
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean | {"GIT_CONFIG_NOSYSTEM": "1"} | environment,
    )
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode()


def _url(ground: Ground, path: str) -> str:
    return f"https://{HOST}:{ground.lab.https}/{path}"


def _certificate(ground: Ground) -> str:
    return str(ground.lab.directory / CERTIFICATE)


def _empty(ground: Ground, name: str) -> Path:
    """A folder that is not there yet."""
    return ground.lab.directory / f"{name}-{uuid.uuid4().hex[:8]}"


def _sightless(frame: Any) -> Sightless:
    return Sightless(frame.change_socket, frame.scan_socket)
