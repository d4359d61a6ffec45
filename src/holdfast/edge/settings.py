"""``holdfast.toml``: the shape of the file. ``configuration`` turns it into sites; nothing is read here."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast.model.errors import Mistake


class Strict(BaseModel):
    """Nothing unknown is let pass: a misspelt setting that does nothing is a trap."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EdgeSettings(Strict):
    """``[edge]``: this machine."""

    http: list[str] = Field(default=["*:80"], description="Addresses for plain HTTP.")
    https: list[str] = Field(default=["*:443"], description="Addresses for TLS; empty: none.")
    https_port: int | None = Field(
        default=None, ge=1, le=65535, description="The HTTPS port that visitors see, where it differs."
    )
    state_dir: str = Field(
        default="/var/lib/holdfast", description="Where decisions and numbers are kept, across reboots."
    )
    run_dir: str | None = Field(
        default=None, description="Memory-backed directory for what HAProxy reads; default: /run or /dev/shm."
    )
    metrics: str = Field(default="127.0.0.1:9464", description="Prometheus metrics; keep it private.")
    threads: int | None = Field(
        default=None, ge=1, le=60, description="Threads that carry traffic; default: one for each core."
    )
    user: str | None = Field(
        default="haproxy", description="Account that HAProxy drops to when it is started as root."
    )
    clients: int = Field(default=1_000_000, ge=1000, description="Clients that are counted at the same time.")
    connections_per_second: int = Field(
        default=100, ge=1, le=100_000, description="New ones of one client, averaged over ten seconds."
    )
    connections_at_once: int = Field(
        default=500, ge=1, le=100_000, description="Open ones of one client, at each port."
    )
    watch_only: bool = Field(
        default=False, description="Count connections that would be refused, and refuse none but the banned."
    )
    shield: Literal["act", "watch"] = Field(
        default="act", description="watch: floods are seen and told at all sites, and nothing is done."
    )
    proxies: list[str] = Field(
        default=[], description="Networks of balancers in front that speak the PROXY protocol; only they may."
    )
    forwarders: list[str] = Field(
        default=[],
        description="Networks of balancers in front whose X-Forwarded-For names the client (its last entry).",
    )
    nameservers: list[str] = Field(
        default=[], description="Asked whether a crawler is who it says; default: the system's."
    )
    crawler_networks: dict[str, str] = Field(
        default={}, description="Crawler → file with its networks, JSON as its maker publishes it."
    )


class MailSettings(Strict):
    """``[alerts.mail]``: where e-mail is handed in."""

    server: str = Field(description="Name of the mail server.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    tls: Literal["starttls", "tls", "none"] = Field(default="starttls", description="How it is encrypted.")
    sender: str = Field(description="The address that alerts come from.")
    user: str | None = Field(default=None, description="Who logs in; needs TLS.")
    password_file: str | None = Field(default=None, description="File that holds the password.")
    ca: str | None = Field(
        default=None, description="PEM file of the authorities to trust; default: the system's."
    )


class ReceiverSettings(Strict):
    """``[[alerts.receivers]]``: who is told that an attack begins, changes and ends."""

    email: str | None = Field(default=None, description="An address; needs [alerts.mail].")
    webhook: str | None = Field(default=None, description="A URL that JSON is posted to; or this.")
    secret_file: str | None = Field(
        default=None, description="File that holds what posts are signed with (16 bytes or more)."
    )
    ca: str | None = Field(
        default=None, description="PEM file of the authorities to trust; default: the system's."
    )
    customer: str | None = Field(default=None, description="Only of this customer's sites.")
    site: str | None = Field(default=None, description="Only of this site.")


class AlertSettings(Strict):
    """``[alerts]``."""

    mail: MailSettings | None = Field(default=None, description="Where e-mail is handed in.")
    receivers: list[ReceiverSettings] = Field(default=[], description="Who is told.")


class ProviderSettings(Strict):
    """``[provider]``: who runs this edge, as the block page says it."""

    name: str = Field(default="The operator of this edge", description="Shown on the block page.")
    url: str = Field(default="https://provider.invalid/", description="The provider's home page.")
    statement: str = Field(
        default="",
        description="Public statements; {id} stands for a decision's id. Default: pages of the edge itself.",
    )
    record: str = Field(default="", description="Public record of a decision; {id} and default as above.")
    appeal: str = Field(default="", description="Where an appeal is lodged; {id} as above.")


class LedgerSettings(Strict):
    """``[ledger]``: the public record, without which nothing is blocked."""

    key: str | None = Field(
        default=None, description="Verifier key of the log; blocks that are not in it are not put in force."
    )
    witnesses: list[str] = Field(
        default=[],
        description="Verifier keys of those who countersign the log; URL=KEY where this machine asks them.",
    )
    quorum: int | None = Field(
        default=None, ge=0, description="So many of them must have; default: more than half."
    )
    directory: str | None = Field(
        default=None, description="The log, where this machine keeps it ('holdfast ledger init' makes one)."
    )
    grounds: str | None = Field(default=None, description="TOML file of the grounds that a block may cite.")
    listen: str = Field(
        default="127.0.0.1:9465", description="Address of the public pages: statements, proofs, the log."
    )


class OriginSettings(Strict):
    """``[[sites.origins]]``: where the content comes from."""

    address: str = Field(description="IP address.")
    port: int | None = Field(default=None, ge=1, le=65535, description="Default: 80, or 443 for https.")
    scheme: Literal["http", "https"] = Field(default="http", description="How the edge connects.")
    server_name: str | None = Field(
        default=None, description="Name that the origin's certificate must carry, sent as SNI; https only."
    )
    ca: str | None = Field(
        default=None, description="PEM file of the authorities to trust; default: the system's. https only."
    )
    protocol: Literal["http/1.1", "h2"] = Field(default="http/1.1", description="h2 for gRPC origins.")


class LimitSettings(Strict):
    """``[sites.limits]``."""

    requests_per_second: int = Field(
        default=100, ge=0, le=100_000, description="Of one client, on average; 0: any number."
    )
    burst: int | None = Field(
        default=None,
        ge=1,
        le=6_000_000,
        description="Of one client, at once, after a pause; default: ten seconds' worth, at most a minute's.",
    )
    requests_at_once: int = Field(
        default=200, ge=1, le=100_000, description="Of one client, answered or waiting at the same time."
    )
    bytes_per_second: int = Field(
        default=0,
        ge=0,
        le=100_000_000,
        description="Of one client, both ways, averaged over ten seconds; 0: any number.",
    )
    body_bytes: int = Field(
        default=1 << 30, ge=1, le=1 << 40, description="The longest request body that says its length."
    )
    origin_connections: int = Field(
        default=100, ge=1, le=100_000, description="At the same time, to each origin; the rest queues."
    )
    queue: int = Field(
        default=400, ge=0, le=100_000, description="Requests that may wait for an origin; the rest gets 503."
    )


class SiteSettings(Strict):
    """``[[sites]]``: one protected site."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = Field(
        description="Unique; lower case letters, digits and '-'."
    )
    customer: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = Field(
        default="default", description="Whose site it is."
    )
    hostnames: list[str] = Field(min_length=1, description="Exact, or '*.' and a name for one label below.")
    origins: list[OriginSettings] = Field(min_length=1, description="One or more; requests are shared.")
    service: Literal["web", "tcp"] = Field(
        default="web", description="web: reverse proxy; tcp: TLS passed through unopened, by SNI."
    )
    https: Literal["optional", "redirect", "strict"] = Field(
        default="optional", description="redirect: plain HTTP is led to HTTPS; strict: and HSTS is sent."
    )
    certificate: str | None = Field(default=None, description="PEM file with the chain, leaf first.")
    key: str | None = Field(
        default=None, description="PEM file with the private key; default: in the former."
    )
    allow: list[str] = Field(default=[], description="Networks that no limit or ban of this edge touches.")
    limits: LimitSettings = Field(default=LimitSettings(), description="What one client may take.")
    watch_only: bool = Field(
        default=False, description="Count what the limits would refuse, and refuse nothing."
    )
    under_attack: bool = Field(
        default=False, description="Ask every visitor to wait a moment: the owner's switch."
    )
    sign: bool = Field(
        default=False, description="Sign requests for the origin; 'holdfast site secret' shows its key."
    )


class Settings(Strict):
    """The whole file."""

    edge: EdgeSettings = EdgeSettings()
    provider: ProviderSettings = ProviderSettings()
    ledger: LedgerSettings = LedgerSettings()
    alerts: AlertSettings = AlertSettings()
    sites: list[SiteSettings] = Field(default=[])


_REMEDIES = {
    "extra_forbidden": "remove it, or correct its spelling",
    "missing": "add it",
    "string_type": "write text in quotes",
    "int_type": "write a whole number without quotes",
    "int_parsing": "write a whole number",
    "list_type": "write a list in square brackets",
    "too_short": "give at least one",
    "string_pattern_mismatch": "use lower case letters, digits and '-', beginning with a letter or digit",
    "model_type": "write a table",
}


def explain(invalid: ValidationError, lines: dict[str, int], file: str) -> list[Mistake]:
    """One mistake for each bad field: its place in the file and what to write instead."""
    mistakes = []
    for problem in invalid.errors():
        place = dotted(problem["loc"])
        line = nearest_line(place, lines)
        where = f"{file}:{line}: {place}" if line else f"{file}: {place}"
        mistakes.append(Mistake(where, _sentence(problem), _remedy(problem)))
    return mistakes


def _sentence(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "there is no such setting"
    if problem["type"] == "missing":
        return "this setting is missing"
    words = str(problem["msg"])
    return f"{words[0].lower()}{words[1:]}, not {problem['input']!r}"


def _remedy(problem: Any) -> str:
    context = problem.get("ctx") or {}
    if problem["type"] == "literal_error":
        return f"write one of {context.get('expected')}"
    if problem["type"] in ("greater_than_equal", "less_than_equal"):
        return f"choose a number {' and '.join(f'{name} {value}' for name, value in context.items())}"
    return _REMEDIES.get(problem["type"], "see docs/reference/settings.md")


def dotted(location: tuple[int | str, ...]) -> str:
    """``("sites", 1, "origins", 0)`` → ``sites[1].origins[0]``, counted from 1 as people do."""
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def line_numbers(toml: str) -> dict[str, int]:
    """The line of each table and key of a TOML file, by dotted place: tomllib does not tell."""
    places: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(toml.splitlines(), 1):
        if header := re.match(r"\s*\[(\[)?\s*([A-Za-z0-9_.\-]+)\s*\]", line):
            table = _resolve(header[2], counts, bool(header[1]))
            places.setdefault(table, number)
        elif key := re.match(r"\s*([A-Za-z0-9_\-]+)\s*=", line):
            places.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return places


def _resolve(name: str, counts: dict[str, int], is_array: bool) -> str:
    """``sites.origins`` below the second ``[[sites]]`` → ``sites[2].origins[1]``."""
    path = ""
    parts = name.split(".")
    for depth, part in enumerate(parts):
        path = f"{path}.{part}" if path else part
        if depth == len(parts) - 1 and is_array:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = f"{path}[{counts[path]}]"
    return path


def nearest_line(place: str, lines: dict[str, int]) -> int | None:
    """The line of ``place``, or of the closest table around it."""
    while place:
        if place in lines:
            return lines[place]
        place = re.sub(r"(\.[^.\[]+|\[\d+\])$", "", place) if re.search(r"[.\[]", place) else ""
    return None
