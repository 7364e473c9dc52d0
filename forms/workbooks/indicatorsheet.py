"""Reads the sheets breakdowns and indicators."""

from __future__ import annotations

import re
from decimal import Decimal

from forms.indicators.sheets import (
    AGGREGATES,
    LIST_NAME,
    OPERATORS,
    PER_SUBJECT,
    Band,
    Breakdown,
    Indicator,
    Keep,
    Sheets,
)
from forms.spelling import did_you_mean, suggestion
from forms.workbooks.desk import Desk, choice, expression_in, labels_of, new_name, whole_number
from forms.workbooks.spreadsheet import Sheet, SheetRow
from forms.xforms.xform import Form

INDICATOR_COLUMNS = (
    "name",
    "label",
    "description",
    "unit",
    "each",
    "where",
    "subject",
    "value",
    "per_subject",
    "keep",
    "aggregate",
    "numerator",
    "denominator",
    "date",
    "until",
    "place",
    "baseline",
    "by",
    "minimum_cell",
    "decimals",
    "codes",
)
_OF_ROWS = ("each", "where", "subject", "value", "per_subject", "keep", "date", "until", "place", "baseline")
_NUMERIC = frozenset({"sum", "mean", "median", "min", "max"})
_KEEP = re.compile(r"(<=|>=|!=|=|<|>)\s*(-?\d+(?:\.\d+)?)")
_BAND = re.compile(r"(\d+(?:\.\d+)?)?[-–](\d+(?:\.\d+)?)?")
_CODE = re.compile(r"(iati|dhis2):\S+")


def read_indicators(
    sheet: Sheet | None, draft: Sheets, desk: Desk
) -> tuple[tuple[Indicator, ...], dict[str, SheetRow]]:
    """What could be read of each row with a usable name, and the rows by name."""
    taken: dict[str, SheetRow] = {}
    found = []
    for row in sheet.rows if sheet else ():
        assert sheet is not None
        name = new_name(sheet, row, "name", taken, desk)
        indicator = _indicator(sheet, row, name or "", draft, desk)
        if name:
            taken[name] = row
            found.append(indicator)
    return tuple(found), taken


def _indicator(sheet: Sheet, row: SheetRow, name: str, draft: Sheets, desk: Desk) -> Indicator:
    aggregate = choice(sheet, row, "aggregate", AGGREGATES, "count", desk)
    _check_combination(sheet, row, aggregate, desk)
    repeat = _repeat(sheet, row, desk)
    ratio = aggregate == "ratio"

    def expression(column: str) -> str | None:
        return None if ratio else expression_in(sheet, row, column, repeat, desk)

    return Indicator(
        name=name,
        labels=labels_of(row, "label"),
        descriptions=labels_of(row, "description"),
        unit=row.text("unit"),
        each=row.text("each").removeprefix("${").removesuffix("}").strip() or None,
        where=expression("where"),
        subject=None if ratio else _subject(sheet, row, repeat, desk),
        value=expression("value"),
        per_subject=choice(sheet, row, "per_subject", PER_SUBJECT, "latest", desk),
        keep=_keep(sheet, row, desk),
        aggregate=aggregate,
        numerator=row.text("numerator") or None,
        denominator=row.text("denominator") or None,
        date=expression("date"),
        until=expression("until"),
        place=expression("place"),
        baseline=expression("baseline"),
        by=_by(sheet, row, ratio, repeat, draft, desk),
        minimum_cell=whole_number(sheet, row, "minimum_cell", 1_000_000, desk),
        decimals=whole_number(sheet, row, "decimals", 6, desk),
        codes=_codes(sheet, row, desk),
    )


def _check_combination(sheet: Sheet, row: SheetRow, aggregate: str, desk: Desk) -> None:
    """Columns that an aggregate cannot do without, and those that mean nothing beside it."""
    filled = {column for column in INDICATOR_COLUMNS if row.text(column)}
    if not filled & {"aggregate"}:
        desk.fault(sheet, row, "aggregate", "The indicator has no aggregate.", suggestion("", AGGREGATES))
        return
    if aggregate == "ratio":
        for column in ("numerator", "denominator"):
            if column not in filled:
                desk.fault(sheet, row, column, f"A ratio needs a {column}.", "Name another indicator.")
        for column in (column for column in _OF_ROWS if column in filled):
            desk.fault(
                sheet, row, column, f"A ratio has no {column} of its own.", "Set it at its numerator and denominator."
            )
        return
    for column in ("numerator", "denominator"):
        if column in filled:
            desk.fault(sheet, row, column, f"Only a ratio has a {column}.", "Empty the cell, or make it a ratio.")
    if aggregate in _NUMERIC | {"list"} and "value" not in filled:
        desk.fault(sheet, row, "value", f"A {aggregate} needs a value.", "Write an expression such as ${sacks}.")
    if aggregate == "distinct" and "subject" not in filled:
        desk.fault(
            sheet, row, "subject", "distinct needs a subject: what is counted once.", "Name an entity list or a key."
        )
    for column, needed in (("keep", "value"), ("per_subject", "value"), ("per_subject", "subject")):
        if column in filled and needed not in filled:
            desk.fault(sheet, row, needed, f"{column} compares values; {needed} is missing.", "Fill it in.")
    if "until" in filled and aggregate != "sum":
        desk.fault(sheet, row, "until", "Only a sum is spread over days.", "Empty the cell.")
    if "baseline" in filled and row.text("per_subject").lower() not in ("gain", "growth"):
        desk.fault(
            sheet, row, "baseline", "A baseline is for the per_subject gain or growth.", "Empty the cell, or set it."
        )


def _repeat(sheet: Sheet, row: SheetRow, desk: Desk) -> str | None:
    """The path of the repeat that `each` names."""
    name = row.text("each").removeprefix("${").removesuffix("}").strip()
    if not name or desk.form is None:
        return None
    repeats = {path.rsplit("/", 1)[-1]: path for path in desk.form.repeats}
    if name not in repeats:
        fault = f"‘{name}’ is a question, not a repeat." if name in desk.paths else f"‘{name}’ is not a repeat."
        desk.fault(sheet, row, "each", fault, suggestion(name, repeats) or "This form has no repeat: empty the cell.")
    return repeats.get(name)


def _subject(sheet: Sheet, row: SheetRow, repeat: str | None, desk: Desk) -> str | None:
    text = row.text("subject")
    if not text or not LIST_NAME.fullmatch(text):
        return expression_in(sheet, row, "subject", repeat, desk)
    if desk.form is not None:
        lists = entity_lists(desk.form)
        if text not in lists:
            remedy = f"Did you mean ${{{text}}}?" if text in desk.paths else suggestion(text, sorted(lists))
            desk.fault(
                sheet, row, "subject", f"The form neither creates, updates nor selects from a list ‘{text}’.", remedy
            )
    return text


def entity_lists(form: Form) -> set[str]:
    """Lists that the form creates in or updates, and lists outside the form that it selects from."""
    selected = {asked.itemset for asked in form.fields.values() if asked.external and asked.itemset}
    return selected | {entity.list_name for entity in form.entities}


def _keep(sheet: Sheet, row: SheetRow, desk: Desk) -> Keep | None:
    text = row.text("keep")
    if not text:
        return None
    found = _KEEP.fullmatch(text)
    if found is None or len(found[2]) > 20:
        desk.fault(
            sheet,
            row,
            "keep",
            f"‘{text}’ is not a comparison with a number.",
            f"Write one of {' '.join(OPERATORS)} and a number, such as >= 2.",
        )
        return None
    return Keep(found[1], Decimal(found[2]))


def _by(sheet: Sheet, row: SheetRow, ratio: bool, repeat: str | None, draft: Sheets, desk: Desk) -> tuple[str, ...]:
    names: list[str] = []
    for name in row.text("by").replace(",", " ").replace("${", " ").replace("}", " ").split():
        if name in names:
            desk.fault(sheet, row, "by", f"‘{name}’ is named twice.", "Name it once.")
            continue
        names.append(name)
        defined = draft.breakdown(name)
        if ratio:
            continue  # A ratio has the breakdowns of its two indicators, maybe of other forms.
        if defined:
            expression_in(sheet, row, "by", repeat, desk, defined.value)
        elif desk.form is not None and name not in desk.paths:
            known = [breakdown.name for breakdown in draft.breakdowns] + list(desk.paths)
            desk.fault(sheet, row, "by", f"‘{name}’ is neither a question nor a breakdown.", did_you_mean(name, known))
        else:
            expression_in(sheet, row, "by", repeat, desk, f"${{{name}}}")
    return tuple(names)


def _codes(sheet: Sheet, row: SheetRow, desk: Desk) -> tuple[str, ...]:
    codes = tuple(row.text("codes").replace(",", " ").split())
    for code in codes:
        if not _CODE.fullmatch(code):
            desk.fault(sheet, row, "codes", f"‘{code}’ is not a code.", "Write codes like iati:… or dhis2:…")
    return codes


def read_breakdowns(sheet: Sheet | None, desk: Desk) -> tuple[Breakdown, ...]:
    """Whether their expressions hold is seen from each indicator that uses them: it depends on its repeat."""
    taken: dict[str, SheetRow] = {}
    found = []
    for row in sheet.rows if sheet else ():
        assert sheet is not None
        name = new_name(sheet, row, "name", taken, desk)
        if not row.text("value"):
            desk.fault(sheet, row, "value", "The breakdown has no value.", "Write an expression such as ${age}.")
        bands = _bands(sheet, row, desk)
        if name:
            taken[name] = row
            found.append(Breakdown(name, labels_of(row, "label"), row.text("value"), bands))
    return tuple(found)


def _bands(sheet: Sheet, row: SheetRow, desk: Desk) -> tuple[Band, ...]:
    bands: list[Band] = []
    for text in row.text("bands").replace(",", " ").split():
        band = _band(text)
        if band is None:
            desk.fault(sheet, row, "bands", f"‘{text}’ is not a band.", "Write bands like 0-14 15-35 36-")
        elif any(_overlap(band, other) for other in bands):
            desk.fault(sheet, row, "bands", f"The band ‘{text}’ overlaps another.", "Let each begin after the last.")
        else:
            bands.append(band)
    return tuple(bands)


def _band(text: str) -> Band | None:
    found = _BAND.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        return None
    low, high = (Decimal(bound) if bound else None for bound in found.groups())
    return None if low is not None and high is not None and low > high else Band(text, low, high)


def _overlap(one: Band, other: Band) -> bool:
    starts = [band.low for band in (one, other) if band.low is not None]
    return (len(starts) < 2 and (one.low is None and other.low is None)) or any(
        one.holds(start) and other.holds(start) for start in starts
    )
