"""Whom the shield deals with outside of the edge, from the configuration: who is told of attacks, and the
networks that crawlers publish. Secrets are read from files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdfast.edge.settings import AlertSettings, MailSettings, ReceiverSettings
from holdfast.edge.traffic.alert_receivers import MailReceiver, MailServer, Receiver, WebhookReceiver
from holdfast.edge.traffic.crawler_table import Networks
from holdfast.edge.traffic.crawlers import read_networks
from holdfast.model.errors import error


def receivers(settings: AlertSettings, base: Path) -> list[Receiver]:
    """Everybody who is told. ``base``: what paths are relative to. Raises HoldfastError, naming the place."""
    server = _server(settings.mail, base) if settings.mail else None
    return [
        _receiver(each, f"alerts.receivers[{n}]", server, base)
        for n, each in enumerate(settings.receivers, 1)
    ]


def crawler_networks(files: Mapping[str, str], base: Path) -> dict[str, Networks]:
    """Crawler → networks. Raises HoldfastError."""
    return {name: read_networks(base / file) for name, file in files.items()}


def _server(mail: MailSettings, base: Path) -> MailServer:
    password = _secret(mail.password_file, "alerts.mail.password_file", base) if mail.password_file else ""
    return MailServer(
        mail.server,
        mail.sender,
        mail.port,
        mail.tls,
        mail.user,
        password,
        str(base / mail.ca) if mail.ca else None,
    )


def _receiver(each: ReceiverSettings, place: str, server: MailServer | None, base: Path) -> Receiver:
    if (each.email is None) == (each.webhook is None):
        raise error("a receiver has either an address or a URL", "set one of email and webhook", place)
    if each.email is not None:
        if server is None:
            raise error("there is no mail server to hand e-mail in", "add [alerts.mail]", place)
        return MailReceiver(server, each.email, each.customer, each.site)
    if each.secret_file is None:
        raise error("posts to a webhook are signed", "set secret_file", place)
    secret = _secret(each.secret_file, f"{place}.secret_file", base).encode()
    ca = str(base / each.ca) if each.ca else None
    return WebhookReceiver(each.webhook or "", secret, each.customer, each.site, ca)


def _secret(file: str, place: str, base: Path) -> str:
    try:
        return (base / file).read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as refused:
        raise error(f"cannot read {file} ({refused})", "let the agent read it", place) from refused
