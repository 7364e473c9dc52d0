"""Amounts: whole millionths in the tables, exact fractions while they are worked with, JSON numbers at the border."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

MILLION = 1_000_000
_MILLION = Decimal(MILLION)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def millionths(amount: Decimal) -> int:
    """Rounded half to even."""
    return int(_EXACT.to_integral_value(_EXACT.multiply(amount, _MILLION)))


def decimal_of(amount: int) -> Decimal:
    """The number that so many millionths are."""
    return _EXACT.scaleb(Decimal(amount), -6)


def rounded(number: Fraction) -> Decimal:
    """To six decimals, half to even, as figures are given out."""
    return decimal_of(round(number * MILLION))


def json_number(number: Decimal | Fraction | None) -> int | float | None:
    """As JSON has it: whole if it is whole, else the shortest float that is the number to six decimals."""
    if number is None:
        return None
    exact = rounded(number) if isinstance(number, Fraction) else decimal_of(millionths(number))
    whole = int(exact)
    return whole if exact == whole else float(exact)
