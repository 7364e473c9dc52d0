"""Whom a visit is about."""

from __future__ import annotations

from collections.abc import Iterable

from forms.indicators.contributing import Contribution
from forms.indicators.sheets import LIST_NAME, Indicator, Sheets, field_called, plain_reference
from forms.xforms.entities import EntityAction
from forms.xforms.model import Form

NOBODY = "none"  # of whom there is one visit a day
# What only a list of people says of its entries.
OF_PEOPLE = frozenset({"first_name", "last_name", "sex", "birth_year", "birth_date", "age"})


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


def reported_list(form: Form, sheets: Sheets) -> tuple[str, bool]:
    """The list of which a submission of the form is about one entry, blank where there is none; and whether the
    submission names the entry with the list before it, or by its id alone."""
    named = named_list(sheets)
    if named is not None:
        return named, True
    declared = [entity.list_name for entity in form.entities if entity.repeat is None]
    if declared:
        # Of several, the first is the subject of a submission.
        return declared[0], True
    # The subject of a submission is that of the first indicator that has one: a list, or a question.
    subject = next((indicator.subject for indicator in sheets.indicators if indicator.subject), None)
    asked = field_called(form, sheets, plain_reference(subject) or "") if subject else None
    chosen = {
        one.itemset
        for one in form.fields.values()
        if one.repeat is None and one.type == "select1" and one.external and one.itemset and asked in (None, one)
    }
    if asked is not None and asked.itemset in chosen:
        return asked.itemset or "", False
    return (subject or "", False) if subject in chosen else ("", False)


def counted_list(indicator: Indicator, sheets: Sheets, form: Form | None) -> str | None:
    """The list whose entries an indicator of these sheets counts: the one that it names, or out of which a question of
    the form is answered. None where that cannot be told."""
    subject = indicator.subject or ""
    if LIST_NAME.fullmatch(subject):
        return subject
    asked = field_called(form, sheets, plain_reference(subject) or "") if form is not None else None
    return asked.itemset if asked is not None and asked.external else None
