"""XLSForm to XForm by pyxform, what it complains about put into findings."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from forms.findings import Finding
from forms.spelling import did_you_mean
from forms.workbooks.spreadsheet import Sheet, open_workbook

_ROW = re.compile(r"\[row : (\d+)\]\s*")
_WHERE = re.compile(r"^On the '\w+' sheet, the '[\w:]+' value is invalid\.\s*")
_ON_SHEET = re.compile(r"(?:[Oo]n|for) (?:the )?(?:sheet:? )?'(\w+)'(?: sheet)?")
_COLUMN = re.compile(r"the '(\w+)' value")
_UNKNOWN_LIST = "List name not in choices sheet"
_CHOOSES = re.compile(r"(?:select[ _](?:one|multiple)|rank)\s+([^\s$]+)(?:\s+or[_ ]other)?")
_MOST_LEVELS = 50  # what is filled in may be nested 60 levels deep
_UNKNOWN_TYPE = re.compile(r"Unknown question type '([^']*)'")


def make_xform(data: bytes, name: str, survey: Sheet) -> tuple[bytes | None, list[Finding]]:
    """The XForm and pyxform's warnings, or None and what it stumbled over: pyxform stops at its first error.

    `name` is the file's; its stem is the form id where the settings give none.
    """
    # A server that only takes data never needs pyxform, and it costs 0.4 s to import.
    from pyxform.errors import PyXFormError  # noqa: PLC0415
    from pyxform.xls2json_backends import Definition, SupportedFileTypes  # noqa: PLC0415
    from pyxform.xls2xform import convert  # noqa: PLC0415

    if nested := _nested_too_deep(name, survey):
        return None, nested
    workbook = Definition(
        data=io.BytesIO(data), file_type=SupportedFileTypes.xlsx, file_path_stem=PurePosixPath(name).stem
    )
    warnings: list[str] = []
    try:
        xform = convert(workbook, warnings=warnings).xform.encode()
    except PyXFormError as error:
        unknown = _UNKNOWN_TYPE.search(str(error))
        if unknown:
            return None, [_unknown_type(unknown[1], name, survey)]
        lacking = _unknown_lists(data, name, survey)
        if lacking and _UNKNOWN_LIST in str(error):
            return None, lacking
        return None, [*lacking, _located(str(error), name, error.context)]
    except Exception as error:  # pyxform has no one error for what it did not foresee.
        fault = f"The form cannot be made: {type(error).__name__}: {str(error)[:300]}."
        return None, [Finding(fault, "Look at the sheets survey, choices and settings.", name)]
    return xform, [_located(warning, name, {}) for warning in warnings]


def _nested_too_deep(name: str, survey: Sheet) -> list[Finding]:
    depth = 0
    for row in survey.rows:
        kind = row.text("type").lower().replace(" ", "_")
        depth += kind.startswith("begin_") - kind.startswith("end_")
        if depth > _MOST_LEVELS:
            fault = f"Groups and repeats are nested more than {_MOST_LEVELS} levels deep."
            return [Finding(fault, "Take some of them out.", name, sheet=survey.name, row=row.number, column="type")]
    return []


def _located(message: str, name: str, context: Mapping[str, Any]) -> Finding:
    """A message of pyxform, its sheet, row and column taken out of it where it tells them."""
    row, sheet, column = _ROW.search(message), _ON_SHEET.search(message), _COLUMN.search(message)
    number = context.get("row") or (row[1] if row else None)
    words = _WHERE.sub("", _ROW.sub("", message).strip())
    fault, _, remedy = words.partition(" Please ")
    return Finding(
        fault,
        f"Please {remedy}" if remedy else "",
        name,
        sheet=context.get("sheet") or (sheet[1] if sheet else "survey" if row else None),
        row=int(number) if number is not None and str(number).isdecimal() else None,
        column=context.get("column") or (column[1] if column else None),
    )


def _unknown_lists(data: bytes, name: str, survey: Sheet) -> list[Finding]:
    """Every question that chooses from a list that there is not; pyxform names the first, and not its row."""
    book, _ = open_workbook(data, name, {"choices"})
    choices = book.get("choices")
    rows = choices.rows if choices is not None else ()
    known = {row.text("list_name") or row.text("list name") for row in rows} - {""}
    found = []
    for row in survey.rows:
        asked = _CHOOSES.fullmatch(row.text("type").strip())
        if asked and asked[1] not in known:
            remedy = did_you_mean(asked[1], known) or "Write its choices in the sheet ‘choices’."
            fault = f"There is no list ‘{asked[1]}’ in the sheet ‘choices’."
            found.append(Finding(fault, remedy, name, sheet=survey.name, row=row.number, column="type"))
    return found


def _unknown_type(kind: str, name: str, survey: Sheet) -> Finding:
    """pyxform does not say where, nor what was perhaps meant."""
    from pyxform.question_type_dictionary import QUESTION_TYPE_DICT  # noqa: PLC0415 (as above)

    row = next((row.number for row in survey.rows if row.text("type") == kind), None)
    return Finding(
        f"‘{kind}’ is not a type of question.",
        did_you_mean(kind, [*QUESTION_TYPE_DICT, "select_one", "select_multiple", "calculate"]),
        name,
        sheet=survey.name,
        row=row,
        column="type",
    )
