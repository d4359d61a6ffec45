"""What floods one HTTP/2 connection: each is frames without an end, or nearly, with the CVE that made it
known. Not here: how they are sent, and what must hold meanwhile (``test_http2_floods``)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.feature.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    RESET,
    SETTINGS,
    WINDOW,
    block,
    frame,
    headers,
    pseudo,
)

Flood = Iterator[bytes]


def ids() -> Iterator[int]:
    return itertools.count(1, 2)


def rapid_reset() -> Flood:
    """CVE-2023-44487: requests that are taken back at once."""
    for number in itertools.islice(ids(), 5_000):
        yield headers(*pseudo(), stream=number) + frame(RESET, 0, number, b"\0\0\0\x08")


def made_to_reset() -> Flood:
    """CVE-2025-8671, "MadeYouReset": requests that the edge itself has to reset."""
    for number in itertools.islice(ids(), 5_000):
        yield headers(*pseudo(), stream=number) + frame(WINDOW, 0, number, b"\0\0\0\0")


def pings() -> Flood:
    """CVE-2019-9512."""
    yield from itertools.repeat(frame(PING, 0, 0, b"holdfast"))


def settings_flood() -> Flood:
    """CVE-2019-9515; each is to be acknowledged."""
    yield from itertools.repeat(frame(SETTINGS, 0, 0, b"\0\4\0\1\0\0"))


def empty_data() -> Flood:
    """CVE-2019-9518: a body that goes on without an octet."""
    yield headers(*pseudo(b"POST"), end=False)
    yield from itertools.repeat(frame(DATA, 0, 1))


def continuations() -> Flood:
    """CVE-2024-27316 and its kind: a header block without an end."""
    yield frame(HEADERS, END_STREAM, 1, block(*pseudo()))
    yield from (frame(CONTINUATION, 0, 1, block((b"x-%d" % n, b"y" * 4_000))) for n in itertools.count())


def empty_continuations() -> Flood:
    """CVE-2019-9518: the same without an octet."""
    yield frame(HEADERS, END_STREAM, 1, block(*pseudo()))
    yield from itertools.repeat(frame(CONTINUATION, 0, 1))


def priorities() -> Flood:
    """CVE-2019-9513: streams that never open, made to depend on each other."""
    for number in itertools.cycle(range(3, 9_999, 2)):
        yield frame(PRIORITY, 0, number, (number - 2).to_bytes(4, "big") + b"\x10")


def no_window() -> Flood:
    """RFC 9113, section 6.9: an increment of 0 is an error."""
    yield headers(*pseudo(b"POST"), end=False)
    yield from itertools.repeat(frame(WINDOW, 0, 1, b"\0\0\0\0"))


def small_windows() -> Flood:
    yield from itertools.repeat(frame(WINDOW, 0, 0, b"\0\0\0\1"))


def nameless_headers() -> Flood:
    """CVE-2019-9516: fields of no name and no value."""
    for number in ids():
        yield frame(HEADERS, END_STREAM | END_HEADERS, number, block(*pseudo()) + b"\0\0\0" * 500)


def hpack_bomb() -> Flood:
    """CVE-2016-6581: one long entry of the table, then references to it, an octet each."""
    entry = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4_000
    yield frame(HEADERS, END_STREAM | END_HEADERS, 1, block(*pseudo()) + entry)
    for number in itertools.count(3, 2):
        yield frame(HEADERS, END_STREAM | END_HEADERS, number, block(*pseudo()) + b"\xbe" * 12_000)


def half_requests() -> Flood:
    """Requests of which none ends."""
    for number in ids():
        yield headers(*pseudo(b"POST"), stream=number, end=False)


def stalled() -> Flood:
    """CVE-2019-9511 and 9517: large answers, for which there is no room."""
    for number in itertools.islice(ids(), 100):
        yield headers(*pseudo(path=b"/?count=1000000"), stream=number)


CLOSED, WIDE = b"\0\4\0\0\0\0", b"\0\4\x7f\xff\xff\xff"
"""Settings of a client that takes nothing, and of one that takes any amount."""

HOLDS = (stalled, half_requests)
"""What is kept open once it is sent; all else begins anew on another connection."""

PLAIN = (
    rapid_reset,
    made_to_reset,
    empty_data,
    continuations,
    empty_continuations,
    priorities,
    no_window,
    small_windows,
    nameless_headers,
    hpack_bomb,
    half_requests,
)
"""Those of a client that sets nothing and reads what it is sent."""
