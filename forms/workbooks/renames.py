"""The column `was` of the sheet survey: how a renamed or moved question keeps its identity."""

from __future__ import annotations

import re
from collections.abc import Mapping

from forms.workbooks.desk import Desk
from forms.workbooks.spreadsheet import Sheet, SheetRow

_LIST_NAME = re.compile(r"[^\W\d][\w.-]*")


def read_renames(sheet: Sheet | None, desk: Desk) -> dict[str, str]:
    """Path → identity of everything that was once called or placed otherwise, what lies in a moved group included.

    `was` is the name that the row first had (in the place where its group was), or a path from the top (`/data/…`).
    """
    if sheet is None or "was" not in sheet.headers:
        return {}
    identities: dict[str, str] = {"/data": "/data"}
    rows = rows_by_path(sheet)
    for path, row in rows.items():
        around, _, name = path.rpartition("/")
        identities[path] = _identity(sheet, row, identities[around], name, desk)
    _check_identities(sheet, identities, rows, desk)
    return {path: identity for path, identity in identities.items() if path != identity}


def rows_by_path(survey: Sheet) -> dict[str, SheetRow]:
    """The rows of questions, groups and repeats by their paths in the instance, in document order."""
    rows: dict[str, SheetRow] = {}
    around = ["/data"]
    for row in survey.rows:
        kind = re.sub(r"[\s_]+", " ", row.text("type").lower())
        if kind.startswith("end "):
            if len(around) > 1:
                around.pop()
            continue
        name = row.text("name")
        if not name:
            continue
        path = f"{around[-1]}/{name}"
        rows.setdefault(path, row)
        if kind.startswith("begin "):
            around.append(path)
    return rows


def _identity(sheet: Sheet, row: SheetRow, around: str, name: str, desk: Desk) -> str:
    was = row.text("was")
    if was.startswith("${") and was.endswith("}"):
        was = was[2:-1].strip()
    if not was:
        return f"{around}/{name}"
    steps = was.removeprefix("/data/").split("/")
    if not all(_LIST_NAME.fullmatch(step) for step in steps):
        desk.fault(sheet, row, "was", f"‘{was}’ is neither a name nor a path.", "Write a name, or /data/group/name.")
        return f"{around}/{name}"
    return f"/data/{'/'.join(steps)}" if "/" in was else f"{around}/{was}"


def _check_identities(sheet: Sheet, identities: Mapping[str, str], rows: Mapping[str, SheetRow], desk: Desk) -> None:
    first: dict[str, str] = {}
    for path in sorted(rows, key=lambda path: path != identities[path]):
        identity = identities[path]
        if identity in first:
            desk.fault(
                sheet,
                rows[path],
                "was",
                f"Both this row and row {rows[first[identity]].number} would go on as ‘{identity}’.",
                "A question can have been only one earlier one.",
            )
        first.setdefault(identity, path)
