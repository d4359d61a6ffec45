"""Links, proofs of work and clearances as HAProxy makes them, and as forgers would. Nothing of the product is
used to make them: RFC 2104, RFC 7515, RFC 7519."""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from tests.feature.shielding import SHOP, Ground
from tests.feature.wire import Answer

OWN = "/.well-known/holdfast"
ASK, SOLVED, WAIT, CONTINUE = f"{OWN}/challenge", f"{OWN}/solved", f"{OWN}/wait", f"{OWN}/continue"
BROWSER = "Accept: text/html"
"""What tells a browser from a program."""


def coded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed_link(
    key: tuple[str, str],
    host: str = SHOP,
    *,
    age: float = 10,
    number: str | None = None,
    back: str = "/",
    **instead: str,
) -> str:
    """A link that is ``age`` seconds old, signed with a key (id, text); ``instead`` replaces parameters after
    they were signed."""
    fields = {
        "k": key[0],
        "t": str(int(time.time() - age)),
        "n": number or str(uuid.uuid4()),
        "w": coded(back.encode("latin-1")),
    }
    told = "|".join(("link", host, *fields.values()))
    fields["s"] = hmac.new(key[1].encode(), told.encode(), hashlib.sha256).hexdigest()[:32]
    return f"{CONTINUE}?" + "&".join(f"{name}={value}" for name, value in (fields | instead).items())


def link_of(page: Answer) -> str:
    """The one link of the page that waits, which its form leads to as well."""
    text = page.body.decode()
    (refreshed,) = re.findall(r'http-equiv="refresh" content="\d+; url=([^"]*)"', text)
    link = html.unescape(refreshed)
    fields = re.findall(r'<input type="hidden" name="(.)" value="([^"]*)">', text)
    assert f"{CONTINUE}?" + "&".join(f"{name}={value}" for name, value in fields) == link
    assert re.findall(r'<form action="([^"]*)">', text) == [CONTINUE]
    return link


@dataclass(frozen=True, slots=True)
class Asked:
    """A proof of work that is asked for."""

    salt: str
    goal: str
    most: int
    signature: str

    def solve(self) -> int:
        """The number. Raises ValueError where there is none."""
        prefix = hashlib.sha256(self.salt.encode())
        for number in range(self.most):
            tried = prefix.copy()
            tried.update(str(number).encode())
            if tried.hexdigest() == self.goal:
                return number
        raise ValueError(f"no number below {self.most} solves {self}")

    def shown(self, found: int | None = None, /, **instead: object) -> str:
        """The path by which the solution is shown; ``instead`` replaces parts of it."""
        told = {
            "algorithm": "SHA-256",
            "challenge": self.goal,
            "number": self.solve() if found is None else found,
            "salt": self.salt,
            "signature": self.signature,
        }
        return shown(json.dumps(told | instead).encode())


def shown(payload: bytes) -> str:
    return f"{SOLVED}?altcha={coded(payload)}"


def asked_by(answer: Answer) -> Asked:
    """What the script of a challenge's page is given."""
    told = json.loads(answer.body)
    assert told["algorithm"] == "SHA-256"
    return Asked(told["salt"], told["challenge"], told["maxnumber"], told["signature"])


def made(
    key: tuple[str, str],
    number: int = 7,
    *,
    host: str = SHOP,
    seconds: float = 200,
    most: int = 100,
    nonce: str = "n-1",
    signed_with: str | None = None,
) -> Asked:
    """One as HAProxy makes it, signed with a key (id, text), or as a forger would."""
    salt = f"{nonce}?expires={int(time.time() + seconds)}&k={key[0]}&host={host}&max={most}&"
    goal = hashlib.sha256(f"{salt}{number}".encode()).hexdigest()
    secret = key[1] if signed_with is None else signed_with
    return Asked(salt, goal, most, hmac.new(secret.encode(), goal.encode(), hashlib.sha256).hexdigest())


def comes_from(target: str, host: str = SHOP, scheme: str = "http") -> str:
    """The header line by which a browser says which page it comes from."""
    return f"Referer: {scheme}://{host}{target}"


def target_of(link: str) -> str:
    """Where a link leads back to."""
    (back,) = re.findall(r"[?&]w=([^&]*)", link)
    return decoded(back).decode("latin-1")


def token(
    key: tuple[str, str],
    host: str = SHOP,
    *,
    number: str = "c-1",
    seconds: float = 60,
    header: Any = None,
    **claims: Any,
) -> str:
    """A clearance as a cookie's value; ``header`` and ``claims`` replace what it says."""
    head = {"alg": "HS256", "typ": "JWT", "kid": key[0]} if header is None else header
    body = {"host": host, "exp": int(time.time() + seconds), "jti": number, "how": "link"} | claims
    told = ".".join(coded(json.dumps(each, separators=(",", ":")).encode()) for each in (head, body))
    hashed = hashlib.sha512 if head.get("alg") == "HS512" else hashlib.sha256
    signature = (
        "" if head.get("alg") == "none" else coded(hmac.new(key[1].encode(), told.encode(), hashed).digest())
    )
    return f"{told}.{signature}"


def cookie(value: str) -> str:
    """The header line of a request."""
    return f"Cookie: __holdfast={value}"


def cookie_of(answer: Answer) -> str:
    """The value that an answer sets."""
    name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    assert name == ("__Host-holdfast" if answer.headers["set-cookie"].endswith("; Secure") else "__holdfast")
    return value


def claims_of(value: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decoded(value.split(".")[1]))
    return claims


async def fresh(ground: Ground, **more: Any) -> str:
    """A good link for ``SHOP``."""
    return signed_link(await ground.key(), **more)
