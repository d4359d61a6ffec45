"""The pinned requirements: nothing is installed unchecked, and nothing tells where it was fetched from."""

import re
import tomllib
from pathlib import Path

import pytest

import holdfast

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = ("run", "dev")


def canonical(name: str) -> str:
    """PEP 503: Foo_Bar.baz and foo-bar-baz are one project."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, tuple[str, list[str]]]:
    """Name to (version, hashes). A line that is none of a comment, a pin or a hash is refused."""
    found: dict[str, tuple[str, list[str]]] = {}
    hashes: list[str] = []
    for line in text.splitlines():
        bare = line.strip().removesuffix("\\").strip()
        if not bare or bare.startswith("#"):
            continue
        if pin := re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)(?:\s*;.*)?", bare):
            hashes = []
            found[canonical(pin[1])] = (pin[2], hashes)
        elif digest := re.fullmatch(r"--hash=(sha256:[0-9a-f]{64})", bare):
            hashes.append(digest[1])
        else:
            raise ValueError(f"neither a pin nor a hash: {line}")
    return found


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash(name: str) -> None:
    locked = pins(lock(name))
    assert locked
    assert [project for project, (_, hashes) in locked.items() if not hashes] == []


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").iterdir()), ids=lambda path: path.name)
def test_no_address_is_written_down(path: Path) -> None:
    assert "://" not in path.read_text()


def test_all_dependencies_are_pinned() -> None:
    wanted = {canonical(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in PROJECT["dependencies"]}
    assert wanted - pins(lock("run")).keys() == set(), "pyproject.toml changed: run make lock"


def test_the_tests_run_with_the_versions_that_are_deployed() -> None:
    run, dev = pins(lock("run")), pins(lock("dev"))
    assert {name: dev.get(name, ("missing", []))[0] for name in run} == {n: v for n, (v, _) in run.items()}


def test_the_version_is_the_packages_own() -> None:
    assert PROJECT["version"] == holdfast.__version__


@pytest.mark.parametrize(
    "line", ["click>=8", "-e .", "--index-url somewhere", "click @ file", "    --hash=md5:00"]
)
def test_a_line_that_pins_nothing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="neither a pin nor a hash"):
        pins(line)


def test_a_pin_without_a_hash_is_seen() -> None:
    assert pins("Foo_Bar==1.0\n    # via baz\n") == {"foo-bar": ("1.0", [])}
