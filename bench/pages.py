"""The pages of the desk with much behind them: how long the server takes for each, and what goes over the line."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Sequence

from bench.growth import fill
from bench.ingest import Deliveries
from bench.installation import Installation
from bench.report import Line, middle, p95
from tests.support.crawling import kind_of, links_of, routes

SLOWEST_MS = 150.0
FIRST_KB, AFTER_KB = 100.0, 30.0
_ASKED = 20  # times each address
_ADDRESSES = 3  # of each kind of page
_MOST = 400  # pages looked at for links
_STATEMENT = "# {{ trained(period='2025-Q3') }} trained\n\n{{ trained(period='2025-Q3', sex='f') }} of them women.\n"


def measure_pages(installation: Installation, deliveries: Deliveries, submissions: int) -> list[Line]:
    """Every kind of page that can be reached from the project's first one by following links, with so much stored."""
    fill(installation, deliveries, submissions)
    path = f"/v1/projects/{installation.project}/statements/results/en"
    installation.ask("PUT", path, _STATEMENT.encode())
    lines = []
    drawn = 0.0
    for kind, addresses in sorted(kinds_of_pages(installation).items()):
        times, sizes = [], []
        for address in addresses:
            for _ in range(_ASKED):
                began = time.perf_counter()
                _, body = installation.ask("GET", address, Accept_Encoding="gzip")
                times.append((time.perf_counter() - began) * 1000)
            sizes.append(len(body) / 1000)
        note = f"median {middle(times):.0f} ms; {max(sizes):.1f} kB"
        lines.append(Line(f"{kind}, p95", p95(times), "ms", most=SLOWEST_MS, note=note))
        drawn = max(drawn, *sizes)
    static = sum(
        len(installation.ask("GET", f"/static/{name}", Accept_Encoding="gzip")[1]) / 1000
        for name in ("siby.css", "desk.js", "vendor/htmx-2.0.11.min.js")
    )
    lines.append(Line("the largest page after the first, without photos and map", drawn, "kB", most=AFTER_KB))
    lines.append(Line("… and as the first, with what it is drawn with", drawn + static, "kB", most=FIRST_KB))
    return lines


def kinds_of_pages(installation: Installation) -> dict[str, Sequence[str]]:
    """Addresses by the kind of page that they lead to: found by following links, as a visitor would."""
    known_routes = routes(installation.folder / "routes")
    found: defaultdict[str, list[str]] = defaultdict(list)
    waiting = deque([f"/projects/{installation.project}"])
    known = set(waiting)
    looked_at = 0
    while waiting and looked_at < _MOST:
        address = waiting.popleft()
        kind = kind_of(known_routes, address)
        if kind is None or len(found[kind]) >= _ADDRESSES:
            continue
        looked_at += 1
        status, body = installation.ask("GET", address)
        if status != 200 or not body.lstrip()[:15].lower().startswith(b"<!doctype html"):
            continue
        found[kind].append(address)
        for link in links_of(body.decode()):
            if link not in known:
                known.add(link)
                waiting.append(link)
    return {kind: addresses for kind, addresses in found.items() if addresses}
