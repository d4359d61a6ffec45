"""Which of HAProxy's threads go first: those that carry traffic, in each worker that there ever is."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.edge.agent import Edge
from tests.feature.lab import eventually, lab, running


def threads(edge: Edge) -> list[int]:
    """Those of the worker, the oldest first."""
    return sorted(int(each.name) for each in Path(f"/proc/{edge.processes.worker}/task").iterdir())


def in_order(edge: Edge) -> bool:
    traffic = edge.supervisor.frame.traffic_threads
    found = [os.sched_getscheduler(thread) for thread in threads(edge)]
    return found == [os.SCHED_OTHER] * traffic + [os.SCHED_BATCH] * 2


async def test_traffic_goes_first_in_every_worker(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, edge):
        await eventually(lambda: in_order(edge))
        first = edge.processes.worker
        await edge.reload()
        assert edge.processes.worker != first
        await eventually(lambda: in_order(edge))


async def test_and_in_one_that_was_adopted(tmp_path: Path) -> None:
    async with lab(tmp_path) as made:
        async with Edge(made.configuration()) as edge:
            await eventually(lambda: in_order(edge))
            os.sched_setscheduler(threads(edge)[-1], os.SCHED_OTHER, os.sched_param(0))
        async with Edge(made.configuration()) as edge:
            await eventually(lambda: in_order(edge))
