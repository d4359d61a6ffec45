"""The own path: where a blocked host shows the statement on its block, and what else is public. Pure.

Here belong its name and the links to it. Not here: HAProxy's rules for it (``rules.public``), the pages.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from holdfast.model.enforcement import Provider

PUBLIC_PATH: Final = "/.well-known/holdfast/public/"
"""On every host with a block: statements/ID, statements/ID.tlog-proof, index, grounds, ledger/… below it."""


def with_own_pages(provider: Provider) -> Provider:
    """``provider`` with links to the own path where it publishes nowhere else. The record's is to the part of
    the page that has the proof, the entry, and how to check them: a proof alone helps nobody."""
    statement = f"{PUBLIC_PATH}statements/{{id}}"
    return replace(
        provider,
        statement=provider.statement or statement,
        record=provider.record or f"{statement}#record",
    )
