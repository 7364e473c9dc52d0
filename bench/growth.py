"""Figures over many contributions, and whether taking one more submission in costs more when many are stored."""

import time

from bench.ingest import ITEMS, Deliveries, one_device, send_all
from bench.installation import Installation
from bench.report import Line, middle, p95

FIGURE = "figures?indicator=trained&period=2025-Q3&by=sex"
ASKED = 100
PER_SUBMISSION = 3.48  # contributions of a visit on the average
MOST = {"sqlite": 50.0, "postgresql": 20.0}


def measure_growth(
    installation: Installation, deliveries: Deliveries, kind: str, sizes: list[int], runs: int
) -> list[Line]:
    """At each number of contributions: processor time of one more submission, and one figure over HTTP."""
    lines = []
    for size in sizes:
        fill(installation, deliveries, int(size / PER_SUBMISSION))
        costs = [one_device(installation, deliveries.make(5)) for _ in range(runs)]
        times = [ask(installation) for _ in range(ASKED)]
        at = f"at {size:,} contributions"
        most = MOST[kind] if size >= 1_000_000 else None
        lines += [
            Line(f"processor time of a submission {at}", middle([run[0] + run[1] for run in costs]) * 1000, "ms"),
            Line(f"one figure by sex {at}, median", middle(times), "ms"),
            Line(f"one figure by sex {at}, p95", p95(times), "ms", most=most),
        ]
    return lines


def fill(installation: Installation, deliveries: Deliveries, submissions: int) -> None:
    """Sends visits until so many have been sent in all."""
    while deliveries.next < submissions:
        batches = min(50, -(-(submissions - deliveries.next) // ITEMS))
        send_all(installation, deliveries.make(batches))


def ask(installation: Installation) -> float:
    """Milliseconds to one figure."""
    began = time.perf_counter()
    installation.get(FIGURE)
    return (time.perf_counter() - began) * 1000
