"""``make story``: the page that tells the first accountable block is true, and fits a screen or two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

STORY = Path(__file__).parents[2] / "scripts" / "story.py"


def told(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, STORY],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_story_is_true() -> None:
    page = told()
    assert page.returncode == 0, page.stdout + page.stderr
    lines = page.stdout.splitlines()
    assert lines[-1] == "All of it happened as it should."
    assert len(lines) < 100
    assert max(map(len, lines)) <= 110


def test_a_story_that_goes_wrong_says_so(tmp_path: Path) -> None:
    """Here curl finds nobody."""
    curl = tmp_path / "curl"
    curl.write_text("#!/bin/sh\nexit 7\n")
    curl.chmod(0o755)
    page = told(PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (page.returncode, "the story went wrong: status 7" in page.stderr) == (1, True)


def test_a_story_without_curl_is_not_begun(tmp_path: Path) -> None:
    page = told(PATH=str(tmp_path))
    assert (page.returncode, "run 'make setup MODE=test'" in page.stderr) == (1, True)
