"""The columns `subject` and `expected` of the sheet settings: whom a visit is about, and of whom one is expected."""

from __future__ import annotations

from collections.abc import Sequence

from forms.indicators.sheets import Indicator
from forms.indicators.subjects import NOBODY
from forms.spelling import suggestion
from forms.workbooks.desk import Desk
from forms.workbooks.spreadsheet import Sheet


def read_subject(settings: Sheet | None, indicators: Sequence[Indicator], desk: Desk) -> str:
    """The name of a list, `none`, or nothing: then it is the first entity that a visit makes, changes or counts."""
    if settings is None or not settings.rows:
        return ""
    row = settings.rows[0]
    written = row.text("subject")
    if not written or written.lower() == NOBODY:
        return written.lower()
    if desk.form is not None:
        known = {entity.list_name for entity in desk.form.entities} | _lists_counted(indicators, desk)
        if written not in known:
            fault = f"The form neither creates, updates nor counts anybody of a list ‘{written}’."
            desk.fault(settings, row, "subject", fault, suggestion(written, [*sorted(known), NOBODY]))
    return written


def read_expected(settings: Sheet | None) -> str:
    """The name of an indicator, `none`, or nothing: then a visit is expected of every entry. Whether there is such an
    indicator is seen later, together with the other workbooks."""
    written = settings.rows[0].text("expected") if settings is not None and settings.rows else ""
    return NOBODY if written.lower() == NOBODY else written


def _lists_counted(indicators: Sequence[Indicator], desk: Desk) -> set[str]:
    assert desk.form is not None
    chosen = {asked.itemset for asked in desk.form.fields.values() if asked.external}
    return {one.subject for one in indicators if one.subject is not None and one.subject in chosen}
