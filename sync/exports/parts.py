"""What an XLSX file holds beside the rows of its sheets: what its parts are, which sheets there are, how days look."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
DAY, MOMENT = 1, 2  # places of the looks of a cell among those in STYLES

# The first row stays in sight.
_SHEET_BEGIN = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/>'
    "</sheetView></sheetViews>"
)
SHEET_END = "</sheetData></worksheet>"

STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy-mm-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy-mm-dd hh:mm:ss"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def sheet_begin(widths: Sequence[int]) -> str:
    """A sheet up to its first row, with columns that are so many characters wide."""
    columns = "".join(
        f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
        for number, width in enumerate(widths, 1)
    )
    return f"{_SHEET_BEGIN}<cols>{columns}</cols><sheetData>"


def sheet_path(number: int) -> str:
    """Where the rows of a sheet lie, from 1."""
    return f"xl/worksheets/sheet{number}.xml"


def parts_of(sheets: Sequence[str]) -> dict[str, str]:
    """The parts of a workbook whose sheets are called so, by their paths."""
    numbers = range(1, len(sheets) + 1)
    named = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, name in zip(numbers, sheets, strict=True)
    )
    related = [(f"rId{number}", "worksheet", f"/{sheet_path(number)}") for number in numbers]
    overridden = [("/xl/workbook.xml", "sheet.main"), ("/xl/styles.xml", "styles")]
    overridden += [(f"/{sheet_path(number)}", "worksheet") for number in numbers]
    return {
        "xl/workbook.xml": f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_KINDS}">'
        f"<bookViews><workbookView/></bookViews><sheets>{named}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _relations([*related, ("styles", "styles", "/xl/styles.xml")]),
        "_rels/.rels": _relations([("rId1", "officeDocument", "/xl/workbook.xml")]),
        "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        + "".join(f'<Override PartName="{path}" ContentType="{_TYPE}.{kind}+xml"/>' for path, kind in overridden)
        + "</Types>",
    }


def _relations(related: Sequence[tuple[str, str, str]]) -> str:
    told = (f'<Relationship Id="{name}" Type="{_KINDS}/{kind}" Target="{path}"/>' for name, kind, path in related)
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{"".join(told)}</Relationships>'
