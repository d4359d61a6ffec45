"""The shape of what is asked over the admin socket. Not here: what is done (``admin``, ``shield_admin``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """The fields of one request, checked before anything is done."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Request):
    pass


Operations = dict[str, tuple[type[Request], Callable[[Any], Awaitable[object]]]]
"""What to ``do`` → the shape of the request, and who performs it."""
