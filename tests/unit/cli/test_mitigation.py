"""What people type, before it goes to the agent."""

from __future__ import annotations

import getpass

import pytest

from holdfast.cli.mitigation import account, permitted, seconds_of
from holdfast.model.errors import HoldfastError


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), (" 1h ", 3600), ("7d", 604_800), ("0s", 0)]
)
def test_spans_of_time(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "1h30m", "1w", "99999999s"])
def test_what_is_no_span_says_how_to_write_one(text: str) -> None:
    with pytest.raises(HoldfastError) as wrong:
        seconds_of(text)
    assert "write it like 30s, 15m, 1h or 2d" in str(wrong.value)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "nothing was forbidden at shop"),
        (1, "1 forbidden mitigation of shop may be used again"),
        (2, "2 forbidden mitigations of shop may be used again"),
    ],
)
def test_what_is_permitted_again_is_counted(count: int, said: str) -> None:
    assert permitted("shop", count) == said


def test_the_account_is_that_of_the_person_who_uses_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert account() == getpass.getuser()
    monkeypatch.setenv("SUDO_USER", "ada")
    assert account() == "ada"
