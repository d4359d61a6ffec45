"""The peers of the floods: limits from calm traffic, and configurations that their programs accept."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bench.floods.contestant import Contestant, World
from bench.floods.log import Request, Visit
from bench.floods.peers import PEERS, crowdsec, fail2ban, haproxy, nginx
from bench.floods.peers.base import Base
from bench.floods.peers.calm import CalmProfile, Limits
from bench.floods.visits import Planned
from holdfast.edge.machine import haproxy_binary
from tests.feature.lab import free_ports

ORIGINS = {"a.test": ("127.0.0.1", 9000), "b.test": ("127.0.0.1", 9001)}
LIMITS = Limits(rate=3, burst=40, connections=12, origin_connections=25)


def world(directory: Path) -> World:
    (port,) = free_ports(1)
    return World("none", "127.0.0.1", port, None, ORIGINS, directory, legit_rate=50.0)


def with_tls(plain: World) -> World:
    """With a certificate for the hosts, made here."""
    (port,) = free_ports(1)
    key, chain = plain.directory / "key.pem", plain.directory / "chain.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-subj", "/CN=a.test", "-keyout", f"{key}", "-out", f"{chain}"),
        ],
        check=True,
        capture_output=True,
    )
    both = plain.directory / "both.pem"
    both.write_text(chain.read_text() + key.read_text())
    return replace(plain, https_port=port, certificate=both)


def accepts(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize("tls", [False, True])
def test_nginx_accepts_its_configuration(tmp_path: Path, tls: bool, logs: bool) -> None:
    place = with_tls(world(tmp_path)) if tls else world(tmp_path)
    file = tmp_path / "nginx.conf"
    file.write_text(nginx.configuration(tmp_path, place, LIMITS, logs=logs, files=1024))
    accepts("nginx", "-t", "-c", f"{file}", "-p", f"{tmp_path}", "-e", f"{tmp_path / 'error.log'}")


@pytest.mark.parametrize("tls", [False, True])
def test_haproxy_accepts_its_configuration(tmp_path: Path, tls: bool) -> None:
    place = with_tls(world(tmp_path)) if tls else world(tmp_path)
    file = tmp_path / "haproxy.cfg"
    file.write_text(haproxy.configuration(place, LIMITS, files=1024))
    accepts(haproxy_binary(), "-c", "-f", f"{file}")


def test_nginx_limits_a_source_and_the_line_before_the_origin(tmp_path: Path) -> None:
    text = nginx.configuration(tmp_path, world(tmp_path), LIMITS)
    assert "rate=3r/s" in text
    assert "limit_req zone=perip burst=40 nodelay;" in text
    assert "limit_conn connections 12;" in text
    assert "limit_conn perserver 500;" in text  # 50 a second, 10 seconds


def test_haproxy_limits_a_source_and_queues_for_the_origin(tmp_path: Path) -> None:
    text = haproxy.configuration(world(tmp_path), LIMITS)
    assert "sc_http_req_rate(0) gt 70" in text  # the burst, and 10 seconds at 3 a second
    assert "sc_conn_rate(0) gt 49" in text
    assert "sc_conn_cur(0) gt 12" in text
    assert text.count("maxconn 25") == len(ORIGINS)


def test_the_limits_lie_above_what_calm_traffic_needs() -> None:
    page = [(10.0 + 0.01 * number, "192.0.2.1") for number in range(30)]
    reader = [(float(second), "192.0.2.2") for second in range(0, 120, 2)]
    calm = CalmProfile.of([*page, *reader])
    assert calm.rate == 0.5
    assert calm.burst == 30
    limits = Limits.above(calm)
    assert (limits.rate, limits.burst, limits.connections) == (1, 60, 12)
    assert limits.within(1) > len(page)


def test_without_traffic_the_limits_are_those_of_the_manuals() -> None:
    limits = Limits.above(CalmProfile.of([]))
    assert (limits.burst, limits.origin_connections) == (Limits().burst, Limits().origin_connections)
    assert limits.rate == 1


def test_a_peer_takes_its_limits_from_earlier_visits(tmp_path: Path) -> None:
    page = tuple(Request(0.01 * number, "GET", f"/{number}.png") for number in range(40))
    plan = [
        Planned(float(number), "a.test", Visit(0.0, f"192.0.2.{number}", "Mozilla/5.0", page))
        for number in range(1, 90)
    ]
    peer = nginx.Nginx()
    peer.prepare(replace(world(tmp_path), calm=plan), [])
    assert peer.limits == Limits(rate=2, burst=80, connections=12)


@pytest.mark.skipif(not fail2ban.PACKAGE.exists(), reason="fail2ban is not installed")
def test_fail2ban_accepts_its_configuration(tmp_path: Path) -> None:
    for name in ("access.log", "error.log"):
        (tmp_path / name).touch()
    target = fail2ban.write_configuration(tmp_path, 8080, 8443)
    accepts("fail2ban-client", "-c", f"{target}", "-t")
    dump = subprocess.run(
        ["fail2ban-client", "-c", f"{target}", "-d"], capture_output=True, text=True, check=True
    ).stdout
    for jail in fail2ban.JAILS:
        assert f"['start', '{jail}']" in dump
    assert "'sshd'" not in dump
    assert "nftables" in dump
    assert "8080,8443" in dump
    assert f"{tmp_path}/error.log" in dump


@pytest.mark.skipif(not (crowdsec.SHARED / "hub").exists(), reason="crowdsec is not installed")
def test_crowdsec_accepts_its_configuration(tmp_path: Path) -> None:
    engine, bouncer = crowdsec.write_configuration(tmp_path, 8080, "0" * 32)
    credentials = engine.parent / "local_api_credentials.yaml"
    accepts(
        *("cscli", "-c", f"{engine}", "machines", "add", "bench", "--password", "x" * 20),
        *("-f", f"{credentials}"),
    )
    accepts("crowdsec", "-c", f"{engine}", "-t")
    enabled = {each.name for each in (engine.parent / "scenarios").iterdir()}
    assert {"nginx-req-limit-exceeded.yaml", "http-crawl-non_statics.yaml", "http-generic-bf.yaml"} <= enabled
    assert not list(engine.parent.glob("parsers/*/whitelists.yaml"))
    assert "online_client" not in engine.read_text()
    assert bouncer.exists()


def test_every_peer_is_a_contestant_with_a_name_of_its_own() -> None:
    contestants: list[Contestant] = [make() for make in PEERS]
    assert len({each.name for each in contestants}) == len(PEERS)


@pytest.mark.parametrize("make", PEERS)
def test_a_peer_that_cannot_run_says_why(
    make: type[Base], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    peer = make()
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    reason = peer.is_available()
    assert reason is not None
    assert "missing" in reason or "not installed" in reason
    assert (peer.cpu_seconds(), peer.alarms(), peer.log_tail()) == (0.0, 0, "")
    peer.stop()
