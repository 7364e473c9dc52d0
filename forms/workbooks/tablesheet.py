"""A table out of a spreadsheet: the first sheet of a workbook, as a CSV file of the same rows would be read."""

from __future__ import annotations

from forms.findings import Faulty
from forms.tables import Row, Table, read_table
from forms.workbooks.oldexcel import as_xlsx, is_old_excel
from forms.workbooks.spreadsheet import Cell, open_workbook

_MIDNIGHT = " 00:00:00"


def read_any_table(data: bytes, place: str) -> Table:
    """CSV, .xlsx or .xls, whichever the bytes are. What keeps a file from being read at all is among the findings."""
    if not (data.startswith(b"PK") or is_old_excel(data)):
        return read_table(data, place)
    table = Table(place)
    try:
        data = as_xlsx(data, place) if is_old_excel(data) else data
        names, _ = open_workbook(data, place, ())
        first = next(iter(names), "")
        sheets, table.findings = open_workbook(data, place, [first])
    except Faulty as faulty:
        table.findings = list(faulty.findings)
        return table
    if first not in sheets or not sheets[first].headers:
        table.fault(None, None, "The first sheet is empty.", "Its first row names the columns.")
        return table
    written = sheets[first].headers
    table.columns = tuple(written.values())
    for row in sheets[first].rows:
        cells = {header: row.cells.get(key, Cell("")) for key, header in written.items()}
        table.rows.append(
            Row(row.number, {header: cell.text.removesuffix(_MIDNIGHT) for header, cell in cells.items()})
        )
        for header, cell in cells.items():
            if cell.typed == "an error":
                table.fault(table.rows[-1], header, f"The cell holds the error {cell.text}.", "Mend its formula.")
    return table
