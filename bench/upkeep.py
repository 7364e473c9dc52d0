"""What running it costs: start, memory over many submissions, and rebuilding everything that is derived."""

import os
import time

from bench.growth import fill
from bench.ingest import Deliveries
from bench.installation import Installation
from bench.report import Line, middle


def measure_start(installation: Installation, runs: int) -> list[Line]:
    """From the command to the first answer."""
    seconds = []
    for _ in range(runs):
        installation.stop()
        seconds.append(installation.start())
    return [Line("start to first answer", middle(seconds), "s", most=2)]


def measure_memory(installation: Installation, deliveries: Deliveries, submissions: int) -> list[Line]:
    """The largest server process, early and after many submissions."""
    fill(installation, deliveries, deliveries.next + 10_000)
    early = installation.memory()
    fill(installation, deliveries, deliveries.next + submissions)
    late = installation.memory()
    return [
        Line("largest server process after 10,000 submissions", early, "MB", most=250),
        Line(f"… after {submissions:,} more", late, "MB", most=min(250, early * 1.1 + 5)),
    ]


def measure_rebuild(installation: Installation, deliveries: Deliveries, submissions: int) -> list[Line]:
    """`siby indicators rebuild` over everything that is stored, so many at least, on one core."""
    fill(installation, deliveries, submissions)
    before = installation.cpu()[1], cpu_of_children()
    began = time.perf_counter()
    told = installation.siby("indicators", "rebuild")
    seconds = time.perf_counter() - began
    spent = installation.cpu()[1] - before[0] + cpu_of_children() - before[1]
    rebuilt = int(told.splitlines()[-1].split()[0])  # also what other parts have posted one by one
    return [
        Line("rebuild", rebuilt / spent, "submissions per core second", least=1000),
        Line("… by the clock", rebuilt / seconds, "submissions/s"),
    ]


def cpu_of_children() -> float:
    """Processor time of the commands that this process has waited for."""
    times = os.times()
    return times.children_user + times.children_system
