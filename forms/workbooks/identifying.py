"""The column `identifying` of the sheet survey: which answers tell who somebody is."""

from __future__ import annotations

from forms.workbooks.desk import Desk
from forms.workbooks.renames import rows_by_path
from forms.workbooks.spreadsheet import Sheet

_YES = frozenset({"yes", "true", "true()", "1", "oui"})
_NO = frozenset({"no", "false", "false()", "0", "non"})


def read_identifying(sheet: Sheet | None, desk: Desk) -> dict[str, bool]:
    """By path, of the questions of which the workbook says so or denies it; what stands at a group holds for all in it.

    Names, phone numbers, places on the map and files are identifying without being marked; `no` denies it.
    """
    if sheet is None or "identifying" not in sheet.headers:
        return {}
    said: dict[str, bool] = {}
    for path, row in rows_by_path(sheet).items():
        written = row.text("identifying").strip().lower()
        around = path.rpartition("/")[0]
        if not written:
            if around in said:
                said[path] = said[around]
        elif written in _YES | _NO:
            said[path] = written in _YES
        else:
            desk.fault(sheet, row, "identifying", f"‘{written}’ is neither yes nor no.", "Write yes, no, or nothing.")
    return said
