"""A line of an access log in the combined or the common format ↔ an ``Entry``.

Lenient where servers differ: a virtual host in front, a user's name with spaces, fields after the last one,
an agent that was cut. Not here: what the shield makes of an entry (``telling``), the order of lines
(``order``).

Source: https://httpd.apache.org/docs/2.4/logs.html#combined, and ``mod_log_config.c`` for how quotes, bytes
and control characters are escaped; nginx writes every one of these as ``\\xhh``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

LONGEST_LINE: Final = 32_768
"""Characters; the rest is cut. Servers take about 8 KB for each of request line, referer and agent."""
EXAMPLE: Final = (
    '192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /page HTTP/1.1" 200 5316'
    ' "https://site.example/" "Mozilla/5.0"'
)
FURTHEST_ZONE: Final = 14 * 3600
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_USUAL = re.compile(
    r'([^ ]+) [^ ]+ [^ ]+ \[([^\]]*)\] "([^"\\]*)" (\d\d\d) (\d+|-) "([^"\\]*)" "([^"\\]*)"', re.ASCII
)
"""Combined, and nothing is escaped: most lines, and found faster."""
_TEXT = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_REST = rf"\[([^\]]*)\] {_TEXT} (\d\d\d|-) (\d+|-)(?: {_TEXT} {_TEXT}?)?"
_LINE = re.compile(rf"(\S+) \S+ \S+ {_REST}", re.ASCII)
_OTHER = re.compile(rf"(?:\S+:\d+ (?=\S+ \S+ \S[^\[]* \[))?(\S+) \S+ [^\[]+ {_REST}", re.ASCII)
"""With a virtual host, or with spaces in the user's name."""
_MOMENT = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d) ([+-])(\d\d)([0-5]\d)", re.ASCII)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}
_WRITTEN = {'"': '\\"', "\\": "\\\\", **{sign: f"\\{letter}" for letter, sign in _CONTROL.items()}}
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
_REMEMBERED = 4096


class Entry(NamedTuple):
    """One line. A tuple, as there are many."""

    at: int
    """When the request came, in seconds of unix time."""
    zone: int
    """Of the server's clock: seconds east of UTC."""
    host: str
    """The client's address, or its name where the server looked it up."""
    request: str
    """The request's line, such as ``GET / HTTP/1.1``; of a client that sent none, whatever it sent."""
    status: int
    """0: there was none."""
    size: int | None
    """Bytes of the answer's body; None: there was none."""
    referer: str | None
    """'' where the client sent none; None where the format does not tell (common)."""
    agent: str | None
    flood: int = 0
    """The number of the generated flood that it belongs to; 0: it is the log's own."""


def parse(line: str) -> Entry | None:
    """None for what is no line of an access log: ``fault`` says why."""
    found = _USUAL.match(line)
    is_plain = found is not None
    found = found or _LINE.match(line) or _OTHER.match(line)
    if found is None:
        return None
    host, moment, request, status, size, referer, agent = found.groups()
    try:
        at, zone = _moments[moment]
    except ValueError:
        return None
    if not is_plain and "\\" in line:
        request = _unescaped(request)
        referer = None if referer is None else _unescaped(referer)
        agent = None if agent is None else _unescaped(agent)
    return Entry(
        at,
        zone,
        host,
        request,
        0 if status == "-" else int(status),
        None if size == "-" else int(size),
        "" if referer == "-" else referer,
        "" if agent == "-" else agent,
    )


def line_of(entry: Entry) -> str:
    """The inverse, but for the names of users, which are not kept, and for a referer or an agent that is just
    ``-``."""
    moment = datetime.fromtimestamp(entry.at, UTC) + timedelta(seconds=entry.zone)
    east, away = "-" if entry.zone < 0 else "+", abs(entry.zone) // 60
    when = f"{moment:%d}/{MONTHS[moment.month - 1]}/{moment.year:04}:{moment:%H:%M:%S}"
    line = (
        f"{entry.host} - - [{when} {east}{away // 60:02}{away % 60:02}]"
        f' "{_escaped(entry.request)}" {entry.status or "-"} {"-" if entry.size is None else entry.size}'
    )
    if entry.referer is None or entry.agent is None:
        return line
    return f'{line} "{_escaped(entry.referer) or "-"}" "{_escaped(entry.agent) or "-"}"'


def fault(line: str) -> str:
    """What is wrong with a line that ``parse`` refuses, in words; nothing of what it holds, as that may name
    a client."""
    if not line.strip():
        return "it is empty"
    if len(line) >= LONGEST_LINE:
        return f"it is longer than {LONGEST_LINE:,} characters, and its request does not end before"
    opened, _, rest = line.partition("[")
    if not rest or "]" not in rest:
        return "there is no time in brackets"
    if len(opened.split()) < 3:
        return "there are not three fields (client, identity, user) before the time"
    moment, _, rest = rest.partition("]")
    try:
        _moments[moment]
    except ValueError as wrong:
        return str(wrong)
    if not re.match(rf" {_TEXT}", rest):
        return "there is no request in quotes after the time"
    return "there are no status and size after the request"


class _Moments(dict[str, tuple[int, int]]):
    """Of times as text, the lately seen: many lines share one."""

    def __missing__(self, text: str) -> tuple[int, int]:
        if len(self) >= _REMEMBERED:
            self.clear()
        minute, second = text[:17] + text[20:], text[18:20]
        if text[17:18] != ":" or not (second.isascii() and second.isdigit() and int(second) <= 60):
            raise ValueError("the time is not like 17/May/2015:10:05:03 +0000")
        begin, zone = _minutes[minute]
        self[text] = moment = begin + int(second), zone
        return moment


class _Minutes(dict[str, tuple[int, int]]):
    """The same to the minute."""

    def __missing__(self, text: str) -> tuple[int, int]:
        if len(self) >= _REMEMBERED:
            self.clear()
        found = _MOMENT.fullmatch(text)
        if found is None or found[2] not in MONTHS:
            raise ValueError("the time is not like 17/May/2015:10:05:03 +0000")
        day, month, year, hour, minute = found[1], MONTHS.index(found[2]) + 1, found[3], found[4], found[5]
        zone = (int(found[7]) * 3600 + int(found[8]) * 60) * (-1 if found[6] == "-" else 1)
        if abs(zone) > FURTHEST_ZONE:
            raise ValueError("there is no such time")
        try:
            local = datetime(int(year), month, int(day), int(hour), int(minute), tzinfo=UTC)
        except ValueError:
            raise ValueError("there is no such time") from None
        self[text] = moment = int(local.timestamp()) - zone, zone
        return moment


_moments, _minutes = _Moments(), _Minutes()


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(
        lambda found: chr(int(found[1], 16)) if found[1] else _CONTROL.get(found[2], found[2]), text
    )


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _WRITTEN.get(found[0]) or f"\\x{ord(found[0]):02x}", text)
