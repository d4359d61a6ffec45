"""A statement's Markdown: what it becomes."""

from __future__ import annotations

import pytest

from holdfast.edge.public_markdown import direction, statement_html

REL = 'rel="nofollow noopener noreferrer"'


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        (
            "One *two* **three** ~~four~~",
            '<p dir="auto">One <em>two</em> <strong>three</strong> <s>four</s></p>\n',
        ),
        ("# A\n### B\n## C", '<h3 dir="auto">A</h3>\n<h4 dir="auto">B</h4>\n<h4 dir="auto">C</h4>\n'),
        (
            "[a](https://b.example/?c=1&d 'e')",
            f'<p dir="auto"><a href="https://b.example/?c=1&amp;d" {REL}>a</a></p>\n',
        ),
        ("<a@b.example>", f'<p dir="auto"><a href="mailto:a@b.example" {REL}>a@b.example</a></p>\n'),
        ("[a](javascript:b)", '<p dir="auto">[a](javascript:b)</p>\n'),
        ("[a](/b) [c](//d) [e](f)", '<p dir="auto">[a](/b) [c](//d) [e](f)</p>\n'),
        ("<script>a</script>", '<p dir="auto">&lt;script&gt;a&lt;/script&gt;</p>\n'),
        (
            "![a *b*](https://c.example/d.png)",
            f'<p dir="auto"><a href="https://c.example/d.png" {REL}>a *b*</a></p>\n',
        ),
        (
            "![](https://c.example/)",
            f'<p dir="auto"><a href="https://c.example/" {REL}>https://c.example/</a></p>\n',
        ),
        (
            "[![a](https://b.example)](https://c.example)",
            f'<p dir="auto"><a href="https://c.example" {REL}>a</a></p>\n',
        ),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n'),
        ("```js x\na < b\n```", "<pre><code>a &lt; b\n</code></pre>\n"),
        ("a\x00\x07\u0085b", '<p dir="auto">ab</p>\n'),
    ],
)
def test_what_it_becomes(markdown: str, html: str) -> None:
    assert statement_html(markdown) == html


@pytest.mark.parametrize(
    ("text", "expected"), [("1. **لماذا**", "rtl"), ("# Why", "ltr"), ("", "ltr"), ("- שלום hello", "rtl")]
)
def test_its_direction(text: str, expected: str) -> None:
    assert direction(text) == expected
