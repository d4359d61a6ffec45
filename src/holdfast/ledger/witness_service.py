"""Being a witness, over HTTP: ``POST /add-checkpoint``.

C2SP tlog-witness (https://c2sp.org/tlog-witness). The decision is ``witness_judge``'s; here it is made one
with remembering it: what is answered was durable before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from holdfast.ledger.errors import MalformedError
from holdfast.ledger.http_server import Request as HttpRequest
from holdfast.ledger.http_server import Response, Server, refusal
from holdfast.ledger.witness_judge import (
    LARGEST_REQUEST,
    Verdict,
    judge,
    origin_of,
    parse_request,
    trusted_logs,
)
from holdfast.ledger.witness_store import WitnessStore

TARGET: Final = "/add-checkpoint"
_log: Final = logging.getLogger("holdfast.ledger")


class WitnessService:
    """Of one directory. The logs that it serves are those that stand there when it is made."""

    def __init__(self, store: WitnessStore, clock: Callable[[], int]) -> None:
        """``clock``: unix seconds. Raises LedgerError where the directory is not in order."""
        self._store, self._clock = store, clock
        self._signer = store.signer()
        self.logs = trusted_logs(store.logs())

    def add_checkpoint(self, body: bytes) -> Verdict:
        """Decide on a request, and remember. Raises StorageError where that cannot be made durable: then
        nothing was signed."""
        try:
            request = parse_request(body)
            origin = origin_of(request)
        except MalformedError as wrong:
            return Verdict(400, f"{wrong.problem}\n")
        keys = self.logs.get(origin, ())
        if not keys:  # nothing is written down for a log that nobody has configured
            return judge(request, None, (), self._signer, self._clock())
        with self._store.of_log(origin) as memory:
            verdict = judge(request, memory.seen(), keys, self._signer, self._clock())
            if verdict.evidence:
                memory.keep_evidence(verdict.evidence)
                _log.error("%s has signed two checkpoints of one size; both are kept", origin)
            if verdict.remember:
                memory.remember(verdict.remember)
        return verdict

    def answer(self, request: HttpRequest) -> Response:
        """``POST /add-checkpoint``, and 404 for all else."""
        if request.target != TARGET:
            return refusal(404)
        verdict = self.add_checkpoint(request.body)
        headers = {"Cache-Control": "no-store"}
        return Response(verdict.status, verdict.kind, verdict.body.encode(), headers=headers)


def serve_witness(service: WitnessService, address: tuple[str, int]) -> Server:
    """Listen on host and port; nothing is answered before ``Server.run`` or ``Server.start``. Raises
    StorageError where that address cannot be had."""
    return Server(address, service.answer, methods=("POST",), largest_body=LARGEST_REQUEST)
