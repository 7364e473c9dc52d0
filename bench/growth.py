"""Figures over many contributions, and whether taking one more submission in costs more when many are stored."""

import datetime as dt
import time

from bench.ingest import ITEMS, Deliveries, one_device, send_all
from bench.installation import Installation
from bench.report import Line, middle, p95

# Three months, from one day and then from another: the answer itself was never given before. Of the days, those that a
# process has read for another are kept; the first figure of all has to read all of its own.
FIRST, LAST = dt.date(2025, 5, 1), dt.date(2025, 12, 1)
ASKED = 100
ASKED_MEANWHILE = 20
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
        firsts = [FIRST + dt.timedelta(days=number * (LAST - FIRST).days // ASKED) for number in range(ASKED)]
        times = [ask(installation, first) for first in firsts]
        again = [ask(installation, FIRST) for _ in range(ASKED)]
        meanwhile = [ask_after_a_batch(installation, deliveries) for _ in range(ASKED_MEANWHILE)]
        at = f"at {size:,} contributions"
        most = MOST[kind] if size >= 1_000_000 else None
        lines += [
            Line(f"processor time of a submission {at}", middle([run[0] + run[1] for run in costs]) * 1000, "ms"),
            Line(f"one figure by sex {at}, median", middle(times), "ms"),
            Line(f"one figure by sex {at}, p95", p95(times), "ms", most=most),
            Line(f"… the first, of which nothing was kept, {at}", times[0], "ms"),
            Line(f"the same one again {at}, p95", p95(again), "ms"),
            Line(f"the same one, another 200 visits later {at}, p95", p95(meanwhile), "ms"),
        ]
    return lines


def fill(installation: Installation, deliveries: Deliveries, submissions: int) -> None:
    """Sends visits until so many have been sent in all."""
    while deliveries.next < submissions:
        batches = min(50, -(-(submissions - deliveries.next) // ITEMS))
        send_all(installation, deliveries.make(batches))


def ask_after_a_batch(installation: Installation, deliveries: Deliveries) -> float:
    """Milliseconds to a figure that was given before, once more visits have come."""
    send_all(installation, deliveries.make(1))
    return ask(installation, FIRST)


def ask(installation: Installation, first: dt.date) -> float:
    """Milliseconds to one figure of 92 days."""
    period = f"{first}/{first + dt.timedelta(days=91)}"
    began = time.perf_counter()
    installation.get(f"figures?indicator=trained&period={period}&by=sex")
    return (time.perf_counter() - began) * 1000
