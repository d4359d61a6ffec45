"""What a visitor sees when the edge is there and the site is not: its origin is down, slow, or has more
visitors than it can serve. One page for all languages: HAProxy answers here where no rule can choose."""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.pages import STYLE

WORDS: Final[dict[str, tuple[str, str]]] = {
    "en": (
        "This site cannot be reached right now",
        "Your connection works, and so does the protection in front of this site; the site’s own server"
        " does not answer, or has too many visitors. Please try again in a minute.",
    ),
    "de": (
        "Diese Website ist gerade nicht erreichbar",
        "Ihre Verbindung funktioniert, und der Schutz vor dieser Website auch; ihr eigener Server antwortet"
        " nicht oder hat zu viele Besucher. Bitte versuchen Sie es in einer Minute noch einmal.",
    ),
    "fr": (
        "Ce site est momentanément injoignable",
        "Votre connexion fonctionne, et la protection devant ce site aussi ; le serveur du site ne répond"
        " pas ou a trop de visiteurs. Veuillez réessayer dans une minute.",
    ),
    "es": (
        "Este sitio no está disponible en este momento",
        "Su conexión funciona, y la protección de este sitio también; el servidor del sitio no"
        " responde o tiene demasiados visitantes. Vuelva a intentarlo en un minuto.",
    ),
    "ar": (
        "لا يمكن الوصول إلى هذا الموقع الآن",
        "اتصالك يعمل، وكذلك الحماية أمام هذا الموقع؛ لكن خادم الموقع لا يجيب أو لديه"
        " زوار أكثر مما يحتمل. يرجى المحاولة بعد دقيقة.",
    ),
}
"""Language → heading, explanation."""


def origin_page() -> str:
    """The page; it carries nothing of the request."""
    sections = "".join(
        f'<section lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">'
        f"<h1>{heading}</h1><p>{words}</p></section>"
        for language, (heading, words) in WORDS.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{WORDS['en'][0]}</title><style>{STYLE}section+section h1{{font-size:1.1rem}}</style>"
        f"<main>{sections}</main></html>\n"
    )
