"""What hostile clients send over HTTP/2, frame by frame: an edge makes HTTP/1.1 of it for the origin, and
what was only an octet in a length-prefixed field must not become a line (H2.CL, H2.TE and their kind:
PortSwigger, HTTP/2: The Sequel is Always Worse, 2021). See ``smuggling_cases``."""

from __future__ import annotations

from tests.feature.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    Pairs,
    block,
    data,
    frame,
    headers,
    pseudo,
)
from tests.feature.smuggling_cases import EITHER, LAST, REFUSE, SERVE, SMUGGLED, Case, Must

LENGTH, CODING = b"content-length", b"transfer-encoding"
POST = pseudo(b"POST")
GET = pseudo()
LINE = b" HTTP/1.1\r\nHost: a.test\r\n\r\nGET /smuggled"


def post(*pairs: tuple[bytes, bytes], body: bytes = b"hello") -> bytes:
    """A request with a body in one DATA frame."""
    return headers(*POST, *pairs, end=False) + data(body)


def odd(name: str, pairs: Pairs, must: Must = REFUSE, source: str = "RFC 9113 8.2.1", *sees: str) -> Case:
    """A request of these fields alone."""
    return Case(name, headers(*pairs), source, must, sees or ("/a",))


def without(name: bytes, pairs: Pairs = GET) -> Pairs:
    return tuple(pair for pair in pairs if pair[0] != name)


BODIES = (
    Case("a body", post((LENGTH, b"5")), "RFC 9113 8.1", SERVE, body=b"hello"),
    Case("a body without a length", post(body=SMUGGLED), "RFC 9113 8.1", SERVE, body=SMUGGLED),
    Case("a length for less, H2.CL", post((LENGTH, b"0"), body=SMUGGLED), "RFC 9113 8.1.1"),
    Case("a length for a part", post((LENGTH, b"5"), body=b"hello" + SMUGGLED), "RFC 9113 8.1.1"),
    Case("a length for more", post((LENGTH, b"99"), body=SMUGGLED), "RFC 9113 8.1.1", half=True),
    Case("a length and no body", headers(*POST, (LENGTH, b"5")), "RFC 9113 8.1.1", EITHER, body=b""),
    Case("two lengths", post((LENGTH, b"5"), (LENGTH, b"0")), "RFC 9113 8.1.1"),
    Case("one length twice", post((LENGTH, b"5"), (LENGTH, b"5")), "RFC 9110 8.6", EITHER, body=b"hello"),
    *(
        Case(f"length {value!r}", post((LENGTH, value)), "RFC 9110 8.6")
        for value in (b"+5", b"-5", b"0x5", b"5, 6", b"", b"5\0", b"5\r\n", b"5_0", b"18446744073709551621")
    ),
    *(
        Case(f"coding {value!r}, H2.TE", post((CODING, value), body=LAST + SMUGGLED), "RFC 9113 8.2.2")
        for value in (b"chunked", b"identity", b"Chunked", b"x", b" chunked", b"\x0bchunked", b"")
    ),
    Case("both framings", post((CODING, b"chunked"), (LENGTH, b"5")), "RFC 9113 8.2.2"),
    Case(
        "a length in trailers", headers(*POST, end=False) + headers((LENGTH, b"5")), "RFC 9110 6.5.1", EITHER
    ),
    Case(
        "a coding in trailers",
        headers(*POST, end=False) + headers((CODING, b"chunked")),
        "RFC 9113 8.2.2",
        EITHER,
    ),
    Case(
        "a pseudo header in trailers",
        headers(*POST, end=False) + headers((b":path", b"/b")),
        "RFC 9113 8.1",
        half=True,
    ),
    Case(
        "a line end in trailers",
        headers(*POST, end=False) + headers((b"x", b"1\r\n\r\n" + SMUGGLED)),
        "RFC 9113 8.2.1",
        half=True,
    ),
    Case(
        "trailers that do not end",
        headers(*POST, end=False) + headers((b"x", b"y"), end=False),
        "RFC 9113 8.1",
        half=True,
    ),
    Case("data after the end", headers(*GET) + data(SMUGGLED), "RFC 9113 5.1", EITHER),
    Case("data before a request", data(SMUGGLED), "RFC 9113 5.1"),
    Case("data of no stream", headers(*POST, end=False) + data(SMUGGLED, 0), "RFC 9113 6.1", half=True),
    Case(
        "more padding than frame",
        headers(*POST, end=False) + frame(DATA, PADDED, 1, b"\xff"),
        "RFC 9113 6.1",
        half=True,
    ),
    Case(
        "a frame that is too long", headers(*POST, end=False) + data(b"x" * 16_385), "RFC 9113 4.2", half=True
    ),
)

FIELDS = (
    *(
        odd(f"{name.decode()}: {value.decode()}", (*GET, (name, value)), EITHER, "RFC 9113 8.2.2")
        for name, value in (
            *(
                (b"connection", each)
                for each in (b"close", b"keep-alive", b"x-forwarded-for", b"content-length")
            ),
            *((b"upgrade", each) for each in (b"h2c", b"websocket", b"HTTP/2.0")),
            *(
                (b"keep-alive", b"1"),
                (b"proxy-connection", b"close"),
                (b"te", b"chunked"),
                (b"te", b"trailers"),
            ),
            *((b"http2-settings", b"AAMAAABkAAQAAP__"), (b"expect", b"100-continue"), (b"expect", b"x")),
        )
    ),
    *(
        odd(f"name {name!r}", (*GET, (name, b"y")))
        for name in (
            *(
                b"X-Upper",
                b"x-uppeR",
                b"x y",
                b"x:y",
                b"x: y\r\nx-forwarded-for",
                b"x\r\n",
                b"x\n",
                b"x\0",
                b"\0",
            ),
            *(
                b"x\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a.test\r\nx",
                b"",
                b"x\x7f",
                b"x\x80",
                b"x(",
                b"Content-Length",
            ),
            *(b"transfer-encoding ", b"transfer-encoding:", b"x\t", b" x", b"x" + LINE + b"\r\ny"),
        )
    ),
    *(
        odd(f"value {value!r}", (*GET, (b"x", value)), REFUSE, "RFC 9113 8.2.1; CVE-2019-19330")
        for value in (
            *(
                b"1\r\nTransfer-Encoding: chunked",
                b"1\nContent-Length: 5",
                b"1\rX: y",
                b"1\r\n\r\n" + SMUGGLED,
            ),
            *(b"\r\n", b"\n", b"\r", b"\0", b"a\0b"),
        )
    ),
    *(
        odd(f"value {value!r}", (*GET, (b"x", value)), EITHER)
        for value in (b" y", b"y ", b"\ty", b"\x0by", b"\x7f")
    ),
    odd("a line end in a cookie", (*GET, (b"cookie", b"a=b"), (b"cookie", b"c=d\r\nX-Forwarded-For: evil"))),
    odd("cookies in parts", (*GET, (b"cookie", b"a=b"), (b"cookie", b"c=d")), SERVE, "RFC 9113 8.2.3"),
    odd("300 fields", (*GET, *[(b"x", b"y")] * 300), REFUSE, "RFC 9113 10.5.1"),
    odd(
        "fields beyond the buffer",
        (*GET, *[(b"x", b"y" * 1_000)] * 15, (b"x", b"y" * 1_200)),
        REFUSE,
        "RFC 9113 10.5.1",
    ),
)

PSEUDO = (
    *(
        odd(f"path {path!r}", pseudo(path=path), REFUSE, source)
        for path, source in (
            *(
                (b"/a" + octet + b"b", "RFC 9113 8.3.1")
                for octet in (b" ", b"\t", b"\0", b"\r", b"\n", b"\x0b")
            ),
            (b"/a" + LINE, "RFC 9113 8.3.1; PortSwigger, 2021"),
            (b"/a HTTP/1.1\r\nX-Forwarded-For: evil\r\nX: y", "RFC 9113 8.3.1; PortSwigger, 2021"),
            (b"", "RFC 9113 8.3.1"),
            (b"a", "RFC 9113 8.3.1"),
            (b"@b.test/a", "RFC 9113 8.3.1"),
            (b":80/a", "RFC 9113 8.3.1"),
            (b"/a#b", "CVE-2023-45539"),
        )
    ),
    odd("an asterisk as path", pseudo(path=b"*"), EITHER, "RFC 9113 8.3.1", "/"),
    odd("a whole URI as path", pseudo(path=b"http://b.test/a"), EITHER, "RFC 9113 8.3.1", "http://b.test/a"),
    odd("a path of two slashes", pseudo(path=b"//b.test/a"), EITHER, "RFC 9113 8.3.1", "//b.test/a"),
    *(
        odd(f"method {method!r}", pseudo(method), REFUSE, "RFC 9113 8.3.1; CVE-2021-39241")
        for method in (
            b"GET /smuggled HTTP/1.1\r\nx:",
            b"G T",
            b"",
            b"G\0T",
            b"G(T",
            b"GET\r\n",
            b"GET /smuggled?",
            b"G\tT",
        )
    ),
    *(
        odd(f"scheme {scheme!r}", pseudo(scheme=scheme), REFUSE, "RFC 9113 8.3.1; CVE-2021-39240")
        for scheme in (
            b"http://b.test/smuggled?x=",
            b"ht tp",
            b"https\r\nx: y",
            b"",
            b"https\0",
            b"https:",
            b"1https",
        )
    ),
    odd("another scheme", pseudo(scheme=b"ftp"), EITHER, "RFC 9113 8.3.1"),
    odd("the scheme of plain HTTP", pseudo(scheme=b"http"), EITHER, "RFC 9110 7.4"),
    *(
        odd(f"authority {authority!r}", pseudo(authority=authority), REFUSE, "RFC 9113 8.3.1; CVE-2021-39242")
        for authority in (
            *(
                b"u@a.test",
                b"a.test, b.test",
                b"a.test b.test",
                b"a.test\r\nX: y",
                b"a.test\0",
                b"",
                b"a.test/smuggled",
            ),
            *(
                b"a.test:x",
                b"b.test@a.test",
                b"a.test?",
                b"a.test#",
                b"a.test\\",
                b"a.test\n",
                b"a.test:80:80",
            ),
        )
    ),
    odd("another host", (*GET, (b"host", b"b.test")), EITHER, "RFC 9113 8.3.1"),
    odd("two other hosts", (*GET, (b"host", b"a.test"), (b"host", b"b.test")), EITHER, "RFC 9113 8.3.1"),
    odd(
        "two hosts",
        (*without(b":authority"), (b"host", b"a.test"), (b"host", b"b.test")),
        EITHER,
        "RFC 9110 7.2",
    ),
    odd("only a host", (*without(b":authority"), (b"host", b"a.test")), SERVE, "RFC 9113 8.3.1"),
    odd("no host at all", without(b":authority"), REFUSE, "RFC 9113 8.3.1"),
    *(
        odd(f"no {name.decode()}", without(name), REFUSE, "RFC 9113 8.3.1")
        for name in (b":method", b":path", b":scheme")
    ),
    *(
        odd(f"{name.decode()} twice", (*GET, (name, dict(GET)[name])), REFUSE, "RFC 9113 8.3")
        for name in (b":method", b":path", b":scheme", b":authority")
    ),
    *(
        odd(f"two of {name.decode()}", ((name, value), *GET), REFUSE, "RFC 9113 8.3")
        for name, value in ((b":method", b"POST"), (b":path", b"/smuggled"), (b":authority", b"b.test"))
    ),
    odd("a pseudo header after a field", (*GET[:3], (b"x", b"y"), GET[3]), REFUSE, "RFC 9113 8.3"),
    odd("an unknown pseudo header", (*GET, (b":x", b"y")), REFUSE, "RFC 9113 8.3"),
    odd("a pseudo header of answers", (*GET, (b":status", b"200")), REFUSE, "RFC 9113 8.3"),
    *(
        odd(
            f"extended CONNECT to {value!r}",
            (*pseudo(b"CONNECT"), (b":protocol", value)),
            EITHER,
            "RFC 8441 4",
        )
        for value in (b"h2c", b"http", b"connect-udp", b"websocket\r\nx: y", b"", b"x")
    ),
    odd("a protocol without CONNECT", (*GET, (b":protocol", b"websocket")), EITHER, "RFC 8441 4"),
    odd("CONNECT", ((b":method", b"CONNECT"), (b":authority", b"a.test:80")), REFUSE, "RFC 9113 8.5"),
)

FRAMES = (
    Case("an even stream", headers(*GET, stream=2), "RFC 9113 5.1.1"),
    Case("a stream of no number", headers(*GET, stream=0), "RFC 9113 6.2"),
    Case(
        "streams that go down",
        headers(*GET, stream=3) + headers(*pseudo(path=b"/smuggled"), stream=1),
        "RFC 9113 5.1.1",
        half=True,
    ),
    Case("a stream twice", headers(*GET) + headers(*pseudo(path=b"/smuggled")), "RFC 9113 5.1", half=True),
    Case(
        "another frame among a request's",
        frame(HEADERS, END_STREAM, 1, block(*GET[:2]))
        + data(b"x")
        + frame(CONTINUATION, END_HEADERS, 1, block(*GET[2:])),
        "RFC 9113 6.10",
    ),
    Case(
        "another stream's continuation",
        frame(HEADERS, END_STREAM, 1, block(*GET[:2])) + frame(CONTINUATION, END_HEADERS, 3, block(*GET[2:])),
        "RFC 9113 6.10",
    ),
    Case("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, block(*GET)), "RFC 9113 6.10"),
    Case(
        "a continuation",
        frame(HEADERS, END_STREAM, 1, block(*GET[:2])) + frame(CONTINUATION, END_HEADERS, 1, block(*GET[2:])),
        "RFC 9113 6.10",
        EITHER,
    ),
    Case(
        "half a header block", frame(HEADERS, END_HEADERS | END_STREAM, 1, block(*GET)[:-1]), "RFC 7541 5.2"
    ),
    Case(
        "an index of nothing",
        frame(HEADERS, END_HEADERS | END_STREAM, 1, block(*GET) + b"\xff\xff\x7f"),
        "RFC 7541 2.3.3",
    ),
    Case("index 0", frame(HEADERS, END_HEADERS | END_STREAM, 1, block(*GET) + b"\x80"), "RFC 7541 6.1"),
    Case(
        "a table that is too large",
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xff\xff\x03" + block(*GET)),
        "RFC 7541 6.3",
    ),
    Case("HTTP/1.1 after the preface", SMUGGLED, "RFC 9113 3.4"),
)
