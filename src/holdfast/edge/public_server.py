"""The process that hands out the public pages: statements, proofs, grounds, and the log. It needs nothing but
its files: no agent, no control plane, no database.

Here belong its start and what is special about the pages. Not here: HTTP and files (``ledger.http_server``,
``ledger.serve``), the process's life (``public_service``). It imports little, as it stays in memory for long.
"""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from holdfast.edge.public_style import CONTENT_SECURITY_POLICY
from holdfast.ledger.errors import LedgerError
from holdfast.ledger.http_server import Request, Response, Server, parse_address
from holdfast.ledger.serve import StaticMounts

TEXT: Final = "text/plain; charset=utf-8"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    **dict.fromkeys((".md", ".tlog-proof", ".toml"), TEXT),  # to be read, and not only saved
}
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Access-Control-Allow-Origin": "*",  # all of it is for everybody, programs in browsers too
}
LEDGER: Final = "/ledger/"
NICE: Final = 10
"""Traffic goes first."""


class PublicTree:
    """The tree of ``public_files`` at ``/``, and a log's own files at ``/ledger/``."""

    def __init__(self, mounts: Mapping[str, Path | int]) -> None:
        self._files = StaticMounts(mounts, TYPES, HEADERS, "index.html")

    def answer(self, request: Request) -> Response:
        """As ``StaticMounts.answer``. A page is asked for without its suffix."""
        path = request.target.partition("?")[0]
        _, dot, suffix = path.rpartition("/")[2].rpartition(".")
        is_page = not path.endswith("/") and not path.startswith(LEDGER) and f"{dot}{suffix}" not in TYPES
        return self._files.answer(replace(request, target=f"{path}.html" if is_page else path))


def give_up_rights(user: str) -> None:
    """Become ``user``, for good. Raises OSError or KeyError."""
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def main(arguments: Sequence[str]) -> int:
    """Serve until told to end. Folders are opened before the rights to reach them are given up."""
    parser = argparse.ArgumentParser(prog="public_server", description="Serves the public pages of an edge.")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--root", required=True, help="the public tree")
    parser.add_argument("--note", required=True, help="file for the process id, written when all is ready")
    parser.add_argument("--root-is", help="device and inode of the tree; with others it is another service")
    parser.add_argument("--ledger", help="public directory of the log")
    parser.add_argument("--ledger-is", help="device and inode of that directory")
    parser.add_argument("--user", help="account to drop to")
    parser.add_argument("--version", help="whose service it is; shown by ps")
    options = parser.parse_args(arguments)
    try:
        folders = {"/": options.root, **({LEDGER: options.ledger} if options.ledger else {})}
        mounts = {
            prefix: os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            for prefix, path in folders.items()
        }
        server = Server(parse_address(options.listen), PublicTree(mounts).answer)
        with Path(options.note).open("w") as note:
            os.nice(NICE)
            if options.user:
                give_up_rights(options.user)
            note.write(f"{os.getpid()}\n")
    except (LedgerError, OSError, KeyError) as refused:
        print(refused, file=sys.stderr, flush=True)
        return 1
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
