"""Lines of access logs as servers write them, and what is none."""

from __future__ import annotations

import pytest

from holdfast.replay.access_log import LONGEST_LINE, Entry, fault, line_of, parse

COMMON = '192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /page HTTP/1.1" 200 5316'
COMBINED = f'{COMMON} "https://site.example/" "Mozilla/5.0 (X11)"'
AT = 1_431_857_103
PLAIN = Entry(
    AT, 0, "192.0.2.7", "GET /page HTTP/1.1", 200, 5316, "https://site.example/", "Mozilla/5.0 (X11)"
)

PARSED = [
    (COMBINED, PLAIN),
    (COMMON, PLAIN._replace(referer=None, agent=None)),
    (f'{COMMON} "-" "-"', PLAIN._replace(referer="", agent="")),
    (f'{COMBINED} 0.013 "198.51.100.1"', PLAIN),  # fields of somebody's own after the last
    (COMBINED.removesuffix('"'), PLAIN),  # the agent was cut, and its quote with it
    (COMBINED.replace(" - - ", " - anna "), PLAIN),
    (COMBINED.replace(" - - ", " - anna maria "), PLAIN),
    (f"site.example:443 {COMBINED}", PLAIN),  # vhost_combined
    (COMBINED.replace("192.0.2.7", "2001:db8::7"), PLAIN._replace(host="2001:db8::7")),
    (COMBINED.replace("192.0.2.7", "host.isp.example"), PLAIN._replace(host="host.isp.example")),
    (COMBINED.replace("200 5316", "304 -"), PLAIN._replace(status=304, size=None)),
    (COMBINED.replace("200 5316", "- 0"), PLAIN._replace(status=0, size=0)),
    (COMBINED.replace("10:05:03 +0000", "12:05:03 +0200"), PLAIN._replace(zone=7200)),
    (COMBINED.replace("10:05:03 +0000", "06:35:03 -0330"), PLAIN._replace(zone=-12_600)),
    (COMBINED.replace("10:05:03", "10:05:60"), PLAIN._replace(at=AT + 57)),  # a leap second
    (COMBINED.replace("GET /page HTTP/1.1", "-"), PLAIN._replace(request="-")),
    (COMBINED.replace("GET /page HTTP/1.1", ""), PLAIN._replace(request="")),
    (COMBINED.replace("GET /page HTTP/1.1", r"\x16\x03\x01"), PLAIN._replace(request="\x16\x03\x01")),
    (COMBINED.replace("(X11)", r"(\"X11\" \\)"), PLAIN._replace(agent='Mozilla/5.0 ("X11" \\)')),
    (COMBINED.replace("(X11)", r"\x22X11\x22\t"), PLAIN._replace(agent='Mozilla/5.0 "X11"\t')),
]

REFUSED = [
    ("", "it is empty"),
    ("  \r", "it is empty"),
    ("hello", "there is no time in brackets"),
    (COMBINED.replace("]", ""), "there is no time in brackets"),
    (COMBINED.removeprefix("192.0.2.7 "), "there are not three fields"),
    (COMBINED.replace("17/May", "17/Mai"), "the time is not like 17/May/2015:10:05:03 +0000"),
    (COMBINED.replace("17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z"), "the time is not like"),
    (COMBINED.replace("17/May/2015:10:05:03 +0000", "17/May/2015:10:05:٠٣ +0000"), "the time is not like"),
    (COMBINED.replace("10:05:03", "10:05:61"), "the time is not like"),
    (COMBINED.replace("17/May", "31/Feb"), "there is no such time"),
    (COMBINED.replace("10:05", "24:05"), "there is no such time"),
    (COMBINED.replace("+0000", "+9900"), "there is no such time"),
    (COMBINED.replace('"GET', "GET"), "there is no request in quotes after the time"),
    (COMBINED.replace(" 200 5316", " OK 5316"), "there are no status and size after the request"),
    (COMMON.partition('"')[0] + '"GET /' + LONGEST_LINE * "a", "longer than 32,768 characters"),
]


@pytest.mark.parametrize(("line", "entry"), PARSED)
def test_a_line_is_parsed(line: str, entry: Entry) -> None:
    assert parse(line) == entry


@pytest.mark.parametrize(("line", "why"), REFUSED)
def test_what_is_no_line_says_why(line: str, why: str) -> None:
    assert parse(line) is None
    assert why in fault(line)


@pytest.mark.parametrize(("line", "why"), REFUSED)
def test_a_fault_names_no_client(line: str, why: str) -> None:
    assert "192.0.2.7" not in fault(line)


@pytest.mark.parametrize("line", [COMBINED, COMMON, f'{COMMON} "-" "-"'])
def test_a_line_is_written_as_servers_write_it(line: str) -> None:
    entry = parse(line)
    assert entry is not None
    assert line_of(entry) == line


def test_what_could_end_a_field_or_a_line_is_escaped() -> None:
    written = line_of(PLAIN._replace(agent='a"b\\c\nd\x00e'))
    assert written.endswith(r'"a\"b\\c\nd\x00e"')
    assert "\n" not in written
