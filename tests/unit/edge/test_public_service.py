"""With which words the service of the public pages is started, and where it is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.edge.listen import parse_listeners
from holdfast.edge.public_service import MODULE, Service, local_address


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("127.0.0.1:9465", "127.0.0.1:9465"),
        ("[::1]:9465", "[::1]:9465"),
        ("192.0.2.1:80", "192.0.2.1:80"),
        ("*:9465", "127.0.0.1:9465"),
        ("0.0.0.0:9465", "127.0.0.1:9465"),
        ("[::]:9465", "[::1]:9465"),
    ],
)
def test_where_it_is_found_on_its_own_machine(listen: str, found: str) -> None:
    assert local_address(*parse_listeners([listen])) == found


def words(service: Service) -> dict[str, str]:
    command = service.command(Path("/run/holdfast/public.pid"))
    assert command[1:4] == ["-I", "-m", MODULE]
    return dict(zip(command[4::2], command[5::2], strict=True))


def test_its_words(tmp_path: Path) -> None:
    (listen,) = parse_listeners(["*:9465"])
    log = tmp_path / "log"
    service = Service(listen, tmp_path / "public", log, "haproxy")
    found = words(service)
    assert found.pop("--version")
    assert found.pop("--root-is") == ""
    expected = {"--listen": "0.0.0.0:9465", "--root": str(tmp_path / "public"), "--user": "haproxy"}
    assert found == {**expected, "--note": "/run/holdfast/public.pid"}
    # A log that is made later is served from then on: other words are another service.
    (log / "public").mkdir(parents=True)
    assert words(service)["--ledger"] == str(log / "public")


def test_another_folder_of_the_same_name_is_another_service(tmp_path: Path) -> None:
    """Such as one that was put back from a backup: the old service would go on with the one that is gone."""
    (listen,) = parse_listeners(["*:9465"])
    service = Service(listen, tmp_path / "public", tmp_path / "log")
    for folder in (tmp_path / "public", tmp_path / "log" / "public"):
        folder.mkdir(parents=True)
        before = words(service)
        assert words(service) == before
        folder.rename(folder.with_name("former"))
        folder.mkdir()
        assert words(service) != before
