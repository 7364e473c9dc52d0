"""Old Excel workbooks (.xls) turned into .xlsx in memory, so that everything else reads one kind only."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

from forms.findings import Faulty, Finding

_MARK = b"\xd0\xcf\x11\xe0"
_MOST_BYTES = 16 * 1024 * 1024
_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}


def is_old_excel(data: bytes) -> bool:
    """Whether it is an .xls file, or a newer one that is locked with a password: both lie in the same container."""
    return data.startswith(_MARK)


def as_xlsx(data: bytes, place: str) -> bytes:
    """The same sheets with the values that their formulas had come to. Raises Faulty for what cannot be opened."""
    # Few workbooks are that old, and none is when the server starts.
    import xlrd  # noqa: PLC0415
    from openpyxl import Workbook  # noqa: PLC0415

    if len(data) > _MOST_BYTES:
        raise Faulty([Finding("The workbook is larger than 16 MB.", "Take pictures out.", place)])
    try:
        book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), on_demand=False)
    except Exception as error:  # xlrd raises whatever a malformed record makes it stumble over.
        raise Faulty(
            [
                Finding(
                    "This is not an .xls workbook, or it is locked with a password.", "Save it as .xlsx, open.", place
                )
            ]
        ) from error
    made = Workbook()
    if made.active is not None:
        made.remove(made.active)
    for old in book.sheets():
        sheet = made.create_sheet(old.name)
        for row in range(old.nrows):
            for column in range(old.row_len(row)):
                value = _value(old.cell(row, column), book.datemode)
                if value is not None and sheet.cell(row + 1, column + 1, value).data_type == "f":
                    sheet.cell(row + 1, column + 1).data_type = "s"  # a text that looks like a formula
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def _value(cell: Any, datemode: int) -> object:
    import xlrd  # noqa: PLC0415 (as above)

    match cell.ctype:
        case xlrd.XL_CELL_EMPTY | xlrd.XL_CELL_BLANK:
            return None
        case xlrd.XL_CELL_BOOLEAN:
            return bool(cell.value)
        case xlrd.XL_CELL_ERROR:
            return _ERRORS.get(cell.value, "#N/A")
        case xlrd.XL_CELL_NUMBER:
            return int(cell.value) if float(cell.value).is_integer() else cell.value
        case xlrd.XL_CELL_DATE:
            return _date(cell.value, datemode)
    return cell.value or None


def _date(value: float, datemode: int) -> dt.datetime | float:
    import xlrd  # noqa: PLC0415 (as above)

    try:
        found: dt.datetime = xlrd.xldate_as_datetime(value, datemode)
    except (ValueError, OverflowError, xlrd.XLDateError):
        return value
    return found
