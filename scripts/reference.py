"""Writes the pages of docs/reference from the code: ``python scripts/reference.py [FOLDER]``. A test compares
them, in a process of its own: what click says of a command depends on how it was called before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from holdfast.cli import main
from holdfast.edge.metrics import (
    EDGE_COUNTERS,
    EDGE_GAUGES,
    EDGE_REASONS,
    SITE_COUNTERS,
    SITE_GAUGES,
    SITE_REASONS,
)
from holdfast.edge.settings import (
    EdgeSettings,
    LedgerSettings,
    LimitSettings,
    MailSettings,
    OriginSettings,
    ProviderSettings,
    ReceiverSettings,
    SiteSettings,
)

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
NOTE = "<!-- Made from the code by scripts/reference.py (make reference); do not edit. -->\n\n"

TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("[edge]", EdgeSettings),
    ("[provider]", ProviderSettings),
    ("[ledger]", LedgerSettings),
    ("[alerts.mail]", MailSettings),
    ("[[alerts.receivers]]", ReceiverSettings),
    ("[[sites]]", SiteSettings),
    ("[[sites.origins]]", OriginSettings),
    ("[sites.limits]", LimitSettings),
)


def settings_page() -> str:
    """Every setting of holdfast.toml."""
    lines = [
        "# Settings\n",
        "`holdfast.toml`, table by table. Anything that is not listed here is an error.\n",
    ]
    for title, model in TABLES:
        lines += [f"## `{title}`\n", "| setting | default | meaning |", "|---|---|---|"]
        lines += [
            f"| `{name}` | {_default(field)} | {_cell(field.description or '')} |"
            for name, field in model.model_fields.items()
            if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
            and name != "origins"
        ]
        lines.append("")
    lines.append(
        "Times end by the edge's own clock. Paths are relative to the file. "
        "`holdfast doctor` examines the machine, `holdfast edge apply` reads the file again.\n"
    )
    return NOTE + "\n".join(lines)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*needed*"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", []):
        return "—"
    return f"`{_toml(value)}`"


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


class _Named(click.Context):
    """That of a command, called by its whole path."""

    @property
    def command_path(self) -> str:
        return str(self.info_name)


def commands_page() -> str:
    """Every command with its options."""
    lines = ["# Commands\n"]
    # Under the program's context, as when it is called: what click keeps of a command's help depends on it.
    program = click.Context(main, terminal_width=100, **main.context_settings)
    for path, command in _walk(main, "holdfast"):
        context = _Named(command, parent=program, info_name=path)
        if command is main:
            continue
        lines += [f"## `{path}`\n", "```text", command.get_help(context), "```\n"]
    lines.append(
        "Exit status: 0 done; 1 the answer is no (`doctor`, `edge diff`, `drill`; of `ledger`: `verify`,"
        " `fsck`, `export`, `reveal --check`); 2 a mistake, with its remedy.\n"
    )
    return NOTE + "\n".join(lines)


def _walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, each in sorted(command.commands.items()):
            yield from _walk(each, f"{path} {name}")


def metrics_page() -> str:
    """Every metric."""
    lines = [
        "# Metrics\n",
        "In Prometheus' text format at `[edge] metrics`, read from HAProxy at each scrape.\n",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for kind, suffix, edge_metrics, site_metrics in (
        ("counter", "_total", EDGE_COUNTERS, SITE_COUNTERS),
        ("gauge", "", EDGE_GAUGES, SITE_GAUGES),
    ):
        lines += [f"| `{name}{suffix}` | {kind} | | {words} |" for name, words, _ in edge_metrics]
        lines += [f"| `{name}{suffix}` | {kind} | `site` | {words} |" for name, words, _ in site_metrics]
    lines += [f"| `{name}_total` | counter | `{label}` | {words} |" for name, words, label, _ in EDGE_REASONS]
    lines += [f"| `{name}_total` | counter | `site`, `reason` | {words} |" for name, words, _ in SITE_REASONS]
    return NOTE + "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "metrics.md": metrics_page}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REFERENCE
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page())
        sys.stdout.write(f"wrote {folder.name}/{name}\n")
