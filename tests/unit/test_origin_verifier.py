"""The signature of a request as an origin checks it: vectors, and the page that shows the verifier.

The MACs were made with ``openssl dgst -sha256 -mac HMAC``, not with the code that is tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.feature.origin_verifier import OnlyFromEdge, is_from_edge

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operate" / "verify-requests-at-the-origin.md"
KEY = bytes(range(32))
NOW = 1767225600
HOST = "www.example.org"
MAC = "0911de80db3149b93ed7c21fa34e149de063551a943fe18aa44025e486b2badc"
GOOD = f"t={NOW};c=192.0.2.7;s={MAC}"


@pytest.mark.parametrize(
    ("method", "host", "target", "client", "mac"),
    [
        ("GET", HOST, "/news?page=2", "192.0.2.7", MAC),
        (
            *("POST", f"{HOST}:8443", "/caf%C3%A9?q=a|b", "2001:db8::7"),
            "5e0507790226aa6c82d4d601ea54f6270954f26411ec83ab51c6aef9314ac666",
        ),
        (
            *("OPTIONS", HOST, "*", "192.0.2.7"),
            "9b174e5cac40718528a242e03168c6297c770bfbc05966f1ee6f339ce3dd9502",
        ),
        (
            *("GET", HOST, "/caf\xe9", "192.0.2.7"),  # the raw byte E9, as WSGI hands it on
            "a7e70c7ed147c0ce77d1c7c08d71360b46a8a9466ca1f2126a74bca4351f412d",
        ),
    ],
)
def test_vectors(method: str, host: str, target: str, client: str, mac: str) -> None:
    assert is_from_edge(method, host, target, f"t={NOW};c={client};s={mac}", KEY, NOW)


@pytest.mark.parametrize(("off", "expected"), [(-61, False), (-60, True), (0, True), (60, True), (61, False)])
def test_the_time(off: int, expected: bool) -> None:
    assert is_from_edge("GET", HOST, "/news?page=2", GOOD, KEY, NOW + off) is expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", "POST"),
        ("method", "get"),
        ("host", "example.org"),
        ("host", f"{HOST}:80"),
        ("target", "/news?page=3"),
        ("target", "/news"),
        ("target", "/news?page=2\u20ac"),
        ("secret", bytes(32)),
        ("secret", b""),
        ("secret", KEY + b"\0"),
        ("header", ""),
        ("header", GOOD + ", " + GOOD),
        ("header", GOOD + "\n"),
        ("header", " " + GOOD),
        ("header", GOOD.replace("192.0.2.7", "192.0.2.8")),
        ("header", GOOD.replace(f"t={NOW}", f"t={NOW + 1}")),
        ("header", GOOD.replace(f"t={NOW}", f"t=0{NOW}")),
        ("header", GOOD.replace(MAC, MAC.upper())),
        ("header", GOOD.replace(MAC, MAC[:-1])),
        ("header", GOOD.replace(MAC, "0" * 64)),
        ("header", f"t={NOW};s={MAC};c=192.0.2.7"),
        ("header", GOOD.replace("1", "\u0661", 1)),
    ],
)
def test_whatever_differs_is_refused(field: str, value: Any) -> None:
    good = {"method": "GET", "host": HOST, "target": "/news?page=2", "header": GOOD, "secret": KEY}
    assert is_from_edge(**{**good, "now": NOW})  # type: ignore[arg-type]
    assert not is_from_edge(**{**good, "now": NOW, field: value})


def test_a_bar_does_not_shift_one_field_into_the_next() -> None:
    """The text that is signed is the same for all three."""
    mac = "5e0507790226aa6c82d4d601ea54f6270954f26411ec83ab51c6aef9314ac666"
    header = f"t={NOW};c=2001:db8::7;s={mac}"
    signed = ("POST", f"{HOST}:8443", "/caf%C3%A9?q=a|b")
    others = [
        ("POST", f"{HOST}:8443|/caf%C3%A9?q=a", "b"),
        (f"POST|{HOST}:8443", "/caf%C3%A9?q=a", "b"),
    ]
    assert {"|".join(each) for each in others} == {"|".join(signed)}
    assert is_from_edge(*signed, header, KEY, NOW)
    assert not any(is_from_edge(*each, header, KEY, NOW) for each in others)


@pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI"])
@pytest.mark.parametrize(
    ("secrets", "expected"), [([KEY], "200"), ([bytes(32), KEY], "200"), ([bytes(32)], "403"), ([], "403")]
)
def test_the_middleware_takes_any_of_its_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, secrets: list[bytes], expected: str
) -> None:
    statuses: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"in"]

    monkeypatch.setattr("time.time", lambda: float(NOW))
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": HOST, name: "/news?page=2", "PATH_INFO": "/news"}
    environ["HTTP_X_HOLDFAST_SIGNATURE"] = GOOD
    wrapped = OnlyFromEdge(application, secrets)
    body = b"".join(wrapped(environ, lambda status, headers: statuses.append(status)))
    assert ([status[:3] for status in statuses], body == b"in") == ([expected], expected == "200")


def test_the_page_shows_this_verifier() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert blocks[0] == (ROOT / "tests" / "feature" / "origin_verifier.py").read_text()


def test_the_pages_example_is_right() -> None:
    text = PAGE.read_text()
    assert all(each in text for each in (GOOD, str(NOW), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
