"""Bytes as text that JSON can hold, and small: for what the shield saves."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any


def pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def unpack(text: str) -> bytes:
    """The inverse. Raises ValueError, TypeError or zlib.error."""
    return zlib.decompress(base64.b64decode(text))


def pack_json(data: object) -> str:
    return pack(json.dumps(data, separators=(",", ":")).encode())


def unpack_json(text: str) -> Any:
    """The inverse; the same errors."""
    return json.loads(unpack(text))
