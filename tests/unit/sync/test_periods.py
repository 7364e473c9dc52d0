"""Periods: which days they are, and what is none."""

import datetime as dt
import itertools

import pytest

from sync.errors import Unexpected
from sync.indicators.periods import read_period


@pytest.mark.parametrize(
    ("text", "fiscal_year_start", "first", "last"),
    [
        ("2026", 4, "2026-01-01", "2026-12-31"),
        ("2026-Q1", 4, "2026-01-01", "2026-03-31"),
        ("2026-Q4", 4, "2026-10-01", "2026-12-31"),
        ("2026-02", 1, "2026-02-01", "2026-02-28"),
        ("2024-02", 1, "2024-02-01", "2024-02-29"),
        ("2026-12", 1, "2026-12-01", "2026-12-31"),
        ("FY2026", 1, "2026-01-01", "2026-12-31"),
        ("FY2026", 4, "2026-04-01", "2027-03-31"),
        ("FY2026", 12, "2026-12-01", "2027-11-30"),
        ("FY2026-Q1", 4, "2026-04-01", "2026-06-30"),
        ("FY2026-Q4", 4, "2027-01-01", "2027-03-31"),
        ("FY2023-Q3", 9, "2024-03-01", "2024-05-31"),
        ("2026-01-15/2026-01-15", 1, "2026-01-15", "2026-01-15"),
        ("2025-11-03/2026-02-01", 7, "2025-11-03", "2026-02-01"),
    ],
)
def test_a_period_has_a_first_and_a_last_day(text: str, fiscal_year_start: int, first: str, last: str) -> None:
    period = read_period(text, fiscal_year_start)

    assert (str(period.start), str(period.end)) == (first, last)


def test_all_has_no_bounds() -> None:
    period = read_period("all", 4)

    assert period.span == (None, None)
    assert period.holds(dt.date(1960, 9, 22))


def test_the_quarters_of_a_fiscal_year_follow_each_other_and_fill_it() -> None:
    for start in range(1, 13):
        year = read_period("FY2025", start)
        quarters = [read_period(f"FY2025-Q{number}", start) for number in range(1, 5)]

        assert quarters[0].start == year.start
        assert quarters[-1].end == year.end
        for one, following in itertools.pairwise(quarters):
            assert one.end is not None
            assert one.end + dt.timedelta(days=1) == following.start


@pytest.mark.parametrize(
    "text",
    ["", "26", "2026-Q5", "2026-13", "2026-00", "FY2026-04", "0000", "FY0000", "FY9999", "2026-02-30/2026-03-01",
     "2026-03-01/2026-02-01", "2026-03-01", "2026/2027", "٢٠٢٦", "2026-Q1 ", "ALL", "2026-W01-1/2026-W02-1"],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Unexpected) as refused:
        read_period(text, 4)

    [finding] = refused.value.findings
    assert "FY2026-Q1" in finding.remedy
