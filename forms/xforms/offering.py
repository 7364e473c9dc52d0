"""Which choices a question offers in a form as it is filled in now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from forms.xforms.model import Form
from forms.xpath.expressions import Context, Unevaluable

Choosable = TypeVar("Choosable")

# Of a long list no more are looked at: whoever looks for one says what it is called.
MOST_TRIED = 3000


def offered(
    form: Form, path: str, context: Context, candidates: Iterable[tuple[str, Choosable]], most: int
) -> tuple[list[tuple[str, Choosable]], bool]:
    """Those of the candidates (value, and whatever goes with it) that the choice filter of the question lets through,
    and whether there may be more. `context.node` is the question's element; what cannot be worked out is offered."""
    found: list[tuple[str, Choosable]] = []
    tried = list(islice(candidates, MOST_TRIED))
    is_let_through = _filter(form, path, context)
    for value, what in tried:
        if is_let_through(value):
            if len(found) == most:
                return found, True
            found.append((value, what))
    return found, len(tried) == MOST_TRIED


def _filter(form: Form, path: str, context: Context) -> Callable[[str], bool]:
    """Worked out once for a whole list of the form or of a file; records of a register are few of many, and asked one
    by one."""
    itemset = form.itemsets.get(path)
    if itemset is None or itemset.chosen is None:
        return lambda value: True
    chosen, passing = itemset.chosen, itemset.passing
    if passing is not None and not (itemset.external and context.lists.is_entities(itemset.list_name or "")):
        with suppress(Unevaluable):
            return {node.text or "" for node in passing.nodes(context)}.__contains__

    def is_let_through(value: str) -> bool:
        try:
            return chosen.boolean(context, chosen=value)
        except Unevaluable:
            return True

    return is_let_through
