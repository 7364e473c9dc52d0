"""The column `was` of the sheet survey: how a renamed or moved question keeps its identity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from forms.findings import Finding
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
        # A name with a slash in it is none, which is told elsewhere.
        identities[path] = _identity(sheet, row, identities.get(around, around), name, desk)
    _check_identities(sheet, identities, rows, desk)
    return {path: identity for path, identity in identities.items() if path != identity}


def identities_after(
    paths: Iterable[str], renames: Mapping[str, str], earlier: Mapping[str, str]
) -> tuple[dict[str, str], list[Finding]]:
    """Path → identity of everything in a version that follows others, and what would go on as the same as another.

    `paths` has groups before what is in them, `renames` is what this version's own column says, `earlier` path →
    identity of everything that was in the versions before it. What stands where it stood goes on as what it was, marked
    again or not; `was` may give the first name, or the last one where nothing has it any more.
    """
    identities = {"/data": "/data"}
    present = dict.fromkeys(paths)
    for path in present:
        around, _, name = path.rpartition("/")
        said = renames.get(path, path)
        if said != f"{renames.get(around, around)}/{name}":
            identities[path] = said if said in present or earlier.get(path) == said else earlier.get(said, said)
        elif path in earlier and identities[around] == earlier.get(around, around):
            identities[path] = earlier[path]
        else:
            identities[path] = earlier.get(said, f"{identities[around]}/{name}")
    first: dict[str, str] = {}
    twice = [path for path, identity in identities.items() if first.setdefault(identity, path) != path]
    return identities, [_taken(path, first[identities[path]], identities[path]) for path in twice]


def _taken(path: str, other: str, identity: str) -> Finding:
    return Finding(
        f"Both ‘{other}’ and ‘{path}’ would go on as ‘{identity}’: one of them was renamed in an earlier version.",
        "Give the new question a name that the form has not had.",
        place=path,
    )


def rows_by_path(survey: Sheet) -> dict[str, SheetRow]:
    """The rows of questions, groups and repeats by their paths in the instance, in document order."""
    rows: dict[str, SheetRow] = {}
    around = ["/data"]
    for row in survey.rows:
        kind = re.sub(r"[\s_]+", " ", row.text("type").lower())
        if kind.startswith("end ") and kind != "end time":
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
