"""Numbers as JavaRosa reads and writes them."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal

_PLAIN = re.compile(r"-?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_DOUBLE = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)[eE][+-]?\d{1,3}", re.ASCII)
CLOSE = 1e-12
# The largest whole number of 64 bits, which is the largest that databases hold.
LARGEST = 2**63 - 1


def read_number(text: str) -> float:
    """NaN for what is not a plain decimal number: no exponent, no plus sign. A decimal comma is a point."""
    text = text.strip().replace(",", ".")
    return float(text) if _PLAIN.fullmatch(text) else math.nan


def read_decimal(text: str) -> float:
    """As read_number, but also as Java writes doubles: clients send 10,000,000 as `1.0E7`."""
    number = read_number(text)
    return float(text) if math.isnan(number) and _DOUBLE.fullmatch(text.strip()) else number


def write_number(number: float) -> str:
    """`5` for 5.0; what is very large or very small has an exponent, as Java writes doubles."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if abs(number) < CLOSE:
        return "0"
    if abs(number) < 2_147_483_648 and abs(number - math.trunc(number)) < CLOSE:
        return str(math.trunc(number))
    return _java(number)


def stored_number(number: float) -> str:
    """As a client stores it: blank for NaN, without a point if it is whole."""
    if math.isnan(number):
        return ""
    if abs(number) <= LARGEST and abs(number - math.trunc(number)) < 1e-9:
        return str(math.trunc(number))
    return write_number(number)


def round_number(number: float, places: int) -> float:
    """To `places` decimals, halves away from zero for positive numbers and towards it for negative ones (XPath)."""
    if math.isnan(number) or math.isinf(number):
        return number
    if places == 0:
        whole = math.floor(number)
        return math.copysign(whole + (number - whole >= 0.5), number)
    if abs(places) > 30:
        return math.nan
    if places < 0:
        scale = 10.0**-places
        return math.trunc(number / scale + 0.5) * scale
    step = Decimal(1).scaleb(-places)
    way = ROUND_HALF_DOWN if number < 0 else ROUND_HALF_UP
    exact = Decimal(repr(number))
    if exact.adjusted() + places > 26:  # nothing behind the point is left to round
        return number
    return float(exact.quantize(step, rounding=way))


def whole_number(number: float) -> float:
    return number if math.isnan(number) or math.isinf(number) else float(math.trunc(number))


def _java(number: float) -> str:
    if 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(exponent, int)
    figures = "".join(map(str, digits))
    power = exponent + len(figures) - 1
    return f"{'-' if sign else ''}{figures[0]}.{figures[1:] or '0'}E{power}"
