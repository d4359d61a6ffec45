"""A scenario's file → what happens in it. ``scenarios/README.md`` says what each field means.

The shape only: nothing is sent here. What is wrong in a file is said with what to write instead.
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bench.floods.agents import FAMILIES
from bench.floods.network import BOTS

DIRECTORY = Path(__file__).parent / "scenarios"
REFERENCE = "bench/floods/scenarios/README.md"


class ScenarioError(ValueError):
    """What is wrong in a scenario's file: a line for each mistake, with what to write instead."""


class Strict(BaseModel):
    """Nothing unknown is let pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]


class SiteSpec(Strict):
    """``[[sites]]``"""

    hostname: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
    workers: int = Field(default=4, ge=1, le=1000)
    ms: float = Field(default=20, gt=0, le=10_000)
    backlog: int = Field(default=2000, ge=1)
    costs: dict[str, Annotated[float, Field(gt=0, le=60_000)]] = {}
    legit_share: Share = 1.0


class PulseSpec(Strict):
    """``pulse``"""

    on: float = Field(gt=0, le=3600)
    every: float = Field(gt=0, le=3600)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.on >= self.every:
            raise ValueError("a pulse must be shorter than the time from one to the next: make on < every")
        return self


class FloodSpec(Strict):
    """``[[floods]]``"""

    name: str = "flood"
    client: Literal["http", "h2", "slow-headers", "slow-body", "mimicry"] = "http"
    site: str | None = None
    rate: float = Field(gt=0, le=20_000)
    sources: int = Field(ge=1, le=65_536)
    networks: list[str] = Field(default=[str(BOTS)], min_length=1)
    start: Seconds = 0.0
    seconds: Seconds | None = None
    pulse: PulseSpec | None = None
    quick_pulse: PulseSpec | None = None
    agents: list[str] | Literal["log"] = ["python-requests/2.31.0"]
    headers: str | list[str] = "library"
    method: Annotated[str, Field(pattern=r"^[A-Z]+$")] = "GET"
    paths: list[Annotated[str, Field(pattern=r"^/")]] = Field(default=["/"], min_length=1)
    body: str = ""
    requests_per_connection: int = Field(default=1, ge=1, le=100_000)
    connections: int = Field(default=64, ge=1, le=20_000)
    streams: int = Field(default=50, ge=1, le=1000)
    timeout: float = Field(default=5.0, gt=0, le=60)
    drip_seconds: float = Field(default=3.0, gt=0, le=60)
    follows_link: bool = False
    solves: bool = False

    @field_validator("networks")
    @classmethod
    def _of_bots(cls, networks: list[str]) -> list[str]:
        for text in networks:
            if not ipaddress.IPv4Network(text).subnet_of(BOTS):  # type: ignore[arg-type]
                raise ValueError(f"the sources of floods lie in {BOTS}: write networks of it, not {text}")
        return networks

    @field_validator("headers")
    @classmethod
    def _known(cls, headers: str | list[str]) -> str | list[str]:
        if isinstance(headers, str) and headers not in FAMILIES:
            raise ValueError(f"write a list of headers, or one of {', '.join(FAMILIES)}, not {headers!r}")
        return headers

    @model_validator(mode="after")
    def _room(self) -> Self:
        if sum(ipaddress.ip_network(each).num_addresses for each in self.networks) < 2 * self.sources:
            raise ValueError(f"these networks have no room for {self.sources} sources: widen them")
        if self.client in ("h2", "slow-headers", "slow-body") and (self.follows_link or self.solves):
            raise ValueError(f"a client {self.client!r} follows no link: use 'http' or 'mimicry'")
        return self


class ClientsSpec(Strict):
    """``[[clients]]``"""

    kind: Literal["api", "feed", "git", "webhook"]
    site: str | None = None
    count: int = Field(default=1, ge=1, le=1000)
    every_seconds: float = Field(default=1.0, gt=0, le=3600)


class CrowdSpec(Strict):
    """``[crowd]``"""

    site: str | None = None
    times: float = Field(gt=1, le=100)
    ramp_seconds: float = Field(default=1.0, ge=0, le=600)
    familiar: Share = 0.4
    pages: list[Annotated[str, Field(pattern=r"^/")]] = ["/blog/geekery/ssl-latency.html"]
    embedded: list[Annotated[str, Field(pattern=r"^/")]] = ["/reset.css", "/style2.css", "/favicon.ico"]
    referers: list[str] = ["http://news.ycombinator.com/", "http://t.co/x3k9", "http://www.reddit.com/"]


class SpanSpec(Strict):
    """``[seconds]``, ``[quick]``"""

    before: Seconds
    flood: float = Field(gt=0, le=3600)
    after: Seconds


class TargetSpec(Strict):
    """``[targets]``; what is not given is not judged."""

    time_to_mitigate_p50: float | None = None
    time_to_mitigate_p95: float | None = None
    legit_served: Share | None = None
    legit_served_after_3s: Share | None = None
    legit_denied: int | None = None
    legit_challenged: Share | None = None
    challenged_served: Share | None = None
    flood_at_origin: Share | None = None


class Scenario(Strict):
    """A whole file."""

    title: str
    about: str = ""
    kind: Literal["traffic", "calm"] = "traffic"
    baseline: Literal["warm", "cold"] = "warm"
    https: bool = False
    legit_rate: float = Field(default=60, gt=0, le=1000)
    seconds: SpanSpec = SpanSpec(before=15, flood=40, after=10)
    quick: SpanSpec = SpanSpec(before=10, flood=12, after=6)
    sites: list[SiteSpec] = Field(default=[SiteSpec(hostname="www.site.test")], min_length=1)
    floods: list[FloodSpec] = []
    clients: list[ClientsSpec] = []
    crowd: CrowdSpec | None = None
    targets: TargetSpec = TargetSpec()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [site.hostname for site in self.sites]
        aimed: list[tuple[str, str | None]] = [
            (f"floods[{n}]", each.site) for n, each in enumerate(self.floods, 1)
        ]
        aimed += [(f"clients[{n}]", each.site) for n, each in enumerate(self.clients, 1)]
        aimed += [("crowd", self.crowd.site)] if self.crowd else []
        for place, name in aimed:
            if name is not None and name not in names:
                raise ValueError(f"{place}.site: there is no site {name!r}: write one of {', '.join(names)}")
        if any(each.client == "h2" for each in self.floods) and not self.https:
            raise ValueError("HTTP/2 is spoken over TLS only: set https = true")
        if self.https and any(each.client not in ("h2",) for each in self.floods):
            raise ValueError("with https = true a flood's client must be 'h2'")
        if len(set(names)) < len(names):
            raise ValueError("two sites have one hostname: rename one of them")
        return self

    def span(self, quick: bool) -> SpanSpec:
        return self.quick if quick else self.seconds

    def hostname(self, site: str | None) -> str:
        """The site that is meant; without a name, the first."""
        return site or self.sites[0].hostname

    def pulses(self, quick: bool) -> list[tuple[float, float]]:
        """When each flood that there is begins and ends, in seconds after the first one's begin: spans of
        several floods that overlap are one."""
        spans = []
        for flood in self.floods:
            spans += list(flood_spans(flood, self.span(quick).flood, quick))
        merged: list[tuple[float, float]] = []
        for begin, end in sorted(spans):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged


def flood_spans(flood: FloodSpec, seconds: float, quick: bool) -> list[tuple[float, float]]:
    """When a flood is on, in seconds of a flood phase of ``seconds``."""
    end = min(seconds, flood.start + flood.seconds) if flood.seconds is not None else seconds
    pulse = flood.quick_pulse or flood.pulse if quick else flood.pulse
    if pulse is None:
        return [(flood.start, end)] if flood.start < end else []
    spans, begin = [], flood.start
    while begin < end:
        spans.append((begin, min(begin + pulse.on, end)))
        begin += pulse.every
    return spans


def find(text: str) -> Path:
    """The file of a scenario that is named by number, as ``3``, or by path. Raises ScenarioError."""
    if text.isdigit():
        for path in sorted(DIRECTORY.glob("*.toml")):
            if int(path.name.split("-")[0]) == int(text):
                return path
        raise ScenarioError(f"there is no scenario {text}: choose one of {DIRECTORY}, or give a file's path")
    if not (path := Path(text)).is_file():
        raise ScenarioError(f"there is no file {text}: give a number, or the path of a scenario's file")
    return path


def everything() -> list[Path]:
    """The files that come with the harness."""
    return sorted(DIRECTORY.glob("*.toml"))


def read_scenario(path: Path) -> Scenario:
    """Raises ScenarioError."""
    try:
        return parse_scenario(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as refused:
        raise ScenarioError(f"cannot read {path} ({refused}): name a scenario's file") from refused


def parse_scenario(text: str, name: str) -> Scenario:
    """``name`` is for the words of the error. Raises ScenarioError."""
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as broken:
        raise ScenarioError(f"{name}: this is not TOML: {broken}: correct that line") from broken
    except ValidationError as invalid:
        raise ScenarioError("\n".join(f"{name}: {_sentence(each)}" for each in invalid.errors())) from invalid


def _sentence(problem: Any) -> str:
    place = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
    place = place.lstrip(".") or "the file"
    if problem["type"] == "extra_forbidden":
        return f"{place}: there is no such field: remove it, or see {REFERENCE}"
    if problem["type"] == "missing":
        return f"{place}: this field is missing: add it; see {REFERENCE}"
    words = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{place}: {words}"
    return f"{place}: {words[0].lower()}{words[1:]}, not {problem['input']!r}; see {REFERENCE}"
