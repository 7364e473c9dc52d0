"""Reads the sheets targets and matching."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection

from forms.indicators.sheets import ROLES, Matching, Target
from forms.spelling import suggestion
from forms.workbooks.desk import Desk, amount, choice
from forms.workbooks.spreadsheet import Sheet, SheetRow

_PERIOD = re.compile(r"all|(?:FY)?\d{4}(?:-Q[1-4])?|\d{4}-(?:0[1-9]|1[0-2])")
_FISCAL_MONTH = re.compile(r"FY\d{4}-\d\d")


def read_targets(sheet: Sheet | None, desk: Desk) -> list[tuple[Target, SheetRow]]:
    """Whether the indicator exists and has such cells is seen later, together with the other workbooks."""
    found: list[tuple[Target, SheetRow]] = []
    seen: dict[tuple[object, ...], SheetRow] = {}
    for row in sheet.rows if sheet else ():
        assert sheet is not None
        target = _target(sheet, row, desk)
        if target is None:
            continue
        key = (target.indicator, target.period, target.place, frozenset(target.by.items()))
        if key in seen:
            desk.fault(sheet, row, None, f"The row sets the same target as row {seen[key].number}.", "Keep one.")
        seen.setdefault(key, row)
        found.append((target, row))
    return found


def _target(sheet: Sheet, row: SheetRow, desk: Desk) -> Target | None:
    period = row.text("period") or "all"
    if not is_period(period):
        desk.fault(
            sheet,
            row,
            "period",
            f"‘{period}’ is not a period.",
            "Write 2026, 2026-Q3, 2026-07, FY2026, FY2026-Q1, 2026-01-01/2026-06-30 or all.",
        )
    baseline, target = (amount(sheet, row, column, desk) for column in ("baseline", "target"))
    if not row.text("baseline") and not row.text("target"):
        desk.fault(sheet, row, "target", "The row sets neither target nor baseline.", "Fill one in.")
    by = _cell_of_breakdowns(sheet, row, desk)
    if not row.text("indicator"):
        desk.fault(sheet, row, "indicator", "The row names no indicator.", "Fill it in.")
        return None
    return Target(row.text("indicator"), period, row.text("place") or None, by, baseline, target, row.text("note"))


def is_period(text: str) -> bool:
    """Whether the text is a period as batch-api's `period=` takes it."""
    if _PERIOD.fullmatch(text):
        return not _FISCAL_MONTH.fullmatch(text) and text[-4:] != "0000"
    first, slash, last = text.partition("/")
    try:
        return bool(slash) and dt.date.fromisoformat(first) <= dt.date.fromisoformat(last)
    except ValueError:
        return False


def _cell_of_breakdowns(sheet: Sheet, row: SheetRow, desk: Desk) -> dict[str, str]:
    by: dict[str, str] = {}
    for part in row.text("by").replace(",", " ").split():
        name, mark, key = part.partition("=")
        if not (name and mark and key) or name in by:
            desk.fault(sheet, row, "by", f"‘{part}’ does not name a cell.", "Write it like sex=female topic=marketing.")
        else:
            by[name] = key
    return by


def read_matching(sheet: Sheet | None, desk: Desk) -> tuple[Matching, ...]:
    """Every row as it is written; what is wrong with it has gone to the findings."""
    found: list[Matching] = []
    for row in sheet.rows if sheet else ():
        assert sheet is not None
        role = choice(sheet, row, "role", ROLES, "", desk)
        matching = Matching(row.text("list_name"), row.text("property"), role)
        _check_matching(sheet, row, matching, found, desk)
        found.append(matching)
    return tuple(found)


def _check_matching(sheet: Sheet, row: SheetRow, matching: Matching, earlier: Collection[Matching], desk: Desk) -> None:
    lacking = [column for column in ("list_name", "property") if not row.text(column)]
    for column in lacking:
        desk.fault(sheet, row, column, f"The row has no {column}.", "Fill it in.")
    if lacking:
        return
    if any((other.list_name, other.property) == (matching.list_name, matching.property) for other in earlier):
        desk.fault(sheet, row, "property", f"‘{matching.property}’ has a role already.", "Keep one row.")
    if matching.role and any((other.list_name, other.role) == (matching.list_name, matching.role) for other in earlier):
        desk.fault(sheet, row, "role", f"Another property is the {matching.role} already.", "Keep one of them.")
    if desk.form is None:
        return
    saved: dict[str, set[str]] = {}
    for entity in desk.form.entities:
        saved.setdefault(entity.list_name, set()).update(entity.saves)
    if matching.list_name not in saved:
        desk.fault(
            sheet,
            row,
            "list_name",
            f"The form neither creates nor updates entities of a list ‘{matching.list_name}’.",
            suggestion(matching.list_name, saved),
        )
    elif matching.property not in saved[matching.list_name]:
        desk.fault(
            sheet,
            row,
            "property",
            f"The form saves no property ‘{matching.property}’ to ‘{matching.list_name}’.",
            suggestion(matching.property, saved[matching.list_name]),
        )
