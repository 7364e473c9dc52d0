"""Small cells, kept from those who may not see them, together with the cells that would give them away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import product
from math import prod

from sync.indicators.counting import Cell

_MOST_CELLS = 20_000
# Some seconds' worth of working out what follows from the sums of one table: beyond, each sum is covered by itself.
_MOST_STEPS = 6_000_000
_PRIME = 2_147_483_647

# A table that can be asked for: how many steps down from the whole its places lie, and its breakdowns. Its cells begin
# with the place, unless it is of the whole.
_Asked = tuple[int, tuple[str, ...]]
# Unknown cell → how many times it goes into a sum.
_Equation = dict[Cell, int]


@dataclass(slots=True)
class _Steps:
    """What may still be worked out about one table. Counted, not timed: so the same is hidden on every machine."""

    left: int


@dataclass(slots=True)
class _Solved:
    """What sums of unknowns come to, each by an unknown that none of those after it has. `following` are the numbers of
    the sums that followed from those before. If there was too much to work out, `is_whole` is False."""

    steps: _Steps
    sums: dict[Cell, _Equation] = field(default_factory=dict)
    order: dict[Cell, int] = field(default_factory=dict)
    following: list[int] = field(default_factory=list)
    is_whole: bool = True


@dataclass(slots=True)
class _Table:
    """What a table hides, and the groups of its cells whose sums a reader can work out; a cell that is shown is one.
    `independent` says how many sums of hidden cells he knows, without those that follow from others; None, if that was
    not worked out."""

    hidden: set[Cell]
    known: list[list[Cell]]
    independent: int | None = 0


@dataclass(slots=True)
class _Above:
    """A table that another divides: the parts of its hidden cells there."""

    hidden: list[list[Cell]]
    independent: int | None


@dataclass(slots=True)
class Family:
    """All tables of one indicator and period. What one hides depends on those with fewer breakdowns and of the places
    around its own, and on nothing that was asked: so every answer hides the same.

    `counts_of` are the counts of a table, `place_around` is the place around one that lies so many steps down.
    `adds_up` says of a breakdown whether its cells come to their total.
    """

    counts_of: Callable[[int, tuple[str, ...]], Mapping[Cell, int]]
    place_around: Callable[[str | None, int], str | None]
    adds_up: Callable[[str], bool]
    minimum: int
    _tables: dict[_Asked, _Table] = field(default_factory=dict)

    def hidden(self, depth: int, names: Iterable[str]) -> set[Cell]:
        """The small cells of a table (above zero and below the minimum), and as many others as it takes to cover them.
        The keys of breakdowns are in the order of their names.

        Whoever asks with fewer breakdowns, or for the place around, learns sums of cells: of each line of cells that
        add up, and, where such a sum is hidden too, of the lines that hide each other. Of every group of cells whose
        sum is known, what is hidden is at least two cells that together are not small. The smallest go first, empty
        ones last: they cover nothing but large ones. Combinations of keys that do not occur are cells too, and empty.
        """
        return self._conceal(depth, tuple(sorted(names))).hidden

    def _conceal(self, depth: int, names: tuple[str, ...]) -> _Table:
        if (depth, names) not in self._tables:
            counts = _filled(self.counts_of(depth, names))
            small = {cell for cell, count in counts.items() if 0 < count < self.minimum}
            # Without a small cell here there is none in any table that this one divides.
            self._tables[depth, names] = self._covered(depth, names, counts, small) if small else _all_known(counts)
        return self._tables[depth, names]

    def _covered(self, depth: int, names: tuple[str, ...], counts: Mapping[Cell, int], small: set[Cell]) -> _Table:
        hidden = set(small)
        groups: list[list[Cell]] = []
        divided: list[_Above] = []
        for above, part_of in self._divided(depth, names):
            lines: dict[Cell, list[Cell]] = {}
            for cell in counts:
                lines.setdefault(part_of(cell), []).append(cell)
            groups += (_of_lines(group, lines) for group in above.known)
            parts = [_of_lines([cell], lines) for cell in sorted(above.hidden, key=_keys)]
            divided.append(_Above(parts, above.independent))
        # Of a sum that is nought everybody knows that each of its cells is: those cover nothing.
        nought = {cell for group in groups if not any(counts[cell] for cell in group) for cell in group}
        groups = [[cell for cell in group if cell not in nought] for group in groups]
        groups = [sorted(group, key=lambda cell: _rank(cell, counts[cell])) for group in groups if group]
        groups_of: dict[Cell, list[int]] = {}
        for number, group in enumerate(groups):
            for cell in group:
                groups_of.setdefault(cell, []).append(number)
        _cover_all(groups, counts, hidden, self.minimum)
        steps = _Steps(_MOST_STEPS)
        while True:
            solved = _solved([{cell: 1 for cell in group if cell in hidden} for group in groups], steps)
            before = len(hidden)
            for cells in list(_exposed(solved, hidden, small, divided)):
                hidden |= _cover_near(groups, groups_of, hidden, cells)
            if len(hidden) == before:
                break
            _cover_all(groups, counts, hidden, self.minimum)
        known = [[cell] for cell in counts if cell not in hidden]
        known += filter(None, ([cell for cell in group if cell in hidden] for group in groups))
        return _Table(hidden, known, len(solved.sums) if solved.is_whole else None)

    def _divided(self, depth: int, names: tuple[str, ...]) -> Iterator[tuple[_Table, Callable[[Cell], Cell]]]:
        """The tables that a table divides, with which of their cells one is part of."""
        if depth:
            yield self._conceal(depth - 1, names), lambda cell: self._around(cell, depth)
        first = 1 if depth else 0
        for number, name in enumerate(names):
            if self.adds_up(name):
                yield self._conceal(depth, (*names[:number], *names[number + 1 :])), _without(first + number)

    def _around(self, cell: Cell, depth: int) -> Cell:
        return (self.place_around(cell[0], depth), *cell[1:]) if depth > 1 else cell[1:]


def _all_known(counts: Iterable[Cell]) -> _Table:
    return _Table(set(), [[cell] for cell in counts])


def _without(place: int) -> Callable[[Cell], Cell]:
    return lambda cell: (*cell[:place], *cell[place + 1 :])


def _filled(counts: Mapping[Cell, int]) -> Mapping[Cell, int]:
    """With all combinations of the keys that occur, unless they are too many to be looked at. In an order of their own,
    so that the same is hidden in whatever order rows are read."""
    keys = [sorted(set(column), key=lambda key: key or "") for column in zip(*counts, strict=True)]
    if prod(len(column) for column in keys) > _MOST_CELLS:
        return {cell: counts[cell] for cell in sorted(counts, key=_keys)}
    return {cell: counts.get(cell, 0) for cell in product(*keys)} if keys else counts


def _of_lines(cells: Iterable[Cell], lines: Mapping[Cell, list[Cell]]) -> list[Cell]:
    return [cell for line in cells for cell in lines.get(line, ())]


def _rank(cell: Cell, count: int) -> tuple[bool, int, list[str]]:
    return count == 0, count, _keys(cell)


def _keys(cell: Cell) -> list[str]:
    return [key or "" for key in cell]


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


def _exposed(solved: _Solved, hidden: set[Cell], small: set[Cell], divided: Iterable[_Above]) -> Iterator[set[Cell]]:
    """Cells among which one more has to be hidden, because a small one can be worked out from several sums together, as
    an equation system is solved, or because more follows about a table above than that table shows itself."""
    for cell in sorted(small, key=_keys):
        if not _less_known({cell: 1}, solved):
            yield {cell}
    for above in divided:
        if above.independent is not None:
            parts = [hidden.intersection(cells) for cells in above.hidden]
            unknown = _solved([_less_known(dict.fromkeys(cells, 1), solved) for cells in parts], solved.steps)
            if unknown.is_whole and len(unknown.following) > above.independent:
                for number in reversed(unknown.following):
                    yield parts[number]


def _cover_near(
    groups: list[list[Cell]], groups_of: Mapping[Cell, list[int]], hidden: Set[Cell], cells: Set[Cell]
) -> set[Cell]:
    """The first cell that is shown of a sum that some of the cells go into, or of one that hangs together with it."""
    near, seen = set(cells), set[int]()
    while touched := sorted({number for cell in near for number in groups_of.get(cell, ())} - seen):
        for number in touched:
            for cell in groups[number]:
                if cell not in hidden:
                    return {cell}
        seen.update(touched)
        near = {cell for number in touched for cell in groups[number]}
    return set()


def _solved(equations: Iterable[_Equation], steps: _Steps) -> _Solved:
    """Gauss's elimination, in numbers modulo a prime."""
    found = _Solved(steps)
    for number, equation in enumerate(equations):
        left = _less_known(equation, found)
        if left:
            pivot = next(iter(left))
            inverse = pow(left[pivot], -1, _PRIME)
            found.sums[pivot] = {unknown: factor * inverse % _PRIME for unknown, factor in left.items()}
            found.order[pivot] = number
        else:
            found.following.append(number)
        if steps.left <= 0:
            return _Solved(steps, is_whole=False)
    return found


def _less_known(unknown: _Equation, solved: _Solved) -> _Equation:
    """What is not known of a sum; nothing, if it can be worked out. Without steps left it counts as not known."""
    # No sum has the unknown for which an earlier one stands, so what was taken out does not come back.
    while solved.steps.left > 0 and (pivots := [cell for cell in unknown if cell in solved.sums]):
        pivot = min(pivots, key=solved.order.__getitem__)
        solved.steps.left -= len(unknown) + len(solved.sums[pivot])
        unknown = _less(unknown, solved.sums[pivot], unknown[pivot])
    return unknown


def _less(equation: _Equation, other: _Equation, times: int) -> _Equation:
    found = dict(equation)
    for unknown, factor in other.items():
        left = (found.get(unknown, 0) - times * factor) % _PRIME
        if left:
            found[unknown] = left
        else:
            found.pop(unknown, None)
    return found
