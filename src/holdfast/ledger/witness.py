"""Asking witnesses to countersign a checkpoint.

C2SP tlog-witness (https://c2sp.org/tlog-witness), section "add-checkpoint", the client's side. Nothing that a
witness says is believed but a signature that its configured key verifies. Not here: being one
(``witness_judge``, ``witness_service``).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from holdfast.ledger.checkpoint import parse_checkpoint, parse_number
from holdfast.ledger.cosignature import verify_cosignature
from holdfast.ledger.errors import InconsistentError, LedgerError, MalformedError, UntrustedError
from holdfast.ledger.http_client import Answer, HttpClient, UnreachableError
from holdfast.ledger.note import (
    COSIGNATURE,
    Note,
    Signature,
    VerifierKey,
    parse_note,
    parse_signature,
    parse_verifier_key,
)
from holdfast.ledger.witness_judge import SIZE_TYPE, Request

PATIENCE: Final = 10.0
"""Seconds that all witnesses together are waited for."""
_LARGEST_ANSWER: Final = 1 << 16
_MOST_TRIES: Final = 3
"""The first may not know where the witness stands; meanwhile another process may have moved it once more."""

Prove = Callable[[int], tuple[bytes, ...]]
"""Old size → the consistency proof from it to the checkpoint; raises LedgerError."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Where it is asked, and whose signature is expected. As text ``URL=KEY``."""

    url: str
    """Its submission prefix: ``/add-checkpoint`` lies below it."""
    key: VerifierKey

    def __str__(self) -> str:
        return f"{self.url}={self.key}"


def parse_witness(text: str) -> Witness:
    """The inverse of ``str``. Raises MalformedError."""
    url, equals, key = text.strip().partition("=")
    if not equals:
        # Not repeated: it may be a key that nobody should see.
        raise MalformedError(
            "this does not name a witness and its key", "write URL=KEY, as its operator gave it"
        )
    witness = Witness(HttpClient(url, PATIENCE).url, parse_verifier_key(key))
    check_is_witness(witness.key)
    return witness


def check_is_witness(key: VerifierKey) -> None:
    """Raises MalformedError for a key that does not make cosignatures."""
    if key.kind != COSIGNATURE:
        raise MalformedError(
            f"the key of {key.name} is not a witness's", "take what 'holdfast witness key' prints"
        )


def ask(
    witness: Witness, checkpoint: bytes, prove: Prove, old: int = 0, seconds: float = PATIENCE
) -> Signature:
    """The witness's cosignature under a signed checkpoint, verified. ``old``: the size that it has seen
    last, as far as is known; it says so itself where that is wrong. ``seconds``: for each exchange.

    Raises UnreachableError, UntrustedError where it does not know the log or its key, and InconsistentError
    where it has seen what this checkpoint does not continue."""
    note = parse_note(checkpoint)
    size, name = parse_checkpoint(note.text).size, witness.key.name
    client = HttpClient(witness.url, seconds)
    try:
        for _ in range(_MOST_TRIES):
            request = Request(old, prove(old), checkpoint)
            answer = client.post("add-checkpoint", request.encode(), _LARGEST_ANSWER)
            if answer.status == 200:
                return _verified(answer, note, witness.key)
            if answer.status != 409 or answer.kind != SIZE_TYPE:
                raise _refused(answer, name, size)
            told = answer.body.decode("ascii", "replace").removesuffix("\n")
            old = parse_number(told, f"what {name} has seen")
            if old > size:
                raise InconsistentError(
                    f"{name} has seen {old} entries of this log, and this checkpoint has {size}",
                    "publish the newer one; if nobody has it, the log was set back: find out what is lost",
                )
    finally:
        client.close()
    raise UnreachableError(f"{name} says each time that it has seen another size", "try again later")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of asking several."""

    signatures: tuple[Signature, ...]
    """Verified, in the order in which the witnesses are configured."""
    refusals: tuple[tuple[Witness, LedgerError], ...]


def gather(
    witnesses: Collection[Witness],
    checkpoint: bytes,
    prove: Prove,
    quorum: int = 0,
    seconds: float = PATIENCE,
) -> Gathered:
    """Ask all at once, for at most ``seconds``: whoever has not answered by then is left out. Raises
    UntrustedError where fewer than ``quorum`` have signed; it tells why of each. One key is one witness, also
    under two addresses or names."""
    witnesses = tuple(dict.fromkeys(witnesses))
    one_at_a_time = threading.Lock()
    answers: queue.SimpleQueue[tuple[Witness, Signature | LedgerError]] = queue.SimpleQueue()

    def prove_alone(old: int) -> tuple[bytes, ...]:
        with one_at_a_time:
            return prove(old)

    def ask_one(witness: Witness) -> None:
        try:
            answers.put((witness, ask(witness, checkpoint, prove_alone, seconds=seconds)))
        except LedgerError as wrong:
            answers.put((witness, wrong))

    for witness in witnesses:  # daemons: one that hangs keeps nobody from ending
        threading.Thread(target=ask_one, args=(witness,), daemon=True).start()
    found = _received(answers, len(witnesses), seconds)
    told = [(witness, found.get(witness) or _late(witness, seconds)) for witness in witnesses]
    signed: dict[bytes, Signature] = {}
    for witness, each in told:
        if isinstance(each, Signature):
            signed.setdefault(witness.key.public, each)
    signatures = tuple(signed.values())
    refusals = tuple((witness, each) for witness, each in told if isinstance(each, LedgerError))
    if len(signatures) < quorum:
        why = ", ".join(each.problem for _, each in refusals) or "no others are known"
        raise UntrustedError(
            f"{len(signatures)} of the {quorum} witnesses that are needed have signed ({why})",
            "ask again when they can be reached; until then the checkpoint before this one stands",
        )
    return Gathered(signatures, refusals)


def _received(
    answers: queue.SimpleQueue[tuple[Witness, Signature | LedgerError]], count: int, seconds: float
) -> dict[Witness, Signature | LedgerError]:
    found: dict[Witness, Signature | LedgerError] = {}
    end = time.monotonic() + seconds
    while len(found) < count:
        try:
            witness, answer = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[witness] = answer
    return found


def _late(witness: Witness, seconds: float) -> LedgerError:
    return UnreachableError(f"{witness.url} gave no answer within {seconds:g} s", "try again later")


def _verified(answer: Answer, note: Note, key: VerifierKey) -> Signature:
    """The one line of the answer that is its own; others are ignored."""
    try:
        lines = answer.body.decode().splitlines()
    except UnicodeDecodeError:
        raise MalformedError(f"{key.name} answers with other than signatures", "ask its operator") from None
    for signature in map(parse_signature, lines):
        if key.is_named_in(signature):
            verify_cosignature(note.text, signature, key)
            return signature
    raise UntrustedError(f"what answers does not sign as {key.name}", "check its key, and its address")


def _refused(answer: Answer, name: str, size: int) -> LedgerError:
    """What its status means (tlog-witness, section "add-checkpoint")."""
    if answer.status == 404:
        return UntrustedError(f"{name} does not know this log", "give its operator the log's verifier key")
    if answer.status == 403:
        return UntrustedError(
            f"{name} has another key of this log", "give its operator the verifier key in use"
        )
    if answer.status == 409:
        return InconsistentError(
            f"{name} has seen another checkpoint of size {size} of this log: it has told two stories",
            "publish nothing more; compare the log with its copies, and the checkpoint with the witness's",
        )
    if answer.status == 422:
        return InconsistentError(
            f"{name} finds that this checkpoint does not continue the one that it has seen",
            "publish nothing more; check the log with 'holdfast ledger fsck', and with its copies",
        )
    return UnreachableError(f"{name} answers {answer.status}", "ask its operator")
