"""A log in memory for tests and benchmarks: what is to be blocked is put on record there first, for an edge
takes nothing else. Made of the pure parts of the real ledger."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from holdfast.edge.release import Release
from holdfast.ledger.checkpoint import Checkpoint
from holdfast.ledger.cosignature import cosign
from holdfast.ledger.entry import Entry
from holdfast.ledger.merkle import Frontier, leaf_hash, node_hash, prove_inclusion
from holdfast.ledger.note import ED25519, Ed25519Signer, Note, SignerKey, VerifierKey
from holdfast.ledger.proof import TlogProof
from holdfast.model.enforcement import Enforcement, dump_enforcement
from holdfast.model.grounds import measure_of
from holdfast.model.record import BLOCK, BlockRecord, content_hash

STATEMENT = "# Why this is blocked\n\nBecause a test wants it.\n"


class MemoryLog:
    """A log that is forgotten. An append, and a proof, take microseconds however large it is."""

    def __init__(self, origin: str = "log.test/memory") -> None:
        self._signer = Ed25519Signer(SignerKey(origin, ED25519, secrets.token_bytes(32)))
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._edge = Frontier()

    @property
    def key(self) -> VerifierKey:
        return self._signer.verifier

    def append(self, entry: bytes) -> int:
        """The index of a new entry."""
        index = position = self._edge.size
        hashed = leaf_hash(entry)
        self._edge.append(hashed)
        level = 0
        self._nodes[0, position] = hashed
        while position & 1:
            hashed = node_hash(self._nodes[level, position - 1], hashed)
            level, position = level + 1, position >> 1
            self._nodes[level, position] = hashed
        return index

    def prove(self, index: int, witnesses: Sequence[SignerKey] = ()) -> TlogProof:
        """That an entry is in the log as it is now, countersigned by ``witnesses``."""
        size = self._edge.size
        text = Checkpoint(self.key.name, size, self._edge.root()).text()
        signatures = [self._signer.sign(text), *(cosign(text, each, 1_790_000_000) for each in witnesses)]
        hashes = prove_inclusion(index, size, lambda level, at: self._nodes[level, at])
        return TlogProof(index, hashes, Note(text, tuple(signatures)).encode())


LOG = MemoryLog()
"""The one that configurations of this process trust if nothing else is said."""


def record_of(enforcement: Enforcement, statement: str = STATEMENT) -> BlockRecord:
    """What the public record says of an enforcement."""
    return BlockRecord(
        id=enforcement.id,
        scope=enforcement.scope,
        measure=measure_of(enforcement.scope),
        ground=enforcement.ground,
        clause="4",
        grounds_hash=content_hash(b"grounds"),
        since=enforcement.since,
        until=enforcement.until,
        by_role=enforcement.by,
        approved_by_role="second officer",
        statement_hash=content_hash(statement.encode()),
        authority=enforcement.authority,
    )


def released(
    enforcement: Enforcement,
    log: MemoryLog = LOG,
    *,
    statement: str = STATEMENT,
    witnesses: Sequence[SignerKey] = (),
    kind: str = BLOCK,
    public: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Release:
    """Put an enforcement on record, and what an edge takes of it. ``kind`` and ``public`` say other than the
    truth where a test wants that."""
    time = int(datetime.now(UTC).timestamp())
    entry = Entry(kind, time, public(record_of(enforcement, statement).public()), {}).encode()
    proof = log.prove(log.append(entry), witnesses).encode().decode()
    return Release(enforcement, entry, proof, statement)


def enforce_request(release: Release) -> dict[str, Any]:
    """The fields of the admin socket's ``enforce``."""
    return {
        "enforcement": dump_enforcement(release.enforcement),
        "entry": base64.b64encode(release.entry).decode(),
        "proof": release.proof,
        "statement": release.statement,
    }


def ledger_table(port: int | None = None) -> dict[str, Any]:
    """The table ``[ledger]`` of a configuration that trusts ``LOG``. ``port``: of the public pages, which an
    agent in a process of its own serves."""
    return {"key": str(LOG.key), **({"listen": f"127.0.0.1:{port}"} if port else {})}
