"""Alerts over real sockets: to mail and web servers that work, refuse, hang, drip, babble, or are down."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from holdfast.edge.traffic.alert_receivers import MailReceiver, MailServer, Receiver, WebhookReceiver
from holdfast.edge.traffic.alert_words import Alert
from holdfast.edge.traffic.alerts import Alerts, Patience
from holdfast.model.errors import HoldfastError
from tests.feature.lab import eventually, write_certificate

SECRET = b"a secret of 27 bytes length"
PASSWORD = "correct horse battery"
SHORT = Patience(first_pause=0.05, longest_pause=0.2, deadline=20, one_try=0.6, merge=0.4, backlog=4)
BEGINS = Alert(
    "begins",
    "shop",
    "coop",
    "A-20261122-0007",
    datetime(2026, 11, 22, 10, 30, tzinfo=UTC),
    "2,400 requests/s",
    (("agent", "curl/8"),),
)
CHANGES = replace(BEGINS, event="changes")
ENDS = replace(BEGINS, event="ends")
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: int, more: str = "") -> bytes:
    return f"HTTP/1.1 {status} Words\r\n{more}Content-Length: 0\r\n\r\n".encode()


@dataclass
class Hook:
    """A web server that answers each request with the next of ``answers``, at last always with the last;
    an empty answer is none at all, a list of parts is dripped."""

    answers: list[bytes | list[bytes]] = field(default_factory=lambda: [OK])
    port: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/t0ken?key=s3cret"

    @property
    def events(self) -> list[str]:
        return [each["event"] for each in self.seen]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.lines.append(first)
            self.headers.append(headers)
            self.bodies.append(body)
            self.seen.append(json.loads(body))
            reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if not reply:
                await asyncio.sleep(60)
            for part in reply if isinstance(reply, list) else [reply]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.1 if isinstance(reply, list) else 0)
        writer.close()


@asynccontextmanager
async def hook(*answers: bytes | list[bytes], port: int = 0, **how: Any) -> AsyncIterator[Hook]:
    one = Hook(list(answers) or [OK])
    server = await asyncio.start_server(one.serve, "127.0.0.1", port, **how)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()  # connections that hang are not waited for


class Post:
    """A mailbox behind a real SMTP server; ``refusals`` are answered to RCPT first."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = list(refusals)
        self.mails: list[Message] = []
        self.envelopes: list[Envelope] = []
        self.secure: list[bool] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.envelopes.append(envelope)
        self.secure.append(session.ssl is not None)
        return "250 taken"


def check_password(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=is_right, handled=False)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def post_office(post: Post, port: int | None = None, **how: Any) -> Iterator[int]:
    """A real SMTP server in a thread of its own."""
    controller = Controller(post, hostname="127.0.0.1", port=port or free_port(), **how)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def serving_tls(directory: Path, *names: str) -> tuple[ssl.SSLContext, str]:
    path = str(write_certificate(directory / "server.pem", *names))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context, path


def mailbox(port: int, **more: Any) -> MailReceiver:
    how: dict[str, Any] = {
        "host": "127.0.0.1",
        "sender": "alerts@edge.test",
        "port": port,
        "tls": "none",
    } | more
    return MailReceiver(MailServer(**how), "ops@example.net")


@asynccontextmanager
async def running(*receivers: Receiver, patience: Patience = SHORT) -> AsyncIterator[Alerts]:
    alerts = Alerts(receivers, "edge1.example.net", patience)
    task = asyncio.create_task(alerts.run())
    try:
        yield alerts
    finally:
        assert not task.done(), "it runs until it is cancelled"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_webhook_gets_what_it_can_check() -> None:
    async with hook() as one, running(WebhookReceiver(one.url, SECRET)) as alerts:
        alerts.tell(BEGINS)
        await eventually(lambda: alerts.delivered.total() == 1)
        assert one.lines == ["POST /hook/t0ken?key=s3cret HTTP/1.1"]
        assert one.headers[0]["content-type"] == "application/json"
        assert one.headers[0]["host"] == f"127.0.0.1:{one.port}"
        at, _, signed = one.headers[0]["holdfast-signature"].removeprefix("t=").partition(",v1=")
        expected = hmac.new(SECRET, f"{at}.".encode() + one.bodies[0], hashlib.sha256).hexdigest()
        assert hmac.compare_digest(signed, expected)
        assert abs(time.time() - int(at)) < 5
        assert one.seen[0]["schema"] == "holdfast.alert/1"


async def test_mails_of_one_attack_arrive_as_one_thread() -> None:
    post = Post()
    with post_office(post) as port:
        async with running(mailbox(port)) as alerts:
            for alert in (BEGINS, CHANGES, ENDS):
                alerts.tell(alert)
            await eventually(lambda: len(post.mails) == 3)
    begins, changes, ends = post.mails
    assert changes["References"] == ends["In-Reply-To"] == begins["Message-ID"]
    assert post.envelopes[0].mail_from == "alerts@edge.test"
    assert post.envelopes[0].rcpt_tos == ["ops@example.net"]
    assert begins["Auto-Submitted"] == "auto-generated"


async def test_a_hostile_name_reaches_the_mail_server_as_text() -> None:
    post = Post()
    with post_office(post) as port:
        async with running(mailbox(port)) as alerts:
            hostile = "shop\r\nBcc: victim@example.net\r\n.\r\nMAIL FROM:<x@y.test>\r\n"
            alerts.tell(replace(BEGINS, site=hostile, attack=hostile, headline=f".\r\n{hostile}"))
            await eventually(lambda: alerts.delivered.total() == 1)
    (message,) = post.mails
    assert "Bcc" not in message
    assert post.envelopes[0].rcpt_tos == ["ops@example.net"]


async def test_each_hears_of_its_own_sites_only() -> None:
    async with hook() as all_of_it, hook() as coop, hook() as blog:
        receivers = (
            WebhookReceiver(all_of_it.url, SECRET),
            WebhookReceiver(coop.url, SECRET, customer="coop"),
            WebhookReceiver(blog.url, SECRET, site="blog"),
        )
        async with running(*receivers) as alerts:
            for site, customer in (("shop", "coop"), ("blog", "paper"), ("wiki", "coop")):
                alerts.tell(replace(BEGINS, site=site, customer=customer))
            await eventually(lambda: alerts.delivered.total() == 6)
        assert [each["site"] for each in all_of_it.seen] == ["shop", "blog", "wiki"]
        assert [each["site"] for each in coop.seen] == ["shop", "wiki"]
        assert [each["site"] for each in blog.seen] == ["blog"]


async def test_a_web_server_that_was_down_is_told_later_and_in_order() -> None:
    port = free_port()
    async with running(WebhookReceiver(f"http://127.0.0.1:{port}/", SECRET)) as alerts:
        alerts.tell(BEGINS)
        alerts.tell(ENDS)
        await eventually(lambda: alerts.failed.total() >= 2)
        async with hook(port=port) as one:
            await eventually(lambda: one.events == ["begins", "ends"])


async def test_a_mail_server_that_was_down_is_told_later() -> None:
    post, port = Post(), free_port()
    async with running(mailbox(port)) as alerts:
        alerts.tell(BEGINS)
        await eventually(lambda: alerts.failed.total() >= 2)
        with post_office(post, port):
            await eventually(lambda: len(post.mails) == 1)


@pytest.mark.parametrize("status", [500, 503, 429, 404, 302, 301])
async def test_answers_after_which_another_try_is_made(status: int) -> None:
    async with (
        hook() as elsewhere,
        hook(answer(status, f"Location: {elsewhere.url}\r\n"), OK) as one,
        running(WebhookReceiver(one.url, SECRET)) as alerts,
    ):
        alerts.tell(BEGINS)
        await eventually(lambda: alerts.delivered.total() == 1)
        assert (alerts.failed.total(), one.seen[0]) == (1, one.seen[1])
        assert not elsewhere.seen, "a redirect is not followed"


@pytest.mark.parametrize("status", sorted({400, 410, 413, 415, 422}))
async def test_answers_after_which_the_next_alert_has_its_turn(status: int) -> None:
    async with hook(answer(status), OK) as one, running(WebhookReceiver(one.url, SECRET)) as alerts:
        alerts.tell(BEGINS)
        alerts.tell(ENDS)
        await eventually(lambda: alerts.delivered.total() == 1)
        assert alerts.given_up.total() == 1
        assert one.events == ["begins", "ends"]


HANGS: list[bytes | list[bytes]] = [
    b"",
    [b"HTTP/1.1 204 No Content\r\n", *(b"x" for _ in range(600))],
    b"SSH-2.0-Server\r\n",
    b"HTTP/1.1 204 No" + b" " * 100_000,
]


@pytest.mark.parametrize("bad", HANGS, ids=["silent", "dripping", "not HTTP", "endless"])
async def test_a_web_server_that_hangs_or_babbles_is_left_and_tried_again(bad: bytes | list[bytes]) -> None:
    async with hook(bad, OK) as one, running(WebhookReceiver(one.url, SECRET)) as alerts:
        alerts.tell(BEGINS)
        await eventually(lambda: alerts.delivered.total() == 1)
        assert alerts.failed.total() == 1


async def test_a_dead_receiver_delays_neither_others_nor_the_loop() -> None:
    post = Post()
    with post_office(post) as port:
        async with hook(b"") as dead, hook() as one:
            hanging = [WebhookReceiver(dead.url, SECRET) for _ in range(40)]
            silent = mailbox(dead.port)  # a web server never greets
            patience = replace(SHORT, one_try=30)
            async with running(
                *hanging, silent, WebhookReceiver(one.url, SECRET), mailbox(port), patience=patience
            ) as alerts:
                worst = await longest_pause_of_the_loop(lambda: told(alerts))
                await eventually(lambda: len(one.seen) == 2 and len(post.mails) == 2, 3)
            assert worst < 1, "a try would hang for 30"


async def told(alerts: Alerts) -> None:
    alerts.tell(BEGINS)
    alerts.tell(ENDS)
    await asyncio.sleep(0.5)


async def longest_pause_of_the_loop(work: Callable[[], Awaitable[None]]) -> float:
    worst, last = 0.0, time.monotonic()
    doing = asyncio.ensure_future(work())
    while not doing.done():
        await asyncio.sleep(0.005)
        worst, last = max(worst, time.monotonic() - last), time.monotonic()
    await doing
    return worst


@pytest.mark.parametrize(
    ("refusal", "delivered"), [("451 4.7.1 greylisted", 1), ("550 5.1.1 no such user", 0)]
)
async def test_a_refused_recipient(refusal: str, delivered: int) -> None:
    post = Post(refusal)
    with post_office(post) as port:
        async with running(mailbox(port)) as alerts:
            alerts.tell(BEGINS)
            await eventually(lambda: alerts.delivered.total() + alerts.given_up.total() == 1)
            assert (alerts.delivered.total(), len(post.mails)) == (delivered, delivered)
            assert alerts.failed.total() == 1


async def test_starttls_and_a_password(tmp_path: Path) -> None:
    context, ca = serving_tls(tmp_path, "localhost")
    post = Post()
    how: dict[str, Any] = {"tls_context": context, "authenticator": check_password}
    with post_office(post, require_starttls=True, auth_require_tls=True, **how) as port:
        safe: dict[str, Any] = {"host": "localhost", "tls": "starttls", "user": "holdfast", "ca": ca}
        async with running(mailbox(port, password=PASSWORD, **safe)) as alerts:
            alerts.tell(BEGINS)
            await eventually(lambda: len(post.mails) == 1)
            assert post.secure == [True]
        async with running(mailbox(port, password="wrong", **safe)) as alerts:
            alerts.tell(BEGINS)
            await eventually(lambda: alerts.given_up.total() == 1)
        async with running(mailbox(port, host="127.0.0.1", tls="starttls", ca=ca)) as alerts:
            alerts.tell(BEGINS)
            await eventually(lambda: alerts.failed.total() >= 1)  # the certificate is another host's
        assert len(post.mails) == 1


async def test_a_mail_server_that_offers_no_tls_gets_nothing() -> None:
    post = Post()
    with post_office(post) as port:
        async with running(mailbox(port, tls="starttls")) as alerts:
            alerts.tell(BEGINS)
            await eventually(lambda: alerts.failed.total() >= 2)
        assert not post.mails


async def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    context, ca = serving_tls(tmp_path, "localhost")
    post = Post()
    with post_office(post, ssl_context=context, server_hostname="localhost") as port:
        async with running(mailbox(port, host="localhost", tls="tls", ca=ca)) as alerts:
            alerts.tell(BEGINS)
            await eventually(lambda: len(post.mails) == 1)


async def test_a_webhook_s_certificate_is_verified(tmp_path: Path) -> None:
    context, ca = serving_tls(tmp_path, "localhost")
    async with hook(ssl=context) as one:
        right = WebhookReceiver(f"https://localhost:{one.port}/", SECRET, ca=ca)
        async with running(right) as alerts:
            alerts.tell(BEGINS)
            await eventually(lambda: alerts.delivered.total() == 1)
        unknown = WebhookReceiver(f"https://localhost:{one.port}/", SECRET)
        other_name = WebhookReceiver(f"https://127.0.0.1:{one.port}/", SECRET, ca=ca)
        no_file = WebhookReceiver(f"https://localhost:{one.port}/", SECRET, ca="/nowhere.pem")
        for wrong in (unknown, other_name, no_file):
            async with running(wrong) as alerts:
                alerts.tell(BEGINS)
                await eventually(lambda: alerts.failed.total() >= 1)
        assert len(one.seen) == 1


async def test_an_alert_is_given_up_at_its_deadline_and_the_next_has_its_turn() -> None:
    async with hook(answer(500)) as one:
        patience = replace(SHORT, deadline=0.5)
        async with running(WebhookReceiver(one.url, SECRET), patience=patience) as alerts:
            alerts.tell(BEGINS)
            await eventually(lambda: alerts.given_up.total() == 1)
            assert alerts.failed.total() in range(2, 7), "pauses of 0.05, 0.1, 0.2, 0.2 s"
            one.answers = [OK]
            alerts.tell(ENDS)
            await eventually(lambda: alerts.delivered.total() == 1)


async def test_changes_are_merged_and_a_full_backlog_keeps_beginnings_and_ends() -> None:
    minute = replace(SHORT, merge=1.0)
    async with hook() as one, running(WebhookReceiver(one.url, SECRET), patience=minute) as alerts:
        for number in range(20):
            alerts.tell(replace(CHANGES, headline=str(number)))
            await asyncio.sleep(0.01)
        await eventually(lambda: len(one.seen) == 2)
        assert [each["headline"] for each in one.seen] == ["0", "19"]
        assert alerts.merged.total() == 18
    async with hook(b"") as dead:
        alerts = Alerts([WebhookReceiver(dead.url, SECRET)], "edge1", SHORT)
        for number in range(9):
            alerts.tell(replace(CHANGES, attack=f"A-{number}"))
            alerts.tell(replace(ENDS, attack=f"A-{number}"))
        assert (alerts.waiting.total(), alerts.dropped.total()) == (SHORT.backlog, 14)


async def test_the_agent_stops_at_once_and_what_waits_is_lost() -> None:
    async with hook(b"") as dead:
        receiver = WebhookReceiver(dead.url, SECRET)
        async with running(receiver, mailbox(dead.port), patience=replace(SHORT, one_try=60)) as alerts:
            alerts.tell(BEGINS)
            alerts.tell(ENDS)
            await eventually(lambda: len(dead.seen) == 1)
            before = time.monotonic()
        assert time.monotonic() - before < 2
        await eventually(lambda: not [each for each in threading.enumerate() if each.name == "alert"])
        await asyncio.sleep(0.3)
        assert len(dead.seen) == 1


async def test_secrets_are_in_no_log_and_no_repr(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context, ca = serving_tls(tmp_path, "localhost")
    caplog.set_level(logging.DEBUG)

    def repeating(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        return AuthResult(success=False, handled=False, message=f"535 not {PASSWORD}")

    async with hook(answer(500), answer(400)) as one:
        with (
            post_office(Post(), tls_context=context, authenticator=repeating) as port,
            structlog.testing.capture_logs() as logs,
        ):
            safe: dict[str, Any] = {"host": "localhost", "tls": "starttls", "user": "holdfast", "ca": ca}
            receivers = (WebhookReceiver(one.url, SECRET), mailbox(port, password=PASSWORD, **safe))
            async with running(*receivers) as alerts:
                alerts.tell(BEGINS)
                await eventually(lambda: alerts.given_up.total() == 2)
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]
    said = repr(logs) + repr(ours) + repr(receivers) + repr(alerts.given_up)
    assert {each["event"] for each in logs} == {
        "an alert is not delivered yet",
        "an alert was given up: its receiver refuses it",
    }
    assert {each["why"] for each in logs} == {"HTTP 500", "HTTP 400", "SMTP 535"}
    for secret in (PASSWORD, SECRET.decode(), "s3cret", "t0ken"):
        assert secret not in said


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://hooks.test/", "file:///etc/passwd", "hooks.test/path", "https://", "http:///path", ""),
        *("https://user:password@hooks.test/", "https://hooks.test/#part", "https://hooks.test:0/"),
        *("https://hooks.test/a b", "https://hooks.test/\r\nX: y", "https://hooks.tést/", "https://h:99999/"),
    ],
)
def test_urls_that_are_no_webhooks_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(HoldfastError, match="not the URL of a webhook") as refused:
        WebhookReceiver(url, SECRET)
    assert len(url) < 10 or url not in str(refused.value)


def test_settings_that_would_be_unsafe_are_refused() -> None:
    with pytest.raises(HoldfastError, match="too short"):
        WebhookReceiver("https://hooks.test/", b"short")
    with pytest.raises(HoldfastError, match="unencrypted"):
        MailServer("mail.test", "a@b.test", tls="none", user="holdfast", password="x")
    with pytest.raises(HoldfastError, match="not an e-mail address"):
        MailServer("mail.test", "a@b.test\n")
    with pytest.raises(HoldfastError, match="not an e-mail address"):
        MailReceiver(MailServer("mail.test", "a@b.test"), "x@y.test, z@y.test")
