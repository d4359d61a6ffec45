"""A real nginx as origin: for load that the Python origin could not carry, and for a site of files."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.feature.lab import free_ports

CONFIGURATION = """\
daemon off;
user {user};
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; location / {{ {answer} }} }}
}}
"""


@asynccontextmanager
async def nginx_origin(directory: Path, body: str = "x" * 1024) -> AsyncIterator[int]:
    """nginx answering every request with ``body``; yields its port."""
    async with _nginx(directory, f'return 200 "{body}";') as port:
        yield port


@asynccontextmanager
async def nginx_files(directory: Path, root: Path) -> AsyncIterator[int]:
    """nginx with the files of a folder; yields its port."""
    types = "types { application/rss+xml xml; application/json json; }"
    async with _nginx(directory, f"root {root}; {types}") as port:
        yield port


@asynccontextmanager
async def _nginx(directory: Path, answer: str) -> AsyncIterator[int]:
    (port,) = free_ports(1)
    configuration = directory / "nginx.conf"
    # Its worker, too, must be able to read what only this account can.
    user = getpass.getuser()
    configuration.write_text(CONFIGURATION.format(directory=directory, port=port, answer=answer, user=user))
    process = await asyncio.create_subprocess_exec("nginx", "-c", str(configuration), "-p", str(directory))
    try:
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):  # a Ctrl-C has ended it, too
            process.terminate()
        await process.wait()
