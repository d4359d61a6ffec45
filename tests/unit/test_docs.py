"""The documentation is part of the contract: reference pages equal the code, links lead somewhere, and the
README's commands are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(page for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference pages as the code has them."""
    folder = tmp_path_factory.mktemp("reference")
    subprocess.run([sys.executable, ROOT / "scripts" / "reference.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", ["settings.md", "commands.md", "metrics.md"])
def test_reference_pages_equal_the_code(reference: Path, name: str) -> None:
    expected = (reference / name).read_text()
    assert (ROOT / "docs" / "reference" / name).read_text() == expected, "run 'make reference'"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


def test_the_readme_names_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text()))
    assert {"up", "test"} <= named <= targets


def test_every_decision_record_says_why() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    assert records
    for record in records:
        text = record.read_text()
        assert all(f"## {part}" in text for part in ("Context", "Decision", "Consequences")), record.name
