"""Links and clearances as HAProxy makes them, and as forgers would. Nothing of the product is used to make
them: RFC 2104, RFC 7515, RFC 7519."""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from tests.feature.shielding import Ground
from tests.feature.wire import Answer

CONTINUE = "/.well-known/holdfast/continue"


def coded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed_link(
    key: str, sid: str, *, age: float = 10, number: str | None = None, back: str = "/", **instead: str
) -> str:
    """A link that is ``age`` seconds old; ``instead`` replaces parameters after they were signed."""
    fields = {
        "t": str(int(time.time() - age)),
        "n": number or str(uuid.uuid4()),
        "w": coded(back.encode("latin-1")),
    }
    told = "|".join((sid, *fields.values()))
    fields["s"] = hmac.new(key.encode(), told.encode(), hashlib.sha256).hexdigest()
    return f"{CONTINUE}?" + "&".join(f"{name}={value}" for name, value in (fields | instead).items())


def link_of(page: Answer) -> str:
    """The one link of a challenge's page."""
    links = set(re.findall(r'href="([^"]*)"', page.body.decode()))
    (refreshed,) = re.findall(r'http-equiv="refresh" content="\d+; url=([^"]*)"', page.body.decode())
    assert links == {refreshed}
    return html.unescape(refreshed)


def target_of(link: str) -> str:
    """Where a link leads back to."""
    (back,) = re.findall(r"[?&]w=([^&]*)", link)
    return decoded(back).decode("latin-1")


def token(
    key: str, sid: str, *, number: str = "c-1", seconds: float = 60, header: Any = None, **claims: Any
) -> str:
    """A clearance as a cookie's value; ``header`` and ``claims`` replace what it says."""
    head = {"alg": "HS256", "typ": "JWT", "kid": "1"} if header is None else header
    body = {"site": sid, "exp": int(time.time() + seconds), "jti": number, "how": "link"} | claims
    told = ".".join(coded(json.dumps(each, separators=(",", ":")).encode()) for each in (head, body))
    hashed = hashlib.sha512 if head.get("alg") == "HS512" else hashlib.sha256
    signature = (
        "" if head.get("alg") == "none" else coded(hmac.new(key.encode(), told.encode(), hashed).digest())
    )
    return f"{told}.{signature}"


def cookie(value: str) -> str:
    """The header line of a request."""
    return f"Cookie: __holdfast={value}"


def cookie_of(answer: Answer) -> str:
    """The value that an answer sets."""
    name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    assert name == "__holdfast"
    return value


def claims_of(value: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decoded(value.split(".")[1]))
    return claims


async def fresh(ground: Ground, **more: Any) -> str:
    """A good link for the site ``shop``."""
    return signed_link(await ground.key(), ground.sid(), **more)
