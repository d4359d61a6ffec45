"""A statement's Markdown (CommonMark, with tables and strikethrough) as HTML that can do nothing but be read.

Here belongs what of it reaches a page. Not here: the page around it (``public_pages``), and the text itself,
which is served verbatim beside it. Pure.

HTML in the text stays text. Links lead to ``http``, ``https`` and ``mailto`` only; a picture is a link to it,
because to load it would tell somebody else who reads the statement. No attribute but those written here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

HIGHEST: Final = 3
"""The level of the statement's highest heading: those of the page are above it."""
_LOWEST: Final = 6
_LINK: Final = re.compile(r"(?:https?://|mailto:)[^\x00-\x20\x7f]", re.IGNORECASE)
_REL: Final = "nofollow noopener noreferrer"
# What holds text itself; a list's or a quotation's own direction would be guessed without its content.
_TEXTS: Final = {"p", "h3", "h4", "h5", "h6", "th", "td"}


@lru_cache(maxsize=1)  # its pages, one for each language, are made one after the other
def statement_html(markdown: str) -> str:
    """``markdown`` as the inside of an ``article``, well nested."""
    parser = _parser()
    tokens = parser.parse(_printable(markdown))
    for token, level in zip(tokens, _levels(tokens), strict=True):
        start = token.attrs.get("start") if token.type == "ordered_list_open" else None
        token.info, token.attrs = "", {} if start is None else {"start": start}
        if level:
            token.tag = f"h{level}"
        if token.nesting == 1 and token.tag in _TEXTS:
            token.attrs["dir"] = "auto"
        if token.children:
            token.children = list(_inline(token.children))
    return str(parser.renderer.render(tokens, parser.options, {}))


def direction(text: str) -> str:
    """``rtl`` or ``ltr``: that of the first letter which has one (Unicode TR 9, rules P2 and P3)."""
    strong = (unicodedata.bidirectional(letter) for letter in text)
    return "rtl" if next((each for each in strong if each in ("L", "R", "AL")), "L") != "L" else "ltr"


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False}).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: _LINK.match(url) is not None  # type: ignore[method-assign]
    return parser


def _levels(tokens: Iterable[Token]) -> Iterator[int]:
    """The level of each heading's tokens on this page, 0 for others: none is skipped, whatever the text does,
    as those who go from heading to heading would look for the missing one."""
    level = HIGHEST - 1
    for token in tokens:
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + HIGHEST - 1, level + 1, _LOWEST)
        yield level if token.type in ("heading_open", "heading_close") else 0


def _inline(tokens: Iterable[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += token.nesting if token.type in ("link_open", "link_close") else 0
        href = str(token.attrs.get("href", ""))
        if token.type == "image":
            yield from _picture(token, is_linked=depth > 0)
            continue
        token.attrs = {"href": href, "rel": _REL} if token.type == "link_open" else {}
        yield token


def _picture(token: Token, *, is_linked: bool) -> Iterator[Token]:
    url = str(token.attrs.get("src", ""))
    text = Token("text", "", 0, content=token.content or url)
    if is_linked:
        yield text
        return
    yield Token("link_open", "a", 1, attrs={"href": url, "rel": _REL})
    yield text
    yield Token("link_close", "a", -1)


def _printable(text: str) -> str:
    """Without control characters and halves of characters, which no page may have."""
    never = ("Cc", "Cs")
    return "".join(each for each in text if each in "\n\t" or unicodedata.category(each) not in never)
