"""Small cells: whoever knows everything that is shown, in every table that can be asked for, cannot work one out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import combinations, product

from hypothesis import example, given
from hypothesis import strategies as st

from sync.indicators.counting import Cell
from sync.indicators.hiding import Family
from tests.support.figures import a_place, a_tree

MINIMUM = 5
COUNTS = st.one_of(st.integers(0, 6), st.integers(0, 60))
WAYS = ("age", "sex")
# Two regions; of the first, a circle without and one with communes. What lies in none of them is of the place itself.
TREE = a_tree(
    a_place("north", "region"),
    a_place("south", "region"),
    a_place("dry", "circle", "north"),
    a_place("wet", "circle", "north"),
    a_place("far", "circle", "south"),
    a_place("near", "circle", "south"),
    a_place("hill", "commune", "wet"),
    a_place("dale", "commune", "wet"),
)
DEPTHS = range(4)


@st.composite
def tables(draw: st.DrawFn) -> dict[Cell, int]:
    """Where they are, age and sex → so many."""
    places = draw(st.lists(st.sampled_from([None, *TREE.places]), min_size=1, unique=True))
    ages, sexes = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    if len(places) > 4:
        ages = 1
    return {
        (place, f"a{age}", f"s{sex}"): draw(COUNTS) for place, age, sex in product(places, range(ages), range(sexes))
    }


# Nobody is of the first age; so whoever is of the third and of the first sex cannot be hidden behind it.
OF_NO_AGE = {
    (None, f"a{age}", f"s{sex}"): count
    for age, row in enumerate([(0, 0, 0), (0, 6, 5), (5, 3, 0)])
    for sex, count in enumerate(row)
}


@given(tables())
@example(OF_NO_AGE)
def test_no_small_cell_can_be_worked_out_from_what_is_shown(counts: dict[Cell, int]) -> None:
    family = family_of(counts)
    atoms = list(counts)
    shown, secret = [], []
    for depth, names in every_table():
        hidden = family.hidden(depth, names)
        for cell, inside in divided(counts, depth, names).items():
            row = [Fraction(atom in inside) for atom in atoms]
            if cell not in hidden:
                shown.append(row)
                if not any(counts[atom] for atom in inside):  # then each of them is nought
                    shown += [[Fraction(atom == one) for atom in atoms] for one in inside]
            elif 0 < sum(counts[atom] for atom in inside) < MINIMUM:
                secret.append(row)

    basis = reduced(shown)

    assert all(any(rest(row, basis)) for row in secret)


@given(tables())
def test_only_what_is_small_or_covers_something_small_is_hidden(counts: dict[Cell, int]) -> None:
    family = family_of(counts)

    for depth, names in every_table():
        hidden = family.hidden(depth, names)
        sums = summed(counts, depth, names)
        small = {cell for cell, count in sums.items() if 0 < count < MINIMUM}
        assert small <= hidden
        assert not hidden or small
        alone = Family(lambda depth, names: summed(counts, depth, names), TREE.around, lambda name: False, MINIMUM)
        assert depth or alone.hidden(depth, names) == small


@given(tables(), st.permutations([*product(DEPTHS, [(), ("age",), ("sex",), ("sex", "age")])]))
def test_what_is_hidden_does_not_hang_on_what_was_asked_before_or_read_first(
    counts: dict[Cell, int], order: list[tuple[int, tuple[str, ...]]]
) -> None:
    one, other = family_of(counts), family_of(dict(reversed(counts.items())))
    expected = {(depth, names): one.hidden(depth, names) for depth, names in every_table()}

    for depth, names in order:
        assert other.hidden(depth, names) == expected[depth, tuple(sorted(names))]


def family_of(counts: Mapping[Cell, int]) -> Family:
    return Family(lambda depth, names: summed(counts, depth, names), TREE.around, lambda name: True, MINIMUM)


def every_table() -> Iterator[tuple[int, tuple[str, ...]]]:
    names = (chosen for count in range(3) for chosen in combinations(WAYS, count))
    yield from product(DEPTHS, names)


def divided(counts: Mapping[Cell, int], depth: int, names: tuple[str, ...]) -> dict[Cell, set[Cell]]:
    """The cells of a table, with what each is the sum of."""
    found: dict[Cell, set[Cell]] = {}
    for atom in counts:
        keys = tuple(atom[1 + WAYS.index(name)] for name in names)
        cell = (TREE.at_depth(atom[0], depth), *keys) if depth else keys
        found.setdefault(cell, set()).add(atom)
    return found


def summed(counts: Mapping[Cell, int], depth: int, names: tuple[str, ...]) -> dict[Cell, int]:
    return {cell: sum(counts[atom] for atom in inside) for cell, inside in divided(counts, depth, names).items()}


def reduced(rows: list[list[Fraction]]) -> list[tuple[int, list[Fraction]]]:
    """What spans the rows, each with a column that stands for it."""
    found: list[tuple[int, list[Fraction]]] = []
    for row in rows:
        left = rest(row, found)
        pivot = next((column for column, one in enumerate(left) if one), None)
        if pivot is not None:
            found.append((pivot, [one / left[pivot] for one in left]))
    return found


def rest(row: list[Fraction], basis: list[tuple[int, list[Fraction]]]) -> list[Fraction]:
    """What cannot be put together from the basis; nothing, for what can."""
    for pivot, one in basis:
        if row[pivot]:
            row = [mine - row[pivot] * other for mine, other in zip(row, one, strict=True)]
    return row
