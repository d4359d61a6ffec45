"""What a visitor sees who is challenged: a page that goes on by itself, with JavaScript in about a second,
and without it a little later.

What a flood asks for is the first page and nothing else. So it is the same for everybody and short, and
HAProxy signs nothing for it; challenge and link (see ``rules.challenge``) are asked for by those who go on.
All languages are on it, and the script leaves the visitor's: to choose costs more. Style and script are files
of their own.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from holdfast.edge.dataplane.challenge_script import challenge_script
from holdfast.edge.dataplane.challenge_style import PAGE_STYLE
from holdfast.edge.dataplane.challenge_words import WAIT_SECONDS, WORDS

OWN_PATHS: Final = "/.well-known/holdfast/"
CONTINUE: Final = f"{OWN_PATHS}continue"
"""Where the link leads."""
WAIT: Final = f"{OWN_PATHS}wait"
"""Where those get a link of their own who have no JavaScript."""
ASK: Final = f"{OWN_PATHS}challenge"
"""Where the script gets a challenge of its own."""
SOLVED: Final = f"{OWN_PATHS}solved"
"""Where the script shows what it has found."""
ASSETS: Final = f"{OWN_PATHS}challenge-"
"""How the paths of the page's style and script begin."""


def _path_of(text: str, ending: str) -> str:
    """Another text has another path: browsers may keep it for long."""
    return f"{ASSETS}{sha256(text.encode()).hexdigest()[:12]}{ending}"


STYLE_PATH: Final = _path_of(PAGE_STYLE, ".css")
SCRIPT_PATH: Final = _path_of(challenge_script(), ".js")
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; worker-src 'self'; connect-src 'self';"
    " form-action http: https:; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page. Browsers hold what a form leads to against ``form-action``, too:
the site may send the visitor on to another host."""
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Holdfast-Challenge": "proof",
}
"""Of every answer on the way through a challenge. What else a page has to say stands in itself: a header
costs as much as a rule."""
__all__ = [
    "ASK",
    "ASSETS",
    "CONTINUE",
    "HEADERS",
    "OWN_PATHS",
    "PAGE_STYLE",
    "POLICY",
    "SCRIPT_PATH",
    "SOLVED",
    "STYLE_PATH",
    "WAIT",
    "WAIT_SECONDS",
    "challenge_page",
    "wait_page",
]
_LINK: Final = ("k", "t", "n", "w", "s")
"""The parameters of the link, and HAProxy's variables of the same names."""


def challenge_page(*, sent: bool) -> str:
    """Where the visitor wanted to go: as it is for everybody, so that it costs as little as a refusal.
    ``sent``: something was sent, and not only asked for."""
    wait = f"{WAIT}?sent=1" if sent else WAIT
    return _page(
        f'<noscript><meta http-equiv="refresh" content="0; url={wait}"></noscript>',
        "POST" if sent else "GET",
        f'<p class="site"></p><form action="{WAIT}">'
        + ('<input type="hidden" name="sent" value="1">' if sent else "")
        + f'{_sections()}</form><p class="id" dir="ltr"></p>',
    )


def wait_page() -> str:
    """For those without JavaScript: a log-format file of HAProxy's, with a link of one's own."""
    link = f"{CONTINUE}?" + "&amp;".join(f"{name}=%[var(txn.{name})]" for name in _LINK)
    hidden = "".join(f'<input type="hidden" name="{name}" value="%[var(txn.{name})]">' for name in _LINK)
    return _page(
        f'<noscript><meta http-equiv="refresh" content="{WAIT_SECONDS}; url={link}"></noscript>',
        "%[url_param(sent),length,bool,iif(POST,GET)]",
        f'<p class="site">%[var(txn.host)]</p><form action="{CONTINUE}">{hidden}{_sections()}</form>'
        '<p class="id" dir="ltr">%[var(txn.id)]</p>',
    )


def _page(refresh: str, method: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en" dir="ltr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex"><meta name="referrer" content="same-origin">{refresh}'
        f'<title>{WORDS["en"].heading}</title><link rel="stylesheet" href="{STYLE_PATH}"></head>'
        f'<body><main class="{method}" data-ask="{ASK}" data-solved="{SOLVED}">{content}</main>'
        f'<script src="{SCRIPT_PATH}"></script></body></html>\n'
    )


def _sections() -> str:
    return "".join(
        f'<section lang="{language}" dir="{words.direction}"><h1>{words.heading}</h1><p>{words.why}</p>'
        f'<p role="status">{words.waits}</p><button>{words.button}</button></section>'
        for language, words in WORDS.items()
    )
