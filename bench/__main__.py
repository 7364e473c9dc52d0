"""`python -m bench`: all measurements on both databases, or some of them on one."""

import argparse
from pathlib import Path

from bench.exports import SUBMISSIONS, measure_exports
from bench.figures import measure_figures
from bench.floors import measure_floors
from bench.growth import measure_growth
from bench.ingest import Deliveries, measure_ingest
from bench.installation import installed, multiplied, postgres_version
from bench.lists import measure_lists
from bench.odata import measure_odata
from bench.openrosa import measure_openrosa
from bench.pages import measure_pages
from bench.processes import describe_machine
from bench.report import Line, print_table
from bench.upkeep import measure_memory, measure_rebuild, measure_start
from bench.wire import measure_wire

PARTS = (
    *("floors", "figures", "ingest", "openrosa", "wire", "start"),
    *("growth", "memory", "rebuild", "exports", "odata", "lists", "pages"),
)
KINDS = ("sqlite", "postgresql")
SIZES = [10_000, 100_000, 1_000_000]


def main() -> int:
    """Prints every figure as soon as it is known; 1 if one is not what it has to be."""
    chosen = arguments()
    print(f"{describe_machine()}, PostgreSQL {postgres_version()}; medians of {chosen.runs} runs", flush=True)
    lines: list[Line] = []
    if "floors" in chosen.parts:
        lines += show("Where the time goes (one process)", measure_floors(chosen.runs))
    for kind in chosen.on:
        if "figures" in chosen.parts:
            lines += show(f"Figures, {kind}", measure_figures(kind, chosen.sizes))
        if "lists" in chosen.parts:
            lines += show(f"Lists of a device, {kind}", measure_lists(kind, [5_000, 50_000], chosen.runs))
        if set(chosen.parts) - {"floors", "figures", "lists", "pages"}:
            lines += on_database(kind, chosen)
        if "pages" in chosen.parts:
            lines += pages_on_database(kind, chosen)
    missed = [line.what for line in lines if not line.kept]
    if missed:
        print(f"\nNot kept: {'; '.join(missed)}")
    return 1 if missed else 0


def on_database(kind: str, chosen: argparse.Namespace) -> list[Line]:
    """The chosen parts on one database, which fills up from part to part."""
    lines: list[Line] = []
    deliveries = Deliveries()
    posts = 200 if chosen.quick else 1000
    with installed(kind) as siby:
        if "ingest" in chosen.parts:
            lines += show(f"Ingest, {kind}", measure_ingest(siby, deliveries, chosen.runs, 5 if chosen.quick else 15))
        if "openrosa" in chosen.parts:
            lines += show(f"Posts by OpenRosa, {kind}", measure_openrosa(siby, chosen.runs, posts))
        if "wire" in chosen.parts:
            lines += show(f"A day on the wire, {kind}", measure_wire(siby))
        if "start" in chosen.parts:
            lines += show(f"Start, {kind}", measure_start(siby, chosen.runs))
        if "growth" in chosen.parts:
            lines += show(f"Growth, {kind}", measure_growth(siby, deliveries, kind, chosen.sizes, chosen.runs))
        if "memory" in chosen.parts:
            lines += show(f"Memory, {kind}", measure_memory(siby, deliveries, 10_000 if chosen.quick else 100_000))
        if "rebuild" in chosen.parts:
            lines += show(f"Rebuild, {kind}", measure_rebuild(siby, deliveries, 5_000 if chosen.quick else 20_000))
        if "exports" in chosen.parts:
            count = 10_000 if chosen.quick else SUBMISSIONS
            lines += show(f"Exports, {kind}", measure_exports(siby, deliveries, count, chosen.runs))
            if "openrosa" in chosen.parts:
                title = f"Posts by OpenRosa with {count:,} stored, {kind}"
                lines += show(title, measure_openrosa(siby, chosen.runs, posts))
        if "odata" in chosen.parts:
            count = 10_000 if chosen.quick else SUBMISSIONS
            lines += show(f"OData, {kind}", measure_odata(siby, count))
    return lines


def pages_on_database(kind: str, chosen: argparse.Namespace) -> list[Line]:
    """The pages, with the demo of a year, or with thirteen of it."""
    if not (chosen.demo / "siby.sqlite").exists():
        raise SystemExit(f"{chosen.demo} holds no demo: run `make demo` first, or name it with --demo.")
    count, asked = (0, 5) if chosen.quick else (250_000, 20)
    with multiplied(kind, chosen.demo, count, chosen.folder) as siby:
        return show(f"Pages, {kind}", measure_pages(siby, asked))


def show(title: str, lines: list[Line]) -> list[Line]:
    """Prints the lines and hands them back."""
    print_table(title, lines)
    return lines


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them unless some are named")
    parser.add_argument("--on", action="append", choices=KINDS, help="sqlite, postgresql, or both if left out")
    parser.add_argument("--demo", type=Path, default=Path("demo-data/siby"), help="for pages: what `make demo` left")
    parser.add_argument("--folder", type=Path, help="for pages: where what was filled stays, to be measured again")
    parser.add_argument("--runs", type=int, default=3, help="the median of so many runs is printed")
    parser.add_argument("--quick", action="store_true", help="fewer submissions: a look, not a result")
    chosen = parser.parse_args()
    chosen.parts = chosen.parts or list(PARTS)
    chosen.on = chosen.on or list(KINDS)
    chosen.sizes = SIZES[:1] if chosen.quick else SIZES
    return chosen


if __name__ == "__main__":
    raise SystemExit(main())
