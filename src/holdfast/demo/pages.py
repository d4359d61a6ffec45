"""The pages of 'The Harbour Gazette', an imaginary neighbourhood newspaper: text, HTML and CSS.

Here belongs what a reader sees. Not here: requests, headers, sockets (``origin``). It escapes every value.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final


@dataclass(frozen=True, slots=True)
class Article:
    """One article: its place under ``/articles/`` and its words."""

    slug: str
    section: str
    title: str
    lead: str
    body: tuple[str, ...]


ARTICLES: Final[dict[str, Article]] = {
    article.slug: article
    for article in (
        Article(
            "ferry",
            "Transport",
            "The small ferry stays on the timetable",
            "After two evenings of debate, the council keeps the crossing to Pilot’s Island all year.",
            (
                "For eleven winters the 7:40 boat has carried pupils, bakers and one very punctual dog. The "
                "proposal to pause it from November to March failed by a single vote on Tuesday.",
                "The operator asks for patience on foggy days: the boat leaves when its skipper can see the "
                "second buoy, and not before.",
            ),
        ),
        Article(
            "tide-pool",
            "Outdoors",
            "Volunteers reopen the tide pool",
            "Four tonnes of gravel, thirty neighbours, one borrowed excavator: swimming is possible again.",
            (
                "The storm in October had filled the old sea-water pool to its lowest step. Since Saturday "
                "the water is waist-deep again, and cold enough to be discussed at length.",
                "A lifeguard is still missing. Whoever would like to learn meets at the boathouse on Sunday "
                "at ten.",
            ),
        ),
        Article(
            "night-market",
            "Food",
            "A night market under the cranes",
            "On the first Friday of each month, quay number three smells of cardamom and grilled mackerel.",
            (
                "Twenty-two stalls have signed up, from the smokers of Rope Street to a family that makes "
                "nothing but pickles, and makes them very well.",
                "Bring your own plate. The harbour band plays from nine, unless the wind is westerly.",
            ),
        ),
    )
}

STYLE: Final = """\
:root{color-scheme:light dark;--paper:#fbf8f1;--ink:#1f2933;--soft:#59636d;--line:#d8d0c0;--sea:#1b4f72}
@media(prefers-color-scheme:dark){
  :root{--paper:#171b1f;--ink:#ece8df;--soft:#aab2b9;--line:#3a4149;--sea:#8cc4e8}
}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1.5rem;background:var(--paper);color:var(--ink);
  font:1.05rem/1.6 Georgia,"Noto Serif","DejaVu Serif",serif}
header{text-align:center;border-bottom:3px double var(--line);padding-bottom:1rem}
header p{margin:.2rem 0;color:var(--soft);font-style:italic}
.name{font-size:clamp(1.9rem,7vw,3.2rem);font-weight:700;line-height:1.1;color:var(--ink);text-decoration:none}
main{padding:1rem 0}
.grid{display:grid;gap:1.75rem;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr))}
h1,h2{margin:.2rem 0;line-height:1.25}
.section{margin:0;color:var(--sea);font:600 .8rem/1.4 system-ui,sans-serif;letter-spacing:.08em;
  text-transform:uppercase}
a{color:var(--sea);text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--sea);outline-offset:3px}
.lead{font-size:1.2rem}
.column{max-width:38rem;margin:0 auto}
footer{border-top:1px solid var(--line);padding-top:1rem;color:var(--soft);
  font:.9rem/1.5 system-ui,sans-serif}
"""


def home(client: str | None) -> str:
    """The front page. ``client``: the address that the edge reported, None when no edge did."""
    teasers = "\n".join(
        f'<article><p class="section">{escape(article.section)}</p>'
        f'<h2><a href="/articles/{escape(article.slug)}">{escape(article.title)}</a></h2>'
        f"<p>{escape(article.lead)}</p></article>"
        for article in ARTICLES.values()
    )
    return _page("The Harbour Gazette", f'<div class="grid">\n{teasers}\n</div>', client)


def article(piece: Article, client: str | None) -> str:
    """One article on its own page."""
    paragraphs = "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in piece.body)
    main = (
        f'<article class="column"><p class="section">{escape(piece.section)}</p>\n'
        f'<h1>{escape(piece.title)}</h1>\n<p class="lead">{escape(piece.lead)}</p>\n{paragraphs}\n'
        '<p><a href="/">All articles</a></p></article>'
    )
    return _page(f"{piece.title} – The Harbour Gazette", main, client)


def not_found(client: str | None) -> str:
    """The page for a path that the paper does not have; it does not repeat that path."""
    main = (
        '<div class="column"><h1>This page has drifted away</h1>\n'
        '<p>There is nothing at this address. <a href="/">Back to the front page</a>.</p></div>'
    )
    return _page("Not found – The Harbour Gazette", main, client)


def _page(title: str, main: str, client: str | None) -> str:
    reader = (
        f"Your address, as the edge reported it: <strong>{escape(client)}</strong>."
        if client
        else "No edge reported your address: this request came to the origin directly."
    )
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{escape(title)}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<a class="name" href="/">The Harbour Gazette</a>
<p>News from the quay, the hill and the island</p>
</header>
<main>
{main}
</main>
<footer>
<p>Served by the origin behind Holdfast. {reader}</p>
</footer>
</body>
</html>
"""
