"""Findings: what is wrong with something that was handed in, where, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST = 2_000  # characters of a fault


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault in a workbook, a programme folder or a request, in words that its author can use.

    `row` counts from 1 as a spreadsheet shows it; `column` is the header's text. `place` names what has neither: a
    file, an element's path, a JSON path.
    """

    fault: str
    remedy: str = ""
    place: str = ""
    sheet: str | None = None
    row: int | None = None
    column: str | None = None

    def __post_init__(self) -> None:
        for name in ("fault", "remedy"):
            text = getattr(self, name)
            if len(text) > _LONGEST:  # somebody has pasted a whole text into a cell
                object.__setattr__(self, name, f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 4 :]}")

    def __str__(self) -> str:
        where = [self.place] if self.place else []
        if self.sheet:
            where.append(f"sheet {self.sheet}")
        if self.row is not None:
            where.append(f"row {self.row}")
        if self.column:
            where.append(f"column {self.column}")
        words = f"{self.fault} {self.remedy}".strip()
        return f"{', '.join(where)}: {words}" if where else words


class Faulty(Exception):
    """Something cannot be taken as it is; carries every finding that was gathered, never only the first."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings
