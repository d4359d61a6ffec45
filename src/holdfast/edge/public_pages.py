"""The public pages: the statement on each block, the list of all blocks, the grounds. HTML without scripts.

Here belongs what is on a page, in one language. Not here: sentences (``public_words``), a statement's own
Markdown (``public_markdown``), files and their places (``public_files``). Pure.

All links between them are relative: the same files are served below the own path of a blocked host and below
a hostname of the provider's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from holdfast.edge.dataplane.page_words import WORDS
from holdfast.edge.dataplane.pages import LANGUAGES, SHIELD
from holdfast.edge.public_markdown import direction, statement_html
from holdfast.edge.public_style import PUBLIC_STYLE
from holdfast.edge.public_words import PUBLIC_WORDS, PublicWords
from holdfast.edge.release import IN_FORCE, LIFTED, OVER, PublicRecord, Trust
from holdfast.ledger.checkpoint import parse_checkpoint
from holdfast.ledger.entry import parse_entry
from holdfast.ledger.note import parse_note
from holdfast.ledger.proof import parse_proof
from holdfast.model.enforcement import CustomerScope, HostScope, PathScope, Provider, Scope, SiteScope
from holdfast.model.grounds import Ground, Grounds, Measure
from holdfast.model.record import BlockRecord, parse_block, stamp

TONGUE: Final = "~"
"""Between a page's name and its language; no id has it. English pages go without. Pages link to one another
by the names of files: by its bare name a page comes in the language that the browser asks for."""


@dataclass(frozen=True, slots=True)
class House:
    """Who publishes, and what there is beside statements."""

    provider: Provider
    trust: Trust
    """By which keys a proof is checked."""
    has_grounds: bool = False


@dataclass(frozen=True, slots=True)
class PublicBlock:
    """A block as its page shows it: read from its entry and its proof."""

    record: BlockRecord
    index: int
    origin: str
    """The log's name."""
    size: int
    """Entries under the checkpoint of the proof."""
    statement: str
    status: str
    """One of those of ``PublicRecord``."""
    ended: datetime | None


def read_block(public: PublicRecord) -> PublicBlock:
    """Raises LedgerError or HoldfastError where entry or proof are not what they should be."""
    checkpoint = parse_checkpoint(parse_note(parse_proof(public.release.proof.encode()).checkpoint).text)
    return PublicBlock(
        record=parse_block(parse_entry(public.release.entry).public),
        index=public.index,
        origin=checkpoint.origin,
        size=checkpoint.size,
        statement=public.release.statement,
        status=public.status,
        ended=public.ended,
    )


def tongued(name: str, language: str) -> str:
    """The file of a page in a language: ``D-1`` → ``D-1~de.html``."""
    return f"{name}.html" if language == LANGUAGES[0] else f"{name}{TONGUE}{language}.html"


def statement_page(house: House, block: PublicBlock, language: str) -> str:
    """The page of one block, at ``statements/ID``."""
    words, shared, record = PUBLIC_WORDS[language], WORDS[language], block.record
    name = record.id
    terms = [
        *([(words.part, _code(record.scope.prefix))] if isinstance(record.scope, PathScope) else []),
        *([(words.hostnames, "<br>".join(map(_code, record.hostnames)))] if record.hostnames else []),
        *([(shared.authority, _text(record.authority))] if record.authority else []),
        (shared.ground, _text(record.ground)),
        (shared.since, _time(record.since)),
        (shared.until, _time(record.until)),
        *([(words.lifted_at, _time(block.ended))] if block.status == LIFTED and block.ended else []),
        (words.decided, _text(record.by_role)),
        (words.approved, _text(record.approved_by_role)),
        (shared.decision, _code(name)),
    ]
    files = [
        (f"{name}.tlog-proof", words.proof),
        (f"{name}.json", words.entry_file),
        (f"{name}.md", words.raw),
        *([("../grounds.toml", words.grounds_file)] if house.has_grounds else []),
    ]
    appeal = house.provider.appeal.replace("{id}", name)
    more = [
        *([(appeal, shared.appeal)] if appeal else []),
        (tongued("../index", language), words.blocks),
        *([(tongued("../grounds", language), words.grounds)] if house.has_grounds else []),
    ]
    body = [
        _lead(
            f"<span>{shared.statement[0]}</span>",
            _title(record.scope, record.measure, words),
            words,
            block.status,
        ),
        _terms(terms),
        f"<h2>{words.statement}</h2>",
        f'<article lang="" dir="{direction(block.statement)}">\n{statement_html(block.statement)}</article>',
        f'<h2 id="record">{words.record}</h2>',
        f"<p>{words.record_lede.format(index=_code(str(block.index)))}</p>",
        _terms(
            [
                (words.log, _code(block.origin)),
                (words.entry, _code(str(block.index))),
                (words.size, _code(str(block.size))),
            ]
        ),
        _links(words.files, files),
        *_check(house, block, words),
        _links(words.more, more),
    ]
    plain = _title(record.scope, record.measure, words, plain=True)
    return _page(house, language, f"{plain} ({name})", name, body)


def _check(house: House, block: PublicBlock, words: PublicWords) -> list[str]:
    record = block.record
    command = f"holdfast ledger verify --proof {record.id}.tlog-proof --entry {record.id}.json"
    command += f" --key '{house.trust.log}'"
    command += "".join(f" --witness '{key}'" for key in house.trust.witnesses)
    command += f" --quorum {house.trust.quorum}" if house.trust.witnesses else ""
    sums = [(words.raw[0], record.statement_hash), (words.grounds_file[0], record.grounds_hash)]
    return [
        f"<h2>{words.check}</h2>",
        f"<p>{words.check_save}</p>",
        f'<pre dir="ltr"><code>{escape(command)}</code></pre>',
        f'<p class="soft">{words.check_key}</p>',
        f"<p>{words.check_statement}</p>",
        _terms([(label, _hash(digest)) for label, digest in sums]),
    ]


def index_page(house: House, blocks: Sequence[PublicBlock], language: str) -> str:
    """All blocks, the latest first, at ``index``."""
    words = PUBLIC_WORDS[language]
    latest = sorted(blocks, key=lambda each: (each.record.since, each.record.id), reverse=True)
    items = "\n".join(_item(each, language, words) for each in latest)
    body = [
        f"<h1>{words.index}</h1>",
        f"<p>{words.index_lede}</p>",
        f'<ul class="list">\n{items}\n</ul>' if items else f'<p class="soft">{words.none}</p>',
        *([_links(words.more, [(tongued("grounds", language), words.grounds)])] if house.has_grounds else []),
    ]
    return _page(house, language, words.index, "index", body)


def _item(block: PublicBlock, language: str, words: PublicWords) -> str:
    record = block.record
    until = block.ended if block.status == LIFTED and block.ended else record.until
    link = f"statements/{tongued(record.id, language)}"
    part = f"<p>{_code(record.scope.prefix)}</p>" if isinstance(record.scope, PathScope) else ""
    return (
        f"<li>{_kind(_code(record.id), words, block.status)}"
        f'<a href="{escape(link)}">{_title(record.scope, record.measure, words)}</a>'
        f"{part}<p>{_text(record.ground)}</p>"
        f'<p class="soft">{_time(record.since)} – {_time(until)}</p></li>'
    )


def grounds_page(house: House, grounds: Grounds, language: str) -> str:
    """What may be blocked at all, at ``grounds``."""
    words = PUBLIC_WORDS[language]
    body = [
        f"<h1>{words.grounds[0]}</h1>",
        f"<p>{words.grounds_lede}</p>",
        _terms(
            [
                (words.version, _code(grounds.version)),
                (words.hash, _hash(grounds.hash)),
            ]
        ),
        *(part for each in grounds for part in _ground(each, words)),
        _links(
            words.more,
            [("grounds.toml", words.grounds_file), (tongued("index", language), words.blocks)],
        ),
    ]
    return _page(house, language, words.grounds[0], "grounds", body)


def _ground(ground: Ground, words: PublicWords) -> list[str]:
    admitted = ", ".join(words.measures[each] for each in Measure if each in ground.measures)
    limits = [admitted, words.most_days.format(days=ground.max_days)]
    limits += [words.legal] if ground.legal_demand else []
    return [
        f"<h2>{words.clause.format(clause=_code(ground.clause))} · {_text(ground.name)}</h2>",
        f'<p lang="" dir="auto">{escape(ground.text)}</p>',
        _terms([(words.admits, " · ".join(limits))]),
    ]


def _title(scope: Scope, measure: Measure, words: PublicWords, *, plain: bool = False) -> str:
    """What is blocked, as a heading; plain: without markup, for the window's title."""
    match scope:
        case CustomerScope(name) | SiteScope(name) | HostScope(name) | PathScope(name, _):
            return words.block[measure].format(name=escape(name) if plain else _code(name))


def _lead(kind: str, title: str, words: PublicWords, status: str) -> str:
    return f"{_kind(f'{SHIELD}{kind}', words, status)}<h1>{title}</h1>"


def _kind(kind: str, words: PublicWords, status: str) -> str:
    said = {IN_FORCE: words.in_force, LIFTED: words.lifted, OVER: words.over}.get(status, words.not_in_force)
    now = " now" if status == IN_FORCE else ""
    return f'<p class="kind{now}">{kind} <span class="status">{said}</span></p>'


def _terms(rows: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<div><dt>{label}</dt><dd>{value}</dd></div>' for label, value in rows)}</dl>"


def _links(label: str, links: Iterable[tuple[str, tuple[str, str]]]) -> str:
    each = "".join(
        f'<a href="{escape(link)}"><b>{name}</b> <span>{sentence}</span></a>'
        for link, (name, sentence) in links
    )
    return f'<nav aria-label="{label}">{each}</nav>'


def _text(text: str) -> str:
    """What others wrote: in an unknown language, and of its own direction."""
    return f'<bdi lang="">{escape(text)}</bdi>'


def _code(text: str) -> str:
    return f'<bdi dir="ltr" class="code">{escape(text)}</bdi>'


def _hash(digest: str) -> str:
    return f'<code dir="ltr">{escape(digest.removeprefix("sha256:"))}</code>'


def _time(moment: datetime) -> str:
    text = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f'<time datetime="{stamp(moment)}">{_code(text)}</time>'


def _page(house: House, language: str, title: str, name: str, body: Iterable[str]) -> str:
    words, shared = PUBLIC_WORDS[language], WORDS[language]
    provider = _text(house.provider.name)
    if house.provider.url:
        provider = f'<a href="{escape(house.provider.url)}">{provider}</a>'
    tongues = "".join(
        f'<a href="{escape(tongued(name, each))}" lang="{each}" hreflang="{each}">'
        f"{PUBLIC_WORDS[each].language}</a>"
        for each in LANGUAGES
        if each != language
    )
    return _HTML.format(
        language=language,
        direction=shared.direction,
        title=title,
        style=PUBLIC_STYLE,
        body="\n".join(body),
        role=shared.role.format(provider=provider),
        tongues=f'<nav class="tongues" aria-label="{words.languages}">{tongues}</nav>',
    )


_HTML: Final = """\
<!doctype html>
<html lang="{language}" dir="{direction}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
<main>
{body}
<footer><p>{role}</p>{tongues}</footer>
</main>
</html>
"""
