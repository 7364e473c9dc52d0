"""Reads what is ours in a workbook (indicators, breakdowns, targets, matching, some columns) and checks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forms.indicators.sheets import Sheets, Target
from forms.workbooks.about import read_expected, read_subject
from forms.workbooks.desk import Desk, check_columns
from forms.workbooks.identifying import read_identifying
from forms.workbooks.indicatorsheet import INDICATOR_COLUMNS, read_breakdowns, read_indicators
from forms.workbooks.renames import read_renames
from forms.workbooks.spreadsheet import Sheet, SheetRow
from forms.workbooks.targetsheets import read_matching, read_targets
from forms.xforms.xform import Form

COLUMNS = {
    "indicators": INDICATOR_COLUMNS,
    "breakdowns": ("name", "label", "value", "bands"),
    "targets": ("indicator", "period", "place", "by", "baseline", "target", "note"),
    "matching": ("list_name", "property", "role"),
}


@dataclass(frozen=True, slots=True)
class OwnSheets:
    """What was read, and the row of each indicator and target, for faults that only show among several workbooks."""

    sheets: Sheets
    indicator_rows: Mapping[str, SheetRow]
    target_rows: Sequence[tuple[Target, SheetRow]]


def read_own_sheets(book: Mapping[str, Sheet], form_id: str, desk: Desk) -> OwnSheets:
    """Reads what can be read; every fault goes to `desk.findings`. `book` is sheets by lower-case name."""
    for name in COLUMNS:
        check_columns(book.get(name), COLUMNS[name], desk)
    renames = read_renames(book.get("survey"), desk)
    identities = {name: renames.get(paths[0], paths[0]) for name, paths in desk.paths.items() if len(paths) == 1}
    breakdowns = read_breakdowns(book.get("breakdowns"), desk)
    draft = Sheets(form_id, breakdowns=breakdowns, renames=renames, fields=identities)
    indicators, indicator_rows = read_indicators(book.get("indicators"), draft, desk)
    target_rows = read_targets(book.get("targets"), desk)
    sheets = Sheets(
        form_id,
        indicators,
        breakdowns,
        tuple(target for target, _ in target_rows),
        read_matching(book.get("matching"), desk),
        renames,
        identities,
        read_identifying(book.get("survey"), desk),
        read_subject(book.get("settings"), indicators, desk),
        read_expected(book.get("settings")),
    )
    return OwnSheets(sheets, indicator_rows, target_rows)


def paths_by_name(form: Form) -> dict[str, list[str]]:
    """Every name in the form's instance (without its meta block) and the paths at which it stands."""
    found: dict[str, list[str]] = {}
    pending = [("/data", child) for child in form.root if child.tag != "meta"]
    while pending:
        around, element = pending.pop()
        path = f"{around}/{element.tag}"
        paths = found.setdefault(str(element.tag), [])
        if path not in paths:
            paths.append(path)
        pending += [(path, child) for child in element if child.tag != "meta"]
    return found
