"""The pages of the desk with much behind them: how long the server takes for each, and what goes over the line."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.installation import Installation
from bench.processes import tree_of, worked
from bench.report import Line, middle, p95
from tests.support.crawling import pages_of_each_kind, routes

SLOWEST_MS = 150.0
FIRST_KB, AFTER_KB = 100.0, 30.0
_ADDRESSES = 3  # of each kind of page
_MOST = 1500  # pages looked at for links
_BEING_WORKED_OUT = 503  # what nobody has asked for before
# Where to start beside the project: what no page of it leads to.
_STARTS = ("/projects/{}", "/", "/projects/{}/submissions?from=2020-01-01&cursor=1000000", "/projects/{}/review")


def measure_pages(installation: Installation, asked: int) -> list[Line]:
    """Every kind of page that can be reached from the project's first one by following links and filling forms in.

    Its time is the processor time of server and database together: what a request takes on a machine that is not busy
    otherwise. Each process works some figures out when they are asked for first; these requests are among the others.
    """
    lines = []
    drawn, in_time = 0.0, 0
    for kind, addresses in sorted(kinds_of_pages(installation).items()):
        asked_for = [[_ask(installation, address) for _ in range(asked)] for address in addresses]
        times = [answer.worked for some in asked_for for answer in some]
        by_clock = p95([answer.took for some in asked_for for answer in some])
        first, size = max(some[0].worked for some in asked_for), max(some[0].kilobytes for some in asked_for)
        note = f"median {middle(times):.0f} ms, first {first:.0f}, p95 by the clock {by_clock:.0f}; {size:.1f} kB"
        lines.append(Line(f"{kind}, p95", p95(times), "ms", most=SLOWEST_MS, note=note))
        print(lines[-1], flush=True)
        drawn, in_time = max(drawn, size), in_time + (by_clock <= SLOWEST_MS)
    note = f"of {len(lines)}; by the clock {in_time}"
    lines.append(Line("kinds of pages in time", sum(line.kept for line in lines), "kinds", note=note))
    static = sum(
        len(installation.ask("GET", f"/static/{name}", Accept_Encoding="gzip")[1]) / 1000
        for name in ("siby.css", "desk.js", "vendor/htmx-2.0.11.min.js")
    )
    lines.append(Line("the largest page after the first, without photos and map", drawn, "kB", most=AFTER_KB))
    lines.append(Line("… and as the first, with what it is drawn with", drawn + static, "kB", most=FIRST_KB))
    return lines


@dataclass(frozen=True, slots=True)
class _Answer:
    """Milliseconds of processor time and by the clock, and what came over the line."""

    worked: float
    took: float
    kilobytes: float


def _ask(installation: Installation, address: str) -> _Answer:
    assert installation.server is not None
    pids = tree_of(installation.server.pid)
    if installation.database_pid is not None:
        pids += tree_of(installation.database_pid)
    before, began = worked(pids), time.perf_counter()
    _, body = installation.ask("GET", address, Accept_Encoding="gzip")
    took = time.perf_counter() - began
    return _Answer((worked(pids) - before) * 1000, took * 1000, len(body) / 1000)


def kinds_of_pages(installation: Installation) -> dict[str, Sequence[str]]:
    """Addresses by the kind of page that they lead to, and by what they ask of it: found as a visitor would."""

    def ask(address: str) -> str | None:
        while (answered := installation.ask("GET", address))[0] == _BEING_WORKED_OUT:
            time.sleep(1)
        status, body = answered
        return body.decode() if status == 200 and body.lstrip()[:1] == b"<" else None

    known, starts = routes(installation.folder / "routes"), [start.format(installation.project) for start in _STARTS]
    found: defaultdict[str, list[str]] = defaultdict(list)
    for kind, address, _ in pages_of_each_kind(ask, known, starts, each=_ADDRESSES, most=_MOST, by_what_is_asked=True):
        found[kind].append(address)
    return dict(found)
