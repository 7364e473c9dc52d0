"""A form of KoboToolbox as a workbook: of the rows that it keeps for each version, or of the file that it makes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from forms.workbooks.spreadsheet import open_workbook
from sync.exports.sheet import PLAIN

Sheets = dict[str, list[dict[str, str]]]
_ROWS = ("survey", "choices", "external_choices")
_NOT_CELLS = ("select_from_list_name", "_or_other", "file", "tags")
_ADDRESSING = ("form_id", "id_string", "version", "form_title", "name", "submission_url")


def sheets_of(content: Mapping[str, Any], version_uid: str) -> Sheets:
    """A version from its rows: translated columns are lists there, in the order of the languages, and a question's list
    stands beside its type. As in every form that was deployed, a calculation says which version it is."""
    languages = content.get("translations") or [None]
    sheets = {name: [_cells(row, languages) for row in content[name]] for name in _ROWS if content.get(name)}
    mark = {"type": "calculate", "name": "__version__", "calculation": f"'{version_uid}'"}
    sheets["survey"] = [*sheets.get("survey", ()), mark]
    sheets["settings"] = [{key: _text(value) for key, value in (content.get("settings") or {}).items()}]
    return sheets


def sheets_of_file(data: bytes, name: str) -> Sheets:
    """A version from the file. Raises Faulty for what cannot be opened."""
    book, _ = open_workbook(data, name, {*_ROWS, "settings"})
    return {
        key: [{sheet.headers[column]: cell.text for column, cell in row.cells.items()} for row in sheet.rows]
        for key, sheet in book.items()
        if key in (*_ROWS, "settings")
    }


def workbook_from(sheets: Sheets, form_id: str, version: str, title: str) -> bytes:
    """An .xlsx file of the sheets, with what the form is called. KoboToolbox lets a list have a choice twice."""
    from xlsxwriter import Workbook  # noqa: PLC0415 — as in sync/exports/sheet

    given = (sheets.get("settings") or [{}])[0]
    settings = {key: text for key, text in given.items() if key not in _ADDRESSING} | {
        "form_id": form_id,
        "version": version,
        "form_title": title,
        "name": form_id,
        "allow_choice_duplicates": "yes",
    }
    out = io.BytesIO()
    with Workbook(out, {**PLAIN, "in_memory": True}) as book:
        for name, rows in (sheets | {"settings": [settings]}).items():
            sheet = book.add_worksheet(name)
            columns = list(dict.fromkeys(column for row in rows for column in row))
            for at, row in enumerate([{column: column for column in columns}, *rows]):
                for column, text in row.items():
                    sheet.write_string(at, columns.index(column), text)
    return out.getvalue()


def _cells(row: Mapping[str, Any], languages: Sequence[str | None]) -> dict[str, str]:
    cells = dict(_told(row, languages))
    if kind := cells.get("type"):
        chosen = row.get("select_from_list_name") or row.get("file") or ""
        cells["type"] = f"{kind} {chosen} {'or_other' if row.get('_or_other') else ''}".strip()
    if name := row.get("name") or row.get("$autoname") or row.get("$autovalue"):
        cells["name"] = _text(name)
    return {column: text for column, text in cells.items() if text}


def _told(row: Mapping[str, Any], languages: Sequence[str | None]) -> Iterator[tuple[str, str]]:
    for key, value in row.items():
        if key.startswith(("$", "kobo--")) or key in _NOT_CELLS:
            continue
        if isinstance(value, list):
            for language, text in zip(languages, value, strict=False):
                yield (f"{key}::{language}" if language else key), _text(text)
        else:
            yield key, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
