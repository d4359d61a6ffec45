"""Who may import whom, and what may not do I/O: the shape of the house, checked on the source itself.

`faults` is a pure function from one module's text to the rules it breaks; the tables above it are the rules.
Not here: what ruff and mypy already check.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
LONGEST = 500

# cli → edge | control | desk → fleet, shield, ledger → model. The ledger can be published alone.
LAYERS: dict[str, frozenset[str]] = {
    "model": frozenset(),
    "ledger": frozenset(),
    "demo": frozenset(),
    "shield": frozenset({"model"}),
    "fleet": frozenset({"model"}),
    "edge": frozenset({"fleet", "shield", "ledger", "model"}),
    "control": frozenset({"fleet", "shield", "ledger", "model"}),
    "desk": frozenset({"control", "fleet", "shield", "ledger", "model"}),
    "accountable": frozenset({"ledger", "model"}),
    "drill": frozenset({"edge", "shield", "model"}),
    "replay": frozenset({"edge", "shield", "model"}),
    "cli": frozenset(
        {"demo", "drill", "replay", "edge", "control", "desk", "fleet", "shield", "ledger", "model"}
        | {"accountable"}
    ),
}
ALONE = {"model", "ledger"}
WITH_DJANGO = {"control", "desk", "cli"}
ENTRY = "__main__"

# A pure module that a pure one imports is listed too: else the I/O would hide one step further on.
DATAPLANE = "holdfast.edge.dataplane"
PURE = (
    "holdfast.model",
    "holdfast.shield",
    *(f"holdfast.ledger.{name}" for name in ("errors", "merkle", "note", "cosignature", "checkpoint")),
    *(f"holdfast.ledger.{name}" for name in ("tiles", "proof", "entry", "disclosure", "growth", "frame")),
    *(f"holdfast.ledger.{name}" for name in ("heads", "witness_judge")),
    *(f"holdfast.edge.{name}" for name in ("release", "public_pages", "public_words", "public_style")),
    "holdfast.edge.public_markdown",
    *(f"holdfast.accountable.{name}" for name in ("decide", "draft")),
    *(f"holdfast.edge.{name}" for name in ("check_origin", "least_http")),
    *(f"holdfast.edge.{name}" for name in ("attack_sketch", "attack_words", "explain", "words")),
    *(f"holdfast.drill.{name}" for name in ("plan", "parties", "target", "tally", "result")),
    *(f"holdfast.drill.{name}" for name in ("verdict", "words")),
    "holdfast.edge.drill_facts",
    *(f"holdfast.replay.{name}" for name in ("access_log", "telling", "order", "sieve", "flood", "pace")),
    *(f"holdfast.replay.{name}" for name in ("judge", "tally", "answering", "replayed", "run")),
    *(f"holdfast.replay.{name}" for name in ("attack_report", "report", "document")),
    *(f"{DATAPLANE}.{name}" for name in ("render", "rules", "pages", "page_words", "plan", "commands")),
    *(f"{DATAPLANE}.{name}" for name in ("effect", "picture", "facts", "slots", "answers", "reasons")),
    *(f"{DATAPLANE}.{name}" for name in ("limits", "origin_page", "challenge_page", "verdicts", "own_path")),
    *(f"{DATAPLANE}.{name}" for name in ("challenge_script", "challenge_style", "challenge_words")),
    *(f"holdfast.edge.traffic.{name}" for name in ("records", "sampling", "counters", "alert_words")),
)
IMPURE = (
    *("asyncio", "grpc", "http.client", "http.server", "httpx", "select", "selectors"),  # the network
    *("socket", "socketserver", "ssl", "urllib.request"),
    *("fcntl", "importlib.resources", "os", "pathlib", "shutil", "sqlite3", "tempfile"),  # files
    *("concurrent.futures", "multiprocessing", "signal", "subprocess", "threading"),  # processes
    *("random", "secrets", "time", "uuid"),  # randomness and the clock
    *("logging", "structlog"),  # a log line is I/O too
)
PATHS_WITHOUT_IO = {"pathlib.PurePath", "pathlib.PurePosixPath", "pathlib.PureWindowsPath"}
IMPURE_CALLS = {"open", "input", "print", "__import__"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def within(name: str, *roots: str) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def imports(module: str, is_package: bool, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported name in full, wherever it stands: in a function or under TYPE_CHECKING too."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = [*above, *(node.module or "").split(".")] if node.module else above
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def layer_fault(module: str, target: str) -> str | None:
    layer, _, _ = module.removeprefix("holdfast").removeprefix(".").partition(".")
    if within(target, "django") and layer not in WITH_DJANGO:
        return "only control, desk and cli may import django"
    if not within(target, "holdfast") or layer == ENTRY:
        return None
    to = target.split(".")[1] if "." in target else ""
    if to == layer != "":
        return None
    if to not in LAYERS:  # a name of the package itself, such as holdfast.__version__
        return f"{layer} imports nothing else of holdfast" if layer in ALONE else None
    if layer == "":
        return "holdfast/__init__.py is imported by all, so it imports none"
    return None if to in LAYERS[layer] else f"{layer} may not import {to}"


def purity_fault(target: str) -> str | None:
    if target in PATHS_WITHOUT_IO:
        return None
    if within(target, *IMPURE):
        return "a pure module does no I/O and is given the time and randomness"
    if within(target, "holdfast") and not within(target, *PURE):
        return "a pure module imports only pure modules of holdfast"
    return None


def impure_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in IMPURE_CALLS or within(".".join(called.split(".")[-2:]), *CLOCKS):
                yield node.lineno, called


def faults(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """The rules that this module breaks, one line each."""
    layer = module.split(".")[1] if "." in module else ""
    if layer not in {*LAYERS, "", ENTRY}:
        return [f"{module}: no such layer as {layer}: give it a place in LAYERS"]
    tree = ast.parse(source)
    found = []
    for line, target in imports(module, is_package, tree):
        reason = layer_fault(module, target) or (purity_fault(target) if within(module, *PURE) else None)
        found += [f"{module}:{line}: imports {target}: {reason}"] if reason else []
    if within(module, *PURE):
        found += [f"{module}:{line}: calls {call}: a pure module" for line, call in impure_calls(tree)]
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((SRC / "holdfast").rglob("*.py")):
        if not path.stem.endswith(("_pb2", "_pb2_grpc")):  # generated from fleet.proto
            parts = path.relative_to(SRC).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def test_source_keeps_the_rules() -> None:
    found = [
        fault
        for module, path in modules()
        for fault in faults(module, path.read_text(), is_package=path.stem == "__init__")
    ]
    assert not found, "\n".join(found)


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [module for module, path in modules() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent, f"without an opening docstring: {silent}"


def test_no_file_is_too_long() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in modules()}
    too_long = {module: length for module, length in lengths.items() if length > LONGEST}
    assert not too_long, f"split these, at most {LONGEST} lines a file: {too_long}"


def test_the_source_is_found() -> None:
    assert "holdfast" in dict(modules())


BROKEN = [
    ("holdfast.model.site", "import holdfast.edge.agent", "model may not import edge"),
    ("holdfast.model.site", "from holdfast import __version__", "model imports nothing else"),
    ("holdfast.ledger.log", "from holdfast.model import site", "ledger may not import model"),
    ("holdfast.shield.harm", "from ..edge import agent", "shield may not import edge"),
    ("holdfast.shield.harm", "from holdfast.fleet import client", "shield may not import fleet"),
    ("holdfast.edge.agent", "from holdfast import control", "edge may not import control"),
    ("holdfast.edge.agent", "import holdfast.desk.cases as c", "edge may not import desk"),
    ("holdfast.edge.agent", "def f() -> None:\n    import django.conf", "only control, desk and cli"),
    ("holdfast.edge.agent", "if TYPE_CHECKING:\n    from ..cli import main", "edge may not import cli"),
    ("holdfast.edge.dataplane.haproxy", "from ...control.nodes import x", "edge may not import control"),
    ("holdfast.control.nodes", "from holdfast.desk.cases import Case", "control may not import desk"),
    ("holdfast", "from holdfast.model import site", "imported by all, so it imports none"),
    ("holdfast.helpers", "", "no such layer as helpers"),
    ("holdfast.shield.baseline", "import time", "does no I/O"),
    ("holdfast.shield.baseline", "from numpy import array; import os.path", "does no I/O"),
    ("holdfast.ledger.merkle", "from concurrent import futures", "does no I/O"),
    ("holdfast.edge.dataplane.plan", "from pathlib import Path", "does no I/O"),
    ("holdfast.edge.dataplane.plan", "import pathlib", "does no I/O"),
    ("holdfast.edge.dataplane.rules.deny", "import structlog", "does no I/O"),
    ("holdfast.edge.dataplane.plan", "from ..agent import Agent", "imports only pure modules"),
    ("holdfast.edge.dataplane.pages", "text = open('page.html').read()", "calls open"),
    (
        "holdfast.model.ban",
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        "now: a pure module",
    ),
]

KEPT = [
    ("holdfast.cli.up", "from holdfast.edge import agent\nfrom holdfast.desk import cases\nimport os"),
    ("holdfast.edge.agent", "import asyncio\nfrom holdfast import __version__\nfrom .dataplane import plan"),
    ("holdfast.edge.agent", "from holdfast.shield import harm\nfrom holdfast.ledger import verify"),
    ("holdfast.desk.cases", "import django.db\nfrom holdfast.control.audit import record"),
    ("holdfast.ledger.log", "import os\nfrom .merkle import root"),
    ("holdfast.edge.dataplane.plan", "from holdfast.model.site import Site\nfrom .picture import Picture"),
    ("holdfast.edge.dataplane.plan", "from pathlib import PurePosixPath\nfrom datetime import datetime"),
    ("holdfast.edge.dataplane.planner", "import socket"),
    ("holdfast.__main__", "from holdfast.cli import main"),
]


@pytest.mark.parametrize(("module", "source", "reason"), BROKEN)
def test_a_broken_rule_is_found(module: str, source: str, reason: str) -> None:
    assert [reason in fault for fault in faults(module, source)] == [True]


@pytest.mark.parametrize(("module", "source"), KEPT)
def test_what_the_rules_allow_is_not_reported(module: str, source: str) -> None:
    assert faults(module, source) == []


def test_a_relative_import_in_a_package_starts_at_the_package_itself() -> None:
    assert faults("holdfast.edge", "from .control import x", is_package=True) == []
    assert faults("holdfast.edge", "from ..control import x", is_package=True) != []
