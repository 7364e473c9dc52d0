"""Rules that depend on each other in a circle, which no client can work out."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from forms.findings import Finding
from forms.xpath.expressions import Expression

# How many circles of one form are named; each of them is searched for anew.
_MOST = 20
# path → what it depends on → the column and the path of the rule that says so
_Edges = dict[str, dict[str, tuple[str, str]]]


def circles(rules: Iterable[tuple[str, str, Expression]], paths: Iterable[str]) -> list[Finding]:
    """A finding for each circle that ODK clients would refuse the form for, naming the questions on it.

    `rules` are path, column and expression of all that is `relevant`, `calculation`, `required` or `read_only`; `paths`
    are those of the whole form. What is relevant for a group decides about everything in it. Clients tell no iteration
    of a repeat from another here, so neither does this.
    """
    edges = _edges(rules, list(paths))
    found = []
    for _ in range(_MOST):
        try:
            TopologicalSorter(edges).prepare()
        except CycleError as error:
            circle: list[str] = list(reversed(error.args[1]))  # each depends on the next
            found.append(_finding(circle, edges))
            del edges[circle[0]][circle[1]]
        else:
            break
    return found


def _edges(rules: Iterable[tuple[str, str, Expression]], paths: list[str]) -> _Edges:
    edges: _Edges = {}
    inside: dict[str, list[str]] = {}
    for path in paths:
        around = path
        while around := around.rpartition("/")[0]:
            inside.setdefault(around, []).append(path)
    for path, column, expression in rules:
        decided = [path, *(inside.get(path, ()) if column == "relevant" else ())]
        for one in decided:
            for read in expression.depends_on:
                edges.setdefault(one, {}).setdefault(read, (column, path))
    return edges


def _finding(circle: list[str], edges: _Edges) -> Finding:
    said = [edges[one][other] for one, other in pairwise(circle)]
    what = "Calculations" if all(column == "calculation" for column, _ in said) else "Rules"
    steps = [_named(one, around) for one, (_, around) in zip(circle, said, strict=False)]
    named = " → ".join([*steps, _named(circle[-1])])
    column, place = said[0]
    return Finding(f"{what} depend on each other in a circle: {named}.", "Break it.", place, column=column)


def _named(path: str, around: str | None = None) -> str:
    """A question, with the group whose rule it is that decides about it."""
    name = f"‘{path.rpartition('/')[2]}’"
    return name if around in (None, path) else f"{name} in {_named(str(around))}"
