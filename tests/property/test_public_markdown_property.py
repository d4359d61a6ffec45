"""Whatever Markdown an operator is handed: what comes of it can be read, and does nothing."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.public_markdown import statement_html

PIECES: Final = st.sampled_from(
    [
        *("# ", "## ", "###### ", "\n", "\n\n", "    ", "- ", "1. ", "7) ", "> ", "```", "~~~js x=y\n", "`"),
        *("**", "_", "~~", "---\n", "===\n", "|a|b|\n|-|:-:|\n|", "| c |\n", "\\", "&colon;", "&#0;", "\r"),
        *(
            "<script>",
            "</script>",
            "<img src=x onerror=y>",
            "<!--",
            "-->",
            "</article>",
            "<p",
            "<https://x.y>",
        ),
        *("[a](", "![p](", "[![q](https://i.example/q.png)](https://w.example)", ")", "]", "[", "(", ' "t"'),
        *("javascript:alert(1)", "JAVA\tscript:x", "data:text/html,x", "https://a.b/?q=1&b=\"'", "//c.d/x"),
        *(
            "mailto:a@b.c",
            "[r]: https://r.example 'x'\n",
            "[r]",
            "vbscript:",
            "file:///etc",
            "http://é.example",
        ),
        *("x", "é", "שלום", "\u202e", "\x00", "\x07", "\ud800", '" onclick="z', "' style='k"),
    ]
)
WORDS: Final = PIECES | st.text(max_size=8)
URLS: Final = st.builds(
    "{}{}".format,
    st.sampled_from(
        [
            "javascript:",
            "JavaScript:",
            "data:",
            "vbscript:",
            "file:",
            "https:",
            "http://",
            "mailto:",
            "//",
            "/",
            "&#106;avascript:",
        ]
    ),
    st.sampled_from(["x", "//x.example/", "a@b.c", "alert(1)", "text/html,<b>", "%0ax", '//é.example/?q="']),
)
LINKS: Final = st.builds("{}[{}]({})".format, st.sampled_from(["", "!"]), WORDS, URLS)
NESTED: Final = st.builds("[![{}]({})]({})".format, WORDS, URLS, URLS)
HEADINGS: Final = st.builds("\n\n{} {}\n\n".format, st.integers(1, 6).map("#".__mul__), WORDS)
MARKDOWN: Final = st.lists(WORDS | LINKS | NESTED | HEADINGS, max_size=25).map("".join)
ATTRIBUTES: Final = {
    "a": {"href", "rel"},
    "ol": {"start"},
    **{tag: {"dir"} for tag in ("p", "h3", "h4", "h5", "h6", "th", "td")},
    **{tag: set[str]() for tag in ("ul", "li", "blockquote", "pre", "code", "em", "strong", "s", "hr", "br")},
    **{tag: set[str]() for tag in ("table", "thead", "tbody", "tr")},
}
VOID: Final = {"hr", "br"}
BLOCKS: Final = {"p", "ul", "ol", "li", "blockquote", "pre", "table", "h3", "h4", "h5", "h6", "hr"}


class Reader(HTMLParser):
    """Notes what is open, and everything that should not be there."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if tag not in ATTRIBUTES or not set(names) <= ATTRIBUTES[tag] or len(set(names)) < len(names):
            self.wrong.append(f"<{tag} {attrs}>")
        if tag in BLOCKS and set(self.open) & {"p", "a", "pre", "em", "strong", "s", "code"}:
            self.wrong.append(f"<{tag}> in {self.open}")
        if tag == "a":
            fields = dict(attrs)
            self.links.append(fields.get("href") or "")
            if "a" in self.open or "nofollow" not in (fields.get("rel") or ""):
                self.wrong.append(f"<a {attrs}> in {self.open}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.wrong.append(f"<?{data}>")


def read(markdown: str) -> Reader:
    reader = Reader()
    reader.feed(statement_html(markdown))
    reader.close()
    return reader


@given(MARKDOWN)
def test_nothing_but_text_and_links_comes_of_it(markdown: str) -> None:
    found = read(markdown)
    assert found.wrong == []
    assert found.open == []
    schemes = ("http://", "https://", "mailto:")
    assert [each for each in found.links if not each.lower().startswith(schemes)] == []


@given(MARKDOWN)
def test_headings_go_down_one_level_at_a_time(markdown: str) -> None:
    levels: list[int] = []

    class Headings(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag[0] == "h" and tag[1:].isdigit():
                levels.append(int(tag[1:]))

    Headings().feed(statement_html(markdown))
    assert all(3 <= level <= 6 for level in levels)
    assert all(later <= level + 1 for level, later in zip([2, *levels], levels, strict=False))


@given(MARKDOWN)
def test_it_can_be_written_as_a_file(markdown: str) -> None:
    html = statement_html(markdown).encode()
    assert not [byte for byte in html if byte < 0x20 and byte not in b"\n\t"]
