"""What hostile clients send over HTTP/1.1, byte by byte, with what must come of it and who says so.

A case's prize is a request for ``/smuggled``: hidden in a body, behind one, or in a line. Nobody has asked
for it as a request of its own, so the origin must never see it. Not here: how a case is judged
(``test_smuggling``, ``recorder``), and HTTP/2 (``smuggling_cases_http2``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Must(Enum):
    """What is to come of a case."""

    REFUSE = "4xx, 501, 505 or the end of the connection; the origin sees nothing"
    SERVE = "200; the origin sees the requests of the case and nothing else"
    EITHER = "one of both"
    SERVE_AND_CLOSE = "as EITHER; where it is served, the connection ends with the answer"


@dataclass(frozen=True, slots=True)
class Case:
    """One attack, or one request that looks like one and is legal."""

    name: str
    raw: bytes | tuple[bytes, ...]
    """Sent at once, or in parts with a pause between them."""
    source: str
    must: Must = Must.REFUSE
    sees: tuple[str, ...] = ("/a",)
    """The targets that the origin sees where it is served."""
    body: bytes | None = None
    """The body of the first of them, where it matters."""
    half: bool = False
    """It may have reached the origin, or its head, before the edge sees what is wrong: all must end there."""


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: a.test\r\n\r\n"
HIDDEN = len(SMUGGLED)
LAST = b"0\r\n\r\n"
TE = b"Transfer-Encoding: chunked"
EITHER, SERVE, REFUSE, SERVE_AND_CLOSE = Must.EITHER, Must.SERVE, Must.REFUSE, Must.SERVE_AND_CLOSE


def ask(
    *lines: bytes, line: bytes = b"POST /a HTTP/1.1", host: bytes = b"Host: a.test", body: bytes = b""
) -> bytes:
    """A request with these header lines."""
    return b"\r\n".join((line, *([host] if host else []), *lines, b"", body))


def get(*lines: bytes, line: bytes = b"GET /a HTTP/1.1", host: bytes = b"Host: a.test") -> bytes:
    return ask(*lines, line=line, host=host)


def lengths(*values: bytes) -> tuple[bytes, ...]:
    return tuple(b"Content-Length: " + value for value in values)


def chunked(body: bytes) -> bytes:
    return ask(TE, body=body)


def _two_framings(name: str, line: bytes, *others: bytes, source: str) -> tuple[Case, ...]:
    """``line`` beside a Content-Length: who reads only one of both sees two requests, or half of one."""
    behind, inside = LAST + SMUGGLED, b"%x\r\n%s\r\n" % (HIDDEN, SMUGGLED) + LAST
    shapes = (
        ("after the length, CL.TE", (b"Content-Length: %d" % len(behind), line, *others), behind),
        ("before the length, TE.CL", (line, *others, b"Content-Length: 4"), inside),
    )
    return tuple(Case(f"{name}, {shape}", ask(*lines, body=body), source) for shape, lines, body in shapes)


LENGTH = (
    Case("two lengths", ask(*lengths(b"5", b"6"), body=b"hello" + SMUGGLED), "RFC 9112 6.3"),
    Case("two lengths, none first", ask(*lengths(b"0", b"%d" % HIDDEN), body=SMUGGLED), "RFC 9112 6.3"),
    Case("two lengths, none last", ask(*lengths(b"%d" % HIDDEN, b"0"), body=SMUGGLED), "RFC 9112 6.3"),
    Case("a list of lengths", ask(*lengths(b"5, 6"), body=b"hello" + SMUGGLED), "RFC 9112 6.3"),
    Case("a list without end", ask(*lengths(b"5,"), body=b"hello" + SMUGGLED), "RFC 9110 8.6"),
    Case("one length twice", ask(*lengths(b"5", b"5"), body=b"hello"), "RFC 9110 8.6", EITHER, body=b"hello"),
    Case(
        "one length as a list", ask(*lengths(b"5, 5"), body=b"hello"), "RFC 9110 8.6", EITHER, body=b"hello"
    ),
    *(
        Case(f"length {value!r}", ask(*lengths(value), body=b"hello" + SMUGGLED), "RFC 9110 8.6")
        for value in (
            *(
                b"+5",
                b"-5",
                b"0x5",
                b"5_0",
                b"5 0",
                b"5;",
                b"5.0",
                b"1e1",
                b"five",
                b"\x0b5",
                b"5\x0b",
                b"\x0c5",
            ),
            *(b"5\0", b"\xd9\xa5", b"\xb2", b'"5"', b"18446744073709551621", b"9" * 400),
        )
    ),
    Case("length ''", ask(b"Content-Length:", body=SMUGGLED), "CVE-2023-40225"),
    Case("length ' '", ask(b"Content-Length: ", body=SMUGGLED), "CVE-2023-40225"),
    Case("empty, then a length", ask(b"Content-Length:", *lengths(b"5"), body=b"hello"), "CVE-2023-40225"),
    *(
        Case(f"length {value!r}", ask(b"Content-Length:" + value, body=b"hello"), source, must, body=b"hello")
        for value, must, source in (
            (b"5", SERVE, "RFC 9112 5"),
            (b"   5", SERVE, "RFC 9112 5"),
            (b"5 ", SERVE, "RFC 9112 5"),
            (b"\t5\t ", SERVE, "RFC 9112 5"),
            (b"000005", EITHER, "RFC 9110 8.6"),
        )
    ),
    *(
        Case(f"length named {name!r}", ask(name + b": %d" % HIDDEN, body=SMUGGLED), source)
        for name, source in (
            *((b"Content-Length" + space, "RFC 9112 5.1") for space in (b" ", b"\t", b"\x0b", b"\0", b"\r")),
            *((space + b"Content-Length", "RFC 9110 5.1") for space in (b"\x0b", b"\0", b"\xa0")),
        )
    ),
    Case(
        "a name that overflows its length",
        ask(b"Content-Length0" + b"a" * 255 + b":", *lengths(b"%d" % HIDDEN), body=SMUGGLED),
        "CVE-2021-40346",
    ),
    Case("a body on GET", get(*lengths(b"%d" % HIDDEN)) + SMUGGLED, "RFC 9110 9.3.1", EITHER, body=SMUGGLED),
    Case("a chunked body on GET", get(TE) + LAST, "RFC 9110 9.3.1", EITHER, body=b""),
    Case(
        "a body on HEAD",
        get(*lengths(b"%d" % HIDDEN), line=b"HEAD /a HTTP/1.1") + SMUGGLED,
        "RFC 9110 9.3.2",
        EITHER,
        body=SMUGGLED,
    ),
)

TRANSFER = (
    *(
        Case(
            f"both framings, {name}",
            ask(*lines, body=body),
            "RFC 9112 6.1: the connection must end after the answer",
            SERVE_AND_CLOSE,
        )
        for name, lines, body in (
            ("CL.TE", (*lengths(b"%d" % (5 + HIDDEN)), TE), LAST + SMUGGLED),
            ("TE.CL", (TE, *lengths(b"4")), b"%x\r\n%s\r\n" % (HIDDEN, SMUGGLED) + LAST),
            ("CL.0", (*lengths(b"0"), TE), LAST + SMUGGLED),
            ("no body", (TE, *lengths(b"5")), LAST),
        )
    ),
    *(
        case
        for value in (
            *(
                b"xchunked",
                b"chunkedx",
                b"chunk",
                b"identity",
                b"x",
                b'"chunked"',
                b"'chunked'",
                b"chunked;q=1",
            ),
            *(
                b"chunked, identity",
                b"chunked, x",
                b"chunked, chunked",
                b"chunked,chunked",
                b"chunked chunked",
            ),
            *(b"\x0bchunked", b"\x0cchunked", b"chunked\x0b", b"chunked\0", b"\0chunked", b"chunked\x85"),
            *(b"\xa0chunked", b"chunked\r", b"\rchunked", b"[chunked]", b"chu nked", b"chunked;"),
        )
        for case in _two_framings(
            f"coding {value!r}", b"Transfer-Encoding: " + value, source="RFC 9112 6.3; PortSwigger TE.TE"
        )
    ),
    *(
        case
        for first, last in ((b"chunked", b"chunked"), (b"chunked", b"identity"), (b"chunked", b"x"))
        for case in _two_framings(
            f"codings {first!r} and {last!r}",
            b"Transfer-Encoding: " + first,
            b"Transfer-encoding: " + last,
            source="RFC 9112 6.1; PortSwigger TE.TE",
        )
    ),
    *(
        case
        for name in (b" ", b"\t", b"\x0b", b"\0", b"\r")
        for case in _two_framings(
            f"named {name!r}:", b"Transfer-Encoding" + name + b": chunked", source="RFC 9112 5.1"
        )
    ),
    *(
        case
        for before in (b"\x0b", b"\xa0", b"\r", b"X: y\r")
        for case in _two_framings(
            f"behind {before!r}", before + b"Transfer-Encoding: chunked", source="RFC 9110 5.5; PortSwigger"
        )
    ),
    Case(
        "unread coding before chunked",
        ask(b"Transfer-Encoding: x, chunked", body=LAST),
        "RFC 9112 6.1",
        EITHER,
    ),
    Case("an unread line before it", ask(b"Transfer-Encoding: x", TE, body=LAST), "RFC 9112 6.1", EITHER),
    Case("no coding", ask(b"Transfer-Encoding:", *lengths(b"5"), body=b"hello"), "RFC 9112 6.1", EITHER),
    Case("only an odd coding", ask(b"Transfer-Encoding: x", body=SMUGGLED), "RFC 9112 6.3"),
    *(
        Case(f"coding {value!r}", ask(b"Transfer-Encoding:" + value, body=LAST), "RFC 9112 5 and 7", SERVE)
        for value in (b"chunked", b"  chunked", b"\tchunked \t", b" Chunked", b" CHUNKED")
    ),
    Case(
        "a coding in HTTP/1.0",
        ask(TE, b"Connection: keep-alive", line=b"POST /a HTTP/1.0", body=LAST + SMUGGLED),
        "RFC 9112 6.1",
        SERVE_AND_CLOSE,
    ),
    Case(
        "both framings in HTTP/1.0",
        ask(*lengths(b"5"), TE, b"Connection: keep-alive", line=b"POST /a HTTP/1.0", body=LAST + SMUGGLED),
        "RFC 9112 6.1",
        SERVE_AND_CLOSE,
    ),
)

CHUNKS = (
    *(
        Case(f"chunk size {size!r}", chunked(size + b"\r\nhello\r\n" + LAST + SMUGGLED), "RFC 9112 7.1")
        for size in (
            *(
                b"",
                b"-5",
                b"+5",
                b"0x5",
                b" 5",
                b"\t5",
                b"\x0b5",
                b"5\x0b",
                b"5\0",
                b"5_0",
                b"g",
                b"5g",
                b"5,",
            ),
            *(b"10000000000000005", b"FFFFFFFFFFFFFFFF", b"-1", b"0" * 40 + b"g", b"5\r", b"\xb5", b"5 5"),
        )
    ),
    *(
        Case(
            f"chunk {size!r}", chunked(size + b"\r\nhello\r\n" + LAST), "RFC 9112 7.1.1", must, body=b"hello"
        )
        for size, must in (
            (b"5", SERVE),
            (b"05", SERVE),
            (b"5;ext", SERVE),
            (b'5;ext="a;b"', SERVE),
            (b"5 ; ext = 1", EITHER),
            (b"5 ", EITHER),
            (b"0000000000000005", EITHER),
            (b"5;" + b"x" * 20_000, EITHER),
        )
    ),
    Case("a bare CR in an extension", chunked(b"5;a\rb\r\nhello\r\n" + LAST + SMUGGLED), "RFC 9112 2.2"),
    Case("a bare LF after the size", chunked(b"5\nhello\r\n" + LAST), "RFC 9112 7.1", EITHER, body=b"hello"),
    Case(
        "a bare LF in an extension",
        chunked(b"5;a\nhello\r\n" + LAST),
        "Funky chunks, 2025",
        EITHER,
        body=b"hello",
    ),
    Case(
        "a bare LF after the data",
        chunked(b"5\r\nhello\n" + LAST),
        "Funky chunks, 2025",
        EITHER,
        body=b"hello",
    ),
    Case("no line end after the data", chunked(b"5\r\nhello" + LAST + SMUGGLED), "RFC 9112 7.1"),
    Case("more data than the size", chunked(b"5\r\nhelloXX\r\n" + LAST + SMUGGLED), "Funky chunks, 2025"),
    Case("two octets for the line end", chunked(b"5\r\nhelloXX" + LAST + SMUGGLED), "Funky chunks, 2025"),
    Case(
        "many extensions",
        chunked(b"1;%s\r\nx\r\n" % (b"e" * 100) * 200 + LAST),
        "CVE-2023-39326 and its kind",
        EITHER,
        body=b"x" * 200,
    ),
    Case("a trailer", chunked(LAST[:3] + b"X-Sum: 1\r\n\r\n"), "RFC 9112 7.1.2", SERVE, body=b""),
    *(
        Case(f"trailer {line!r}", chunked(LAST[:3] + line + b"\r\n\r\n"), "RFC 9110 6.5.1", EITHER, body=b"")
        for line in (b"Content-Length: 40", TE, b"Host: b.test", b"X-Forwarded-For: 1.2.3.4", b"CDN-Loop: x")
    ),
    *(
        Case(f"trailer {line!r}", chunked(LAST[:3] + line + b"\r\n\r\n" + SMUGGLED), "RFC 9112 5.1")
        for line in (b"no colon", b": empty")
    ),
    Case("a folded trailer", chunked(LAST[:3] + b"X: 1\r\n two\r\n\r\n"), "RFC 9112 5.2", EITHER, body=b""),
    Case(
        "a bad chunk that comes later",
        (chunked(b"5\r\nhello\r\n"), b"-1\r\n" + SMUGGLED),
        "RFC 9112 7.1",
        half=True,
    ),
)

TRAILERS = tuple(
    Case(f"trailer {line!r}", chunked(LAST[:3] + line + b"\r\n\r\n"), "RFC 9112 5.1", EITHER, body=b"")
    for line in (b"X : 1", b"X\0: 1", b"X(: 1", b"X: a\0b", b"X: a\rb")
)
"""HAProxy 2.6 has no rule that could look at a trailer, and refuses a malformed name at one start and not at
the next. What holds: it stays a trailer, and the body ends where it ended."""
