"""Amounts: whole millionths in the tables, exact fractions while they are worked with, JSON numbers at the border."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

MILLION = 1_000_000


def millionths(amount: Decimal) -> int:
    """Rounded half to even."""
    with localcontext() as context:
        context.prec = 60
        return int((amount * MILLION).to_integral_value(ROUND_HALF_EVEN))


def decimal_of(amount: int) -> Decimal:
    """The number that so many millionths are."""
    with localcontext() as context:
        context.prec = 60
        return Decimal(amount).scaleb(-6)


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
