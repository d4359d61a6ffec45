"""Logs as folders, of any size, made here from the naive definition of the tree: what is to be read in them
does not come from the code that writes logs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from holdfast.ledger.checkpoint import Checkpoint
from holdfast.ledger.note import ED25519, Ed25519Signer, Note, SignerKey

LOG = SignerKey("example.org/log", ED25519, bytes(range(32)))
SIGNER = Ed25519Signer(LOG)


def entries(size: int) -> list[bytes]:
    return [f"entry {index}".encode() for index in range(size)]


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def tree(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + tree(leaves[:half]) + tree(leaves[half:])).digest()


def checkpoint(leaves: Sequence[bytes], *extensions: str, signer: Ed25519Signer = SIGNER) -> Note:
    """A signed checkpoint of the tree with these leaves."""
    text = Checkpoint(signer.verifier.name, len(leaves), tree(leaves), extensions).text()
    return Note(text, (signer.sign(text),))


def place(kind: int | str, index: int, width: int) -> str:
    number = f"{index:03}" if index < 1000 else f"x{index // 1000:03}/{index % 1000:03}"
    return f"tile/{kind}/{number}" + ("" if width == 256 else f".p/{width}")


def write_log(folder: Path, size: int) -> Path:
    """A whole log of ``entries(size)``, for sizes below a million."""
    all_entries = entries(size)
    leaves = [leaf(each) for each in all_entries]
    put(folder, "checkpoint", checkpoint(leaves).encode())
    for first in range(0, size, 256):
        some = all_entries[first : first + 256]
        bundle = b"".join(len(each).to_bytes(2, "big") + each for each in some)
        put(folder, place("entries", first // 256, len(some)), bundle)
    row, level = leaves, 0
    while row:
        for first in range(0, len(row), 256):
            tile = row[first : first + 256]
            put(folder, place(level, first // 256, len(tile)), b"".join(tile))
        row = [tree(row[first : first + 256]) for first in range(0, len(row) // 256 * 256, 256)]
        level += 1
    return folder


def put(folder: Path, path: str, data: bytes) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)


def flip(path: Path, at: int) -> None:
    """One bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
