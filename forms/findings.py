"""Findings: what is wrong with something that was handed in, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

_LONGEST = 2_000  # characters of a fault


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault in a workbook, a programme folder or a request, in words that its author can use.

    `row` counts from 1 as a spreadsheet shows it; `column` is the header's text. `place` names what has neither: a
    file, an element's path, a JSON path. One that only `warns`, beside faults, keeps nothing from being taken.
    """

    fault: str
    remedy: str = ""
    place: str = ""
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    warns: bool = False

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
        words = f"{'Warning: ' if self.warns else ''}{self.fault} {self.remedy}".strip()
        return f"{', '.join(where)}: {words}" if where else words


def with_warnings(findings: Iterable[Finding], warnings: Iterable[Finding]) -> list[Finding]:
    """Faults, and then the warnings beside them, which say that they are no more than that."""
    return [*findings, *(replace(one, warns=True) for one in warnings)]


class Faulty(Exception):
    """Something cannot be taken as it is; carries every finding that was gathered, never only the first. `told` is all
    that its author should know: the findings, and then the warnings."""

    def __init__(self, findings: list[Finding], warnings: Iterable[Finding] = ()) -> None:
        self.findings = findings
        self.told = with_warnings(findings, warnings)
        super().__init__("\n".join(str(finding) for finding in self.told))

    @property
    def warnings(self) -> list[Finding]:
        return self.told[len(self.findings) :]
