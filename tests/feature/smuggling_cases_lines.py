"""Hostile lines: request lines, header lines, and what follows a refused request. See ``smuggling_cases``."""

from __future__ import annotations

from tests.feature.smuggling_cases import (
    EITHER,
    HIDDEN,
    LAST,
    REFUSE,
    SECOND,
    SERVE,
    SMUGGLED,
    TE,
    Case,
    ask,
    get,
    lengths,
)

WEBSOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 777",
)

HEADERS = (
    Case("a folded line", get(b"X: one\r\n two"), "RFC 9112 5.2", EITHER),
    Case("a line folded by a tab", get(b"X: one\r\n\ttwo\r\n\t three"), "RFC 9112 5.2", EITHER),
    Case("a folded host", get(host=b"Host:\r\n a.test"), "RFC 9112 5.2", EITHER),
    Case(
        "a folded length", ask(b"Content-Length:\r\n 5", body=b"hello"), "RFC 9112 5.2", EITHER, body=b"hello"
    ),
    Case(
        "a folded coding", ask(b"Transfer-Encoding:\r\n chunked", body=LAST), "RFC 9112 5.2", EITHER, body=b""
    ),
    Case("a coding in a fold", ask(b"X: y\r\n " + TE, *lengths(b"5"), body=b"hello"), "RFC 9112 5.2", EITHER),
    Case("a fold before all lines", get(b"X: y", host=b" Host: a.test"), "RFC 9112 2.2"),
    Case("a fold before all lines, with a host", get(host=b" X: y\r\nHost: a.test"), "RFC 9112 2.2", EITHER),
    *(
        Case(f"header line {line!r}", get(line) + SMUGGLED, source)
        for line, source in (
            *((b"X-Thing" + space + b": 1", "RFC 9112 5.1") for space in (b" ", b"\t", b"\x0b", b"\r")),
            (b"no colon", "RFC 9112 5"),
            (b"word", "RFC 9112 5"),
            (b": empty", "CVE-2023-25725"),
            (b":", "CVE-2023-25725"),
            *(
                (b"X" + odd + b"Y: 1", "RFC 9110 5.1")
                for odd in (b"\0", b"(", b"[", b"@", b"\x80", b"\x7f", b"/")
            ),
        )
    ),
    *(
        Case(f"value {value!r}", get(b"X: " + value), "RFC 9110 5.5", EITHER)
        for value in (b"a\0b", b"\0", b"a\rb", b"a\r", b"\r", b"a\x0bb", b"a\x7fb", b"a\x1bb")
    ),
    *(
        Case(f"after a bare {octet!r} {line!r}", get(b"X: y" + octet + line), "RFC 9110 5.5", EITHER)
        for octet in (b"\r", b"\n", b"\0\n", b"\0\r\n")
        for line in (b"X-Forwarded-For: evil", b"Host: b.test", b"CDN-Loop: evil", b"Content-Length: 0")
    ),
    Case("obs-text in a value", get(b"X: caf\xe9"), "RFC 9110 5.5", EITHER),
    Case("bare LF everywhere", get(b"X: y").replace(b"\r", b""), "RFC 9112 2.2", EITHER),
    Case("bare CR everywhere", get(b"X: y").replace(b"\n", b""), "RFC 9112 2.2"),
    Case("bare LF at the end of the head", get(b"X: y")[:-2] + b"\n", "RFC 9112 2.2", EITHER),
    Case("100 lines", get(*(b"X-%d: y" % number for number in range(90))), "RFC 6585 5", SERVE),
    Case("102 lines", get(*(b"X-%d: y" % number for number in range(102))) + SMUGGLED, "RFC 6585 5"),
    Case("a line of 8 KB", get(b"X: " + b"y" * 8_000), "RFC 9112 3 (by analogy)", SERVE),
    Case("a line beyond the buffer", get(b"X: " + b"y" * 20_000) + SMUGGLED, "RFC 6585 5"),
    Case("lines beyond the buffer", get(*[b"X: " + b"y" * 400] * 90) + SMUGGLED, "RFC 6585 5"),
    Case("a name of 300", get(b"X" * 300 + b": 1"), "CVE-2021-40346", EITHER),
    *(
        Case(
            f"Connection: {name.decode()}",
            ask(b"Connection: " + name, *lengths(b"5"), body=b"hello"),
            source,
            EITHER,
        )
        for source in ("RFC 9110 7.6.1; N. Davison, hop-by-hop headers, 2019",)
        for name in (
            *(
                b"X-Forwarded-For",
                b"close, CDN-Loop",
                b"keep-alive,X-Forwarded-Proto",
                b"Host",
                b"Content-Length",
            ),
            *(b"close, Content-Length", b"X-Forwarded-Host , x", b"Transfer-Encoding", b"\tHost\t"),
        )
    ),
    *(
        Case(
            f"Expect: {value.decode()}", ask(b"Expect: " + value, *lengths(b"5"), body=b"hello"), source, must
        )
        for value, must, source in (
            (b"100-continue", SERVE, "RFC 9110 10.1.1"),
            (b"100-Continue", SERVE, "RFC 9110 10.1.1"),
            (b"nonsense", EITHER, "RFC 9110 10.1.1"),
            (b"y 100-continue", EITHER, "PortSwigger, HTTP/1.1 must die, 2025"),
            (b"100-continue, 100-continue", EITHER, "PortSwigger, HTTP/1.1 must die, 2025"),
            (b"\r\n 100-continue", EITHER, "PortSwigger, HTTP/1.1 must die, 2025"),
        )
    ),
    Case(
        "Expect on GET",
        get(b"Expect: 100-continue", *lengths(b"%d" % HIDDEN)) + SMUGGLED,
        "0.CL, 2025",
        EITHER,
    ),
    *(
        Case(
            f"Upgrade: {value!r}",
            get(
                b"Connection: Upgrade, HTTP2-Settings",
                b"Upgrade: " + value,
                b"HTTP2-Settings: AAMAAABkAAQAAP__",
            ),
            "Bishop Fox, h2c smuggling, 2020",
            EITHER,
        )
        for value in (
            *(b"h2c", b"H2C", b"h2", b"\th2c", b"h2c, websocket", b"websocket, h2c", b"x, h2c", b"HTTP/2.0"),
            *(b"TLS/1.0", b"x-h2c", b",h2c", b"websocket\r\nUpgrade: h2c", b"PTTH/1.0"),
        )
    ),
    Case(
        "a WebSocket that the origin does not open",
        get(*WEBSOCKET) + SECOND,
        "0ang3el, websocket smuggling, 2019",
        EITHER,
        ("/a", "/second"),
    ),
)

REQUEST_LINES = (
    *(
        Case(f"line {line!r}", get(line=line) + SMUGGLED, source)
        for line, source in (
            *(
                (b"GET /a" + odd + b"b HTTP/1.1", "RFC 9112 3")
                for odd in (b"\0", b"\r", b"\x0b", b"\t", b" ")
            ),
            (b"GET /a HTTP/1.1 HTTP/1.1", "RFC 9112 3"),
            (b"GET /a#b HTTP/1.1", "CVE-2023-45539"),
            (b"GET /a?b#/../c HTTP/1.1", "CVE-2023-45539"),
            (b"GET a HTTP/1.1", "RFC 9112 3.2"),
            (b"GET @b.test/a HTTP/1.1", "PortSwigger, Cracking the lens, 2017"),
            (b"GET :80/a HTTP/1.1", "PortSwigger, Cracking the lens, 2017"),
            (b"GET a.test:80 HTTP/1.1", "RFC 9112 3.2.3"),
            (b"GET http://a.test@b.test/a HTTP/1.1", "RFC 9110 4.2.4"),
            *(
                (b"GET /a " + version, "RFC 9112 2.3")
                for version in (b"http/1.1", b"HTTP/1.", b"HTTP/01.1", b"HTTP/1,1")
            ),
            *(
                (b"GET /a " + version, "RFC 9112 2.3")
                for version in (b"HTTP/11", b"HTTP 1.1", b"HTTP/-1.1", b"ICY/1.1")
            ),
            *(
                (b"GET /a " + version, "RFC 9112 2.3")
                for version in (b"HTTP/1.1\0", b"HTTP/1.1x", b"RTSP/1.0", b"HTTP/1.10", b"HTTP/2")
            ),
            *(
                (method + b" /a HTTP/1.1", "RFC 9110 9.1")
                for method in (b"G(T", b"G\x80T", b"G\0T", b"G\x0bT", b'"GET"')
            ),
            *(
                (method + b" /a HTTP/1.1", "RFC 9110 9.1")
                for method in (b"G,T", b"GET:", b"GET/", b"", b"\x16\x03\x01")
            ),
            (b"X" * 20_000 + b" /a HTTP/1.1", "RFC 9112 3"),
            (b"GET /" + b"a" * 20_000 + b" HTTP/1.1", "RFC 9112 3"),
            (b"GET", "RFC 9112 3"),
            (b"GET /a", "RFC 1945 4.1"),
            (b"POST /a", "RFC 1945 4.1"),
            (b"/a HTTP/1.1", "RFC 9112 3"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\nGET /a HTTP/1.1", "PROXY protocol 2.1"),
        )
    ),
    *(
        Case(f"line {line!r}", get(line=line), source, must, sees)
        for line, source, must, sees in (
            (b"GET  /a HTTP/1.1", "RFC 9112 3", EITHER, ("/a",)),
            (b"GET /a  HTTP/1.1", "RFC 9112 3", EITHER, ("/a",)),
            (b"GET /a HTTP/1.1 ", "RFC 9112 3", EITHER, ("/a",)),
            (b"GET\t/a\tHTTP/1.1", "RFC 9112 3", EITHER, ("/a",)),
            (b" GET /a HTTP/1.1", "RFC 9112 3", EITHER, ("/a",)),
            (b"\r\nGET /a HTTP/1.1", "RFC 9112 2.2", SERVE, ("/a",)),
            (b"\r\n\r\n\r\nGET /a HTTP/1.1", "RFC 9112 2.2", EITHER, ("/a",)),
            (b"\nGET /a HTTP/1.1", "RFC 9112 2.2", EITHER, ("/a",)),
            (b"\0GET /a HTTP/1.1", "RFC 9112 2.2", REFUSE, ()),
            (b"get /a HTTP/1.1", "RFC 9110 9.1", EITHER, ("/a",)),
            (b"X-Y.Z!#$%&'*+^_`|~1 /a HTTP/1.1", "RFC 9110 9.1", EITHER, ("/a",)),
            (b"M" * 300 + b" /a HTTP/1.1", "RFC 9110 9.1", EITHER, ("/a",)),
            (b"TRACE /a HTTP/1.1", "RFC 9110 9.3.8", EITHER, ("/a",)),
            (b"GET /a HTTP/1.2", "RFC 9110 2.5", EITHER, ("/a",)),
            (b"GET /a HTTP/2.0", "RFC 9110 2.5", EITHER, ("/a",)),
            (b"GET /a HTTP/9.9", "RFC 9110 2.5", EITHER, ("/a",)),
            (b"GET /a\x7fb HTTP/1.1", "RFC 3986 2", EITHER, ("/a\x7fb",)),
            (b"CONNECT a.test:80 HTTP/1.1", "RFC 9110 9.3.6", REFUSE, ()),
            (b"CONNECT 127.0.0.1:22 HTTP/1.1", "RFC 9110 9.3.6", REFUSE, ()),
            (b"CONNECT /a HTTP/1.1", "RFC 9110 9.3.6", REFUSE, ()),
            (b"GET /a HTTP/1.0", "RFC 1945", SERVE, ("/a",)),
            (b"GET http://a.test/a HTTP/1.1", "RFC 9112 3.2.2", SERVE, ("/a",)),
            (b"GET HTTP://A.test/a HTTP/1.1", "RFC 9112 3.2.2", EITHER, ("/a",)),
            (b"GET https://a.test/a HTTP/1.1", "RFC 9110 7.4", EITHER, ("/a",)),
            (b"GET ftp://a.test/a HTTP/1.1", "RFC 9112 3.2.2", EITHER, ("/a",)),
            (b"GET http://b.test/a HTTP/1.1", "RFC 9112 3.2.2", EITHER, ("/a",)),
            (b"GET http://a.test:80@b.test/a HTTP/1.1", "RFC 9110 4.2.4", REFUSE, ()),
            (b"GET http:///a HTTP/1.1", "RFC 9110 4.2.1", EITHER, ("/a",)),
            (b"GET http://b.test\\@a.test/a HTTP/1.1", "RFC 9110 4.2.4", EITHER, ("/a",)),
            (b"GET * HTTP/1.1", "RFC 9112 3.2.4", REFUSE, ()),
            (b"OPTIONS * HTTP/1.1", "RFC 9112 3.2.4", EITHER, ("*",)),
            (b"GET //b.test/a HTTP/1.1", "RFC 9112 3.2.1", EITHER, ("//b.test/a",)),
            (b"GET /" + b"a" * 8_000 + b" HTTP/1.1", "RFC 9112 3", SERVE, ("/" + "a" * 8_000,)),
            (b"GET /\xc3\xa4 HTTP/1.1", "RFC 3986 2", EITHER, ("/\xc3\xa4",)),
            (b'GET /a"<>\\^`{|}b HTTP/1.1', "RFC 3986 2", EITHER, ('/a"<>\\^`{|}b',)),
        )
    ),
    *(
        Case(f"host {host!r}", get(host=host) + after, "RFC 9112 3.2")
        for host, after in (
            (b"Host: a.test\r\nHost: b.test", SMUGGLED),
            (b"Host: a.test\r\nHost : b.test", SMUGGLED),
            (b"Host: a.test\r\nhost:", SMUGGLED),
            (b"Host:", b""),
            (b"Host: u@a.test", b""),
            (b"Host: a.test, b.test", b""),
            (b"Host: a.test:80:80", b""),
            (b"Host: a.test:x", b""),
            (b"Host: a.test/x", b""),
            (b"Host: a.test#", b""),
            (b"Host: a.test b.test", b""),
            (b"Host: [a.test]", b""),
        )
    ),
    Case("no host", get(host=b""), "RFC 9112 3.2"),
    Case("one host twice", get(host=b"Host: a.test\r\nHost: a.test"), "RFC 9112 3.2", EITHER),
    Case("HTTP/1.0 without a host", get(line=b"GET /a HTTP/1.0", host=b""), "RFC 1945"),
    Case(
        "HTTP/1.0 with a body on GET",
        get(*lengths(b"%d" % HIDDEN), line=b"GET /a HTTP/1.0") + SMUGGLED,
        "RFC 1945 D.1",
        EITHER,
        body=SMUGGLED,
    ),
    Case("two requests, HTTP/1.0", get(line=b"GET /a HTTP/1.0") + SMUGGLED, "RFC 9112 9.3", EITHER),
    Case("two requests after close", get(b"Connection: close") + SMUGGLED, "RFC 9112 9.6", SERVE),
    Case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED, "RFC 9113 3.4"),
    Case("half a preface", b"PRI * HTTP/2.0\r\n\r\n" + SMUGGLED, "RFC 9113 3.4"),
    Case(
        "a preface with a host",
        b"PRI * HTTP/2.0\r\nHost: a.test\r\n\r\nSM\r\n\r\n" + SMUGGLED,
        "RFC 9113 3.4",
    ),
    Case("TLS on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SMUGGLED, "RFC 8446 5.1"),
)

UNKNOWN, MOVED, SHUT = (b"Host: " + name + b".test" for name in (b"unknown", b"moved", b"shut"))
"""Hosts that are answered by the edge itself: 421, 308, 403."""

PIPELINES = (
    Case("two requests", get() + SECOND, "RFC 9112 9.3.2", SERVE, ("/a", "/second")),
    Case(
        "two requests with a body",
        ask(*lengths(b"5"), body=b"hello") + SECOND,
        "RFC 9112 9.3.2",
        SERVE,
        ("/a", "/second"),
    ),
    Case("an empty line between two", get() + b"\r\n" + SECOND, "RFC 9112 2.2", EITHER, ("/a", "/second")),
    Case("a request after a malformed one", get(b"bad line") + SMUGGLED, "RFC 9112 9.3"),
    *(
        Case(
            f"a request after one to {host.decode()}",
            get(host=host) + SECOND,
            "RFC 9112 9.3.2",
            EITHER,
            ("/second",),
        )
        for host in (UNKNOWN, MOVED, SHUT)
    ),
    *(
        Case(f"{name} to {host.decode()}", raw, "PortSwigger, Browser-powered desync attacks (CL.0), 2022")
        for host in (UNKNOWN, MOVED, SHUT)
        for name, raw in (
            ("a body", ask(*lengths(b"%d" % HIDDEN), host=host, body=SMUGGLED)),
            ("a body that comes later", (ask(*lengths(b"%d" % HIDDEN), host=host), SMUGGLED)),
            ("a chunked body", ask(TE, host=host, body=b"%x\r\n%s\r\n" % (HIDDEN, SMUGGLED) + LAST)),
            (
                "a chunked body that comes later",
                (ask(TE, host=host), b"%x\r\n%s\r\n" % (HIDDEN, SMUGGLED) + LAST),
            ),
            (
                "a body that waits",
                (ask(b"Expect: 100-continue", *lengths(b"%d" % HIDDEN), host=host), SMUGGLED),
            ),
        )
    ),
    Case(
        "what follows a CONNECT that is refused",
        ask(*lengths(b"%d" % len(SECOND)), line=b"CONNECT a.test:80 HTTP/1.1", body=SECOND),
        "RFC 9110 9.3.6: it has no body",
        EITHER,
        ("/second",),
    ),
    Case("half a request", get()[:-4], "RFC 9112 8"),
    Case("half a body", ask(*lengths(b"99"), body=SMUGGLED), "RFC 9112 8", half=True),
)
