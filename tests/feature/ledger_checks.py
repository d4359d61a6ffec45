"""What must hold of a log whatever has happened to it, and a log to begin with."""

from __future__ import annotations

import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.ledger.checkpoint import Checkpoint, open_checkpoint
from holdfast.ledger.fsck import fsck
from holdfast.ledger.log import Log
from holdfast.ledger.merkle import verify_consistency
from holdfast.ledger.note import ED25519, Ed25519Signer, SignerKey
from holdfast.ledger.proof import verify_proof
from holdfast.ledger.source import FolderSource
from holdfast.ledger.tiles import decode_bundle, new_tiles
from tests.feature.ledger_writer import entries

KEY = SignerKey("log.example/test", ED25519, random.Random(6).randbytes(32))
ROOT = Path(__file__).parents[2]
FIRST = 250
"""Entries of the log to begin with: a few more make a full tile."""


@dataclass
class Told:
    """What a writer was told: nothing of this may ever be untrue."""

    kept: dict[int, str] = field(default_factory=dict)
    """Index → entry, without the dots at its end."""
    published: list[int] = field(default_factory=list)

    def keep(self, index: int, several: Sequence[bytes]) -> None:
        self.kept |= {index + at: each.decode().rstrip(".") for at, each in enumerate(several)}

    def read(self, text: str) -> None:
        """What ``ledger_writer`` has said."""
        for line in text.splitlines():
            word, rest = line.split(" ", 1)
            if word == "kept":
                index, entry = rest.split(" ", 1)
                assert int(index) not in self.kept, "an index was given twice"
                self.kept[int(index)] = entry
            elif word == "published":
                self.published.append(int(rest))


def writer(*words: str) -> subprocess.Popen[str]:
    """``ledger_writer`` with these words."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.feature.ledger_writer", *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def made(place: Path) -> Path:
    """A log of ``FIRST`` entries, all published, and with an append that was interrupted at the end of its
    journal."""
    with Log.create(place, Ed25519Signer(KEY), KEY) as log:
        log.append(entries("first", FIRST))
        log.publish()
        before = (place / "private/journal").read_bytes()
        log.append([b"cut off"])
        after = (place / "private/journal").read_bytes()
    (place / "private/journal").write_bytes(after[: (len(before) + len(after)) // 2])
    return place


def copy(place: Path, to: Path) -> Path:
    """Another one like it."""
    shutil.copytree(place, to)
    return to


def signed(place: Path) -> list[Checkpoint]:
    """Every checkpoint that somebody may have seen: the published one, and the one signed last."""
    return [
        open_checkpoint((place / name).read_bytes(), KEY.verifier).checkpoint
        for name in ("public/checkpoint", "private/signed")
    ]


def sound(place: Path) -> None:
    """What is public is a whole log."""
    assert fsck(FolderSource(place), KEY.verifier).problems == ()


def goes_on(place: Path, told: Told, formerly: Sequence[Checkpoint], log: Log | None = None) -> None:
    """All that was kept and published is still there; and the log takes more. ``log``: it, as one process
    knows it that has met a fault."""
    sound(place)
    seen = [*formerly, *signed(place)]
    with log or Log.open(place) as log:
        assert log.checkpoint().checkpoint.size >= max(told.published, default=0)
        log.publish()
        index = log.append([b"after all"])
        head = log.publish().checkpoint
        assert head.size == index + 1
        held = contents(place, head.size)
        assert {index: held[index].rstrip(b".").decode() for index in told.kept} == told.kept
        for index in (*sorted(told.kept)[-3:], head.size - 1):
            assert log.entry(index) == held[index]
            verify_proof(held[index], log.prove(index), KEY.verifier)
        for former in seen:
            proof = log.consistency(former.size, head.size)
            verify_consistency(former.size, head.size, proof, former.root, head.root)
    sound(place)
    assert list(modes(place).items()) == [], "permissions"


def contents(place: Path, size: int) -> list[bytes]:
    """Every entry, as it is served."""
    return [
        entry
        for tile in new_tiles(0, size)
        if tile.level is None
        for entry in decode_bundle((place / "public" / tile.path).read_bytes(), tile.width)
    ]


def modes(place: Path) -> Mapping[str, str]:
    """Files and folders with permissions other than theirs."""
    wrong = {}
    for each in place.rglob("*"):
        is_private = each.relative_to(place).parts[0] == "private"
        is_tmp = each.parent.name == "tmp"  # on their way to the public folder, in one that is private
        wanted = (0o700, 0o600) if is_private and not is_tmp else (0o755, 0o644)
        mode = stat.S_IMODE(each.stat().st_mode)
        if mode != wanted[each.is_file()]:
            wrong[str(each)] = oct(mode)
    return wrong
