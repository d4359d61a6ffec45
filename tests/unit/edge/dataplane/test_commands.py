"""Each command's text, and which of HAProxy's answers (as 2.6.12 gave them) it takes for success."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from holdfast.edge.dataplane import commands as c
from holdfast.edge.dataplane.commands import Command, Places

PLACES = Places(PurePosixPath("/run/holdfast"))
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CERTIFICATE = "/run/holdfast/certificates/1-2-aa.pem"
AUTHORITY = "/run/holdfast/authorities/ca-1-2-bb.pem"

CASES: list[tuple[Command, str, str]] = [
    (
        c.AddMap("hosts", (("a.test", "1-1"), ("b.test", "1 2"))),
        "add map /run/holdfast/maps/hosts.map <<\na.test 1-1\nb.test 1 2\n\n",
        "+ + \n",
    ),
    (c.SetMap("hosts", "a.test", "1-2"), "set map /run/holdfast/maps/hosts.map a.test 1-2\n", "\n"),
    (c.DelMap("hosts", "a.test"), "del map /run/holdfast/maps/hosts.map a.test\n", "\n"),
    (
        c.AddServer("slot0", "o1", "192.0.2.1:80 check inter 2s", 7),
        "add server slot0/o1 192.0.2.1:80 check inter 2s maxconn 7\n",
        "New server registered.\n\n",
    ),
    (c.EnableHealth("slot0", "o1"), "enable health slot0/o1\n", "\n"),
    (c.EnableServer("slot0", "o1"), "enable server slot0/o1\n", "\n"),
    (c.SetMaxconn("slot0", "o1", 9), "set maxconn server slot0/o1 9\n", "\n"),
    (c.RetireServer("slot0", "o1"), "disable server slot0/o1\n", "\n"),
    (c.DelServer("slot0", "o1"), "del server slot0/o1\n", "Server deleted."),
    (
        c.NewCertificate("1-2-aa"),
        f"new ssl cert {CERTIFICATE}\n",
        f"New empty certificate store '{CERTIFICATE}'!\n\n",
    ),
    (
        c.SetCertificate("1-2-aa", PEM),
        f"set ssl cert {CERTIFICATE} <<\n{PEM}\n",
        f"+ + + Transaction created for certificate {CERTIFICATE}!\n\n",
    ),
    (
        c.CommitCertificate("1-2-aa"),
        f"commit ssl cert {CERTIFICATE}\n",
        f"Committing {CERTIFICATE}\n.Success!\n\n",
    ),
    (
        c.ListCertificate("1-2-aa", ("a.test", "*.b.test")),
        f"add ssl crt-list /run/holdfast/certificates.list <<\n{CERTIFICATE} a.test *.b.test\n\n",
        f"+ + Inserting certificate '{CERTIFICATE}' in crt-list 'x'.\n.Success!\n",
    ),
    (
        c.UnlistCertificate("1-2-aa"),
        f"del ssl crt-list /run/holdfast/certificates.list {CERTIFICATE}\n",
        f"Entry '{CERTIFICATE}' deleted in crtlist '/run/holdfast/certificates.list'!\n\n",
    ),
    (
        c.AbortCertificate("1-2-aa"),
        f"abort ssl cert {CERTIFICATE}\n",
        f"Transaction aborted for certificate '{CERTIFICATE}'!\n\n",
    ),
    (
        c.DelCertificate("1-2-aa"),
        f"del ssl cert {CERTIFICATE}\n",
        f"Certificate '{CERTIFICATE}' deleted!\n\n",
    ),
    (
        c.NewAuthority("ca-1-2-bb"),
        f"new ssl ca-file {AUTHORITY}\n",
        f"New CA file created '{AUTHORITY}'!\n\n",
    ),
    (
        c.SetAuthority("ca-1-2-bb", PEM),
        f"set ssl ca-file {AUTHORITY} <<\n{PEM}\n",
        f"+ + + transaction created for CA {AUTHORITY}!\n\n",
    ),
    (
        c.CommitAuthority("ca-1-2-bb"),
        f"commit ssl ca-file {AUTHORITY}\n",
        f"Committing {AUTHORITY}\nSuccess!\n\n",
    ),
    (c.DelAuthority("ca-1-2-bb"), f"del ssl ca-file {AUTHORITY}\n", f"CA file '{AUTHORITY}' deleted!\n\n"),
    (c.EndSessions("slot0", "o1"), "shutdown sessions server slot0/o1\n", "\n"),
    (c.EndSession("0x1f"), "shutdown session 0x1f\n", "\n"),
    (c.EndSession("0x1f"), "shutdown session 0x1f\n", "No such session (use 'show sess').\n\n"),
    (c.AbortCertificate("1-2-aa"), f"abort ssl cert {CERTIFICATE}\n", "No ongoing transaction!\n\n"),
]

REFUSALS = [
    "Unknown map identifier. Please use #<id> or <file>.",
    "entry not found.",
    "Key not found.",
    "'bad' is not a valid IPv4 or IPv6 address.",
    "No such backend.",
    "No such server.",
    "Already exists a server with the same name in backend.",
    "Only servers in maintenance mode can be deleted.",
    "Server still has connections attached to it, cannot remove it.",
    "'ca-file' : unable to load /nope.pem.",
    f"Certificate '{CERTIFICATE}' already exists!",
    f"No ongoing transaction! !\nCan't commit {CERTIFICATE}!",
    f"Inserting certificate '{CERTIFICATE}' in crt-list 'x'.\nunable to load SSL certificate into SSL Context"
    f" '{CERTIFICATE}'.\nFailed!",
    f"Can't remove the certificate: certificate '{CERTIFICATE}' doesn't exist!",
    f"Can't delete the entry: certificate '{CERTIFICATE}' does not exist!",
    f"Can't remove the CA file: CA file '{AUTHORITY}' doesn't exist!",
    "Permission denied",
    "Unknown command: 'x', but maybe one of the following ones is a better match:",
]


@pytest.mark.parametrize(("command", "text", "answer"), CASES, ids=lambda case: type(case).__name__)
def test_text_and_success(command: Command, text: str, answer: str) -> None:
    assert command.text(PLACES) == text
    assert command.refusal(answer) is None


@pytest.mark.parametrize("answer", REFUSALS)
@pytest.mark.parametrize("command", [case[0] for case in CASES], ids=lambda case: type(case).__name__)
def test_a_refusal_is_never_taken_for_success(command: Command, answer: str) -> None:
    harmless = isinstance(command, c.AbortCertificate) and answer.startswith("No ongoing transaction!")
    if not harmless:
        assert command.refusal(f"+ + {answer}\n\n") == answer


def test_only_open_connections_make_a_server_busy() -> None:
    assert [answer for answer in REFUSALS if c.still_busy(answer)] == [
        "Server still has connections attached to it, cannot remove it."
    ]


ODD = ["1-1/a;b/", "1-1/a\\b/", "1-1/a\"b'c/", "1-1/(x)=&%3c~#!/"]


@pytest.mark.parametrize("key", ODD)
@pytest.mark.parametrize("command", [c.DelMap, c.SetMap])
def test_an_odd_key_is_one_word(command: type[c.DelMap] | type[c.SetMap], key: str) -> None:
    """A path may hold any printable character; HAProxy ends a command at ';' and drops backslashes."""
    made = c.DelMap("block_prefixes", key) if command is c.DelMap else c.SetMap("block_prefixes", key, "r1")
    escaped = "".join(f"\\{letter}" if letter in "\\;\"'" else letter for letter in key)
    assert made.text(PLACES).split(" ")[3].strip() == escaped


def test_a_value_is_one_word() -> None:
    assert c.SetMap("hosts", "a", "b c;d\\e\"'").text(PLACES).endswith(" a b\\ c\\;d\\\\e\\\"\\'\n")


def test_private_keys_are_not_shown() -> None:
    assert PEM not in repr(c.SetCertificate("a", PEM)) + repr(c.SetAuthority("a", PEM))


def test_additions_fill_a_buffer_and_no_more() -> None:
    entries = [(f"{number:04}", "x" * 95) for number in range(300)]  # 101 bytes each
    commands = list(c.additions("hosts", entries))
    assert [len(each.entries) for each in commands] == [118, 118, 64]
    assert [entry for each in commands for entry in each.entries] == entries
    assert all(len(each.text(PLACES)) < 16_384 for each in commands)
    assert list(c.additions("hosts", [])) == []
    (long,) = c.additions("hosts", [("k", "é" * 5990)])
    assert len(long.text(PLACES).encode()) < 16_384
