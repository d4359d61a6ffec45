"""The whole check of a site: its origins asked past the edge and its hostnames looked up, at the same time.

The site is read from the configuration file alone, without the keys and certificates that it names, so that
the check can be run on a machine which must not have them. One deadline holds for everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast.edge.check_origin import (
    NameFinding,
    NameVerdict,
    Report,
    concrete,
    hostname_to_ask,
    judge_name,
)
from holdfast.edge.configuration import build_site, parse_settings
from holdfast.edge.origin_probe import Patience, ask
from holdfast.edge.settings import SiteSettings
from holdfast.model.errors import error
from holdfast.model.site import Origin, Site

STEP_SECONDS = 5.0
WHOLE_SECONDS = 15.0
LOOKUPS_AT_ONCE = 16

Resolve = Callable[[str], Iterable[str]]


def read_site(path: Path, name: str) -> Site:
    """The site ``name`` of a configuration file, without its certificate. Raises HoldfastError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as refused:
        raise error(f"cannot read {path} ({refused})", "name a configuration file with --config") from refused
    settings, mistakes = parse_settings(text, path)
    for number, each in enumerate(settings.sites, 1):
        if each.name == name:
            site = build_site(_without_files(each), (), path.parent, mistakes, f"sites[{number}]")
            mistakes.raise_any()
            return site
    known = ", ".join(each.name for each in settings.sites) or "none"
    raise error(f"no site is named {name!r} in {path}", f"name one of those that are: {known}")


def _without_files(settings: SiteSettings) -> SiteSettings:
    origins = [each.model_copy(update={"ca": None}) for each in settings.origins]
    return settings.model_copy(
        update={"certificate": None, "key": None, "https": "optional", "origins": origins}
    )


def addresses_of(hostname: str) -> list[str]:
    """What this machine's resolver says. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)]


async def survey(site: Site, resolve: Resolve = addresses_of, step: float = STEP_SECONDS) -> Report:
    """Ask every origin of ``site`` past the edge, and look up where its hostnames lead."""
    patience = Patience(step, asyncio.get_running_loop().time() + WHOLE_SECONDS)
    hostname = hostname_to_ask(site.hostnames)
    lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)
    names = dict.fromkeys(concrete(pattern) for pattern in site.hostnames)
    looking = asyncio.gather(*(_look_up(name, site.origins, resolve, lookups, patience) for name in names))
    asking = asyncio.gather(*(ask(origin, site.service, hostname, patience) for origin in site.origins))
    return Report(site.name, tuple(await asking), tuple(await looking))


async def _look_up(
    hostname: str,
    origins: tuple[Origin, ...],
    resolve: Resolve,
    lookups: asyncio.Semaphore,
    patience: Patience,
) -> NameFinding:
    try:
        async with asyncio.timeout_at(patience.end), lookups:
            texts = await patience.wait(_in_thread(resolve, hostname))
    except TimeoutError:
        return NameFinding(hostname, NameVerdict.UNRESOLVED, words="no answer from the resolver in time")
    except (OSError, UnicodeError) as unknown:
        words = f"does not resolve ({getattr(unknown, 'strerror', None) or unknown})"
        return NameFinding(hostname, NameVerdict.UNRESOLVED, words=words)
    addresses = tuple(dict.fromkeys(ipaddress.ip_address(text.partition("%")[0]) for text in texts))
    return NameFinding(hostname, judge_name(addresses, origins), addresses)


def _in_thread(resolve: Resolve, hostname: str) -> asyncio.Future[list[str]]:
    """A thread that nobody waits for: asyncio waits for its own until a dead resolver gives in."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(result: list[str] | Exception) -> None:
        if found.done():
            return
        if isinstance(result, Exception):
            found.set_exception(result)
        else:
            found.set_result(result)

    def run() -> None:
        result: list[str] | Exception
        try:
            result = list(resolve(hostname))
        except (OSError, UnicodeError) as unknown:
            result = unknown
        with contextlib.suppress(RuntimeError):  # the loop has gone: nobody waits any more
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=run, daemon=True).start()
    return found
