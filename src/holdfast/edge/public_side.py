"""The public side of an edge, as the agent has it: the tree, the service that hands it out, and where HAProxy
finds that. Keeps the obligations of ``publishing.Public``.

Here belongs what of the configuration counts for it. Not here: the tree (``public_files``), the process
(``public_service``), when pages are made anew (``publishing``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from holdfast.edge.configuration import Configuration
from holdfast.edge.dataplane.disk import default_root
from holdfast.edge.machine import account
from holdfast.edge.public_files import PublicFiles
from holdfast.edge.public_service import PublicService, Service, local_address
from holdfast.edge.release import PublicRecord

TREE: Final = "public"
"""Below the state directory."""


class PublicSide:
    """Tree and service of one edge. Without ``[ledger] key`` there is nothing to show, and none runs."""

    def __init__(self, configuration: Configuration) -> None:
        edge = configuration.edge
        self._tree = configuration.path.parent / edge.state_dir / TREE
        self._files = PublicFiles(self._tree)
        self._service = PublicService(Path(edge.run_dir) if edge.run_dir else default_root())
        self.address: str | None = None
        """Where HAProxy reaches the service; None: there is none."""

    def configure(self, configuration: Configuration) -> None:
        """What is shown from the next ``show`` on, and where. Raises HoldfastError where there is no account
        to drop to."""
        ledger = configuration.ledger
        if ledger.trust.log is None:
            self.address = None
            self._service.configure(None)
            return
        user = account(configuration.edge.user)
        self._files.configure(configuration.provider, ledger.trust, ledger.grounds)
        self._service.configure(Service(ledger.listen, self._tree, ledger.directory, user))
        self.address = local_address(ledger.listen)

    @property
    def pid(self) -> int | None:
        """The service's process."""
        return self._service.pid

    def show(self, records: Sequence[PublicRecord]) -> None:
        """See ``publishing.Public``."""
        self._files.show(records)

    async def run(self) -> None:
        """Keep the service running until cancelled; it then goes on alone."""
        await self._service.run()

    async def stop(self) -> None:
        """End the service."""
        await self._service.stop()
