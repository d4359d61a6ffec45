"""The picture of an attack as a file: it replaces none."""

from __future__ import annotations

from pathlib import Path

from holdfast.edge.attack_plot import Format, draw
from holdfast.model.errors import HoldfastError, error
from holdfast.shield.record import AttackRecord


def check_place(path: Path, form: Format) -> None:
    """Before the agent is asked. Raises HoldfastError where the picture cannot be put."""
    option = f"--{form}"
    if path.suffix.lower() != f".{form}":
        raise error(f"{path} does not end in .{form}", f"name it {path.with_suffix(f'.{form}')}", option)
    if path.exists():
        raise _taken(path, option)
    if not path.parent.is_dir():
        raise error(f"there is no directory {path.parent}", "make it, or name another place", option)


def write_picture(record: AttackRecord, path: Path, form: Format) -> None:
    """Raises HoldfastError where it cannot be written; nothing is left then."""
    picture = draw(record, form)
    try:
        with path.open("xb") as file:
            file.write(picture)
    except FileExistsError:
        raise _taken(path, f"--{form}") from None
    except OSError as refused:
        if not isinstance(refused, PermissionError):
            path.unlink(missing_ok=True)  # half of it
        raise error(
            f"{path} cannot be written ({refused.strerror})",
            "name a place where your account may write, with room",
            f"--{form}",
        ) from refused


def _taken(path: Path, option: str) -> HoldfastError:
    return error(f"{path} is there already", "name another file, or remove it first", option)
