"""Whom a visit is about."""

from __future__ import annotations

from collections.abc import Iterable

from forms.indicators.contributing import Contribution
from forms.indicators.sheets import Sheets
from forms.xforms.entities import EntityAction

NOBODY = "none"  # of whom there is one visit a day


def named_list(sheets: Sheets) -> str | None:
    """The list of which the workbook says that a visit is about one of its entities."""
    return sheets.subject if sheets.subject not in ("", NOBODY) else None


def subject_of(sheets: Sheets, actions: Iterable[EntityAction], contributions: Iterable[Contribution]) -> str | None:
    """The first entity that the visit makes or changes, with its list (`people/6a…`); else the first that an indicator
    counts, by its key alone. Where the workbook names a list, only entities of it, and always with the list."""
    named = named_list(sheets)
    made = next((one for one in actions if named in (None, one.list_name)), None)
    if made is not None:
        return f"{made.list_name}/{made.entity_id}"
    if named is None:
        return next((row.subject for row in contributions if row.subject), None)
    counting = {indicator.name for indicator in sheets.indicators if indicator.subject == named}
    counted = next((row.subject for row in contributions if row.subject and row.indicator in counting), None)
    return f"{named}/{counted}" if counted else None
