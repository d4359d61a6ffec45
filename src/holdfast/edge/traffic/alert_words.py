"""What is told of an attack: an alert, its words as an e-mail and as a webhook's body.

Texts of an alert may hold what an attacker sent (a path, a user agent), so that every one goes through
``plain`` before it is put anywhere. Not here: when an alert is sent (``alert_backlog``), and how
(``alert_receivers``).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Literal

from holdfast.model.site import Site
from holdfast.shield.attack import Attack, Note

SCHEMA = "holdfast.alert/1"
"""Of a webhook's body. Fields may be added under the same number; receivers ignore those they do not know."""
SIGNATURE_HEADER = "Holdfast-Signature"
LONGEST_TEXT = 500
"""Characters of a headline or of a fact's value; the rest is cut."""
MOST_FACTS = 50

Event = Literal["begins", "changes", "ends"]
HEADINGS: Final[dict[Event, str]] = {
    "begins": "an attack begins",
    "changes": "the response changes",
    "ends": "the attack has ended",
}
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell of one attack."""

    event: Event
    site: str
    customer: str
    attack: str
    """Its id, such as ``A-20261122-0007``."""
    at: datetime
    headline: str
    facts: tuple[tuple[str, str], ...] = ()
    """Names and values, in the order in which they are shown."""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("an alert's time needs its zone")


def alert_of(site: Site, attack: Attack, note: Note) -> Alert:
    """Of a line in the journal of an attack."""
    return Alert(
        event=note.kind,
        site=site.name,
        customer=site.customer,
        attack=attack.id,
        at=datetime.fromtimestamp(note.at, UTC),
        headline=f"{site.name}: {HEADINGS[note.kind]}",
        facts=(("what", note.words), ("most requests/s so far", f"{attack.peak:.0f}")),
    )


def is_address(text: str) -> bool:
    """Whether ``text`` is a bare e-mail address that is safe in a header and in an SMTP command. Python's
    EmailMessage lets a line feed at the end pass, which would end the headers there."""
    return _ADDRESS.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether ``text`` can stand as a host's name in a message's id and in an SMTP command."""
    return _HOST.fullmatch(text) is not None


def plain(text: str, longest: int = LONGEST_TEXT) -> str:
    """``text`` as one line without control, invisible or direction-changing characters, and cut."""
    kept = []
    for character in text[: 4 * longest]:
        category = unicodedata.category(character)
        if category == "Cs":  # half a surrogate pair: not to be encoded
            kept.append("\N{REPLACEMENT CHARACTER}")
        elif category != "Cf":
            kept.append(" " if category in ("Cc", "Zl", "Zp") else character)
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def identity(alert: Alert) -> str:
    """Named by its content: an alert sent twice, because the first answer was lost, is known again."""
    return hashlib.sha256(webhook_fields(alert).encode()).hexdigest()[:32]


def webhook_body(alert: Alert) -> bytes:
    """One JSON object, in ASCII."""
    return json.dumps({"schema": SCHEMA, "id": identity(alert)} | json.loads(webhook_fields(alert))).encode()


def webhook_fields(alert: Alert) -> str:
    """What a webhook's body says of the alert itself."""
    return json.dumps(
        {
            "event": alert.event,
            "site": plain(alert.site),
            "customer": plain(alert.customer),
            "attack": plain(alert.attack),
            "at": alert.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "headline": plain(alert.headline),
            "facts": [
                {"name": plain(name), "value": plain(value)} for name, value in alert.facts[:MOST_FACTS]
            ],
        }
    )


def signature(secret: bytes, at: int, body: bytes) -> str:
    """The header's value: receivers compute the same from the body as it came, compare in constant time, and
    refuse a time that lies more than five minutes off."""
    return f"t={at},v1={hmac.new(secret, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def mail(alert: Alert, sender: str, recipient: str, host: str) -> EmailMessage:
    """The alert as an e-mail. All mails of one attack are one thread: they share a subject and refer to the
    id of the first, which follows from site, attack and ``host``, the edge's name. Raises ValueError."""
    for address in (sender, recipient):
        if not is_address(address):
            raise ValueError(f"{plain(address)!r} is not an e-mail address")
    domain = host if is_host(host) else "holdfast.invalid"
    thread = hashlib.sha256(f"{alert.site}|{alert.attack}".encode(errors="replace")).hexdigest()[:32]
    first = f"<{thread}@{domain}>"
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Holdfast <{sender}>"
    message["To"] = recipient
    message["Date"] = format_datetime(alert.at.astimezone(UTC))
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
    subject = f"Attack on {plain(alert.site, 80)} ({plain(alert.attack, 80)})"
    if alert.event == "begins":
        message["Message-ID"] = first
        message["Subject"] = subject
    else:
        message["Message-ID"] = f"<{identity(alert)}.{thread[:8]}@{domain}>"
        message["In-Reply-To"] = first
        message["References"] = first
        message["Subject"] = f"Re: {subject}"
    message.set_content(mail_text(alert), cte="quoted-printable")
    return message


def mail_text(alert: Alert) -> str:
    """The body of the e-mail."""
    at = alert.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    facts = [
        ("site", alert.site),
        ("customer", alert.customer),
        ("attack", alert.attack),
        *alert.facts[:MOST_FACTS],
    ]
    lines = [f"{plain(name)}: {plain(value)}" for name, value in facts]
    return "\n".join([f"{alert.event.capitalize()} at {at}.", plain(alert.headline), "", *lines, ""])
