"""What a block may cover."""

from __future__ import annotations

import pytest

from holdfast.model.enforcement import HostScope
from holdfast.model.errors import HoldfastError


def test_a_wildcard_is_not_one_hostname() -> None:
    """It would be stored, shown and counted as in force, and touch nothing."""
    with pytest.raises(HoldfastError, match="block the site"):
        HostScope("*.example.org")
