"""The edge's secret, and the keys that follow from it: each site's for signing requests to its origin, and
each day's for signing challenges and clearances.

The secret lies beside the database and not in it, so that a copy of the database gives no key away.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from holdfast.model.errors import error

SECRET_BYTES = 32


def read_secret(directory: Path) -> bytes:
    """The secret of the edge with this state directory, made at the first start; only its owner can read
    it. Raises HoldfastError."""
    path = directory / "edge.key"
    try:
        if not path.exists():
            _write(path, secrets.token_bytes(SECRET_BYTES))
        secret = path.read_bytes()
    except OSError as refused:
        raise error(
            f"cannot use the edge's secret {path} ({refused})", "let the agent read and write it"
        ) from refused
    if len(secret) != SECRET_BYTES:
        raise error(
            f"{path} does not hold a secret of {SECRET_BYTES} bytes",
            "put it back from a backup, or remove it: every origin then needs its new key",
        )
    return secret


def _write(path: Path, secret: bytes) -> None:
    """All of it or nothing, whatever happens meanwhile."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


KEY_SECONDS: Final = 86_400
"""For so long a key signs what is new; it is honoured before and after that, too."""


@dataclass(frozen=True, slots=True)
class ClearanceKeys:
    """What clearances and challenges are signed with. Edges of one secret have the same keys."""

    current: str
    """The id of the key that signs."""
    honoured: Mapping[str, str]
    """Id → key, text; the one that signs among them."""


NO_KEYS: Final = ClearanceKeys("", {})


def clearance_keys(secret: bytes, now: float, before: str = "") -> ClearanceKeys:
    """The keys at a time (unix). That of yesterday is still honoured, as it may have signed a moment ago, and
    that of tomorrow already, as another edge's clock may be ahead. ``before``: the id that a HAProxy without
    an agent has gone on signing with."""
    today = int(now // KEY_SECONDS)
    honoured = [str(day) for day in (today - 1, today, today + 1)]
    if before.isdigit() and before not in honoured:
        honoured.append(before)
    return ClearanceKeys(str(today), {day: _clearance_key(secret, day) for day in honoured})


def _clearance_key(secret: bytes, day: str) -> str:
    return hmac.digest(secret, f"clearance|{day}".encode(), hashlib.sha256).hex()


def origin_key(secret: bytes, site: str, generation: int) -> bytes:
    """The key of a site's signatures, 32 bytes; another generation is another key."""
    return hmac.digest(secret, f"origin|{site}|{generation}".encode(), hashlib.sha256)
