"""``holdfast.toml`` → settings and sites: reads the file and the certificates it names, checks all of it
at once, and starts nothing."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from holdfast.edge.certificates import read_authority, read_certificate
from holdfast.edge.dataplane.facts import allow_keys
from holdfast.edge.dataplane.own_path import with_own_pages
from holdfast.edge.dataplane.pages import BlockNotice
from holdfast.edge.listen import Listener, parse_listeners
from holdfast.edge.release import Trust
from holdfast.edge.settings import (
    AlertSettings,
    EdgeSettings,
    LedgerSettings,
    LimitSettings,
    OriginSettings,
    Settings,
    SiteSettings,
    explain,
    line_numbers,
    nearest_line,
)
from holdfast.ledger.errors import LedgerError
from holdfast.ledger.note import COSIGNATURE, ED25519, VerifierKey, parse_verifier_key
from holdfast.ledger.witness import Witness, parse_witness
from holdfast.model.ban import parse_network
from holdfast.model.enforcement import Provider
from holdfast.model.errors import HoldfastError, Mistake, error
from holdfast.model.hostname import parse_hostname, parse_pattern
from holdfast.model.site import (
    LONGEST_BURST_SECONDS,
    Https,
    Limits,
    Network,
    Origin,
    OriginTls,
    Protocol,
    Service,
    Site,
)

WIDEST_ALLOWED = {4: 8, 6: 24}
"""Shortest prefix of an allow list's entry, by IP version."""

_PUBLIC = Listener(ipaddress.ip_address("127.0.0.1"), 9465)


@dataclass(frozen=True, slots=True)
class LedgerConfiguration:
    """``[ledger]``, checked."""

    trust: Trust
    directory: Path | None
    """Of the log, where this machine keeps it."""
    grounds: Path | None
    listen: Listener
    """Where the public pages are served on this machine."""
    witnesses: tuple[Witness, ...] = ()
    """Those whom this machine asks: they are named with their URL."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A checked ``holdfast.toml``."""

    path: Path
    edge: EdgeSettings
    provider: Provider
    sites: dict[str, Site]
    http: tuple[Listener, ...]
    https: tuple[Listener, ...]
    ledger: LedgerConfiguration
    proxies: tuple[Network, ...] = ()
    forwarders: tuple[Network, ...] = ()
    alerts: AlertSettings = field(default_factory=AlertSettings)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return self.http + self.https


class Mistakes:
    """Collects what is wrong, so that a person hears of everything at once."""

    def __init__(self, file: str, lines: dict[str, int]) -> None:
        self.found: list[Mistake] = []
        self._file = file
        self._lines = lines

    def where(self, place: str) -> str:
        line = nearest_line(place, self._lines)
        return f"{self._file}:{line}: {place}" if line else f"{self._file}: {place}"

    def add(self, place: str, problem: str, remedy: str) -> None:
        self.found.append(Mistake(self.where(place), problem, remedy))

    def take(self, place: str, raised: HoldfastError) -> None:
        self.found += [Mistake(self.where(place), each.problem, each.remedy) for each in raised.mistakes]

    def raise_any(self) -> None:
        if self.found:
            raise HoldfastError(*self.found)


def read_configuration(path: Path) -> Configuration:
    """Read and check a configuration file.

    Raises HoldfastError with one mistake for each thing that is wrong: its place, and the remedy.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as refused:
        raise error(
            f"cannot read {path} ({refused})",
            "name a configuration file with --config, or run 'holdfast up --demo'",
        ) from refused
    return parse_configuration(text, path)


def parse_settings(text: str, path: Path) -> tuple[Settings, Mistakes]:
    """The shape of the file, and where to note what else is wrong with it. Raises HoldfastError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise error(f"this is not TOML: {broken}", "correct that line", str(path)) from broken
    lines = line_numbers(text)
    try:
        return Settings.model_validate(document), Mistakes(str(path), lines)
    except ValidationError as invalid:
        raise HoldfastError(*explain(invalid, lines, str(path))) from invalid


def parse_configuration(text: str, path: Path) -> Configuration:
    """As ``read_configuration``, for text that is already read; it names files relative to ``path``."""
    settings, mistakes = parse_settings(text, path)
    http = _listeners(settings.edge.http, "edge.http", mistakes)
    https = _listeners(settings.edge.https, "edge.https", mistakes)
    if not http and not https:
        mistakes.add("edge", "there is no address to listen at", 'set http = ["*:80"]')
    sites = build_sites(settings.sites, http + https, path.parent, mistakes)
    proxies = _trusted(settings.edge.proxies, "edge.proxies", mistakes)
    forwarders = _trusted(settings.edge.forwarders, "edge.forwarders", mistakes)
    ledger = _ledger(settings.ledger, path.parent, mistakes)
    provider = Provider(**settings.provider.model_dump())
    if ledger.trust.log is not None:
        provider = with_own_pages(provider)
    _check_provider(provider, mistakes)
    mistakes.raise_any()
    return Configuration(
        path, settings.edge, provider, sites, http, https, ledger, proxies, forwarders, settings.alerts
    )


def _ledger(settings: LedgerSettings, base: Path, mistakes: Mistakes) -> LedgerConfiguration:
    log = _key(settings.key, ED25519, "ledger.key", mistakes) if settings.key is not None else None
    asked = [_witness(text, mistakes) for text in settings.witnesses if "=" in text]
    witnesses = [each.key for each in asked if each is not None] + [
        _key(text, COSIGNATURE, "ledger.witnesses", mistakes)
        for text in settings.witnesses
        if "=" not in text
    ]
    known = tuple(key for key in witnesses if key is not None)
    if len({key.public for key in known}) < len(known):
        mistakes.add("ledger.witnesses", "a witness is there twice", "remove one of the two")
    if log is not None and log.public in {key.public for key in known}:
        mistakes.add("ledger.witnesses", "a log is no witness of itself", "name the keys of others")
    quorum = len(known) // 2 + 1 if settings.quorum is None and known else settings.quorum or 0
    if quorum > len(settings.witnesses):
        mistakes.add(
            "ledger.quorum",
            f"{quorum} witnesses must have signed, and {len(settings.witnesses)} are named",
            "name more in witnesses, or choose a smaller number",
        )
    return LedgerConfiguration(
        Trust(log, known, quorum),
        base / settings.directory if settings.directory else None,
        base / settings.grounds if settings.grounds else None,
        (*_listeners([settings.listen], "ledger.listen", mistakes), _PUBLIC)[0],
        tuple(each for each in asked if each is not None),
    )


def _witness(text: str, mistakes: Mistakes) -> Witness | None:
    """``URL=KEY``: one that is asked to countersign."""
    try:
        return parse_witness(text)
    except LedgerError as wrong:
        mistakes.add("ledger.witnesses", wrong.problem, wrong.remedy)
        return None


def _key(text: str, kind: int, place: str, mistakes: Mistakes) -> VerifierKey | None:
    """A verifier key of the kind that signs ``place``."""
    try:
        key = parse_verifier_key(text)
    except LedgerError as wrong:
        mistakes.add(place, wrong.problem, wrong.remedy)
        return None
    if key.kind != kind:
        whose = "a witness" if kind == COSIGNATURE else "a log"
        mistakes.add(place, f"the key {key.name} is not that of {whose}", f"write the one of {whose}")
        return None
    return key


def _check_provider(provider: Provider, mistakes: Mistakes) -> None:
    """Make a block page's notice of it now, rather than find out when somebody must be blocked."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    try:
        BlockNotice(
            id="example",
            status=403,
            provider=provider.name,
            provider_url=provider.url,
            ground="example",
            since=now,
            until=None,
            statement=provider.statement.replace("{id}", "example"),
            record=provider.record.replace("{id}", "example"),
            appeal=provider.appeal.replace("{id}", "example"),
            authority="",
        )
    except HoldfastError as wrong:
        mistakes.take("provider", wrong)


def _listeners(texts: Iterable[str], place: str, mistakes: Mistakes) -> tuple[Listener, ...]:
    try:
        return parse_listeners(texts, place)
    except HoldfastError as wrong:
        mistakes.take(place, wrong)
        return ()


def build_sites(
    settings: Sequence[SiteSettings], listeners: Sequence[Listener], base: Path, mistakes: Mistakes
) -> dict[str, Site]:
    """The sites of ``settings``, with what is wrong added to ``mistakes``; files are relative to ``base``."""
    sites: dict[str, Site] = {}
    owners: dict[str, str] = {}
    for number, each in enumerate(settings, 1):
        place = f"sites[{number}]"
        if each.name in sites:
            mistakes.add(f"{place}.name", f"there are two sites named {each.name!r}", "rename one of them")
        site = build_site(each, listeners, base, mistakes, place)
        sites[each.name] = site
        for hostname in site.hostnames:
            if hostname in owners:
                mistakes.add(
                    f"{place}.hostnames",
                    f"{hostname!r} already belongs to site {owners[hostname]!r}",
                    "remove it from one of the two",
                )
            owners.setdefault(hostname, each.name)
    return sites


def build_site(
    settings: SiteSettings, listeners: Sequence[Listener], base: Path, mistakes: Mistakes, place: str
) -> Site:
    """One site; what is wrong is added to ``mistakes`` and the site is then not to be used."""
    hostnames: list[str] = []
    for text in settings.hostnames:
        try:
            hostnames.append(parse_pattern(text))
        except HoldfastError as wrong:
            mistakes.take(f"{place}.hostnames", wrong)
    service = Service(settings.service)
    _check_service(settings, service, mistakes, place)
    certificate = None
    if settings.certificate is not None:
        try:
            key = base / settings.key if settings.key else None
            certificate = read_certificate(base / settings.certificate, key, hostnames)
        except HoldfastError as wrong:
            mistakes.take(f"{place}.certificate", wrong)
    return Site(
        name=settings.name,
        customer=settings.customer,
        hostnames=tuple(dict.fromkeys(hostnames)),
        origins=_origins(settings, listeners, base, mistakes, place),
        service=service,
        https=Https(settings.https),
        certificate=certificate,
        limits=_limits(settings.limits, f"{place}.limits", mistakes),
        allow=_networks(settings.allow, f"{place}.allow", mistakes),
        watch_only=settings.watch_only,
        under_attack=settings.under_attack,
        sign=settings.sign,
    )


def _limits(settings: LimitSettings, place: str, mistakes: Mistakes) -> Limits:
    """The limits; a burst that is not given is ten seconds' worth of the rate."""
    rate = settings.requests_per_second
    burst = 10 * rate if settings.burst is None else settings.burst
    if settings.burst is not None and burst > LONGEST_BURST_SECONDS * rate:
        mistakes.add(
            f"{place}.burst",
            f"{burst} requests at once are more than a minute's worth",
            f"choose at most {LONGEST_BURST_SECONDS * rate}, or raise requests_per_second",
        )
    return Limits(**{**settings.model_dump(), "burst": burst})


def _check_service(settings: SiteSettings, service: Service, mistakes: Mistakes, place: str) -> None:
    if service is Service.TCP:
        for name in ("certificate", "key", "allow"):
            if getattr(settings, name):
                mistakes.add(
                    f"{place}.{name}",
                    "a tcp site is passed through unopened",
                    f"remove {name}, or set service to 'web'",
                )
        if settings.https != "optional" or settings.sign or settings.watch_only or settings.under_attack:
            mistakes.add(
                place,
                "a tcp site has no requests to redirect, sign or watch",
                "remove https, sign, watch_only and under_attack",
            )
        if counting := sorted(settings.limits.model_fields_set - {"origin_connections", "queue"}):
            mistakes.add(
                f"{place}.limits", "a tcp site has no requests to count", f"remove {', '.join(counting)}"
            )
        if any(origin.scheme == "https" or origin.protocol == "h2" for origin in settings.origins):
            mistakes.add(
                f"{place}.origins", "a tcp site is passed through unopened", "remove scheme and protocol"
            )
    elif settings.https != "optional" and settings.certificate is None:
        mistakes.add(
            f"{place}.https",
            "HTTPS is demanded but there is no certificate",
            "set certificate, or https = 'optional'",
        )
    if settings.key is not None and settings.certificate is None:
        mistakes.add(f"{place}.key", "there is a key without a certificate", "set certificate")


def _trusted(texts: Sequence[str], place: str, mistakes: Mistakes) -> tuple[Network, ...]:
    """Networks whose word about a client's address is taken."""
    networks = []
    for text in texts:
        try:
            networks.append(parse_network(text))
        except HoldfastError as wrong:
            mistakes.take(place, wrong)
    return tuple(dict.fromkeys(networks))


def _networks(texts: Sequence[str], place: str, mistakes: Mistakes) -> tuple[Network, ...]:
    networks = []
    for text in texts:
        try:
            network = parse_network(text)
            if network.prefixlen < WIDEST_ALLOWED[network.version]:
                raise error(
                    f"{network} is too wide: what one site allows, no ban of this edge touches",
                    f"write networks of /{WIDEST_ALLOWED[network.version]} or narrower",
                )
            allow_keys(network)
            networks.append(network)
        except HoldfastError as wrong:
            mistakes.take(place, wrong)
    return tuple(dict.fromkeys(networks))


def _origins(
    settings: SiteSettings, listeners: Sequence[Listener], base: Path, mistakes: Mistakes, place: str
) -> tuple[Origin, ...]:
    origins: list[Origin] = []
    for number, each in enumerate(settings.origins, 1):
        here = f"{place}.origins[{number}]"
        try:
            origin = _origin(each, listeners, base)
        except HoldfastError as wrong:
            mistakes.take(here, wrong)
            continue
        if origin in origins:
            mistakes.add(here, "this origin is there twice", "remove one of the two")
        origins.append(origin)
    return tuple(origins)


def _origin(settings: OriginSettings, listeners: Sequence[Listener], base: Path) -> Origin:
    try:
        address = ipaddress.ip_address(settings.address.strip("[]"))
    except ValueError:
        raise error(f"{settings.address!r} is not an IP address", "write one, such as 192.0.2.10") from None
    port = settings.port or (443 if settings.scheme == "https" else 80)
    if any(listener.is_reached_by(address, port) for listener in listeners):
        raise error(
            f"the origin {settings.address} port {port} is this edge itself: requests would go in a circle",
            "name the machine or port that really holds the site",
        )
    if settings.scheme == "http":
        if settings.server_name or settings.ca:
            raise error("server_name and ca only make sense with TLS", "set scheme = 'https', or remove them")
        return Origin(address, port, None, Protocol(settings.protocol))
    if settings.server_name is None:
        raise error("server_name is missing", "name what the origin's certificate must carry")
    authority = read_authority(base / settings.ca) if settings.ca else None
    tls = OriginTls(parse_hostname(settings.server_name), authority)
    return Origin(address, port, tls, Protocol(settings.protocol))
