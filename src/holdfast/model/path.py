"""The normal form of a URL path, in which a blocked prefix is compared.

HAProxy computes the same form for each request of a site that has a blocked prefix (see
``edge/dataplane/rules.py``); a test sends paths through both. Written so that a disguise
(``//x``, ``/%78``, ``/a/../x``, ``/X``) does not evade a block, at the price that paths which differ
only in these ways share one fate.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from holdfast.model.errors import error


def normal_path(path: str) -> str:
    """``path`` decoded once, dots and double slashes resolved, lower case, ending in ``/``.

    RFC 3986, section 6.2.2 describes the steps; the order (decode first, then remove dot segments) is
    the one that leaves no ``%2e`` or ``%2f`` disguise. Bytes are kept as latin-1 characters. ``%3f`` alone is
    not decoded: HAProxy could not tell it from the ``?`` that ends a path.
    """
    decoded = unquote_to_bytes(path.partition("?")[0].partition("#")[0]).decode("latin-1")
    decoded = decoded.replace("?", "%3f")
    segments: list[str] = []
    for segment in decoded.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    joined = "/" + "/".join(segments)
    return ("".join(c.lower() if c.isascii() else c for c in joined)).rstrip("/") + "/"


def parse_prefix(text: str, place: str = "") -> str:
    """The normal form of a path prefix to block; raises HoldfastError for the root or unsafe characters."""
    if not text.startswith("/"):
        raise error(f"{text!r} is not a path", "begin it with '/'", place)
    prefix = normal_path(text)
    if prefix == "/":
        raise error("the prefix '/' is the whole hostname", "block the hostname or the site instead", place)
    if len(prefix) > 200 or not all(" " < c < "\x7f" for c in prefix):
        raise error(
            f"{text!r} cannot be matched", "use up to 200 printable ASCII characters without spaces", place
        )
    return prefix
