"""The recording origin finds whatever may be read in two ways: else it would prove nothing."""

from __future__ import annotations

import pytest

from tests.feature.recorder import take
from tests.feature.smuggling_cases import TE, ask, chunked, get, lengths


@pytest.mark.parametrize(
    "raw",
    [
        ask(*lengths(b"5"), TE, body=b"0\r\n\r\n"),
        ask(*lengths(b"5", b"5"), body=b"hello"),
        ask(*lengths(b"+5")),
        ask(b"Transfer-Encoding: xchunked"),
        chunked(b"5\nhello\r\n0\r\n\r\n"),
        chunked(b"5\r\nhelloXX0\r\n\r\n"),
        get(b"X: a\0b"),
        get(b"X: a\rb"),
        get(b"X: a\nb"),
        get(b"X: a\r\n b"),
        get(b"X : a"),
        get(b"Connection: Host"),
        get(b"Upgrade: h2c"),
        get(b"Host: b.test"),
        get(line=b"GET http://b.test/ HTTP/1.1"),
        get(line=b"GET /a b HTTP/1.1"),
    ],
)
def test_the_recorder_finds_what_is_wrong(raw: bytes) -> None:
    """It can only prove that nothing has arrived if it would have seen it."""
    edge = (
        b"X-Forwarded-For: 1\r\nX-Forwarded-Proto: http\r\n"
        b"X-Real-IP: 1\r\nForwarded: for=1\r\nCDN-Loop: holdfast-1\r\n"
    )

    def through(request: bytes) -> list[str]:
        taken = take(request.replace(b"\r\nHost:", b"\r\n" + edge + b"Host:", 1))
        return taken[2] if taken else ["not whole"]

    assert through(get()) == through(chunked(b"5\r\nhello\r\n0\r\n\r\n")) == []
    assert through(raw) != []
