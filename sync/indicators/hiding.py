"""Small cells, kept from those who may not see them, together with the cells that would give them away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.indicators.counting import Cell


def is_small(count: int, minimum: int | None) -> bool:
    """Above nothing and below the smallest count that may be shown."""
    return minimum is not None and 0 < count < minimum


def hidden_cells(counts: Mapping[Cell, int], minimum: int | None, partial: Sequence[bool]) -> set[Cell]:
    """The small cells of a table, and as many others as it takes that none can be worked out.

    Whoever asks without one of the dimensions learns the sums along it. So along each dimension whose cells add up
    (`partial` is true of it), what is hidden in a line is at least two cells that together are not small, unless the
    whole line is. The smallest cells go first.
    """
    if minimum is None:
        return set()
    hidden = {cell for cell, count in counts.items() if is_small(count, minimum)}
    lines = [line for position, adds_up in enumerate(partial) if adds_up for line in _lines(counts, position)]
    before = -1
    while hidden and len(hidden) != before:
        before = len(hidden)
        for line in lines:
            hidden |= _complement(line, counts, hidden, minimum)
    return hidden


def _lines(counts: Mapping[Cell, int], position: int) -> list[list[Cell]]:
    """The cells that differ in one dimension alone, smallest first."""
    lines: dict[Cell, list[Cell]] = {}
    for cell in sorted(counts, key=lambda cell: (counts[cell], [key or "" for key in cell])):
        lines.setdefault((*cell[:position], *cell[position + 1 :]), []).append(cell)
    return list(lines.values())


def _complement(line: list[Cell], counts: Mapping[Cell, int], hidden: set[Cell], minimum: int) -> set[Cell]:
    """What else has to be hidden in a line of which something is."""
    gone = [cell for cell in line if cell in hidden]
    if not gone or sum(counts[cell] for cell in line) < minimum:
        return set()
    more: set[Cell] = set()
    # An empty cell is no cover: where the others are known, so is that it is empty.
    for cell in (cell for cell in line if cell not in hidden and counts[cell] > 0):
        together = gone + list(more)
        if len(together) > 1 and sum(counts[one] for one in together) >= minimum:
            break
        more.add(cell)
    return more
