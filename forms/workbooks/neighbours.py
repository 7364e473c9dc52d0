"""Faults of our own sheets that only show beside the other workbooks of a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from forms.indicators.sheets import Breakdown, Indicator, Sheets, Target, value_labels
from forms.indicators.subjects import NOBODY, OF_PEOPLE, counted_list, reported_list
from forms.spelling import did_you_mean, suggestion
from forms.workbooks.desk import Desk
from forms.workbooks.formsheets import STAND_IN
from forms.workbooks.ownsheets import OwnSheets
from forms.workbooks.spreadsheet import Sheet, SheetRow

_COLUMN_OF = {"labels": "label", "descriptions": "description"}


def check_among(own: OwnSheets, neighbours: Sequence[Sheets], book: Mapping[str, Sheet], desk: Desk) -> None:
    """Faults that only show beside the project's other workbooks: ratios, shared indicators, targets of others."""
    others = {indicator.name: indicator for sheets in neighbours for indicator in sheets.indicators}
    known = others | {indicator.name: indicator for indicator in own.sheets.indicators}
    indicators, targets = book.get("indicators"), book.get("targets")
    if indicators:
        for indicator in own.sheets.indicators:
            row = own.indicator_rows[indicator.name]
            _check_ratio(indicators, row, indicator, known, desk)
            if indicator.name in others:
                _check_agreement(indicators, row, indicator, others[indicator.name], desk)
        _check_breakdowns_agree(own, neighbours, book, desk)
        _check_circles(indicators, own, known, desk)
    if targets:
        for target, row in own.target_rows:
            _check_target(targets, row, target, own.sheets, known, desk)
            if any(_same_cell(target, other) for sheets in neighbours for other in sheets.targets):
                desk.fault(targets, row, None, "Another workbook sets this target too.", "Keep one of them.")
    if own.sheets.expected not in ("", NOBODY):
        _check_expected(book["settings"], own.sheets, neighbours, known, desk)
    if "matching" in book:
        _check_roles(own.sheets, neighbours, book["matching"], desk)


def _check_ratio(sheet: Sheet, row: SheetRow, indicator: Indicator, known: Mapping[str, Indicator], desk: Desk) -> None:
    if indicator.aggregate != "ratio":
        return
    for column, name in (("numerator", indicator.numerator), ("denominator", indicator.denominator)):
        if not name:
            continue
        if name not in known:
            desk.fault(
                sheet, row, column, f"‘{name}’ is not an indicator of this programme.", did_you_mean(name, known)
            )
            continue
        if known[name].aggregate == "list":
            desk.fault(sheet, row, column, f"‘{name}’ is a list of texts, not a number.", "Name another.")
        for breakdown in indicator.by:
            if breakdown not in known[name].by:
                desk.fault(
                    sheet, row, "by", f"The {column} ‘{name}’ is not broken down by ‘{breakdown}’.", "Add it there."
                )


def _check_expected(
    sheet: Sheet, own: Sheets, neighbours: Sequence[Sheets], known: Mapping[str, Indicator], desk: Desk
) -> None:
    name, row = own.expected, sheet.rows[0]
    register, lists = _register(own, neighbours, desk), _lists_counted(own, neighbours, desk)
    if name not in known:
        remedy = did_you_mean(name, known)
        desk.fault(sheet, row, "expected", f"‘{name}’ is not an indicator of this programme.", remedy)
    elif not known[name].counts_subjects:
        fault = f"‘{name}’ does not count entries of a list."
        desk.fault(sheet, row, "expected", fault, "Name an indicator that has a subject.")
    elif register and lists and register not in lists:
        others = ", ".join(lists)
        fault = f"‘{name}’ counts entries of ‘{others}’, and visits of this form are about ‘{register}’."
        desk.fault(sheet, row, "expected", fault, f"Name an indicator whose subject is ‘{register}’.")


def _register(own: Sheets, neighbours: Sequence[Sheets], desk: Desk) -> str:
    """The list of whose entries the form reports, blank where it is one of people or cannot be told."""
    list_name = reported_list(desk.form, own)[0] if desk.form is not None else ""
    roles = {one.role for sheets in (own, *neighbours) for one in sheets.matching if one.list_name == list_name}
    return "" if roles & OF_PEOPLE else list_name


def _lists_counted(own: Sheets, neighbours: Sequence[Sheets], desk: Desk) -> list[str]:
    """The lists that those of whom the form is expected are counted in; none where one of them cannot be told."""
    feeding = [(one, sheets) for sheets in (own, *neighbours) if (one := sheets.indicator(own.expected)) is not None]
    lists = {counted_list(one, sheets, desk.form if sheets is own else None) for one, sheets in feeding}
    return sorted(name for name in lists if name) if None not in lists else []


def _check_circles(sheet: Sheet, own: OwnSheets, known: Mapping[str, Indicator], desk: Desk) -> None:
    for indicator in own.sheets.indicators:
        way = _way_back(indicator.name, known)
        if way:
            desk.fault(
                sheet,
                own.indicator_rows[indicator.name],
                "numerator",
                f"The ratio is made of itself: {' → '.join(way)}.",
                "Break the circle.",
            )


def _way_back(start: str, known: Mapping[str, Indicator]) -> list[str]:
    """The names from an indicator over numerators and denominators back to itself; empty if there is no such way."""
    pending = [[start]]
    seen = set()
    while pending:
        way = pending.pop()
        indicator = known.get(way[-1])
        if indicator is None or indicator.aggregate != "ratio":
            continue
        for name in (indicator.numerator, indicator.denominator):
            if name == start:
                return [*way, start]
            if name and name not in seen:
                seen.add(name)
                pending.append([*way, name])
    return []


def _check_agreement(sheet: Sheet, row: SheetRow, indicator: Indicator, other: Indicator, desk: Desk) -> None:
    theirs = other.common()
    for key, mine in indicator.common().items():
        if mine != theirs[key]:
            column = _COLUMN_OF.get(key, key)
            desk.fault(
                sheet,
                row,
                next((header for header in sheet.headers if header.partition("::")[0] == column), column),
                f"Another workbook feeds ‘{indicator.name}’ too, with another {column}.",
                "Only where, value, subject, date and place may differ.",
            )


def _check_breakdowns_agree(
    own: OwnSheets, neighbours: Sequence[Sheets], book: Mapping[str, Sheet], desk: Desk
) -> None:
    """Two workbooks that feed one indicator must cut it into the same bands."""
    sheet = book["indicators"]
    for indicator in own.sheets.indicators:
        for other in neighbours:
            if other.indicator(indicator.name) is None:
                continue
            for name in indicator.by:
                bands = [[band.text for band in way.bands] if way else [] for way in _both(own, other, name)]
                if bands[0] != bands[1]:
                    desk.fault(
                        sheet,
                        own.indicator_rows[indicator.name],
                        "by",
                        f"Another workbook feeds ‘{indicator.name}’ too, with other bands for ‘{name}’.",
                        "Use the same bands.",
                    )


def _same_cell(one: Target, other: Target) -> bool:
    return (one.indicator, one.period, one.place, one.by) == (other.indicator, other.period, other.place, other.by)


def _check_roles(sheets: Sheets, neighbours: Sequence[Sheets], sheet: Sheet, desk: Desk) -> None:
    """A list may be fed by several forms, but each property says one thing about a person, and no two the same."""
    others = [other for neighbour in neighbours for other in neighbour.matching]
    for matching, row in zip(sheets.matching, sheet.rows, strict=True):
        for other in others:
            if other.list_name == matching.list_name and (other.property == matching.property) != (
                other.role == matching.role
            ):
                desk.fault(
                    sheet,
                    row,
                    "role",
                    f"In another workbook the {other.role} of ‘{other.list_name}’ is ‘{other.property}’.",
                    "Let both say the same.",
                )


def _both(own: OwnSheets, other: Sheets, name: str) -> tuple[Breakdown | None, Breakdown | None]:
    return own.sheets.breakdown(name), other.breakdown(name)


def _check_target(
    sheet: Sheet, row: SheetRow, target: Target, sheets: Sheets, known: Mapping[str, Indicator], desk: Desk
) -> None:
    indicator = known.get(target.indicator)
    if indicator is None:
        desk.fault(
            sheet,
            row,
            "indicator",
            f"‘{target.indicator}’ is not an indicator of this programme.",
            did_you_mean(target.indicator, known),
        )
        return
    for name, key in target.by.items():
        if name not in indicator.by:
            desk.fault(
                sheet,
                row,
                "by",
                f"‘{indicator.name}’ is not broken down by ‘{name}’.",
                suggestion(name, indicator.by) or "Leave the cell empty for the total.",
            )
        elif desk.form is not None and sheets.indicator(indicator.name) and indicator.aggregate != "ratio":
            labels = value_labels(desk.form, sheets, name)
            if labels and STAND_IN not in labels and key not in labels:
                desk.fault(sheet, row, "by", f"‘{key}’ is not a value of ‘{name}’.", suggestion(key, labels))
