"""Where a picture may be put, and what is said where it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.picture import check_place, write_picture
from holdfast.model.errors import HoldfastError
from tests.unit.shield.recorded import record


def test_a_picture_is_written_once(tmp_path: Path) -> None:
    place = tmp_path / "attack.SVG"
    check_place(place, "svg")
    write_picture(record(), place, "svg")
    assert place.read_bytes().startswith(b"<?xml")
    taken = "is there already; name another file, or remove it first"
    with pytest.raises(HoldfastError, match=taken):
        check_place(place, "svg")
    with pytest.raises(HoldfastError, match=taken):
        write_picture(record(), place, "svg")


def test_a_name_must_end_as_its_kind_does(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match=r"does not end in \.png; name it .*attack\.png"):
        check_place(tmp_path / "attack.jpg", "png")


def test_a_directory_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        HoldfastError, match=r"there is no directory .*nowhere; make it, or name another place"
    ):
        check_place(tmp_path / "nowhere" / "a.png", "png")


def test_what_cannot_be_written_leaves_nothing() -> None:
    """A place that takes no file, whoever asks."""
    place = Path("/proc/self/attack.svg")
    check_place(place, "svg")
    with pytest.raises(
        HoldfastError, match=r"cannot be written .*; name a place where your account may write"
    ):
        write_picture(record(), place, "svg")
    assert not place.exists()
