"""A site is served, changed and removed at run time, over HTTP and HTTPS, by exact and wildcard names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.feature.lab import echo_origin, running, site


async def test_a_site_is_served_by_any_spelling_of_its_hostnames(tmp_path: Path) -> None:
    with echo_origin("one") as one:
        async with running(tmp_path, [site("a", ["a.test", "*.b.test"], one)]) as (lab, _):
            for host in ("a.test", "A.TEST", "a.test:8080", "a.test.", "x.b.test"):
                answer = await lab.get(host)
                assert (answer.status_code, answer.json()["origin"]) == (200, "one"), host


@pytest.mark.parametrize("host", ["b.test", "x.a.test", "y.x.b.test", "127.0.0.1", "unknown"])
async def test_an_unknown_hostname_is_misdirected(tmp_path: Path, host: str) -> None:
    with echo_origin() as one:
        async with running(tmp_path, [site("a", ["a.test", "*.b.test"], one)]) as (lab, _):
            assert (await lab.get(host)).status_code == 421


async def test_a_wildcard_answers_for_a_name_whose_site_has_gone(tmp_path: Path) -> None:
    """At once, though the entry of the name is swept up later."""
    with echo_origin("wide") as wide, echo_origin("narrow") as narrow:
        async with running(tmp_path, [site("wide", ["*.b.test"], wide)]) as (lab, edge):
            await edge.put_site(site("narrow", ["x.b.test"], narrow))
            assert (await lab.get("x.b.test")).json()["origin"] == "narrow"
            await edge.remove_site("narrow")
            assert (await lab.get("x.b.test")).json()["origin"] == "wide"
