"""Small cells, kept from those who may not see them, together with the cells that would give them away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

from sync.indicators.counting import Cell

_MOST_CELLS = 20_000
_MOST_UNKNOWN = 100
_PRIME = 2_147_483_647

# The counts of the table over some of the dimensions, by their positions; over none it is the total, in the cell ().
CountsOf = Callable[[tuple[int, ...]], Mapping[Cell, int]]


@dataclass(slots=True)
class _Table:
    """What a table hides, and the groups of its cells whose sums a reader can work out; a cell that is shown is one."""

    hidden: set[Cell]
    known: list[list[Cell]] = field(default_factory=list)


def hidden_cells(counts_of: CountsOf, adds_up: Sequence[bool], minimum: int | None) -> set[Cell]:
    """The small cells of a table (above zero and below `minimum`), and as many others as it takes to cover them.

    Whoever asks with fewer dimensions learns sums of cells: of each line along a dimension whose cells add up, and,
    where such a sum is hidden too, of the lines that hide each other. Of every group of cells whose sum is known, what
    is hidden is at least two cells that together are not small. The smallest go first, empty ones last: they cover
    nothing but large ones. Combinations of keys that do not occur are cells too, and empty.
    """
    if minimum is None:
        return set()
    return _conceal(counts_of, tuple(range(len(adds_up))), adds_up, minimum, {}).hidden


def _conceal(
    counts_of: CountsOf,
    positions: tuple[int, ...],
    adds_up: Sequence[bool],
    minimum: int,
    done: dict[tuple[int, ...], _Table],
) -> _Table:
    if positions in done:
        return done[positions]
    counts = _filled(counts_of(positions))
    table = _Table({cell for cell, count in counts.items() if 0 < count < minimum})
    groups: list[list[Cell]] = []
    for place, position in enumerate(positions):
        if adds_up[position]:
            above = _conceal(counts_of, (*positions[:place], *positions[place + 1 :]), adds_up, minimum, done)
            groups += _groups(counts, place, above)
    small = list(table.hidden)
    _cover_all(groups, counts, table.hidden, minimum)
    while cover := _cover_of_exposed(groups, table.hidden, small):
        table.hidden.add(cover)
        _cover_all(groups, counts, table.hidden, minimum)
    table.known = [[cell] for cell in counts if cell not in table.hidden]
    table.known += filter(None, ([cell for cell in group if cell in table.hidden] for group in groups))
    done[positions] = table
    return table


def _filled(counts: Mapping[Cell, int]) -> Mapping[Cell, int]:
    """With all combinations of the keys that occur, unless they are too many to be looked at."""
    keys = [dict.fromkeys(column) for column in zip(*counts, strict=True)]
    if prod(len(column) for column in keys) > _MOST_CELLS:
        return counts
    return {cell: counts.get(cell, 0) for cell in product(*keys)} if keys else counts


def _groups(counts: Mapping[Cell, int], place: int, above: _Table) -> list[list[Cell]]:
    """The cells behind each sum that is known from the table without the dimension, smallest first."""
    lines: dict[Cell, list[Cell]] = {}
    for cell in counts:
        lines.setdefault((*cell[:place], *cell[place + 1 :]), []).append(cell)
    found = ([cell for line in group for cell in lines.get(line, ())] for group in above.known)
    return [sorted(group, key=lambda cell: _rank(cell, counts[cell])) for group in found if group]


def _rank(cell: Cell, count: int) -> tuple[bool, int, list[str]]:
    return count == 0, count, [key or "" for key in cell]


def _cover_all(groups: list[list[Cell]], counts: Mapping[Cell, int], hidden: set[Cell], minimum: int) -> None:
    before = -1
    while hidden and len(hidden) != before:
        before = len(hidden)
        for group in groups:
            hidden |= _cover(group, counts, hidden, minimum)


def _cover(group: list[Cell], counts: Mapping[Cell, int], hidden: set[Cell], minimum: int) -> set[Cell]:
    """What else has to be hidden of a group of which something is."""
    gone = [cell for cell in group if cell in hidden]
    if not gone:
        return set()
    for cell in (cell for cell in group if cell not in hidden):
        if len(gone) > 1 and sum(counts[one] for one in gone) >= minimum:
            break
        gone.append(cell)
    return set(gone)


def _cover_of_exposed(groups: list[list[Cell]], hidden: set[Cell], small: list[Cell]) -> Cell | None:
    """A cell to hide because a small one can still be worked out from several sums together, as an equation system is
    solved; None if there is no such small cell, or the table hides too much to be looked at."""
    if len(hidden) > _MOST_UNKNOWN:
        return None
    solved = _solved([{cell: 1 for cell in group if cell in hidden} for group in groups])
    for cell in small:
        if cell in solved:
            for group in groups:
                if cell in group and (others := [other for other in group if other not in hidden]):
                    return others[0]
    return None


def _solved(equations: list[dict[Cell, int]]) -> set[Cell]:
    """The unknowns that sums of unknowns determine: Gauss and Jordan's elimination, in numbers modulo a prime."""
    reduced: dict[Cell, dict[Cell, int]] = {}  # by the unknown that only this equation has
    for equation in equations:
        for unknown in [unknown for unknown in equation if unknown in reduced]:
            equation = _less(equation, reduced[unknown], equation[unknown])
        if not equation:
            continue
        pivot = next(iter(equation))
        equation = {unknown: factor * pow(equation[pivot], -1, _PRIME) % _PRIME for unknown, factor in equation.items()}
        for other, known in reduced.items():
            if pivot in known:
                reduced[other] = _less(known, equation, known[pivot])
        reduced[pivot] = equation
    return {pivot for pivot, equation in reduced.items() if len(equation) == 1}


def _less(equation: dict[Cell, int], other: dict[Cell, int], times: int) -> dict[Cell, int]:
    found = {
        unknown: (equation.get(unknown, 0) - times * other.get(unknown, 0)) % _PRIME
        for unknown in {**equation, **other}
    }
    return {unknown: factor for unknown, factor in found.items() if factor}
