"""Logs and witnesses that ask one another over real sockets: two providers, a kill at the worst moment, a log
that tells two stories, witnesses that say anything."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from holdfast.ledger.checkpoint import parse_checkpoint
from holdfast.ledger.cosignature import cosign
from holdfast.ledger.errors import InconsistentError, LedgerError, MalformedError, UntrustedError
from holdfast.ledger.http_client import HttpClient, UnreachableError
from holdfast.ledger.http_server import Request as HttpRequest
from holdfast.ledger.http_server import Response, Server
from holdfast.ledger.merkle import prove_consistency
from holdfast.ledger.note import COSIGNATURE, SignerKey, parse_note
from holdfast.ledger.witness import Witness, ask, gather
from holdfast.ledger.witness_judge import LARGEST_REQUEST, Request, parse_seen
from holdfast.ledger.witness_service import WitnessService, serve_witness
from holdfast.ledger.witness_store import WitnessStore
from tests.feature.lab import free_ports
from tests.feature.ledger_disk import PowerLost, Volatile
from tests.feature.ledger_shell import append, new_log, new_witness, run, serving, started, succeed
from tests.feature.raw_http import response, saying, statuses, talk
from tests.unit.ledger.folders import LOG, checkpoint, entries, leaf, tree

WITNESS = SignerKey("witness.example", COSIGNATURE, b"w" * 32)
STRANGER = SignerKey("witness.example", COSIGNATURE, b"s" * 32)
LEAVES = [leaf(each) for each in entries(40)]
NOW = 1_764_000_000


def head(size: int) -> bytes:
    return checkpoint(LEAVES[:size]).encode()


def proof(old: int, new: int) -> tuple[bytes, ...]:
    return prove_consistency(old, new, lambda level, at: tree(LEAVES[at << level : (at + 1) << level]))


@contextmanager
def standing(server: Server) -> Iterator[str]:
    """In threads of this process; its address."""
    server.start()
    try:
        yield f"http://127.0.0.1:{server.address[1]}"
    finally:
        server.close()


@pytest.fixture
def store(tmp_path: Path) -> WitnessStore:
    made = WitnessStore.create(tmp_path / "witness", WITNESS)
    made.add_log(LOG.verifier)
    return made


@pytest.fixture
def witness(store: WitnessStore) -> Iterator[Witness]:
    service = WitnessService(store, lambda: NOW)
    with standing(serve_witness(service, ("127.0.0.1", 0))) as url:
        yield Witness(url, WITNESS.verifier)


# Two providers.


def test_two_providers_witness_one_another(tmp_path: Path) -> None:
    """Each has a log, and a witness that watches both; a checkpoint needs both witnesses."""
    names = ("a.example", "b.example")
    logs = {name: new_log(tmp_path / name / "log", f"{name}/log") for name in names}
    keys = {name: new_witness(tmp_path / name / "witness", f"w.{name}", *logs.values()) for name in names}
    with ExitStack() as stack:
        asked: list[str] = []
        for name in names:
            url = stack.enter_context(serving("witness", tmp_path / name / "witness"))
            asked += ["--witness", f"{url}={keys[name]}"]
        (tmp_path / "entry").write_text("an entry")
        for old, size in ((0, 1), (1, 2), (2, 300)):
            for name in names:
                log = tmp_path / name / "log"
                succeed("ledger", "append", log, *[tmp_path / "entry"] * (size - old))
                done = succeed("ledger", "checkpoint", log, *asked, "--quorum", "2")
                assert f"{size} entries" in done
                assert done.endswith(", countersigned by 2 of 2\n")
        for name in names:
            with serving("ledger", tmp_path / name / "log") as url:
                known = [word for key in keys.values() for word in ("--witness", key)]
                report = succeed("ledger", "verify", url, "--key", logs[name], *known)
                assert "size:      300\n" in report
                assert report.count("cosigned:  w.") == 2
                assert succeed("ledger", "fsck", url, "--key", logs[name], *known).endswith("are right\n")


def test_without_enough_witnesses_nothing_is_published(tmp_path: Path) -> None:
    key = new_log(tmp_path / "log")
    vkey = new_witness(tmp_path / "witness", "w.example", key)
    (port,) = free_ports(1)
    asked = ("--witness", f"http://127.0.0.1:{port}={vkey}", "--quorum", "1")
    append(tmp_path / "log", b"one")
    done = run("ledger", "checkpoint", tmp_path / "log", *asked)
    assert done.status == 2
    assert "0 of the 1 witnesses that are needed have signed (http://" in done.err
    assert "size:      0\n" in succeed("ledger", "verify", tmp_path / "log")
    with serving("witness", tmp_path / "witness", port):
        append(tmp_path / "log", b"two")
        assert ": 2 entries" in succeed("ledger", "checkpoint", tmp_path / "log", *asked)
    append(tmp_path / "log", b"three")
    done = run("ledger", "checkpoint", tmp_path / "log", *asked[:2])
    assert done.status == 0
    assert done.text.endswith("countersigned by 0 of 1\n")
    assert done.err.startswith("not countersigned by w.example: ")


def test_a_log_that_is_forked_is_found_out(tmp_path: Path) -> None:
    key = new_log(tmp_path / "log")
    vkey = new_witness(tmp_path / "witness", "w.example", key)
    with serving("witness", tmp_path / "witness") as url:
        asked = ("--witness", f"{url}={vkey}", "--quorum", "1")
        append(tmp_path / "log", b"one")
        succeed("ledger", "checkpoint", tmp_path / "log", *asked)
        shutil.copytree(tmp_path / "log", tmp_path / "fork")
        append(tmp_path / "log", b"two")
        append(tmp_path / "fork", b"another two")
        succeed("ledger", "checkpoint", tmp_path / "log", *asked)
        done = run("ledger", "checkpoint", tmp_path / "fork", *asked)
        assert done.status == 2
        assert "it has told two stories" in done.err
        append(tmp_path / "fork", b"three")
        done = run("ledger", "checkpoint", tmp_path / "fork", *asked)
        assert done.status == 2
        assert "does not continue the one that it has seen" in done.err
    kept = sorted((tmp_path / "witness/evidence").iterdir())
    shown = [parse_checkpoint(parse_note(each.read_bytes()).text) for each in kept]
    assert [each.size for each in shown] == [2, 2]
    assert shown[0].root != shown[1].root
    for each in kept:
        place = tmp_path / "shown" / each.name
        place.mkdir(parents=True)
        shutil.copy(each, place / "checkpoint")
        done = run(
            "ledger", "verify", place, "--key", key
        )  # its signature is the log's; the tiles are not here
        assert "signed:    example.org/log" in done.text


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from holdfast.ledger.witness_service import WitnessService, serve_witness
from holdfast.ledger.witness_store import WitnessStore

class Mortal(WitnessStore):
    @contextmanager
    def of_log(self, origin):
        with super().of_log(origin) as memory:
            yield memory
        os.kill(os.getpid(), signal.SIGKILL)

server = serve_witness(WitnessService(Mortal(Path(sys.argv[1])), lambda: 1), ("127.0.0.1", int(sys.argv[2])))
print(f"http://127.0.0.1:{server.address[1]}", flush=True)
server.run()
"""


def test_a_witness_killed_between_remembering_and_answering(store: WitnessStore, tmp_path: Path) -> None:
    with started((sys.executable, "-c", KILLED, str(tmp_path / "witness"), "0")) as (process, url):
        with pytest.raises(UnreachableError):
            ask(Witness(url, WITNESS.verifier), head(10), lambda old: proof(old, 10))
        assert process.wait(10) == -signal.SIGKILL
    with serving("witness", tmp_path / "witness") as url:
        again = Witness(url, WITNESS.verifier)
        fork = checkpoint([*LEAVES[:9], leaf(b"another")]).encode()
        with pytest.raises(InconsistentError, match="two stories"):
            ask(again, fork, lambda old: ())
        ask(again, head(10), lambda old: proof(old, 10))
        ask(again, head(13), lambda old: proof(old, 13), old=10)


@pytest.mark.parametrize("at", range(1, 7))
def test_power_is_lost_after_a_kill(store: WitnessStore, tmp_path: Path, at: int) -> None:
    """What the killed one has not made durable the next one must, before it signs it again."""
    service = WitnessService(store, lambda: NOW)
    assert service.add_checkpoint(Request(0, (), head(10)).encode()).status == 200
    files = store._files = Volatile(tmp_path / "witness", at)
    with pytest.raises(PowerLost):
        service.add_checkpoint(Request(10, proof(10, 13), head(13)).encode())
    files.at = 0
    with store.of_log("example.org/log") as memory:
        seen = memory.seen()
    assert seen is not None
    old = seen.checkpoint.size  # as the client is told
    again = Request(old, proof(old, 13), head(13)).encode()
    assert service.add_checkpoint(again).status == 200
    files.left(tmp_path / "left")
    with WitnessStore(tmp_path / "left").of_log("example.org/log") as memory:
        assert memory.seen() == parse_seen(head(13))


# What is decided is decided once.


def test_of_many_at_once_one_is_first(store: WitnessStore, tmp_path: Path) -> None:
    """Two processes serve one directory; checkpoints of many sizes continue the same one."""
    with ExitStack() as stack:
        urls = [stack.enter_context(serving("witness", tmp_path / "witness")) for _ in range(2)]
        ask(Witness(urls[0], WITNESS.verifier), head(10), lambda old: proof(old, 10))
        told: list[tuple[int, int, bytes]] = []

        def submit(size: int) -> None:
            client = HttpClient(urls[size % 2], 20)
            answer = client.post("add-checkpoint", Request(10, proof(10, size), head(size)).encode(), 1 << 16)
            told.append((size, answer.status, answer.body))
            client.close()

        threads = [threading.Thread(target=submit, args=(size,)) for size in range(11, 31)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)
    (first,) = [size for size, status, _ in told if status == 200]
    assert {body for _, status, body in told if status == 409} == {b"%d\n" % first}
    assert len(told) == 20
    with store.of_log("example.org/log") as memory:
        assert memory.seen() == parse_seen(head(first))


def test_the_answers_on_the_wire(witness: Witness) -> None:
    client = HttpClient(witness.url, 10)

    def post(path: str, body: bytes) -> tuple[int, str, bytes]:
        answer = client.post(path, body, 1 << 16)
        return answer.status, answer.kind, answer.body

    good = Request(0, (), head(10)).encode()
    assert post("add-checkpoint", good)[0] == 200
    assert post("add-checkpoint", good) == (409, "text/x.tlog.size", b"10\n")
    assert post("add-checkpoint", b"old")[0] == 400
    assert post("add-checkpoint", Request(10, (), head(13)).encode())[0] == 422
    assert post("add-checkpoint", Request(20, (), head(13)).encode())[0] == 400
    assert post("add-checkpoint", good.replace(b"org/log", b"org/gol"))[0] == 404
    assert post("add-checkpoint", good.replace(b"\n10\n", b"\n11\n"))[0] == 403
    assert post("add-checkpoints", good)[0] == post("", good)[0] == 404
    assert client.get("add-checkpoint", 1 << 16).status == 405
    client.close()


def test_a_request_is_bounded(witness: Witness) -> None:
    address = ("127.0.0.1", int(witness.url.rpartition(":")[2]))
    start = b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\n"
    for fields, status in (
        (b"Content-Length: %d\r\n\r\n" % (LARGEST_REQUEST + 1), 413),
        (b"\r\n", 411),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nold ", 400),
        (b"Content-Length: -3\r\n\r\nold", 400),
        (b"Content-Length: +3\r\n\r\nold", 400),
        (b"X: a\rContent-Length: 3\r\n\r\nold", 400),
        (b"Content-Length: 3\r\r\n\r\nold", 400),
    ):
        assert statuses(talk(address, start + fields)) == [status]


# Witnesses that say anything.


def signed(key: SignerKey, size: int = 10, time: int = NOW) -> bytes:
    return cosign(parse_note(head(size)).text, key, time).line().encode()


def conflict(size: str) -> bytes:
    return response("409 Conflict", f"{size}\n".encode(), "Content-Type: text/x.tlog.size")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (response("200 OK", signed(STRANGER)), UntrustedError, "does not sign as witness.example"),
        (response("200 OK", signed(WITNESS, 11)), UntrustedError, "is wrong"),
        (response("200 OK", b""), UntrustedError, "does not sign"),
        (response("200 OK", b"hello\n"), MalformedError, "no signature line"),
        (response("200 OK", b"\xff\n"), MalformedError, "other than signatures"),
        (response("403 Forbidden", b""), UntrustedError, "another key"),
        (response("404 Not Found", b""), UntrustedError, "does not know this log"),
        (conflict("nonsense"), MalformedError, "number"),
        (conflict("11"), InconsistentError, "has seen 11"),
        (conflict("3"), UnreachableError, "another size"),
        (response("409 Conflict", b""), InconsistentError, "two stories"),
        (response("422 Unprocessable Entity", b""), InconsistentError, "does not continue"),
        (response("500 Internal Server Error", b""), UnreachableError, "answers 500"),
        (response("302 Found", b"", "Location: http://127.0.0.1:1/"), UnreachableError, "answers 302"),
        (response("200 OK", bytes(70_000)), UnreachableError, "larger than"),
        (response("200 OK", signed(WITNESS), length=10_000), UnreachableError, "cannot be read"),
        (b"", UnreachableError, "cannot be read"),
        (b"nonsense\r\n\r\n", UnreachableError, "cannot be read"),
    ],
)
def test_nothing_is_believed_but_a_signature(answer: bytes, error: type[LedgerError], words: str) -> None:
    with saying(answer) as url, pytest.raises(error, match=words):
        ask(Witness(url, WITNESS.verifier), head(10), lambda old: proof(old, 10), seconds=5)


def test_strangers_signatures_are_ignored() -> None:
    with saying(response("200 OK", signed(STRANGER) + signed(WITNESS))) as url:
        got = ask(Witness(url, WITNESS.verifier), head(10), lambda old: proof(old, 10))
    assert got == cosign(parse_note(head(10)).text, WITNESS, NOW)


def test_a_witness_that_moves_on_meanwhile_is_asked_again() -> None:
    sizes = [conflict(str(size)) for size in (3, 7)]
    asked: list[int] = []

    def prove(old: int) -> tuple[bytes, ...]:
        asked.append(old)
        return proof(old, 10)

    with saying(*sizes, response("200 OK", signed(WITNESS))) as url:
        ask(Witness(url, WITNESS.verifier), head(10), prove)
    assert asked == [0, 3, 7]


@pytest.mark.parametrize(
    ("answer", "step"),
    [(response("200 OK", signed(WITNESS)), 1), (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 90, 1)],
)
def test_a_witness_that_trickles_holds_nobody_up(answer: bytes, step: int) -> None:
    with saying(answer, pause=0.3, step=step) as url:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="no whole answer within 1 s"):
            ask(Witness(url, WITNESS.verifier), head(10), lambda old: proof(old, 10), seconds=1)
        assert time.monotonic() - began < 3


def test_one_key_at_two_addresses_is_one_witness(witness: Witness) -> None:
    other = Witness(witness.url.replace("127.0.0.1", "localhost"), witness.key)
    for asked in ([witness, witness], [witness, other]):
        began = time.monotonic()
        with pytest.raises(UntrustedError, match="1 of the 2 witnesses"):
            gather(asked, head(10), lambda old: proof(old, 10), quorum=2, seconds=5)
        assert time.monotonic() - began < 4


def test_a_quorum_is_gathered_from_those_who_answer(witness: Witness) -> None:
    """One signs, one knows nobody, one never answers, one is not there."""
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, saying(response("404 Not Found", b"")) as ignorant:
        mute = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asked = [
            Witness(url, key.verifier)
            for url, key in (
                (mute, SignerKey("mute.example", COSIGNATURE, b"1" * 32)),
                (witness.url, WITNESS),
                (ignorant, SignerKey("ignorant.example", COSIGNATURE, b"2" * 32)),
                ("http://127.0.0.1:1", SignerKey("gone.example", COSIGNATURE, b"3" * 32)),
            )
        ]
        began = time.monotonic()
        found = gather(asked, head(10), lambda old: proof(old, 10), quorum=1, seconds=1)
        assert time.monotonic() - began < 3
        assert [each.name for each in found.signatures] == ["witness.example"]
        assert [each.key.name for each, _ in found.refusals] == [
            "mute.example",
            "ignorant.example",
            "gone.example",
        ]
        with pytest.raises(UntrustedError, match=r"1 of the 2 .* have signed \(.* within 1 s"):
            gather(asked, head(10), lambda old: proof(old, 10), quorum=2, seconds=1)


def test_what_goes_wrong_in_a_proof_is_told(witness: Witness) -> None:
    def broken(old: int) -> tuple[bytes, ...]:
        raise InconsistentError("the tree on the disk is another one", "restore it")

    found = gather([witness], head(10), broken)
    assert [str(each) for _, each in found.refusals] == ["the tree on the disk is another one; restore it"]


def test_an_answer_that_fails_in_the_server_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: HttpRequest) -> Response:
        raise ZeroDivisionError

    server = Server(("127.0.0.1", 0), fail, methods=("POST",), largest_body=10_000)
    with standing(server) as url, pytest.raises(UnreachableError, match="answers 500"):
        ask(Witness(url, WITNESS.verifier), head(10), lambda old: proof(old, 10))
    assert "cannot answer a request" in caplog.text
