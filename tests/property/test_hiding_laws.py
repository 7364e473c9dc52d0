"""Small cells: whoever knows everything that is shown, in every table that can be asked for, cannot work one out."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sync.indicators.counting import Cell
from sync.indicators.hiding import CountsOf, hidden_cells

MINIMUM = 5
COUNTS = st.one_of(st.integers(0, 6), st.integers(0, 60))


@st.composite
def tables(draw: st.DrawFn) -> dict[Cell, int]:
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return {(f"r{row}", f"c{column}"): draw(COUNTS) for row in range(rows) for column in range(columns)}


@given(tables())
def test_no_small_cell_can_be_worked_out_from_what_is_shown(counts: dict[Cell, int]) -> None:
    hidden = sorted(hidden_cells(summed(counts), [True, True], MINIMUM), key=str)

    equations = [[Fraction(cell in inside) for cell in hidden] for inside in shown_sums(counts)]

    for number, cell in enumerate(hidden):
        if 0 < counts[cell] < MINIMUM:
            alone = [Fraction(other == number) for other in range(len(hidden))]
            assert rank([*equations, alone]) > rank(equations)


@given(tables())
def test_only_what_is_small_or_covers_something_small_is_hidden(counts: dict[Cell, int]) -> None:
    hidden = hidden_cells(summed(counts), [True, True], MINIMUM)

    small = {cell for cell, count in counts.items() if 0 < count < MINIMUM}
    assert small <= hidden
    assert not hidden or small
    assert hidden_cells(summed(counts), [True, True], None) == set()
    assert hidden_cells(summed(counts), [False, False], MINIMUM) == small


def shown_sums(counts: dict[Cell, int]) -> list[set[Cell]]:
    """The sets of cells whose sums other tables show: the rows and columns that those do not hide, and the total."""
    found = [set(counts)] if not 0 < sum(counts.values()) < MINIMUM else []
    for position in (0, 1):
        lines: dict[Cell, set[Cell]] = {}
        for cell in counts:
            lines.setdefault((cell[position],), set()).add(cell)
        sums = {line: sum(counts[cell] for cell in cells) for line, cells in lines.items()}
        gone = hidden_cells(summed(sums), [True], MINIMUM)
        found += [cells for line, cells in lines.items() if line not in gone]
    return found


def summed(counts: dict[Cell, int]) -> CountsOf:
    """The tables with fewer dimensions, whose counts are sums."""

    def counts_of(positions: tuple[int, ...]) -> dict[Cell, int]:
        found: dict[Cell, int] = {}
        for cell, count in counts.items():
            key = tuple(cell[position] for position in positions)
            found[key] = found.get(key, 0) + count
        return found

    return counts_of


def rank(rows: list[list[Fraction]]) -> int:
    """Of a matrix, exactly."""
    left = [row[:] for row in rows]
    found = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in left[found:] if row[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        left.insert(found, pivot)
        for number in range(found + 1, len(left)):
            factor = left[number][column] / pivot[column]
            left[number] = [one - factor * other for one, other in zip(left[number], pivot, strict=True)]
        found += 1
    return found
