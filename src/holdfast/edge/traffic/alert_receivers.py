"""Where alerts go: a mail server's recipient or a webhook, and one try to hand one over.

A try blocks and is made in a thread; a ``Cord`` ends it from outside. Not here: whether there is another try
(``alerts``).
"""

from __future__ import annotations

import contextlib
import http.client
import smtplib
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from holdfast.edge.traffic.alert_words import (
    SIGNATURE_HEADER,
    Alert,
    is_address,
    mail,
    signature,
    webhook_body,
)
from holdfast.model.errors import error

LEAST_SECRET = 16
FINAL_STATUS = frozenset({400, 410, 413, 415, 422})
"""Answers of a webhook to this alert rather than to this moment: the next try would get the same."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail is handed in. A password goes over TLS only. Raises HoldfastError."""

    host: str
    sender: str
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str = field(default="", repr=False)
    ca: str | None = None
    """PEM file of the authorities to trust; default: the system's."""

    def __post_init__(self) -> None:
        if not is_address(self.sender):
            raise error(f"{self.sender!r} is not an e-mail address", "write it like alerts@example.net")
        if self.user is not None and self.tls == "none":
            raise error(
                "a password would cross the network unencrypted", 'set tls = "starttls", or leave user out'
            )


@dataclass(frozen=True, slots=True)
class MailReceiver:
    """One address. Without ``customer`` and ``site`` it is told everything. Raises HoldfastError."""

    server: MailServer
    to: str
    customer: str | None = None
    site: str | None = None

    def __post_init__(self) -> None:
        if not is_address(self.to):
            raise error(f"{self.to!r} is not an e-mail address", "write it like operations@example.net")

    @property
    def label(self) -> str:
        """For logs and metrics."""
        return f"mailto:{self.to}"

    def send(self, alert: Alert, edge: str, seconds: float, cord: Cord) -> None:
        """One try, blocking. Raises what smtplib raises."""
        server = self.server
        message = mail(alert, server.sender, self.to, edge)
        smtp = _Smtp(server, edge, seconds, cord)
        try:
            smtp.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                smtp.starttls(context=_trust(server.ca))  # refused where not offered: never sent in clear
            if server.user is not None:
                smtp.login(server.user, server.password)
            smtp.sendmail(server.sender, [self.to], message.as_bytes())
            with contextlib.suppress(OSError, smtplib.SMTPException):  # it has been taken
                smtp.quit()
        finally:
            smtp.close()


@dataclass(frozen=True, slots=True)
class WebhookReceiver:
    """One URL; what is posted is signed. The URL may hold a secret and is shown nowhere. Without ``customer``
    and ``site`` it is told everything. Raises HoldfastError."""

    url: str = field(repr=False)
    secret: bytes = field(repr=False)
    customer: str | None = None
    site: str | None = None
    ca: str | None = None
    """PEM file of the authorities to trust; default: the system's."""

    def __post_init__(self) -> None:
        if not _is_web(self.url):
            raise error(
                "this is not the URL of a webhook",
                "write it like https://hooks.example.net/holdfast, without a user and without a fragment",
            )
        if len(self.secret) < LEAST_SECRET:
            raise error("the webhook's secret is too short", f"give it at least {LEAST_SECRET} bytes")

    @property
    def label(self) -> str:
        """For logs and metrics."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def send(self, alert: Alert, edge: str, seconds: float, cord: Cord) -> None:
        """One try, blocking; redirects are not followed. Raises WebhookRefusedError, or what http.client
        raises."""
        parts = urlsplit(self.url)
        host, trust = parts.hostname or "", _trust(self.ca) if parts.scheme == "https" else None
        port = parts.port or (443 if trust else 80)
        with contextlib.closing(http.client.HTTPConnection(host, port, timeout=seconds)) as connection:
            line = cord.connect(host, port, seconds)
            connection.sock = trust.wrap_socket(line, server_hostname=host) if trust else line
            body = webhook_body(alert)
            headers = {
                "Host": parts.netloc,
                "Content-Type": "application/json",
                "User-Agent": "Holdfast",
                "Connection": "close",
                SIGNATURE_HEADER: signature(self.secret, int(time.time()), body),
            }
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, headers)
            status = connection.getresponse().status
        if not 200 <= status < 300:
            raise WebhookRefusedError(status)


Receiver = MailReceiver | WebhookReceiver


class WebhookRefusedError(Exception):
    """Any answer but success."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Cord:
    """Ends the connection of a thread from outside: a time-out for each read and write alone would let a
    receiver that sends a byte now and then hold it for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._is_cut = False

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection that ``cut`` ends, whatever is wrapped around it. Raises OSError."""
        line = socket.create_connection((host, port), seconds)
        with self._lock:
            if self._is_cut:
                line.close()
                raise TimeoutError("too late")
            self._line = line.dup()
        return line

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            if self._line is not None:
                with contextlib.suppress(OSError):
                    self._line.shutdown(socket.SHUT_RDWR)
                self._line.close()
                self._line = None


class _Smtp(smtplib.SMTP):
    """Connects by a cord."""

    def __init__(self, server: MailServer, edge: str, seconds: float, cord: Cord) -> None:
        self._server = server
        self._cord = cord
        super().__init__(server.host, server.port, local_hostname=edge, timeout=seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        trust = _trust(self._server.ca) if self._server.tls == "tls" else None
        line = self._cord.connect(host, port, timeout)
        return trust.wrap_socket(line, server_hostname=host) if trust else line


def _trust(ca: str | None) -> ssl.SSLContext:
    """Certificates and names are verified, always."""
    return ssl.create_default_context(cafile=ca)


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_clean = url.isascii() and url.isprintable() and not set(url) & set(' "<>\\^`{|}')
    bare = parts.scheme in ("http", "https") and "@" not in parts.netloc and "#" not in url
    return is_clean and bare and bool(parts.hostname) and port != 0


def _code(failed: Exception) -> int:
    """Of a mail server's answer; 0: there was none."""
    if isinstance(failed, smtplib.SMTPRecipientsRefused):
        return next((int(code) for code, _ in failed.recipients.values()), 0)
    return int(failed.smtp_code) if isinstance(failed, smtplib.SMTPResponseException) else 0


def is_final(failed: Exception) -> bool:
    """Whether the next try would fail just so. A mail server's 4xx asks to come again (RFC 5321, 4.2.1)."""
    if isinstance(failed, WebhookRefusedError):
        return failed.status in FINAL_STATUS
    if isinstance(failed, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused):
        return 500 <= _code(failed) < 600
    return not isinstance(failed, OSError | http.client.HTTPException)  # SMTPException is an OSError


def why(failed: Exception) -> str:
    """In words of ours only: what a server says may repeat what it was sent, secrets too."""
    if isinstance(failed, WebhookRefusedError):
        return str(failed)
    if code := _code(failed):
        return f"SMTP {code}"
    if isinstance(failed, ssl.SSLCertVerificationError):
        return f"certificate: {failed.verify_message}"
    if isinstance(failed, OSError) and failed.errno and not isinstance(failed, ssl.SSLError):
        return str(failed.strerror).lower()
    return type(failed).__name__
