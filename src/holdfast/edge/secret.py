"""The edge's secret, and the keys that follow from it: each site's for signing requests to its origin.

The secret lies beside the database and not in it, so that a copy of the database gives no key away.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

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


def clearance_key(secret: bytes) -> str:
    """What clearances are signed with: text, as HAProxy keeps it in a map."""
    return hmac.digest(secret, b"clearance", hashlib.sha256).hex()


def origin_key(secret: bytes, site: str, generation: int) -> bytes:
    """The key of a site's signatures, 32 bytes; another generation is another key."""
    return hmac.digest(secret, f"origin|{site}|{generation}".encode(), hashlib.sha256)
