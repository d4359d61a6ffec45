"""``holdfast replay`` as people type it, on ten thousand lines of a real site (``HOLDFAST_DATA``). Where they
are not on this machine, made-up ones take their place, and the log's name in the report says so.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.replay.logs import calm, lines, real_log

ROOT = Path(__file__).parents[2]
FLOODS = 2


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = real_log()
    if found is None:
        found = tmp_path_factory.mktemp("logs") / "made-up.log"
        found.write_text("".join(f"{line}\n" for line in lines(calm(2, 5400))))
    return found


def replay(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "holdfast", "replay", *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, timeout=120, check=False, cwd=ROOT)


def told(*arguments: str | Path, given: bytes = b"") -> Any:
    done = replay(*arguments, "--json", given=given)
    assert (done.returncode, done.stderr) == (0, b"")
    return json.loads(done.stdout)


def test_a_calm_log_has_no_attack_and_nobody_is_touched(log: Path) -> None:
    found = told(log)
    assert found["attacks"] == []
    assert found["kept_away"] == {}
    assert found["requests"] == found["lines"] > 9000
    assert not found["baseline"]["is_young"]
    text = replay(log).stdout.decode()
    assert text.startswith(f"{log}: ")
    assert "\nNo attack\n" in text
    assert " lines/s: " in text


def test_a_mixture_has_its_floods_named_and_harms_no_one(log: Path, tmp_path: Path) -> None:
    picture = tmp_path / "flood.png"
    done = replay(log, "--with-flood", "--json", "--png", picture)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert [each["generated_flood"] for each in found["attacks"]] == [1, 2]
    tool, mimic = (attack["mitigations"] for attack in found["attacks"])
    assert [each["values"] for each in tool] == [["python-requests/2.31.0"]]
    assert {tuple(each["features"]) for each in mimic} <= {
        ("agent", "path"),
        ("agent", "presence"),
        ("method", "path", "agent"),
    }
    assert len(found["generated"]) == FLOODS
    for flood in found["generated"]:
        assert flood["passed"] < 0.05 * flood["requests"]
    assert found["kept_away"].get("denied", 0) == found["kept_away"].get("dropped", 0) == 0
    assert found["kept_away"].get("challenged", 0) < 0.005 * found["requests"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_report_of_a_mixture(log: Path) -> None:
    text = replay(log, "--with-flood", "--site", "gazette").stdout.decode()
    assert "\n2 attacks\n" in text
    assert text.count("gazette-20") == FLOODS
    assert 'challenge what has the agent "python-requests/2.31.0"' in text
    assert "Generated, not the log's" in text
    assert "198.18." not in text


def test_standard_input_packed(log: Path) -> None:
    piped, plain = told("-", given=gzip.compress(log.read_bytes())), told(log)
    assert piped["log"] == "standard input"
    for name in ("requests", "baseline", "attacks", "left_out"):
        assert piped[name] == plain[name]


def test_half_a_log_learned_from_the_other_half(log: Path, tmp_path: Path) -> None:
    listed = log.read_text(errors="replace").splitlines(keepends=True)
    middle = next(
        number
        for number in range(len(listed) // 2, len(listed))
        if _hour(listed[number]) != _hour(listed[number - 1])
    )
    older, newer = tmp_path / "older.log", tmp_path / "newer.log"
    older.write_text("".join(listed[:middle]))
    newer.write_text("".join(listed[middle:]))
    found = told(newer, "--learn", older)
    assert found["learned"]["requests"] == middle
    assert found["requests"] == len(listed) - middle
    assert found["attacks"] == []


def _hour(line: str) -> str:
    return line.partition("[")[2][:14]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["none.log"],
            b"error: none.log: it cannot be read (No such file or directory); name a log that is there",
        ),
        (["."], b"error: .: this is a directory; name a log in it"),
        (["-"], b"error: standard input: the log is empty; give one that holds requests"),
        (["-", "--with-flood"], b"error: --with-flood: the floods begin at a share of the lines"),
        (["README.md"], b"error: README.md: this is no access log: of its first "),
        (["README.md", "--png", "a.jpg"], b"error: --png: a.jpg does not end in .png; name it a.png"),
    ],
)
def test_mistakes_say_what_to_do(arguments: list[str], said: bytes) -> None:
    done = replay(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stdout == b""


def test_who_looks_on_sees_how_far_it_has_come(tmp_path: Path) -> None:
    busy = tmp_path / "busy.log"
    with busy.open("w") as file:
        file.writelines(f"{line}\n" for line in lines(calm(400, 900)))
    terminal, other_end = os.openpty()
    command = [sys.executable, "-m", "holdfast", "replay", str(busy)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=other_end, timeout=120, check=True, cwd=ROOT
    )
    os.close(other_end)
    seen = os.read(terminal, 65_536).decode()
    os.close(terminal)
    assert re.search(r"\r +\d+%, \d+0,000 lines, [\d,]+ lines/s ", seen)
    assert "lines/s: " in done.stdout.decode()
