"""A reload is hitless, and a barrier: under load no request fails, blocks go on, and nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.slots import SPARE
from holdfast.model.enforcement import SiteScope
from holdfast.model.errors import HoldfastError
from tests.feature.lab import (
    echo_origin,
    enforcement,
    eventually,
    lab,
    released,
    running,
    site,
    write_certificate,
)
from tests.feature.load import ANY_CONNECTIONS, ANY_RATE, curl_http2, wrk
from tests.feature.nginx import nginx_origin


async def test_no_request_fails_over_five_reloads(tmp_path: Path) -> None:
    certificate = str(write_certificate(tmp_path / "a.pem", "localhost"))
    async with nginx_origin(tmp_path) as origin:
        sites = [site("a", ["localhost"], origin, certificate=certificate, limits=ANY_RATE)]
        async with running(tmp_path, sites, **ANY_CONNECTIONS) as (made, edge):
            async with (
                wrk(made.http, "localhost") as kept,
                wrk(made.http, "localhost", "Connection: close") as fresh,
                wrk(made.https, "localhost", tls=True) as tls,
                curl_http2(made.https, "localhost") as h2,
            ):
                for _ in range(5):
                    await edge.reload()
                    await asyncio.sleep(0.2)
            assert edge.reloads == 5
            for load in (kept, fresh, tls, h2):
                assert load.requests > 100, load
                assert load.failures == [], load


async def test_more_sites_than_slots_cost_one_reload_and_no_request(tmp_path: Path) -> None:
    async with nginx_origin(tmp_path) as origin:
        first = [site("a", ["a.test"], origin, limits=ANY_RATE)]
        async with running(tmp_path, first) as (made, edge):
            many = [site(f"n{number}", [f"n{number}.test"], origin) for number in range(3 * SPARE)]
            async with wrk(made.http, "a.test") as kept:
                await edge.apply(made.configuration(first + many))
            assert (edge.reloads, kept.failures) == (1, [])
            assert (await made.get(f"n{3 * SPARE - 1}.test")).status_code == 200
            assert not (await edge.reconciler.difference()).now


async def test_a_block_during_a_reload_is_in_force_before_and_after_it(tmp_path: Path) -> None:
    with echo_origin() as origin:
        many = [site(f"n{number}", [f"n{number}.test"], origin) for number in range(1500)]
        async with running(tmp_path, [site("a", ["a.test"], origin), *many]) as (made, edge):
            reload = asyncio.create_task(edge.reload())
            await eventually(lambda: edge.supervisor.is_reloading)
            block = asyncio.create_task(edge.block(released(enforcement(SiteScope("a")))))

            async def is_blocked() -> bool:
                return (await made.get("a.test")).status_code == 403

            await eventually(is_blocked)
            assert not reload.done(), "the old worker took it while the new one was being loaded"
            await asyncio.gather(reload, block)
            assert (await made.get("a.test")).status_code == 403
            assert not (await edge.reconciler.difference()).now


async def test_a_site_given_during_a_reload_is_served_after_it(tmp_path: Path) -> None:
    with echo_origin() as origin:
        async with running(tmp_path, [site("a", ["a.test"], origin)]) as (made, edge):
            reload = asyncio.create_task(edge.reload())
            await eventually(lambda: edge.supervisor.is_reloading)
            await edge.put_site(site("b", ["b.test"], origin))
            await reload
            assert (await made.get("b.test")).status_code == 200


async def test_an_address_that_cannot_be_had_leaves_the_old_one_in_force(tmp_path: Path) -> None:
    with echo_origin() as origin:
        async with lab(tmp_path) as made:
            sites = [site("a", ["a.test"], origin)]
            async with Edge(made.configuration(sites)) as edge:
                bad = made.configuration(sites, http=[f"127.0.0.1:{made.http}", "192.0.2.77:1"])
                with pytest.raises(HoldfastError, match=r"cannot listen at 192\.0\.2\.77:1"):
                    await edge.apply(bad)
                assert (await made.get("a.test")).status_code == 200
                await edge.block(released(enforcement(SiteScope("a"))))
                assert (await made.get("a.test")).status_code == 403
