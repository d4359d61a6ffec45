"""The block page: what a visitor is told, as HAProxy serves it from memory (``lf-file``).

Here belong the notice of one enforcement, the record that carries it through ``txn.rec``, the HTML and the
problem document. Not here: sentences (``page_words``), HAProxy's rules, choosing a language, files.

Nothing that a client sent is ever shown. HAProxy does not escape what it puts into a page: ``record`` does.
In an lf-file a literal ``%`` is written ``%%``; ``|`` and spaces in ``%[…]`` need no quoting. A record has
``;``, spaces and non-ASCII letters: hand it to the runtime API as a ``<<`` payload, or in a map file.
"""

from __future__ import annotations

import json
import re
import unicodedata
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import escape, unescape
from typing import Final

from holdfast.edge.dataplane.page_words import WORDS, Words
from holdfast.model.errors import HoldfastError, error

LANGUAGES: Final[tuple[str, ...]] = ("en", "de", "fr", "es", "ar")
"""The page's languages; the first is the fallback."""
STATUSES: Final[tuple[int, ...]] = (403, 451)
"""Blocked under the provider's policy; blocked after a legal demand (RFC 7725)."""
RECORD_FIELDS: Final[tuple[str, ...]] = (
    "expires", "status", "id", "provider", "provider_url", "ground",
    "since", "until", "statement", "record", "appeal", "authority",
)  # fmt: skip
"""The fields of a record, in order; HAProxy counts them from 1."""
RECORD_LIMIT: Final = 4096
"""Bytes. With it, and ``PROVIDER_LIMIT``, no page reaches HAProxy's 16,384 bytes less headers."""
PROBLEM_LIMIT: Final = 12_000
"""Bytes. HAProxy takes a problem document with its command in one buffer, and sends it from one."""
PROVIDER_LIMIT: Final = 100
"""Characters: the page repeats the provider's name."""
PROBLEM_TYPE: Final = "urn:holdfast:problem:blocked"

_NO_END: Final = "—"
_TEXTS: Final = ("id", "provider", "ground", "authority")
_LINKS: Final = ("provider_url", "statement", "record", "appeal")
# RFC 3986's characters. The schemes keep `javascript:` out of an href; `/…` is a path on the edge itself.
_LINK: Final = re.compile(
    r"(?:(?:https?://(?=[\w\[])|mailto:|/(?!/))[\w.~:/?#\[\]@!$&'()*+,;=%-]+|/)?", re.ASCII
)
# Embeddings, overrides and isolates could turn round the text beside them (Unicode TR 36, 3.2).
_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class BlockNotice:
    """Everything that a visitor is told about one enforcement.

    Texts lose control characters and repeated blanks; ``since`` loses its seconds and ``until`` its
    fractions, for that is how they are shown and enforced. Raises HoldfastError for a status, time, link or
    size that a page cannot carry.
    """

    id: str
    status: int
    """403, or 451 for a legal demand."""
    provider: str
    provider_url: str
    ground: str
    since: datetime
    """Aware; kept in UTC."""
    until: datetime | None
    """Aware; kept in UTC. None: no end has been set yet."""
    statement: str
    """This link and the next two: http, https, mailto or a path; '' when there is none (yet)."""
    record: str
    appeal: str
    authority: str
    """Who made the legal demand; shown with status 451 only."""

    def __post_init__(self) -> None:
        place = f"block notice {_clean(self.id)}"
        if self.status not in STATUSES:
            raise error(f"{self.status} is not a block's status", "use 403, or 451 for a legal demand", place)
        for name in _TEXTS:
            object.__setattr__(self, name, _clean(getattr(self, name)))
        if len(self.provider) > PROVIDER_LIMIT:
            raise error("the provider's name is too long", f"use at most {PROVIDER_LIMIT} characters", place)
        for name in _LINKS:
            if not _LINK.fullmatch(getattr(self, name)):
                raise error(
                    f"{name} {getattr(self, name)!r} is not a link",
                    "use an https URL, percent-encoded, or leave it empty",
                    place,
                )
        object.__setattr__(self, "since", _utc(self.since, place).replace(second=0))
        if self.until is not None:
            object.__setattr__(self, "until", _utc(self.until, place))
            if self.until.timestamp() <= 0:
                raise error(f"until {self.until} is before 1970", "use the end of the block, or None", place)
        size = len(record(self).encode())
        if size > RECORD_LIMIT:
            raise error(f"{size} bytes do not fit a page", f"shorten its texts to {RECORD_LIMIT}", place)
        size = len(problem(self))
        if size > PROBLEM_LIMIT:
            raise error(f"{size} bytes of JSON do not fit", f"shorten its texts to {PROBLEM_LIMIT}", place)


def record(notice: BlockNotice) -> str:
    """The notice as one line for HAProxy: ``RECORD_FIELDS`` joined by ``|``, each safe in HTML.

    ``expires`` is in unix seconds, 0 without an end; the two times are texts for every language, in UTC.
    """
    derived = {
        "expires": str(int(notice.until.timestamp())) if notice.until else "0",
        "since": _stamp(notice.since),
        "until": _stamp(notice.until) if notice.until else _NO_END,
    }
    values = (derived.get(name, str(getattr(notice, name, ""))) for name in RECORD_FIELDS)
    return "|".join(escape(value).replace("|", "&#124;") for value in values)


def parse_record(line: str) -> BlockNotice:
    """The inverse of ``record``; raises HoldfastError for a line that ``record`` would not write."""
    malformed = error("this is not a record of a block", "write it with pages.record()", line[:80])
    values = [unescape(value) for value in line.split("|")]
    if len(values) != len(RECORD_FIELDS):
        raise malformed
    named = dict(zip(RECORD_FIELDS, values, strict=True))
    try:
        expires = int(named["expires"])
        notice = BlockNotice(
            status=int(named["status"]),
            since=datetime.fromisoformat(named["since"].removesuffix(" UTC")).replace(tzinfo=UTC),
            until=datetime.fromtimestamp(expires, UTC) if expires else None,
            **{name: named[name] for name in (*_TEXTS, *_LINKS)},
        )
    except (ValueError, OverflowError, OSError, HoldfastError) as cause:
        raise malformed from cause
    if record(notice) != line:
        raise malformed
    return notice


def problem(notice: BlockNotice) -> str:
    """The same for programs: an ``application/problem+json`` document (RFC 9457), one line of ASCII.

    Times are RFC 3339; what does not exist is null. ``blocked_by`` names who implements the block, like the
    link relation of RFC 7725.
    """
    legal = notice.status == 451
    title = "Unavailable For Legal Reasons" if legal else "Blocked"
    cause = f"after a legal demand by {notice.authority}" if legal and notice.authority else "by decision"
    document = {
        "type": PROBLEM_TYPE,
        "title": title,
        "status": notice.status,
        "detail": f"{notice.provider} protects this site and has blocked it, or this part of it, {cause}.",
        "blocked_by": {"name": notice.provider, "url": notice.provider_url or None},
        "ground": notice.ground,
        "since": _rfc3339(notice.since),
        "until": _rfc3339(notice.until) if notice.until else None,
        "decision": notice.id,
        "statement": notice.statement or None,
        "record": notice.record or None,
        "appeal": notice.appeal or None,
        "authority": (notice.authority or None) if legal else None,
    }
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def block_page(status: int, language: str) -> str:
    """The lf-file text of one status in one language: log-format, with the values of ``txn.rec`` open.

    Below 6 KiB; with the largest record below 13 KiB. Raises HoldfastError for an unknown status or language.
    """
    if status not in STATUSES or language not in LANGUAGES:
        raise error(
            f"there is no block page of status {status} in {language!r}",
            f"use one of {STATUSES} and one of {LANGUAGES}",
        )
    return _log_format(_page(status, language, WORDS[language]))


def _page(status: int, language: str, words: Words) -> str:
    """The page with its marks: ``[[field]]`` is a value, ``[[if field]]…[[end field]]`` needs one."""
    legal = STATUSES.index(status)
    provider = '<bdi lang="">[[if provider_url]]<a href="[[provider_url]]">[[end provider_url]][[provider]]'
    provider += "[[if provider_url]]</a>[[end provider_url]]</bdi>"
    # An unknown language (lang="") keeps a screen reader from reading a foreign name by this page's rules.
    text, code = '<bdi lang="">[[{0}]]</bdi>', '<bdi dir="ltr" class="code">[[{0}]]</bdi>'
    end = f"[[if expires]]{code.format('until')}[[end expires]][[unless expires {words.no_end}]]"
    rows = [
        (words.ground, text.format("ground")),
        (words.since, code.format("since")),
        (words.until, end),
        (words.decision, code.format("id")),
    ]
    terms = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in rows)
    if legal:
        demand = f"<div><dt>{words.authority}</dt><dd>{text.format('authority')}</dd></div>"
        terms = f"[[if authority]]{demand}[[end authority]]{terms}"
    links = "".join(
        f'[[if {name}]]<a href="[[{name}]]"><b>{label}</b> <span>{sentence}</span></a>[[end {name}]]'
        for name, (label, sentence) in (
            ("statement", words.statement),
            ("record", words.record),
            ("appeal", words.appeal),
        )
    )
    return _HTML.format(
        language=language,
        direction=words.direction,
        style=STYLE,
        shield=SHIELD,
        status=status,
        heading=words.heading[legal],
        kind=words.kind[legal],
        lede=words.lede[legal].format(provider=provider),
        everyone=words.everyone,
        terms=terms,
        label=words.links,
        links=links,
        role=words.role.format(provider='<bdi lang="">[[provider]]</bdi>'),
    )


def _log_format(page: str) -> str:
    """Turn marks into HAProxy expressions. An lf-file has no conditions, but ``iif`` can open a comment."""

    def expression(mark: re.Match[str]) -> str:
        verb, name, words = mark["verb"], mark["name"], mark["words"]
        fetch = f"var(txn.rec),field({RECORD_FIELDS.index(name) + 1},|)"
        present = "bool" if name == "expires" else "length,bool"
        match verb:
            case "if":
                return f"%[{fetch},{present},iif(,<!--)]"
            case "end":
                return f"%[{fetch},{present},iif(,-->)]"
            case "unless":
                return f"%[{fetch},{present},iif(,{words})]"
            case _:
                return f"%[{fetch}]"

    marks = r"\[\[(?:(?P<verb>if|end|unless) )?(?P<name>\w+)(?: (?P<words>[^\]]+))?\]\]"
    return re.sub(marks, expression, page.replace("%", "%%"))


def _clean(text: str) -> str:
    """``text`` on one line: no control characters, surrogates or bidi controls, single spaces."""
    kept = (char for char in text if char not in _BIDI_CONTROLS and unicodedata.category(char) != "Cs")
    return " ".join("".join(" " if unicodedata.category(char) == "Cc" else char for char in kept).split())


def _utc(time: datetime, place: str) -> datetime:
    if time.tzinfo is None:
        raise error(f"{time} has no time zone", "pass an aware datetime", place)
    return time.astimezone(UTC).replace(microsecond=0)


def _stamp(time: datetime) -> str:
    """A date that reads the same in every language."""
    return f"{time.replace(tzinfo=None).isoformat(' ', 'minutes')} UTC"


def _rfc3339(time: datetime) -> str:
    return f"{time.replace(tzinfo=None).isoformat()}Z"


BASE_STYLE: Final = """\
:root{color-scheme:light dark;--page:#eef1ef;--card:#fff;--ink:#18262b;--soft:#4d5d63;--line:#d5dcda;\
--link:#0a5c63;--fill:#0a5c63;--on:#fff}
@media(prefers-color-scheme:dark){:root{--page:#0f1719;--card:#182225;--ink:#e9efee;--soft:#a8b7b8;\
--line:#314145;--link:#7fd0d3;--fill:#8fd6d8;--on:#0b2326}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;display:grid;place-items:center;padding:clamp(.75rem,4vw,2.5rem);background:var(--page);\
color:var(--ink);font:1rem/1.55 system-ui,"Segoe UI",Roboto,"Noto Sans","Noto Sans Arabic",sans-serif}
main{width:100%;max-width:46rem;padding:clamp(1.25rem,5vw,2.75rem);background:var(--card);\
border:1px solid var(--line);border-radius:.75rem;box-shadow:inset 0 .3rem var(--fill);overflow-wrap:anywhere}
h1{margin:.6rem 0 .8rem;font-size:clamp(1.6rem,6vw,2.3rem);line-height:1.2;font-weight:650;text-wrap:balance}
p{text-wrap:pretty}
:focus-visible{outline:3px solid var(--link);outline-offset:3px;border-radius:.3rem}
"""
"""Of every page that visitors see: colours by day and by night, and one card."""
STYLE: Final = (
    BASE_STYLE
    + """\
.kind{display:flex;gap:.6rem;align-items:center;color:var(--soft);font-size:.9rem}
.kind svg{flex:none;color:var(--link)}
.lede{font-size:1.1rem;margin-bottom:.4rem}
.soft,footer{color:var(--soft)}
a{color:var(--link);text-underline-offset:.15em}
dl{margin:1.5rem 0;border-top:1px solid var(--line)}
dl div{display:grid;grid-template-columns:minmax(9rem,1fr) 3fr;gap:.1rem 1.25rem;padding:.6rem 0;\
border-bottom:1px solid var(--line)}
dt{color:var(--soft)}
dd{font-weight:550}
.code{font-variant-numeric:tabular-nums}
nav{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.75rem}
nav:empty{display:none}
nav a{display:block;padding:.8rem 1rem;border:1px solid var(--link);border-radius:.5rem;text-decoration:none;\
line-height:1.4}
nav b{display:block;text-decoration:underline}
nav span{color:var(--soft);font-size:.9rem}
nav a:hover,nav a:hover span{background:var(--fill);color:var(--on)}
footer{margin-top:1.5rem;font-size:.9rem}
@media(max-width:34rem){dl div{grid-template-columns:1fr}}
@media print{body{display:block;padding:0;background:none}main{max-width:none;border:0;padding:0;\
box-shadow:none}nav{display:block}nav a{border:0;padding:.3rem 0}\
a[href]::after{content:" <"attr(href)">";font-weight:400}}
"""
)
STYLE_HASH: Final = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"
"""The CSP source (unquoted) of the page's only style."""
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The header to send with every block page: its one inline style, links, and nothing else."""

SHIELD: Final = (
    '<svg width="22" height="22" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">'
    '<path d="M12 2.5l8 3v6c0 5-3.4 8.4-8 10-4.6-1.6-8-5-8-10v-6zM8.5 12h7"/></svg>'
)
"""The sign of all pages about a block."""

# No blank inside <nav>: it must be :empty when it has no link.
_HTML: Final = """\
<!doctype html>
<html lang="{language}" dir="{direction}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{heading} ({status})</title>
<style>{style}</style>
<main>
<p class="kind">{shield}<span>{kind} · <bdi dir="ltr">{status}</bdi></span></p>
<h1>{heading}</h1>
<p class="lede">{lede}</p>
<p class="soft">{everyone}</p>
<dl>{terms}</dl>
<nav aria-label="{label}">{links}</nav>
<footer>{role}</footer>
</main>
</html>
"""
