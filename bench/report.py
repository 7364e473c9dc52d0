"""The figures as a table on standard output, beside what they have to be."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Line:
    """One figure. `most` or `least` is what it has to keep to, if anything."""

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool:
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def __str__(self) -> str:
        bound = f"≤ {shown(self.most)}" if self.most is not None else ""
        bound = f"≥ {shown(self.least)}" if self.least is not None else bound
        verdict = "" if not bound else "kept" if self.kept else "MISSED"
        return f"| {self.what} | {shown(self.value)} {self.unit} | {bound} | {verdict} | {self.note} |"


def print_table(title: str, lines: Sequence[Line]) -> None:
    """A Markdown table, at once, so that a long run can be watched."""
    print(f"\n### {title}\n\n| what | figure | has to be | | |\n|---|---|---|---|---|")
    print("\n".join(map(str, lines)), flush=True)


def shown(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 do not exceed."""
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


def p99(values: Sequence[float]) -> float:
    """The value that 99 of 100 do not exceed."""
    return sorted(values)[max(0, round(len(values) * 0.99) - 1)]


def middle(values: Sequence[float]) -> float:
    """The median."""
    return float(median(values))
