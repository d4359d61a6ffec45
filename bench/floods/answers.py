"""An answer, and what a challenge in it asks for: pure, for visitors and for bots that behave like them."""

from __future__ import annotations

import html
import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

REFRESH = re.compile(r"<meta[^>]+http-equiv=[\"']?refresh[\"']?[^>]*>", re.IGNORECASE)
CONTENT = re.compile(r"content=([\"'])(.*?)\1", re.IGNORECASE | re.DOTALL)
TIMED = re.compile(
    r"\s*([0-9.]+)\s*(?:[;,]\s*(?:url\s*=)?\s*[\"']?(.*?)[\"']?\s*)?$", re.IGNORECASE | re.DOTALL
)
CHALLENGE_STATUS = (401, 403, 429, 503)
REDIRECTS = (301, 302, 303, 307, 308)
PROOF_STATUS = 200
ASK = re.compile(r'<main[^>]* data-ask="([^"]*)"')
SHOW = re.compile(r'<main[^>]* data-solved="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (lower case, the last of a name but for cookies) and body."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...] = ()
    """``Set-Cookie``, as they came."""
    body: bytes = field(default=b"", repr=False)

    @property
    def origin(self) -> bool:
        return self.headers.get("x-origin") == "1"


@dataclass(frozen=True, slots=True)
class Step:
    """What a page asks a browser to do: wait, then ask for ``path`` (of the same site)."""

    seconds: float
    path: str


def timed_link(answer: Answer, host: str, path: str) -> Step | None:
    """Where a page that is not the origin's sends a browser by itself; links to other sites are none."""
    told = answer.headers.get("refresh")
    if told is None and (tag := REFRESH.search(answer.body.decode("latin-1"))):
        content = CONTENT.search(tag[0])
        told = html.unescape(content[2]) if content else None
    found = TIMED.match(told) if told is not None else None
    if found is None:
        return None
    return _same_site(float(found[1]), found[2] or path, host, path)


def redirect(answer: Answer, host: str, path: str) -> Step | None:
    """Where a redirect leads, on the same site."""
    location = answer.headers.get("location")
    return _same_site(0.0, location, host, path) if answer.status in REDIRECTS and location else None


def _same_site(seconds: float, link: str, host: str, path: str) -> Step | None:
    parts = urlsplit(urljoin(f"http://{host}{path}", link))
    if (parts.hostname or "") != host:
        return None
    return Step(seconds, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def is_challenge(answer: Answer) -> bool:
    """Whether an answer is a challenge: not the origin's, and it asks for something."""
    if answer.origin or answer.status in REDIRECTS:
        return False
    asks = "x-holdfast-challenge" in answer.headers and answer.status in CHALLENGE_STATUS
    return (
        asks
        or bool(answer.cookies)
        or "refresh" in answer.headers
        or bool(REFRESH.search(answer.body.decode("latin-1")))
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """Where the script of a challenge's page gets a proof of work, and where it shows what it has found."""

    ask: str
    show: str


@dataclass(frozen=True, slots=True)
class Work:
    """A proof of work, in ALTCHA's protocol: the number that after the salt has the hash ``goal``."""

    salt: str
    goal: str
    most: int
    """It is below that."""
    signature: str

    def shown(self, number: int, offer: Offer) -> str:
        """The path by which the number is shown."""
        told = {
            "algorithm": "SHA-256",
            "challenge": self.goal,
            "number": number,
            "salt": self.salt,
            "signature": self.signature,
        }
        return f"{offer.show}?altcha={urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip('=')}"


def offers_proof(answer: Answer) -> Offer | None:
    """Whether a challenge offers a proof of work to those with JavaScript."""
    if answer.origin or answer.status not in CHALLENGE_STATUS:
        return None
    found = [mark.search(answer.body.decode("latin-1")) for mark in (ASK, SHOW)]
    ask, show = (html.unescape(each[1]) if each else "" for each in found)
    return Offer(ask, show) if ask and show else None


def proof(answer: Answer) -> Work | None:
    """What is to be done, of the answer to an offer's ``ask``."""
    if answer.status != PROOF_STATUS:
        return None
    try:
        told = json.loads(answer.body)
        return Work(told["salt"], told["challenge"], int(told["maxnumber"]), told["signature"])
    except (ValueError, KeyError, TypeError):
        return None


class Jar:
    """The cookies that one visitor has been given, for one site."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}

    def take(self, answer: Answer) -> None:
        for line in answer.cookies:
            name, _, value = line.partition(";")[0].strip().partition("=")
            if re.search(r";\s*max-age=0\s*(;|$)", line, re.IGNORECASE):
                self._held.pop(name, None)
            elif name:
                self._held[name] = value

    def __str__(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._held.items())


def parse_head(head: bytes) -> tuple[int, dict[str, str], tuple[str, ...]]:
    """Status, headers and cookies of an HTTP/1 answer's head. Raises ValueError."""
    first, *lines = head.decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1."):
        raise ValueError(f"this is no answer: {first[:60]!r}")
    fields = [
        (name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)
    ]
    return (
        int(first.split(" ", 2)[1]),
        dict(fields),
        tuple(value for name, value in fields if name == "set-cookie"),
    )
