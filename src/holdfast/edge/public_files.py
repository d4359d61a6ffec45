"""Writes the public tree: pages, statements, entries and proofs as files, which a small service hands out.

Here belong their places, and that no reader ever sees half a file. Not here: what is on a page
(``public_pages``), who serves them (``public_service``), when they are made anew (``publishing``).

``DIR/index.html``, ``DIR/grounds.toml``, ``DIR/grounds.html``, and for each block ``DIR/statements/ID.html``,
``.md`` (the statement, verbatim), ``.json`` (the entry, verbatim) and ``.tlog-proof``. A page in another
language than English has it in its name: ``ID~de.html``. Nothing is durable before the kernel writes it, as
all of it is made anew at each start. The statement on a block is never taken away again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from holdfast.edge.dataplane.pages import LANGUAGES
from holdfast.edge.public_pages import (
    House,
    PublicBlock,
    grounds_page,
    index_page,
    read_block,
    statement_page,
    tongued,
)
from holdfast.edge.release import PublicRecord, Trust
from holdfast.ledger.errors import LedgerError
from holdfast.model.enforcement import Provider
from holdfast.model.errors import HoldfastError, error
from holdfast.model.grounds import parse_grounds

STATEMENTS: Final = "statements"

log = structlog.get_logger()


class PublicFiles:
    """The tree in one directory; keeps the obligations of ``publishing.Public``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._house: House | None = None
        self._grounds: Path | None = None
        self._shown: set[tuple[House, PublicBlock]] = set()
        """What lies there already; it need not be made again."""

    def configure(self, provider: Provider, trust: Trust, grounds: Path | None) -> None:
        """Who publishes, whose record counts, and the grounds file that is in use: from the next ``show``
        on."""
        self._house, self._grounds = House(provider, trust), grounds

    def show(self, records: Sequence[PublicRecord]) -> None:
        """Raises HoldfastError where there is no room, or no permission; what has been written by then is
        whole."""
        if self._house is None:
            return
        try:
            self._show(self._house, records)
        except OSError as refused:
            raise error(
                f"cannot write the public pages in {self._root} ({refused.strerror})",
                "make room there, or let the agent's account write there",
            ) from refused

    def _show(self, house: House, records: Sequence[PublicRecord]) -> None:
        """A link is there no sooner than what it leads to: grounds, files, pages, and then the list."""
        for directory in (self._root, self._root / STATEMENTS):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o755)  # whoever serves it may be another account
        house = replace(house, has_grounds=self._show_grounds(house))
        blocks = []
        for record in records:
            try:
                block = read_block(record)
            except (LedgerError, HoldfastError) as wrong:
                log.error("a block cannot be shown", id=record.release.enforcement.id, why=str(wrong))
                continue
            blocks.append(block)
            page = self._root / STATEMENTS / tongued(block.record.id, LANGUAGES[-1])
            if (house, block) not in self._shown or not page.exists():
                for name, content in _files(house, record, block):
                    _put(self._root / STATEMENTS / name, content)
        self._write_pages("index", lambda language: index_page(house, blocks, language))
        self._shown = {(house, block) for block in blocks}

    def _show_grounds(self, house: House) -> bool:
        """Whether there are some to show. A file that cannot be read leaves the last good one there."""
        raw = self._root / "grounds.toml"
        if self._grounds is None:
            for path in (raw, *(self._page("grounds", language) for language in LANGUAGES)):
                path.unlink(missing_ok=True)
            return False
        try:
            data = _plain(self._grounds)
            grounds = parse_grounds(data, str(self._grounds))
        except (OSError, HoldfastError) as wrong:
            log.error("the grounds cannot be shown as they are now", why=str(wrong))
            return raw.exists()
        _put(raw, data)
        self._write_pages("grounds", lambda language: grounds_page(house, grounds, language))
        return True

    def _write_pages(self, name: str, page: Callable[[str], str]) -> None:
        for language in LANGUAGES:
            _put(self._page(name, language), page(language).encode())

    def _page(self, name: str, language: str) -> Path:
        return self._root / tongued(name, language)


def _files(house: House, record: PublicRecord, block: PublicBlock) -> Iterator[tuple[str, bytes]]:
    """(name, content) of one block's files, the pages last."""
    name, release = block.record.id, record.release
    yield f"{name}.md", release.statement.encode()
    yield f"{name}.json", release.entry
    yield f"{name}.tlog-proof", release.proof.encode()
    for language in LANGUAGES:
        yield tongued(name, language), statement_page(house, block, language).encode()


def _plain(path: Path) -> bytes:
    """A plain file. Raises OSError: a named pipe would wait, and a device never end."""
    if not path.is_file():
        raise OSError(f"{path} is no plain file")
    return path.read_bytes()


def _put(path: Path, content: bytes) -> None:
    """Put ``content`` there at once, unless it is there already."""
    with contextlib.suppress(OSError):
        if path.is_file() and path.read_bytes() == content:  # a named pipe would wait for a writer
            return
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(content)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
