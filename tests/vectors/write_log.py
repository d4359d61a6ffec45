"""A log written by Holdfast's pure core, in the form that ``xmod/xmod.go`` writes and checks.
Not here: how Holdfast itself keeps a log (``ledger.log``).

python -m tests.vectors.write_log DIRECTORY [ENTRIES]      then: xmod check DIRECTORY
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from holdfast.ledger.checkpoint import Checkpoint
from holdfast.ledger.cosignature import cosign
from holdfast.ledger.merkle import leaf_hash, node_hash, prove_consistency, prove_inclusion, root
from holdfast.ledger.note import COSIGNATURE, ED25519, Ed25519Signer, Note, SignerKey
from holdfast.ledger.tiles import HEIGHT, encode_bundle, tiles_of

LOG = SignerKey("xmod.example/log", ED25519, b"a key of a test, known to all...")
WITNESS = SignerKey("xmod.example/witness", COSIGNATURE, b"a key of a test, of its witness.")
SEEN = 1_800_000_000
"""When the witness says to have signed, in Unix seconds."""
INCLUSION = (
    *((0, 600), (7, 600), (8, 600), (255, 256), (255, 600), (256, 257), (256, 600), (300, 511), (511, 600)),
    *((512, 600), (598, 600), (599, 600), (0, 1), (4, 7), (6, 7)),
)
"""Of which entries, in trees of which size, there are proofs."""
CONSISTENCY = (
    *((1, 600), (2, 3), (3, 7), (4, 7), (6, 8), (255, 256), (256, 257), (256, 600), (257, 511), (511, 512)),
    *((511, 600), (512, 600), (599, 600), (600, 600)),
)


class Levels:
    """Every complete subtree of some entries, kept as ``merkle.Node`` wants them."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self._levels = [[leaf_hash(entry) for entry in entries]]
        while len(self._levels[-1]) > 1:
            row = self._levels[-1]
            self._levels.append([node_hash(*row[at : at + 2]) for at in range(0, len(row) - 1, 2)])

    def __call__(self, level: int, index: int) -> bytes:
        return self._levels[level][index]


def files(
    entries: Sequence[bytes],
    inclusion: Sequence[tuple[int, int]] = INCLUSION,
    consistency: Sequence[tuple[int, int]] = CONSISTENCY,
) -> dict[str, bytes]:
    """Path → content."""
    node, size = Levels(entries), len(entries)
    written = {}
    for tile in tiles_of(size):
        span = range(tile.index * 256, tile.index * 256 + tile.width)
        if tile.level is None:
            written[tile.path] = encode_bundle([entries[at] for at in span])
        else:
            written[tile.path] = b"".join(node(HEIGHT * tile.level, at) for at in span)
    text = Checkpoint(LOG.name, size, root(size, node)).text()
    note = Note(text, (Ed25519Signer(LOG).sign(text), cosign(text, WITNESS, SEEN)))
    sizes = sorted({size for _, size in inclusion} | {size for pair in consistency for size in pair})
    proofs = {
        "Roots": {str(each): _text(root(each, node)) for each in sizes},
        "Inclusion": [
            {"Index": at, "Size": of, "Proof": [_text(each) for each in prove_inclusion(at, of, node)]}
            for at, of in inclusion
        ],
        "Consistency": [
            {"Old": old, "New": new, "Proof": [_text(each) for each in prove_consistency(old, new, node)]}
            for old, new in consistency
        ],
    }
    return written | {
        "checkpoint": note.encode(),
        "key": f"{LOG.verifier}\n".encode(),
        "witness": f"{WITNESS.verifier}\n".encode(),
        "proofs.json": json.dumps(proofs).encode(),
    }


def _text(found: bytes) -> str:
    return base64.b64encode(found).decode()


def main() -> None:
    directory, size = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 70_000
    entries = [f"Holdfast's entry {index}".encode() for index in range(size)]
    steps = range(1, size + 1, max(1, size // 50))
    written = files(entries, [(each - 1, size) for each in steps], [(each, size) for each in steps])
    for path, content in written.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)


if __name__ == "__main__":
    main()
