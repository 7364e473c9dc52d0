"""Which choices a question offers in a form as it is filled in now."""

from __future__ import annotations

from collections.abc import Iterable
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
    for value, what in tried:
        if _is_let_through(form, path, context, value):
            if len(found) == most:
                return found, True
            found.append((value, what))
    return found, len(tried) == MOST_TRIED


def _is_let_through(form: Form, path: str, context: Context, value: str) -> bool:
    itemset = form.itemsets.get(path)
    if itemset is None or itemset.chosen is None:
        return True
    try:
        return itemset.chosen.boolean(context, chosen=value)
    except Unevaluable:
        return True
