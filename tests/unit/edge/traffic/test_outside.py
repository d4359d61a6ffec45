"""Who is told of attacks, from the configuration: every mistake names its place and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.edge.settings import AlertSettings
from holdfast.edge.traffic.alert_receivers import MailReceiver, WebhookReceiver
from holdfast.edge.traffic.outside import crawler_networks, receivers
from holdfast.model.errors import HoldfastError

MAIL = {"server": "mail.example.net", "sender": "edge@example.net"}


def settings(*listed: dict[str, str], mail: dict[str, str] | None = None) -> AlertSettings:
    return AlertSettings.model_validate({"receivers": list(listed), "mail": mail})


def test_receivers_are_made_with_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("0123456789abcdef\n")
    (tmp_path / "password").write_text("sesame\n")
    made = receivers(
        settings(
            {"email": "ops@example.net", "site": "shop"},
            {"webhook": "https://hooks.example.net/x", "secret_file": "secret", "customer": "coop"},
            mail={**MAIL, "user": "edge", "password_file": "password"},
        ),
        tmp_path,
    )
    mail, hook = made
    assert isinstance(mail, MailReceiver)
    assert (mail.to, mail.site, mail.server.password) == ("ops@example.net", "shop", "sesame")
    assert isinstance(hook, WebhookReceiver)
    assert (hook.secret, hook.customer) == (b"0123456789abcdef", "coop")


def test_nobody_is_told_by_default(tmp_path: Path) -> None:
    assert receivers(AlertSettings(), tmp_path) == []
    assert crawler_networks({}, tmp_path) == {}


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ({}, "alerts.receivers[1]: a receiver has either an address or a URL"),
        ({"email": "a@example.net", "webhook": "https://x.example/"}, "set one of email and webhook"),
        ({"email": "a@example.net"}, "add [alerts.mail]"),
        ({"webhook": "https://x.example/"}, "set secret_file"),
        ({"webhook": "https://x.example/", "secret_file": "nothing"}, "let the agent read it"),
        ({"webhook": "ftp://x.example/", "secret_file": "secret"}, "this is not the URL of a webhook"),
        ({"webhook": "https://x.example/", "secret_file": "short"}, "16"),
    ],
)
def test_a_mistake_names_its_place_and_remedy(listed: dict[str, str], words: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("0123456789abcdef")
    (tmp_path / "short").write_text("abc")
    with pytest.raises(HoldfastError) as raised:
        receivers(settings(listed), tmp_path)
    assert words in str(raised.value)
