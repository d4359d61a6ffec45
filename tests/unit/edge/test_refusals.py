"""What is left out after a refusal, what is held back because of it, and when it is tried again."""

from __future__ import annotations

import pytest

from holdfast.edge.dataplane import commands as c
from holdfast.edge.dataplane.picture import Authority, Listed, Picture, Server
from holdfast.edge.refusals import Refusals, RefusedError, subject_of

BANS = c.AddMap("bans", (("10.0.0.0/8", "1"), ("10.1.0.0/16", "2"), ("10.2.0.0/16", "3")))
SERVER = c.AddServer("slot0", "o1", "192.0.2.1:80", 5)
CERTIFICATE = c.ListCertificate("1-2-aa", ("a.test",))
AUTHORITY = c.CommitAuthority("ca-1-2-bb")
PICTURE = Picture(
    {("bans", "10.0.0.0/8"): "1"},
    {("slot0", "o1"): Server(5)},
    {"1-2-aa": Listed()},
    set(),
    {"ca-1-2-bb": Authority()},
)


def refusals(*commands: c.Command) -> Refusals:
    made = Refusals()
    for command in commands:
        made.leave_out(RefusedError(command, "no\n  way"))
    return made


@pytest.mark.parametrize(
    ("refused", "also"),
    [
        (
            SERVER,
            [c.EnableHealth("slot0", "o1"), c.EnableServer("slot0", "o1"), c.SetMaxconn("slot0", "o1", 3)],
        ),
        (
            CERTIFICATE,
            [c.NewCertificate("1-2-aa"), c.SetCertificate("1-2-aa", "PEM"), c.CommitCertificate("1-2-aa")],
        ),
        (AUTHORITY, [c.NewAuthority("ca-1-2-bb"), c.SetAuthority("ca-1-2-bb", "PEM")]),
        (c.SetMap("bans", "10.0.0.0/8", "4"), [c.SetMap("bans", "10.0.0.0/8", "5")]),
        (c.DelServer("slot0", "o1"), [c.RetireServer("slot0", "o1")]),
        (c.DelCertificate("1-2-aa"), [c.UnlistCertificate("1-2-aa"), c.AbortCertificate("1-2-aa")]),
        (c.DelMap("bans", "10.0.0.0/8"), []),
    ],
)
def test_all_about_the_refused_is_left_out(refused: c.Command, also: list[c.Command]) -> None:
    others = [
        c.AddServer("slot1", "o1", "192.0.2.1:80", 5),
        c.NewCertificate("1-3-cc"),
        c.SetMap("bans", "10.9.0.0/16", "1"),
        c.DelMap("bans", "10.9.0.0/16"),
        c.NewAuthority("ca-1-3-cc"),
    ]
    assert refusals(refused).allowed([refused, *also, *others]) == others


def test_a_refused_addition_is_that_of_the_first_entry() -> None:
    assert refusals(BANS).allowed([BANS]) == [c.AddMap("bans", BANS.entries[1:])]
    assert (
        refusals(BANS, c.AddMap("bans", BANS.entries[1:]), c.AddMap("bans", BANS.entries[2:])).allowed([BANS])
        == []
    )


def test_what_the_refused_was_to_replace_stays() -> None:
    made = refusals(SERVER, CERTIFICATE)
    held = [c.RetireServer("slot0", "o9"), c.UnlistCertificate("1-2-zz")]
    gone = [c.RetireServer("slot1", "o9"), c.UnlistCertificate("1-22-aa"), c.DelServer("slot0", "o9")]
    assert made.allowed([*held, *gone]) == gone


def test_to_be_rid_of_something_is_another_matter_than_to_have_it() -> None:
    back = [c.DelServer("slot0", "o1"), c.DelCertificate("1-2-aa"), c.DelAuthority("ca-1-2-bb")]
    assert refusals(SERVER, CERTIFICATE, AUTHORITY).allowed(back) == back
    assert refusals(*back).allowed([SERVER, CERTIFICATE, AUTHORITY]) == [SERVER, CERTIFICATE, AUTHORITY]


def test_those_whose_change_it_concerns_are_told() -> None:
    made = refusals(SERVER)
    assert made.about([c.DelMap("hosts", "a"), c.EnableServer("slot0", "o1")]) == "AddServer slot0 o1: no way"
    assert made.about([c.EnableServer("slot1", "o1")]) == ""
    assert made.about([]) == ""
    assert refusals(c.AddMap("bans", BANS.entries[1:])).about([BANS]) == "AddMap bans 10.1.0.0/16: no way"
    assert (bool(made), made.words) == (True, "AddServer slot0 o1: no way")
    assert (bool(Refusals()), Refusals().words) == (False, "")


def test_a_rendering_lacks_what_is_left_out() -> None:
    bare = refusals(BANS, SERVER, CERTIFICATE, AUTHORITY).without(PICTURE)
    assert bare == Picture()
    assert PICTURE.servers, "and the picture itself lacks nothing"
    assert refusals(c.DelServer("slot0", "o1")).without(PICTURE) is PICTURE


@pytest.mark.parametrize(
    ("refused", "stays", "goes"),
    [
        (SERVER, PICTURE, Picture()),
        (CERTIFICATE, PICTURE, Picture()),
        (AUTHORITY, PICTURE, Picture()),
        (BANS, PICTURE, Picture()),
        (c.DelMap("bans", "10.0.0.0/8"), Picture(), PICTURE),
        (c.DelServer("slot0", "o1"), Picture(), PICTURE),
    ],
)
def test_what_is_no_longer_asked_is_forgotten(refused: c.Command, stays: Picture, goes: Picture) -> None:
    made = refusals(refused)
    made.prune(stays)
    assert made
    made.prune(goes)
    assert not made


def test_the_second_refusal_in_a_row_is_known() -> None:
    made = Refusals()
    once = RefusedError(SERVER, "no")
    assert [made.is_second(once), made.is_second(once)] == [False, True]
    made.taken(SERVER)
    assert not made.is_second(once)
    made.forget()
    assert not made.is_second(once)


def test_another_haproxy_is_asked_everything_again() -> None:
    made = refusals(SERVER)
    made.forget()
    assert not made
    assert made.allowed([SERVER]) == [SERVER]


def test_an_error_is_short_and_names_no_key() -> None:
    told = str(RefusedError(c.SetCertificate("1-2-aa", "SECRET"), "Unknown command\n" + "x " * 1000))
    assert told.startswith("SetCertificate 1-2-aa: Unknown command x")
    assert len(told) < 350
    assert "SECRET" not in told
    assert subject_of(BANS) == ("entry", "bans", "10.0.0.0/8", False)
