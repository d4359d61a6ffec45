"""The public pages through a real edge: a block leads to its statement, and to a proof that anybody can
check; they outlive the agent, need nothing else, and a flood of them costs nothing."""

from __future__ import annotations

import asyncio
import html
import json
import os
import pwd
import re
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.own_path import PUBLIC_PATH
from holdfast.edge.dataplane.process import alive
from holdfast.edge.public_service import NOTE
from holdfast.ledger.entry import parse_entry
from holdfast.ledger.proof import parse_proof, verify_proof
from holdfast.model.enforcement import HostScope, PathScope, SiteScope
from holdfast.model.record import content_hash, parse_block
from tests.feature.lab import (
    block_at,
    echo_origin,
    enforcement,
    eventually,
    free_ports,
    released,
    site,
    write_certificate,
)
from tests.feature.public_lab import GROUNDS, LOG_FILES, PublicLab, public_lab
from tests.feature.recorded import LOG, STATEMENT
from tests.feature.test_cli import Shell, shell, wait_until
from tests.feature.wire import connect, http2

__all__ = ["shell"]  # a fixture
OWN = PUBLIC_PATH.encode()


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[tuple[PublicLab, Edge]]:
    """Four sites, none blocked yet; one has several hostnames, one challenges everybody."""
    certificate = str(write_certificate(directory / "a.pem", "a.test", "a2.test"))
    with echo_origin() as port:
        sites = [
            site("a", ["a.test", "a2.test"], port, certificate=certificate),
            site("b", ["b.test"], port),
            site("calm", ["calm.test"], port),
            site("attacked", ["attacked.test"], port, under_attack=True),
        ]
        async with public_lab(directory, sites) as here, here.edge() as edge:
            await here.served()
            yield here, edge


async def test_from_the_block_page_to_a_proof_that_is_checked_with_the_ledger_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        block = enforcement(SiteScope("a"))
        index = await edge.block(released(block))
        page = await here.lab.get("a.test", "/any/page", accept="text/html")
        assert page.status_code == 403
        link = f"{PUBLIC_PATH}statements/{block.id}"
        assert f'<a href="{link}">' in page.text
        assert f'<a href="{link}#record">' in page.text
        document = json.loads((await here.lab.get("a.test", accept="application/json")).text)
        assert (document["statement"], document["record"]) == (link, f"{link}#record")
        statement = await here.get(f"statements/{block.id}")
        assert (statement.status_code, statement.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "Because a test wants it." in statement.text
        links = re.findall(r'href="([^"]+)"', statement.text)
        entry, proof, text = [
            (await here.get(f"statements/{block.id}.{suffix}")).content
            for suffix in ("json", "tlog-proof", "md")
        ]
        assert {f"{block.id}.{suffix}" for suffix in ("json", "tlog-proof", "md")} <= set(links)
        read = parse_proof(proof)
        verify_proof(entry, read, LOG.key)
        record = parse_block(parse_entry(entry).public)
        assert (read.index, record.id) == (index, block.id)
        assert record.statement_hash == content_hash(text)
        assert text.decode() == STATEMENT
        assert str(LOG.key).replace("'", "&#x27;") in statement.text
        # And with the very words of the page.
        (tmp_path / f"{block.id}.json").write_bytes(entry)
        (tmp_path / f"{block.id}.tlog-proof").write_bytes(proof)
        command = re.search(r"<code>(holdfast ledger verify [^<]+)</code>", statement.text)
        assert command is not None
        words = shlex.split(html.unescape(command[1]))
        program = Path(sys.executable).with_name(words[0])
        run = await asyncio.create_subprocess_exec(program, *words[1:], cwd=tmp_path)
        assert await run.wait() == 0
        assert (await here.get("grounds.toml")).content == GROUNDS.read_bytes()
        for name, content in LOG_FILES.items():
            assert (await here.get(f"ledger/{name}")).content == content
        assert block.id in (await here.get("")).text
        assert not await edge.reconciler.difference()  # what is for the pages is nobody's to tidy up


async def test_a_statement_is_shown_where_its_block_is_and_nowhere_else(tmp_path: Path) -> None:
    """On every hostname of a blocked site, and where a site is blocked in part; elsewhere that path is the
    origin's."""
    async with house(tmp_path) as (here, edge):
        block = enforcement(PathScope("b", "/evil/"), authority="A Court")
        await edge.block(released(enforcement(SiteScope("a"))))
        await edge.block(released(block))
        path = f"statements/{block.id}"
        for host in ("a.test", "a2.test", "b.test"):
            answer = await here.get(path, host)
            assert (answer.status_code, "A Court" in answer.text) == (200, True), host
        assert (await here.lab.get("b.test", "/evil/x")).status_code == 451
        assert (await here.lab.get("b.test", "/good")).json()["path"] == "/good"
        assert (await here.get(path, "calm.test")).json()["path"] == PUBLIC_PATH + path
        # What is no question goes where it would go anyway.
        assert (await here.get(path, "a.test", method="POST")).status_code == 403
        assert (await here.get(path, "b.test", method="POST")).json()["method"] == "POST"
        assert (await here.get(path, "b.test", method="HEAD")).headers["content-type"].startswith("text/html")


async def test_it_is_shown_without_a_challenge(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        host = "attacked.test"
        assert (await here.get("index", host, accept="text/html")).status_code == 403
        block = enforcement(PathScope("attacked", "/evil/"))
        await edge.block(released(block))
        assert (await here.get(f"statements/{block.id}", host)).status_code == 200
        answer = await here.lab.get(host, "/good", accept="text/html")
        assert (answer.status_code, "x-holdfast-id" in answer.headers) == (403, True)


async def test_a_hostname_of_the_providers_can_show_all_of_it(tmp_path: Path) -> None:
    """There pages are found by their names alone, whatever the browser asks for."""
    with echo_origin() as port:
        (listen,) = free_ports(1)
        sites = [site("a", ["a.test"], port), site("public", ["public.test"], listen)]
        async with public_lab(tmp_path, sites, listen=listen) as here, here.edge() as edge:
            block = enforcement(SiteScope("a"))
            await edge.block(released(block))
            await here.served()
            for path, words in (
                (f"/statements/{block.id}", '<html lang="en"'),
                (f"/statements/{block.id}~de.html", '<html lang="de"'),
                (f"/statements/{block.id}.tlog-proof", "c2sp.org/tlog-proof@v1"),
                ("/", "<h1>Blocks</h1>"),
                ("/ledger/checkpoint", "log.test"),
            ):
                answer = await here.lab.get("public.test", path, accept_language="ar")
                assert (answer.status_code, words in answer.text) == (200, True), path


async def test_a_page_speaks_the_visitors_language(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        block = enforcement(SiteScope("a"))
        await edge.block(released(block))
        for wish, language in (("de-AT", "de"), ("ar", "ar"), ("ja", "en"), ("", "en"), ("de;q=0, fr", "fr")):
            for path in (f"statements/{block.id}", "", "index", "grounds"):
                answer = await here.get(path, accept_language=wish)
                assert f'<html lang="{language}"' in answer.text, (wish, path)
                assert answer.headers["vary"] == "Accept-Language"
        # Who asks for one of them by its name gets that.
        assert '<html lang="es"' in (await here.get(f"statements/{block.id}~es", accept_language="de")).text
        assert (await here.get(f"statements/{block.id}.md", accept_language="de")).text == STATEMENT


async def test_it_comes_over_tls_and_http2(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        block = enforcement(SiteScope("a"))
        await edge.block(released(block))
        async with http2(here.lab.https, "a.test") as client:
            for _ in range(2):  # from the service, and from HAProxy's memory
                answer = await client.get2("a.test", f"{PUBLIC_PATH}statements/{block.id}")
                assert (answer.status, b"Because a test" in answer.body) == (200, True)
                assert "default-src 'none'" in answer.headers["content-security-policy"]


ESCAPES = [
    *(b"../edge.db", b"../../edge.db", b"statements/../../edge.db", b"%2e%2e/edge.db", b"..%2fedge.db"),
    *(b"ledger/../private/key", b"ledger/%2e%2e/private/key", b"statements//../../edge.db", b"..\\edge.db"),
    *(b"/etc/passwd", b"//etc/passwd", b"statements/", b"ledger/", b"ledger", b"statements/nothing", b"%00"),
]


async def test_nothing_but_the_public_tree_is_reached(tmp_path: Path) -> None:
    (tmp_path / "log" / "private").mkdir(parents=True)
    (tmp_path / "log" / "private" / "key").write_text("PRIVATE")
    async with house(tmp_path) as (here, edge):
        for scope in (SiteScope("a"), PathScope("b", "/evil/")):
            await edge.block(released(enforcement(scope)))
        assert (tmp_path / "state" / "edge.db").exists()
        async with connect(here.lab.http) as wire:
            for escape in ESCAPES:
                for host in ("a.test", "b.test"):
                    answer = await wire.get(OWN + escape, host, "Accept: text/html")
                    assert answer.status in (400, 404), escape
                    assert b"SQLite" not in answer.body
                    assert b"PRIVATE" not in answer.body


async def test_a_body_that_looks_like_a_request_is_not_answered(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        block = enforcement(SiteScope("a"))
        await edge.block(released(block))
        hidden = b"GET /index HTTP/1.1\r\nHost: a\r\n\r\n"
        head = b"GET " + OWN + b"statements/" + block.id.encode() + b" HTTP/1.1\r\nHost: a.test\r\n"
        for framing in (
            b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden,
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden),
        ):
            async with connect(here.lab.http) as wire:
                answer = await wire.ask(head + framing)
                assert b"<h1>Blocks" not in answer.body
                following = await wire.get(OWN + b"grounds.toml", "a.test")
                assert following.body == GROUNDS.read_bytes()


async def test_a_service_that_dies_is_started_again(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        block = enforcement(SiteScope("a"))
        await edge.block(released(block))
        first = await here.served()
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: here.side.pid not in (None, first))

        async def is_shown() -> bool:
            return (await here.get(f"statements/{block.id}")).status_code == 200

        await eventually(is_shown)


async def test_a_port_that_is_taken_holds_up_nothing(tmp_path: Path) -> None:
    """The block is in force; the pages come once the port is free."""
    with echo_origin() as port:
        (taken,) = free_ports(1)
        async with public_lab(tmp_path, [site("a", ["a.test"], port)], listen=taken) as here:
            with socket.create_server(("127.0.0.1", taken)):
                async with here.edge() as edge:
                    await edge.block(released(enforcement(SiteScope("a"))))
                    assert (await here.lab.get("a.test")).status_code == 403
                    await asyncio.sleep(0.5)
                    assert here.side.pid is None
            async with here.edge():
                await here.served()
                assert (await here.get("index")).status_code == 200


async def test_statements_outlive_the_agent_and_the_next_one_adopts_the_service(tmp_path: Path) -> None:
    with echo_origin() as port:
        async with public_lab(tmp_path, [site("a", ["a.test"], port)]) as here:
            block = enforcement(SiteScope("a"))
            async with here.edge() as edge:
                await edge.block(released(block))
                pid = await here.served()
                assert os.getsid(pid) == pid
            path = f"statements/{block.id}"
            assert (await here.get(path)).status_code == 200
            async with here.edge() as edge:
                await asyncio.sleep(0.6)
                assert here.side.pid == pid
                assert edge.starts == edge.reloads == 0
            # Neither agent nor service: words in place of the statement, and the block is as it was.
            await here.side.stop()
            await asyncio.sleep(0)
            answer = await here.get("statements/another")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
            assert "cannot be shown just now" in answer.text
            assert (await here.lab.get("a.test")).status_code == 403
            async with here.edge():
                await here.served()
                assert (await here.get(path)).status_code == 200


async def test_another_configuration_is_another_service(tmp_path: Path) -> None:
    """Without a log's key there is none, and HAProxy does not know of it."""
    async with house(tmp_path) as (here, edge):
        await edge.block(released(enforcement(HostScope("a.test"))))
        pid = await here.served()
        ledger = here.configuration.ledger
        await edge.apply(replace(here.configuration, ledger=replace(ledger, trust=type(ledger.trust)())))
        await eventually(lambda: here.side.pid is None)
        assert (await here.get("index")).json()["path"] == f"{PUBLIC_PATH}index"
        await edge.apply(replace(here.configuration, ledger=replace(ledger, directory=None)))
        assert await here.served() != pid

        async def is_shown() -> bool:
            return (await here.get("index")).status_code == 200

        await eventually(is_shown)
        assert (await here.get("ledger/checkpoint")).status_code == 404


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
async def test_the_service_gives_up_its_rights(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, _):
        status = (Path("/proc") / str(await here.served()) / "status").read_text()
        account = pwd.getpwnam("haproxy")
        assert re.findall(r"^[UG]id:\t(.*)$", status, re.MULTILINE) == [
            "\t".join([str(each)] * 4) for each in (account.pw_uid, account.pw_gid)
        ]
        assert re.findall(r"^Groups:\t(.*)$", status, re.MULTILINE)[0].strip() == ""


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_a_flood_of_one_page_does_not_reach_the_service(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        block = enforcement(SiteScope("a"))
        await edge.block(released(block))
        pid, target = await here.served(), OWN + b"statements/" + block.id.encode()
        before = cpu_seconds(pid)
        async with connect(here.lab.http) as wire:
            for number in range(3_000):
                answer = await wire.get(target + b"?%d" % number, "a.test", f"User-Agent: {number}")
                assert answer.status == 200
        assert cpu_seconds(pid) - before < 0.15


async def test_a_client_cannot_make_the_service_look_for_much(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        block = enforcement(SiteScope("a"))
        await edge.block(released(block))
        statuses = []
        async with connect(here.lab.http, source="127.0.0.7") as wire:
            for number in range(400):
                answer = await wire.get(OWN + b"statements/x%d" % number, "a.test")
                statuses.append(answer.status)
        assert (statuses[0], statuses[-1]) == (404, 429)
        assert 200 <= statuses.count(404) <= 210
        assert (await here.get(f"statements/{block.id}")).status_code == 200  # of others nobody has to wait


async def test_what_has_been_lifted_is_told_so(tmp_path: Path) -> None:
    async with house(tmp_path) as (here, edge):
        block = enforcement(SiteScope("a"))
        await edge.block(released(block))
        await edge.block(released(enforcement(SiteScope("b"))))
        await edge.unblock(block.id)
        assert (await here.lab.get("a.test")).status_code == 200
        answer = await here.get(f"statements/{block.id}", "b.test")
        assert '<span class="status">lifted</span>' in answer.text


async def test_down_ends_the_service_too(tmp_path: Path) -> None:
    with echo_origin() as port:
        async with public_lab(tmp_path, [site("a", ["a.test"], port)]) as here:
            edge = here.edge()
            async with edge:
                await here.served()
            await edge.stop()
            assert here.side.pid is None


async def test_one_that_is_just_being_started_is_ended_too(tmp_path: Path) -> None:
    with echo_origin() as port:
        async with public_lab(tmp_path, [site("a", ["a.test"], port)]) as here:
            edge = here.edge()
            async with edge:
                pass  # it has been started, and listens later
            await edge.stop()
            await asyncio.sleep(1)
            assert here.side.pid is None


def test_statements_are_served_while_the_agent_is_dead(shell: Shell) -> None:
    """By a provider that has set nothing but the log's key; 'down' ends it all."""
    with echo_origin() as port:
        shell.configure(site("a", ["a.test"], port))
        with shell.up() as agent:
            decision = block_at(shell.directory / "holdfast.toml", SiteScope("a"))
            path = f"{PUBLIC_PATH}statements/{decision}"
            note = shell.run_dir / NOTE
            wait_until(lambda: shell.get("a.test", path) == 200)
            service = note.read_text()
            agent.send_signal(signal.SIGKILL)
            agent.wait(20)
            assert shell.get("a.test", f"{path}.tlog-proof") == 200
            assert shell.get("a.test", path) == 200
            with shell.up():
                assert shell.get("a.test", f"{path}.md") == 200
                assert note.read_text() == service
                shell.run("down")
            wait_until(lambda: not alive(int(service)))
