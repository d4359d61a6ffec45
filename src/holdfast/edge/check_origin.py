"""Does an origin answer the world directly, past the edge? What was seen → a verdict, and what to do next.

Here belong the verdicts, their advice and how they are shown. Connecting is ``origin_probe``'s.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from holdfast.model.hostname import WILDCARD
from holdfast.model.site import Address, Origin, Service

MADE_UP: Final = "holdfast-check"
"""The label that is asked for where a site names a wildcard only."""
NOTE: Final = (
    "This is what this machine sees. To know what the world sees, run it on one that the origin's firewall"
    " does not know: the edge itself is let in."
)
PAGE: Final = "docs/operate/verify-requests-at-the-origin.md"
SIGNATURE: Final = "X-Holdfast-Signature"


class Verdict(StrEnum):
    """What a direct connection to an origin came to."""

    CLOSED = "closed"
    """No TCP connection: refused or timed out."""
    TLS_REFUSED = "tls refused"
    """The handshake is refused, as where a client certificate is demanded."""
    REFUSED = "refused"
    """A status that turns the request away, or an end without an answer."""
    SILENT = "silent"
    """It accepts the connection and says nothing in time."""
    UNREACHABLE = "unreachable"
    """This machine has no way to the address, so nothing is known."""
    ANSWERS = "answers"
    """The world can go round the edge."""
    WRONG_SITE = "answers, wrongly"
    """It answers, but with an error, or 404: perhaps not with this site."""
    UNCLEAR = "answers, unclear"
    """Something answers, though not with a status: in another protocol, or with an error of the protocol."""

    @property
    def is_direct(self) -> bool:
        """Whether the world is answered."""
        return self in (Verdict.ANSWERS, Verdict.WRONG_SITE, Verdict.UNCLEAR)


class NameVerdict(StrEnum):
    """Where a site's hostname leads."""

    TO_ORIGIN = "to the origin"
    ELSEWHERE = "elsewhere"
    UNRESOLVED = "unresolved"


REFUSING: Final = frozenset({401, 403, 421, 444})
"""Statuses that turn a request away. 444 is what nginx calls an end without an answer."""
NO_WAY: Final = frozenset(
    {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPERM, errno.EACCES, errno.EINVAL}
)
"""Errors of connect(2) that this machine or its network makes; a firewall before the origin makes others."""
NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
"""What OpenSSL says when the other side speaks, but not TLS."""

FIREWALL: Final = "let only the edge's addresses in at the origin's firewall"
ADVICE: Final = {
    Verdict.CLOSED: "nothing to do, if the firewall does not know this machine",
    Verdict.TLS_REFUSED: (
        "see with 'holdfast status' that the edge gets in, for it shows no client certificate;"
        f" {FIREWALL} too, so that a flood is refused more cheaply"
    ),
    Verdict.REFUSED: f"nothing must be done; {FIREWALL} too, so that a flood is refused more cheaply",
    Verdict.SILENT: f"undecided, for it may only be slow: {FIREWALL}, then check again",
    Verdict.UNREACHABLE: "run this from a machine that has a way there (for an IPv6 address: one with IPv6)",
    Verdict.ANSWERS: f"{FIREWALL}, or have the origin require {SIGNATURE} ({PAGE})",
    Verdict.WRONG_SITE: (
        f"another host or path may well get the site: {FIREWALL},"
        f" or have the origin require {SIGNATURE} ({PAGE})"
    ),
    Verdict.UNCLEAR: f"{FIREWALL}, and correct port, scheme and protocol in holdfast.toml if they are wrong",
}
TCP_ANSWERS: Final = f"{FIREWALL}: a tcp site is passed through unopened, so there is no signature to require"
BAD_REQUEST: Final = (
    "if it demands a client certificate, nginx says so with this status and all is well;"
    f" otherwise {FIREWALL}, or have the origin require {SIGNATURE} ({PAGE})"
)
NAME_ADVICE: Final = {
    NameVerdict.TO_ORIGIN: "change the DNS record to the edge's addresses: these visitors go round the edge",
    NameVerdict.ELSEWHERE: "see that these are the edge's addresses",
    NameVerdict.UNRESOLVED: "point its DNS record at the edge when the site shall be seen",
}


@dataclass(frozen=True, slots=True)
class OriginFinding:
    """One origin, asked directly."""

    origin: Origin
    service: Service
    hostname: str
    verdict: Verdict
    words: str
    """What was seen."""
    status: int | None = None

    @property
    def advice(self) -> str:
        """What to do next, in one sentence."""
        if self.verdict is Verdict.ANSWERS and self.service is Service.TCP:
            return TCP_ANSWERS
        if self.status == 400:
            return BAD_REQUEST
        return ADVICE[self.verdict]


@dataclass(frozen=True, slots=True)
class NameFinding:
    """One hostname, looked up."""

    hostname: str
    verdict: NameVerdict
    addresses: tuple[Address, ...] = ()
    words: str = ""
    """Why it could not be looked up."""

    @property
    def advice(self) -> str:
        """What to do next, in one sentence."""
        return NAME_ADVICE[self.verdict]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found about one site."""

    site: str
    origins: tuple[OriginFinding, ...]
    names: tuple[NameFinding, ...]

    @property
    def exit_status(self) -> int:
        """1: an origin answers the world; 2: none does, but one could not be asked from here; else 0."""
        if any(each.verdict.is_direct for each in self.origins):
            return 1
        return 2 if any(each.verdict is Verdict.UNREACHABLE for each in self.origins) else 0


def judge_status(status: int) -> Verdict:
    """What an HTTP status says to somebody who came round the edge."""
    if status in REFUSING:
        return Verdict.REFUSED
    return Verdict.WRONG_SITE if status == 404 or status >= 500 else Verdict.ANSWERS


def judge_connection(number: int | None) -> Verdict:
    """What an error of connect(2) says."""
    return Verdict.UNREACHABLE if number in NO_WAY else Verdict.CLOSED


def judge_handshake(reason: str) -> Verdict:
    """What OpenSSL's reason for a failed handshake says."""
    return Verdict.UNCLEAR if reason in NOT_TLS else Verdict.TLS_REFUSED


def judge_name(addresses: tuple[Address, ...], origins: tuple[Origin, ...]) -> NameVerdict:
    """Whether a hostname that resolves to ``addresses`` leads past the edge."""
    at_origin = {origin.address for origin in origins} & set(addresses)
    return NameVerdict.TO_ORIGIN if at_origin else NameVerdict.ELSEWHERE


def concrete(pattern: str) -> str:
    """A hostname that ``pattern`` covers."""
    return f"{MADE_UP}.{pattern[len(WILDCARD) :]}" if pattern.startswith(WILDCARD) else pattern


def hostname_to_ask(patterns: tuple[str, ...]) -> str:
    """The first exact hostname, or one that the first wildcard covers."""
    return next((each for each in patterns if not each.startswith(WILDCARD)), concrete(patterns[0]))


def as_text(report: Report) -> str:
    """For people: what was seen, and below it what to do."""
    lines = [NOTE]
    for each in report.origins:
        lines.append(f"{each.verdict.value:<16} origin {_place(each.origin)}: {each.words}")
        lines.append(f"{'':<16} → {each.advice}")
    for name in report.names:
        leads = name.words or ", ".join(map(str, name.addresses))
        lines.append(f"{name.verdict.value:<16} hostname {name.hostname}: {leads}")
        lines.append(f"{'':<16} → {name.advice}")
    return "\n".join(lines)


def _place(origin: Origin) -> str:
    how = [f"TLS for {origin.tls.server_name}"] if origin.tls else []
    how += [origin.protocol.value] if origin.protocol.value != "http/1.1" else []
    return f"{origin.address} port {origin.port}" + (f" ({', '.join(how)})" if how else "")


def as_document(report: Report) -> dict[str, Any]:
    """For programs."""
    return {
        "site": report.site,
        "answers_directly": any(each.verdict.is_direct for each in report.origins),
        "note": NOTE,
        "origins": [
            {
                "address": str(each.origin.address),
                "port": each.origin.port,
                "server_name": each.origin.tls.server_name if each.origin.tls else None,
                "protocol": each.origin.protocol.value,
                "service": each.service.value,
                "hostname": each.hostname,
                "verdict": each.verdict.name.lower(),
                "answers": each.verdict.is_direct,
                "status": each.status,
                "words": each.words,
                "advice": each.advice,
            }
            for each in report.origins
        ],
        "names": [
            {
                "hostname": each.hostname,
                "verdict": each.verdict.name.lower(),
                "addresses": [str(address) for address in each.addresses],
                "words": each.words,
                "advice": each.advice,
            }
            for each in report.names
        ],
    }
