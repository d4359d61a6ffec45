"""The first accountable block, with a real log, a real edge and the commands that people type: nothing is in
force without a record, nothing is recorded without being in force or visibly pending."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.accountable.draft import COURSE
from holdfast.accountable.steps import DONE, NOTED
from holdfast.cli.office import drafts_of
from holdfast.edge.configuration import read_configuration
from holdfast.ledger.entry import parse_entry
from holdfast.ledger.note import COSIGNATURE, SignerKey, parse_verifier_key
from holdfast.ledger.proof import parse_proof, verify_proof
from holdfast.ledger.witness import Witness
from holdfast.ledger.witness_service import WitnessService, serve_witness
from holdfast.ledger.witness_store import WitnessStore
from holdfast.model.record import BLOCK
from tests.feature.deciding import Provider, decision
from tests.feature.lab import echo_origin, free_ports, site

PRIVATE = ("Ada", "Grace", "clerks, by telephone", "07:52")
"""In what was typed and in the facts; never in public."""


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """One whose agent runs, for many tests."""
    made = Provider(tmp_path_factory.mktemp("provider"))
    (made.directory / "latin.txt").write_bytes(b"caf\xe9")
    with echo_origin() as port:
        made.configure(site("a", ["a.test", "b.test"], port, customer="acme"))
        with made.up():
            yield made
    shutil.rmtree(made.run_dir, ignore_errors=True)


@pytest.fixture
def provider(open_house: Provider) -> Iterator[Provider]:
    """One whose agent runs, and that blocks nothing; what a test that fails has left is lifted."""
    yield open_house
    for line in open_house.run("blocks").stdout.splitlines():
        open_house.unblock(line.split(" ")[0])


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Provider]:
    """One whose agent the test starts."""
    made = Provider(tmp_path)
    with echo_origin() as port:
        made.configure(site("a", ["a.test"], port))
        yield made
    shutil.rmtree(made.run_dir, ignore_errors=True)


@pytest.mark.parametrize(
    ("target", "changed", "host", "path", "status"),
    [
        (["a"], {}, "b.test", "/", 403),
        (["a.test"], {}, "a.test", "/", 403),
        (["http://a.test/evil/"], {}, "a.test", "/evil/x", 403),
        (["--customer", "acme"], {"ground": "repeated harm", "clause": "4.3"}, "a.test", "/", 403),
        (
            ["a"],
            {"ground": "Court Order", "clause": "2.1", "legal_demand": "District Court"},
            "a.test",
            "/",
            451,
        ),
    ],
    ids=["site", "hostname", "url", "customer", "legal demand"],
)
def test_a_block_is_on_record_in_force_listed_and_lifted(
    provider: Provider, target: list[str], changed: dict[str, str], host: str, path: str, status: int
) -> None:
    made = provider.block(*target, **changed)
    assert made.returncode == 0, made.stderr
    assert provider.get(host, path) == status
    identifier = decision(made.stdout)
    entry = provider.entries()[-1]
    public = parse_entry(entry).public
    assert (public["id"], public["by_role"], public["approved_by_role"]) == (
        identifier,
        "duty officer",
        "head of operations",
    )
    assert f"{identifier}  {status}" in provider.run("blocks").stdout
    lifted = provider.unblock(identifier)
    assert lifted.returncode == 0, lifted.stderr
    assert lifted.stdout.startswith("lifted\nrecorded")
    assert provider.get(host, path) == 200
    assert parse_entry(provider.entries()[-1]).public["reason"] == "It is gone."
    assert provider.run("blocks").stdout == ""


def test_the_proof_is_checked_offline_with_the_ledger_alone(provider: Provider) -> None:
    identifier = decision(provider.block("a").stdout)
    kept = provider.directory / "state" / "public" / "statements"
    entry, proof = ((kept / f"{identifier}.{kind}").read_bytes() for kind in ("json", "tlog-proof"))
    verify_proof(entry, parse_proof(proof), parse_verifier_key(provider.key))
    assert parse_entry(entry).public["id"] == identifier
    provider.unblock(identifier)


def test_nothing_private_is_in_public(provider: Provider) -> None:
    provider.unblock(decision(provider.block("a").stdout))
    public = [
        *(provider.directory / "ledger" / "public").rglob("*"),
        *(provider.directory / "state" / "public").rglob("*"),
    ]
    texts = [path.read_bytes() for path in public if path.is_file()]
    assert any(b"duty officer" in text for text in texts)
    for secret in PRIVATE:
        assert not [text for text in texts if secret.encode() in text], secret


REFUSED = [
    ({"ground": "", "clause": ""}, "block-site is admitted by clause 2.1 (court order), clause 4.2"),
    ({"ground": "we find it disgusting"}, "'we find it disgusting' is not a ground"),
    (
        {"ground": "malware", "clause": "4.1"},
        "does not admit block-site; it admits block-url, block-hostname",
    ),
    ({"approved_by": "ada  EXAMPLE, head of operations"}, "cannot approve what 'Ada Example' has decided"),
    ({"approved_by": ""}, "--approved-by: this is missing"),
    ({"by": "Ada"}, "'Ada' does not say who decides in which role"),
    ({"until": ""}, "--until: "),
    ({"until": "soon"}, "write it like 2026-12-24T18:00:00Z"),
    ({"until": "2099-01-01"}, "does not say its time zone"),
    ({"until": "2001-01-01T00:00:00Z"}, "name a time to come"),
    ({"until": "2099-01-01T00:00:00Z"}, "clause 4.2 (threat to life) admits at most 14 days"),
    ({"statement": "nowhere.md"}, "--statement: cannot read nowhere.md (No such file or directory)"),
    ({"statement": ""}, "--statement: this is missing"),
    ({"facts": "latin.txt"}, "--facts: latin.txt is not UTF-8"),
    ({"legal_demand": "District Court"}, "does not rest on a legal demand"),
    ({"ground": "court order", "clause": "2.1"}, "say whose with --legal-demand"),
    ({"resume": "20261127-00000000"}, "give --resume alone"),
]


@pytest.mark.parametrize(("changed", "expected"), REFUSED)
def test_what_may_not_be_decided_leaves_no_trace(
    provider: Provider, changed: dict[str, str], expected: str
) -> None:
    until = {} if "until" not in changed else {"until": changed["until"] or " "}
    before = provider.entries(), sorted((provider.directory / "state" / "decisions").iterdir())
    done = provider.block("a", **{**changed, **until})
    assert (done.returncode, expected in done.stderr, "Traceback" in done.stderr) == (2, True, False), done
    assert (provider.entries(), sorted((provider.directory / "state" / "decisions").iterdir())) == before
    assert provider.get("a.test") == 200


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ([], "name one thing to block"),
        (["a.test/", "--customer", "acme"], "name one thing to block"),
        (["nowhere.test"], "no site here is named or answers for"),
        (["--customer", "nobody"], "no site here belongs to 'nobody'"),
        (["a.test/ü"], "printable ASCII"),
    ],
)
def test_what_is_not_here_is_not_blocked(provider: Provider, target: list[str], expected: str) -> None:
    done = provider.block(*target)
    assert (done.returncode, expected in done.stderr) == (2, True), done.stderr
    assert provider.run("blocks").stdout == ""


def test_what_is_not_in_force_is_not_lifted(provider: Provider) -> None:
    before = len(provider.entries())
    assert (
        "there is no block '20261127-00000000'; 'holdfast blocks'"
        in provider.unblock("20261127-00000000").stderr
    )
    assert "say which block to lift" in provider.run("unblock").stderr
    assert "--reason" in provider.run("unblock", "20261127-00000000", "--by", "Ada, officer").stderr
    assert len(provider.entries()) == before


def test_a_grounds_file_that_was_changed_since_cannot_be_cited(fresh: Provider) -> None:
    grounds = fresh.directory / "grounds.toml"
    published = grounds.read_text()
    with fresh.up():
        grounds.write_text(published.replace('"block-url", "block-hostname"]', '"block-site"]'))
        done = fresh.block("a", ground="malware", clause="4.1")
        assert "publish it with 'holdfast grounds publish', or put back" in done.stderr
        again = fresh.run(
            "grounds", "publish", "--by", "Ada Example, lawyer", "--approved-by", "Grace, director"
        )
        assert again.returncode == 0, again.stderr
        assert fresh.block("a", ground="malware", clause="4.1").returncode == 0
        assert [parse_entry(each).kind for each in fresh.entries()] == ["grounds", "grounds", "block"]


def test_grounds_are_shown_checked_and_published_from_another_file(fresh: Provider) -> None:
    shown = fresh.run("grounds")
    assert "4.2  threat to life" in shown.stdout
    assert "on the public record: entry 0" in shown.stdout
    new = fresh.directory / "new.toml"
    new.write_text(
        (fresh.directory / "grounds.toml").read_text().replace('version = "2026-11-01"', "version = 2")
    )
    wrong = fresh.run("grounds", "check", "new.toml")
    assert (wrong.returncode, "new.toml: version: this is missing" in wrong.stderr) == (2, True)
    new.write_text(new.read_text().replace("version = 2", 'version = "2027-01-01"'))
    assert fresh.run("grounds", "check", "new.toml").returncode == 0
    two = ("--by", "Ada Example, lawyer", "--approved-by", "Grace Example, director")
    done = fresh.run("grounds", "publish", "new.toml", *two)
    assert "grounds 2027-01-01 are in use" in done.stdout, done.stderr
    assert (fresh.directory / "grounds.toml").read_bytes() == new.read_bytes()
    assert "already: entry 1" in fresh.run("grounds", "publish", "new.toml", *two).stdout
    assert len(fresh.entries()) == 2


MOMENTS = {
    kind: [(NOTED, course[0]), *((moment, step) for step in course[1:] for moment in (DONE, NOTED))]
    for kind, course in COURSE.items()
}


@pytest.mark.parametrize(("moment", "step"), MOMENTS["block"])
def test_a_block_killed_at_any_step_goes_on(provider: Provider, moment: str, step: str) -> None:
    before = len(provider.entries())
    assert provider.kill("block", moment, step) == -signal.SIGKILL
    listed = provider.run("blocks").stdout
    is_recorded = len(provider.entries()) > before
    if provider.get("a.test") == 403:
        assert is_recorded, "never in force without a record"
        assert "  403  site a  " in listed
        assert "pending" not in listed
        identifier = listed.split(" ")[0]
    else:
        assert "pending" in listed, "never recorded without being in force or visibly pending"
        identifier = listed.rstrip().rpartition("go on with: holdfast block --resume ")[2]
    done = provider.run("block", "--resume", identifier)
    assert (done.returncode, provider.get("a.test")) == (0, 403), done.stderr
    assert len(provider.entries()) == before + 1, "recorded once"
    assert "pending" not in provider.run("blocks").stdout
    assert provider.unblock(identifier).returncode == 0
    assert provider.get("a.test") == 200


@pytest.mark.parametrize(("moment", "step"), MOMENTS["lift"])
def test_a_lift_killed_at_any_step_goes_on(provider: Provider, moment: str, step: str) -> None:
    identifier = decision(provider.block("a").stdout)
    before = len(provider.entries())
    assert provider.kill("lift", moment, step, identifier) == -signal.SIGKILL
    is_lifted = provider.get("a.test") == 200
    assert is_lifted == ((moment, step) != MOMENTS["lift"][0])
    assert is_lifted or len(provider.entries()) == before, "lifted first"
    if (moment, step) != MOMENTS["lift"][-1]:
        assert f"go on with: holdfast unblock --resume {identifier}" in provider.run("blocks").stdout
    done = provider.run("unblock", "--resume", identifier)
    assert done.returncode == 0, done.stderr
    assert (provider.get("a.test"), len(provider.entries())) == (200, before + 1)
    assert provider.run("blocks").stdout == ""


def test_an_agent_that_dies_after_the_record_leaves_it_pending(fresh: Provider) -> None:
    with fresh.up() as agent:
        assert fresh.kill("block", NOTED, "published") == -signal.SIGKILL
        agent.send_signal(signal.SIGUSR1)
        agent.wait(20)
        listed = fresh.run("blocks")
        assert (listed.returncode, "no agent runs here" in listed.stderr) == (2, True)
        identifier = listed.stdout.split(" ")[0]
        refused = fresh.run("block", "--resume", identifier)
        assert "no agent runs here" in refused.stderr
        assert f"go on with: holdfast block --resume {identifier}" in refused.stderr
        assert fresh.get("a.test") == 200
        assert "no agent runs here" in fresh.block("a").stderr, "and nothing new is recorded"
    with fresh.up():
        assert fresh.get("a.test") == 200
        assert fresh.run("block", "--resume", identifier).returncode == 0
        assert fresh.get("a.test") == 403
        assert len(fresh.entries()) == 2


def test_a_block_lives_through_the_agents_death(fresh: Provider) -> None:
    with fresh.up() as agent:
        identifier = decision(fresh.block("a").stdout)
        agent.send_signal(signal.SIGKILL)
        agent.wait(20)
        assert fresh.get("a.test") == 403
    with fresh.up():
        assert fresh.get("a.test") == 403
        assert fresh.run("blocks").stdout.startswith(f"{identifier}  403  ")
        assert fresh.unblock(identifier).returncode == 0
        assert fresh.get("a.test") == 200


def fill(path: Path) -> None:
    """Until the disk is full."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


def test_a_full_disk_of_the_log_leaves_it_pending(tmp_path: Path) -> None:
    disk = tmp_path / "ledger"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk may be mounted here")
    made = Provider(tmp_path)
    try:
        with echo_origin() as port:
            made.configure(site("a", ["a.test"], port))
            with made.up():
                first = decision(made.block("a").stdout)
                fill(disk / "full")
                lifted = made.unblock(first)
                assert "No space left" in lifted.stderr
                assert made.get("a.test") == 200, "lifted all the same"
                refused = made.block("a")
                assert (refused.returncode, "No space left" in refused.stderr) == (2, True)
                assert made.get("a.test") == 200
                listed = made.run("blocks").stdout.splitlines()
                assert len(listed) == 2
                (disk / "full").unlink()
                for line in listed:
                    onward = line.rpartition("go on with: holdfast ")[2].split(" ")
                    assert made.run(*onward).returncode == 0
                assert made.get("a.test") == 403
                assert [parse_entry(each).kind for each in made.entries()].count("block") == 2
                assert [parse_entry(each).kind for each in made.entries()].count("lift") == 1
    finally:
        subprocess.run(["umount", str(disk)], check=False)
        shutil.rmtree(made.run_dir, ignore_errors=True)


def test_without_its_witness_a_block_waits(tmp_path: Path) -> None:
    """The edge wants a countersignature: the log's owner alone puts nothing in force."""
    secret = SignerKey("witness.test", COSIGNATURE, secrets.token_bytes(32))
    (port,) = free_ports(1)
    made = Provider(tmp_path)
    with echo_origin() as origin:
        witness = Witness(f"http://127.0.0.1:{port}", secret.verifier)
        made.configure(site("a", ["a.test"], origin), witnesses=[str(witness)])
        store = WitnessStore.create(tmp_path / "witness", secret)
        store.add_log(parse_verifier_key(made.key))
        with made.up():
            refused = made.block("a")
            assert "0 of the 1 witnesses that are needed have signed" in refused.stderr
            assert "not published and not in force" in refused.stderr
            assert made.get("a.test") == 200
            identifier = made.run("blocks").stdout.split(" ")[0]
            service = WitnessService(store, lambda: int(time.time()))
            server = serve_witness(service, ("127.0.0.1", port))
            server.start()
            try:
                assert made.run("block", "--resume", identifier).returncode == 0
            finally:
                server.close()
            assert made.get("a.test") == 403
            draft = drafts_of(read_configuration(tmp_path / "holdfast.toml")).get(BLOCK, identifier)
            assert draft is not None
            assert "witness.test" in draft.proof
    shutil.rmtree(made.run_dir, ignore_errors=True)
