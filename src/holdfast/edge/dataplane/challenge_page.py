"""What a visitor sees who is asked to wait a moment: a page that goes on by itself, without JavaScript.

HAProxy fills in the link (see ``rules.challenge``); nothing of the request is in the page but what HAProxy
has coded itself. All languages are on the page: visitors are many here, and choosing costs.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

from holdfast.edge.dataplane.pages import STYLE

CONTINUE: Final = "/.well-known/holdfast/continue"
"""Where the link leads."""
WAIT_SECONDS: Final = 3
"""How old a link must be."""
PAGE_STYLE: Final = f"{STYLE}section+section h1{{font-size:1.1rem}}"
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(PAGE_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page."""
WORDS: Final[dict[str, tuple[str, str, str]]] = {
    "en": (
        "One moment, please",
        "This site is being attacked. This page goes on by itself in a few seconds.",
        "Go on",
    ),
    "de": (
        "Einen Augenblick bitte",
        "Diese Website wird angegriffen. In wenigen Sekunden geht es von selbst weiter.",
        "Weiter",
    ),
    "fr": (
        "Un instant, s’il vous plaît",
        "Ce site est attaqué. Vous y serez conduit automatiquement dans quelques secondes.",
        "Continuer",
    ),
    "es": (
        "Un momento, por favor",
        "Este sitio está siendo atacado. Podrá entrar automáticamente en unos segundos.",
        "Continuar",
    ),
    "ar": (
        "لحظة من فضلك",
        "هذا الموقع يتعرض لهجوم. سيتم إدخالك تلقائيًا خلال ثوانٍ.",
        "متابعة",
    ),
}
"""Language → heading, explanation, the link's words."""
LINK: Final = f"{CONTINUE}?" + "&amp;".join(
    f"{name}=%[var(txn.{field})]" for name, field in (("t", "t"), ("n", "n"), ("w", "w"), ("s", "mac"))
)


def challenge_page() -> str:
    """A log-format file of HAProxy's: a ``%`` of our own is doubled."""
    sections = "".join(
        f'<section lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">'
        f'<h1>{heading}</h1><p>{words}</p><p><a href="{LINK}">{go_on}</a></p></section>'
        for language, (heading, words, go_on) in WORDS.items()
    )
    style = PAGE_STYLE.replace("%", "%%")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f'<meta http-equiv="refresh" content="{WAIT_SECONDS}; url={LINK}">'
        f"<title>{WORDS['en'][0]}</title><style>{style}</style>"
        f"<main>{sections}</main></html>\n"
    )
