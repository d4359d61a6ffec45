"""Tells whether a request came through the edge: X-Holdfast-Signature, checked at the origin.

Copy this file; it needs nothing but Python 3.9. ``is_from_edge`` decides, ``OnlyFromEdge`` wraps a WSGI
application.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

SECONDS = 60
SIGNATURE = re.compile(r"t=([0-9]{1,12});c=([0-9a-f.:]{2,45});s=([0-9a-f]{64})")


def is_from_edge(method: str, host: str, target: str, header: str, secret: bytes, now: float) -> bool:
    """``host`` and ``target`` (path and query): as they arrived, undecoded; ``secret``: its 32 bytes."""
    found = SIGNATURE.fullmatch(header)
    if found is None or len(secret) != 32 or "|" in method + host:
        return False
    moment, client, signature = found.groups()
    try:
        text = f"{moment}|{client}|{method}|{host}|{target}".encode("latin-1")
    except UnicodeEncodeError:
        return False
    expected = hmac.new(secret, text, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature) and abs(now - int(moment)) <= SECONDS


class OnlyFromEdge:
    """Answers 403 to whatever did not come through an edge that has one of ``secrets``."""

    def __init__(self, application: Callable[..., Iterable[bytes]], secrets: Sequence[bytes]) -> None:
        self.application = application
        self.secrets = secrets

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # WSGI's own PATH_INFO is decoded. gunicorn keeps what arrived in RAW_URI; uWSGI, mod_wsgi and
        # waitress in REQUEST_URI. Behind a server that keeps it in neither, every request is refused.
        target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
        asked = environ["REQUEST_METHOD"], environ.get("HTTP_HOST", ""), target
        header = environ.get("HTTP_X_HOLDFAST_SIGNATURE", "")
        if any(is_from_edge(*asked, header, secret, time.time()) for secret in self.secrets):
            return self.application(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"This site is reached through its edge only.\n"]
