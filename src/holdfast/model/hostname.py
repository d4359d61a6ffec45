"""Hostnames as they are compared everywhere: lower case, A-labels, no trailing dot, no port.

A *pattern* is a hostname or ``*.`` and a hostname; the star stands for exactly one label, as it does in
certificates (RFC 9525, section 6.3), so that what routes is also what a certificate can cover.
"""

from __future__ import annotations

import re

from holdfast.model.errors import error

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
WILDCARD = "*."


def parse_hostname(text: str, place: str = "") -> str:
    """The normal form of ``text``.

    Raises HoldfastError where it is no hostname (RFC 1123 section 2.1, RFC 5891 for other scripts).
    """
    name = text.strip().lower().removesuffix(".")
    try:
        name.encode("ascii")
    except UnicodeEncodeError:
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise error(f"{text!r} is not a hostname", "write it in ASCII (its xn-- form)", place) from None
    labels = name.split(".")
    if not name or len(name) > 253 or not all(_LABEL.match(label) for label in labels):
        raise error(
            f"{text!r} is not a hostname",
            "write labels of letters, digits and '-', such as www.example.org",
            place,
        )
    if labels[-1].isdigit():
        raise error(
            f"{text!r} looks like an address", "name a site by its hostname, never by an address", place
        )
    return name


def parse_pattern(text: str, place: str = "") -> str:
    """The normal form of a hostname or of a one-label wildcard; raises HoldfastError otherwise."""
    if not text.strip().startswith(WILDCARD):
        return parse_hostname(text, place)
    parent = parse_hostname(text.strip()[len(WILDCARD) :], place)
    if "." not in parent:
        raise error(f"{text!r} would match a whole top-level domain", "put the star one level deeper", place)
    return WILDCARD + parent


def covers(pattern: str, hostname: str) -> bool:
    """Whether a pattern (of a site or of a certificate) covers a hostname or an equal pattern."""
    if pattern == hostname:
        return True
    return pattern.startswith(WILDCARD) and hostname.partition(".")[2] == pattern[len(WILDCARD) :]
