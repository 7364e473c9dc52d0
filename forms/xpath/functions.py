"""The XForms functions that XPath 1.0 lacks, as extensions of lxml's engine, after the ODK XForms specification."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lxml import etree

from forms.xpath.context import HERE
from forms.xpath.dates import (
    date_of_days,
    days_of,
    decimal_days,
    format_moment,
    moment_of_days,
    read_date,
    read_moment,
    read_time,
    write_moment,
)
from forms.xpath.geography import area, distance, is_inside
from forms.xpath.numbers import CLOSE, read_decimal, read_number, round_number, whole_number, write_number
from forms.xpath.outputs import filled
from forms.xpath.patterns import BadPattern, TooCostly, compile_pattern
from forms.xpath.values import (
    Plain,
    Unevaluable,
    boolean_of,
    equal,
    node_text,
    number_of,
    text_of,
    texts_of,
)

NAMESPACE = "urn:siby:xforms"
PREFIX = "x"


def _days(text: str) -> float:
    """Whole days of the local date; NaN if it is no date."""
    date = read_date(text)
    if date is None:
        moment = read_moment(text, HERE.context.tz)
        if moment is not None:
            date = moment.date()
        elif read_time(text) is not None:
            date = HERE.context.today
    return float(days_of(date)) if date else math.nan


# --- what the translation calls where types are known only at evaluation -------------------------------------------


def _near(_: Any, left: float, right: float) -> bool:
    return abs(left - right) < CLOSE


def _equal(_: Any, left: Plain, right: Plain) -> bool:
    return equal(left, right)


def _text(_: Any, value: Plain) -> str:
    return text_of(value)


def _number(_: Any, value: Plain) -> float:
    """Dates become days since the epoch."""
    if isinstance(value, str) and (date := read_date(value)):  # no text of a date is that of a number
        return float(days_of(date))
    number = number_of(value)
    return _days(text_of(value)) if math.isnan(number) and not isinstance(value, float) else number


def _exact(_: Any, text: str) -> float:
    return read_number(text)


def _decimal(_: Any, text: str) -> float:
    return read_decimal(text)


def _boolean(_: Any, value: Plain) -> bool:
    return boolean_of(value)


def _decimal_text(_: Any, text: str) -> str:
    """A decimal question's value as JavaRosa shows it: `2` for an answer of 2.0."""
    number = read_decimal(text)
    return text if math.isnan(number) else write_number(number)


def _truth_text(_: Any, text: str) -> str:
    """A yes-or-no question's value as JavaRosa shows it; it is stored as `1` or `0`."""
    return {"1": "true", "0": "false"}.get(text, text)


def _equal_truth(_: Any, left: str, right: str) -> bool:
    """A yes-or-no question beside a text: any text but a blank is true to JavaRosa, even ‘false’."""
    if not left or not right:
        return left == right
    return (left not in ("0", "false")) == (right not in ("0", "false"))


def _day_text(_: Any, value: Plain) -> str:
    """A date or moment as the local date; what is no date is left as it is."""
    text = text_of(value)
    if "T" not in text:
        return HERE.context.today.isoformat() if read_time(text) else text
    moment = read_moment(text, HERE.context.tz)
    return moment.date().isoformat() if moment else text


# --- choices and look-ups ------------------------------------------------------------------------------------------


def _if(_: Any, condition: bool, then: Plain, otherwise: Plain) -> Plain:
    return then if condition else otherwise


def _coalesce(_: Any, first: Plain, second: Plain) -> Plain:
    blank = math.isnan(first) if isinstance(first, float) else first == ""
    return second if blank else first


def _list(_: Any, name: str) -> list[etree._Element]:
    found = HERE.context.whole(name)
    if found is None:
        raise Unevaluable(f"the list ‘{name}’ is not here")
    return [found]


def _find(_: Any, name: str, column: str, value: Plain) -> list[etree._Element]:
    return list(HERE.context.find(name, column, text_of(value)))


def _pulldata(_: Any, name: str, wanted: str, column: str, value: str) -> str:
    found = HERE.context.find(name, column, value) if value else ()
    return (found[0].findtext(wanted) or "") if found else ""


def _choice_name(_: Any, value: str, path: str) -> str:
    context = HERE.context
    if context.form is None:
        return ""
    return filled(context.form.choice_label(path, value, context.lists, context.language), context)


def _itext(_: Any, identifier: str) -> str:
    context = HERE.context
    return filled(context.form.itext(identifier, context.language), context) if context.form else ""


def _position(_: Any, nodes: Sequence[etree._Element]) -> float:
    if not nodes or isinstance(nodes[0], str):
        return math.nan  # nothing, or an attribute
    node = nodes[0]
    return float(sum(1 for _ in node.itersiblings(node.tag, preceding=True)) + 1)


def _index(_: Any, number: float) -> float:
    """Which iteration indexed-repeat() means: an index that cannot be is the first one."""
    return 1.0 if math.isnan(number) or number < 1 else float(math.trunc(number))


# --- several values at once ----------------------------------------------------------------------------------------


def _numbers(values: Sequence[Any]) -> Iterator[float]:
    for value in values:
        for each in value if isinstance(value, list) else [value]:
            number = number_of(each if isinstance(each, (str, float, bool)) else node_text(each))
            if not math.isnan(number):
                yield number


def _sum(_: Any, nodes: list[Any]) -> float:
    return sum(_numbers([nodes]), 0.0)


def _min(_: Any, *values: Plain) -> float:
    return min(_numbers(values), default=math.nan)


def _max(_: Any, *values: Plain) -> float:
    return max(_numbers(values), default=math.nan)


def _min_day(_: Any, nodes: list[Any]) -> float:
    return min(_day_numbers(nodes), default=math.nan)


def _max_day(_: Any, nodes: list[Any]) -> float:
    return max(_day_numbers(nodes), default=math.nan)


def _day_numbers(nodes: list[Any]) -> Iterator[float]:
    return (days for node in nodes if not math.isnan(days := _days(node_text(node))))


def _join(_: Any, separator: str, *values: Plain) -> str:
    return separator.join(texts_of(values))


def _checklist(_: Any, least: float, most: float, *factors: Plain) -> bool:
    count = sum(_flags(factors))
    return (least < 0 or count >= least) and (most < 0 or count <= most)


def _flags(values: Sequence[Any]) -> Iterator[bool]:
    for value in values:
        if isinstance(value, list):
            yield from (node_text(each) != "" for each in value)
        else:
            yield boolean_of(value)


def _weighted_checklist(_: Any, least: float, most: float, *pairs: Plain) -> bool:
    flags, weights = list(_flags(pairs[0::2])), _weights(pairs[1::2])
    if len(flags) != len(weights):
        raise Unevaluable("weighted-checklist() was given more weights than factors, or fewer")
    total = sum(weight for flag, weight in zip(flags, weights, strict=True) if flag)
    return least <= total <= most


def _weights(values: Sequence[Any]) -> list[float]:
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [number_of(each if isinstance(each, (str, float, bool)) else node_text(each)) for each in flat]


# --- texts ---------------------------------------------------------------------------------------------------------


def _chosen(text: str) -> list[str]:
    return [value for value in text.split(" ") if value]


def _count_selected(_: Any, text: str) -> float:
    return float(len(_chosen(text)))


def _selected_at(_: Any, text: str, index: float) -> str:
    chosen = _chosen(text)
    where = 0 if math.isnan(index) else math.trunc(index) if math.isfinite(index) else len(chosen)
    return chosen[where] if 0 <= where < len(chosen) else ""


def _substr(_: Any, text: str, start: float, end: float = math.inf) -> str:
    """Counts from 0; negative positions count from the end."""
    first, last = _place(start, len(text)), _place(end, len(text))
    return text[first:last] if first <= last else ""


def _place(number: float, length: int) -> int:
    if math.isnan(number):
        return 0
    if math.isinf(number):
        return length if number > 0 else 0
    place = math.trunc(number)
    return min(max(place + length if place < 0 else place, 0), length)


def _ends_with(_: Any, text: str, end: str) -> bool:
    return text.endswith(end)


def _regex(_: Any, text: str, pattern: str) -> bool:
    try:
        return compile_pattern(pattern).matches(text)
    except BadPattern as fault:
        raise Unevaluable(f"the regular expression ‘{pattern}’ cannot be used: {fault}") from fault
    except TooCostly as fault:
        raise Unevaluable("the answer is too long for its regular expression") from fault


def _digest(_: Any, text: str, algorithm: str, encoding: str = "base64") -> str:
    name = algorithm.upper().replace("-", "")
    if name not in ("MD5", "SHA1", "SHA256", "SHA384", "SHA512"):
        raise Unevaluable(f"digest() does not know ‘{algorithm}’")
    raw = hashlib.new(name.lower(), text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()


def _base64_decode(_: Any, text: str) -> str:
    try:
        decoded = base64.b64decode(text).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise Unevaluable("base64-decode() was given something else") from error
    # XML cannot hold control characters, so neither can a value.
    return "".join(character for character in decoded if character >= " " or character in "\t\n\r")


def _base64_encode(_: Any, text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


# --- numbers -------------------------------------------------------------------------------------------------------


def _int(_: Any, number: float) -> float:
    return whole_number(number)


def _round(_: Any, number: float, places: float = 0.0) -> float:
    if not math.isfinite(places):
        return math.nan if math.isinf(places) else round_number(number, 0)
    return round_number(number, math.trunc(places))


def _total(function: Callable[..., float]) -> Callable[..., float]:
    """A function of `math` made to answer outside its domain what floating point says: NaN or infinity."""

    def answer(_: Any, *numbers: float) -> float:
        if any(math.isnan(number) for number in numbers):
            return math.nan
        try:
            return float(function(*numbers))
        except OverflowError:
            return math.inf
        except (ValueError, ZeroDivisionError):
            return math.nan

    return answer


def _log(number: float) -> float:
    return -math.inf if number == 0 else math.log(number)


def _log10(number: float) -> float:
    return -math.inf if number == 0 else math.log10(number)


def _pow(base: float, exponent: float) -> float:
    if base == 0 and exponent < 0:
        return math.inf
    return math.pow(base, exponent)


# --- dates ---------------------------------------------------------------------------------------------------------


def _moment(value: Plain) -> dt.datetime | None:
    """None for a blank; raises Unevaluable for what is no date."""
    context = HERE.context
    if isinstance(value, (float, bool)):
        number = float(value)
        text = write_number(number)
    else:
        text = text_of(value)
        number = read_number(text)
    if not text or text == "NaN":
        return None
    moment = read_moment(text, context.tz) if math.isnan(number) else moment_of_days(number, context.tz)
    if moment is None:
        raise Unevaluable(f"‘{text}’ is not a date")
    return moment


def _date(_: Any, value: Plain) -> str | float:
    """NaN stays NaN, as in JavaRosa; a text that has a time keeps it."""
    if value != value:
        return math.nan
    if isinstance(value, str) and (plain := read_date(value)):
        return plain.isoformat()
    if isinstance(value, (float, bool)) or not math.isnan(read_number(text_of(value))):
        date = date_of_days(number_of(value))
        if date is None:
            raise Unevaluable(f"‘{text_of(value)}’ is not a date")
        return date.isoformat()
    moment = _moment(value)
    if moment is None:
        return ""
    return write_moment(moment) if "T" in text_of(value) else moment.date().isoformat()


def _day(_: Any, value: Plain) -> str | float:
    if value != value:
        return math.nan
    moment = _moment(value)
    return moment.date().isoformat() if moment else ""


def _date_time(_: Any, value: Plain) -> str | float:
    if value != value:
        return math.nan
    moment = _moment(value)
    return write_moment(moment) if moment else ""


def _decimal_date_time(_: Any, value: Plain) -> float | str:
    """A blank stays a blank."""
    moment = _moment(value)
    if moment is None:
        return math.nan if value != value else ""
    return decimal_days(moment)


def _decimal_time(_: Any, value: Plain) -> float | str:
    """The part of the local day that has passed, of a time or of a moment."""
    text = text_of(value)
    time = read_time(text)
    if time is not None:
        date = HERE.context.today
        moment: dt.datetime | None = read_moment(f"{date.isoformat()}T{text.strip()}", HERE.context.tz)
    else:
        moment = _moment(value)
    if moment is None:
        return math.nan if value != value else ""
    offset = moment.utcoffset() or dt.timedelta()
    days = decimal_days(moment + offset)
    return days - math.floor(days)


def _format_date(_: Any, value: Plain, pattern: str) -> str:
    if pattern == "%Y" and isinstance(value, str) and (date := read_date(value)):
        return f"{date.year:04}"
    moment = _moment(value)
    try:
        return format_moment(moment, pattern) if moment else ""
    except ValueError as error:
        raise Unevaluable(f"a date format does not know {error}") from error


# --- places --------------------------------------------------------------------------------------------------------


def _area(_: Any, *values: Plain) -> float:
    return area(values)


def _distance(_: Any, *values: Plain) -> float:
    return distance(values)


def _geofence(_: Any, point: Plain, shape: Plain) -> bool:
    return is_inside(point, shape)


# --- the device, the form, chance ----------------------------------------------------------------------------------


def _version(_: Any) -> str:
    context = HERE.context
    return context.form.version if context.form else str(context.root.get("version", ""))


def _property(_: Any, name: str) -> str:
    return ""  # a device's own; the server has none


def _draw(kind: str) -> bytes:
    """The next drawing of an evaluation: the same for the same seed and node, so that a resend gives the same."""
    context = HERE.context
    context.draws += 1
    where = context.node.getroottree().getpath(context.node)
    return hashlib.sha256(f"{context.seed}\0{kind}\0{where}\0{context.draws}".encode()).digest()


def _random(_: Any) -> float:
    return int.from_bytes(_draw("random")[:6], "big") / 2**48


def _uuid(_: Any, length: float | None = None) -> str:
    if length is None:
        return str(uuid.UUID(bytes=_draw("uuid")[:16], version=4))
    if not 1 <= length <= 1000:
        raise Unevaluable("uuid() was asked for a text of impossible length")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "".join(letters[byte % len(letters)] for _ in range(math.trunc(length)) for byte in _draw("uuid")[:1])


def _randomize(_: Any, nodes: list[Any], seed: float | None = None) -> list[Any]:
    """Fisher and Yates' shuffle over Park and Miller's generator: with a seed, the order that ODK clients show."""
    drawn = int.from_bytes(_draw("randomize")[:4], "big") if seed is None or not math.isfinite(seed) else seed
    state = math.trunc(math.fmod(drawn, 2_147_483_647))
    state += 2_147_483_646 if state <= 0 else 0
    shuffled: list[Any] = []
    for count, node in enumerate(nodes, start=1):
        state = state * 16807 % 2_147_483_647
        place = math.floor((state - 1) / 2_147_483_646 * count)
        if place == len(shuffled):
            shuffled.append(node)
        else:
            shuffled.append(shuffled[place])
            shuffled[place] = node
    return shuffled


EXTENSIONS: dict[str, Callable[..., Any]] = {
    "near": _near,
    "equal": _equal,
    "text": _text,
    "number": _number,
    "exact": _exact,
    "decimal": _decimal,
    "boolean": _boolean,
    "decimal-text": _decimal_text,
    "day-number": _number,
    "truth-text": _truth_text,
    "equal-truth": _equal_truth,
    "day-text": _day_text,
    "if": _if,
    "coalesce": _coalesce,
    "list": _list,
    "find": _find,
    "pulldata": _pulldata,
    "choice-name": _choice_name,
    "itext": _itext,
    "position": _position,
    "index": _index,
    "sum": _sum,
    "min": _min,
    "max": _max,
    "min-day": _min_day,
    "max-day": _max_day,
    "join": _join,
    "checklist": _checklist,
    "weighted-checklist": _weighted_checklist,
    "count-selected": _count_selected,
    "selected-at": _selected_at,
    "substr": _substr,
    "ends-with": _ends_with,
    "regex": _regex,
    "digest": _digest,
    "base64-decode": _base64_decode,
    "base64-encode": _base64_encode,
    "int": _int,
    "round": _round,
    "abs": _total(abs),
    "acos": _total(math.acos),
    "asin": _total(math.asin),
    "atan": _total(math.atan),
    "atan2": _total(math.atan2),
    "cos": _total(math.cos),
    "sin": _total(math.sin),
    "tan": _total(math.tan),
    "exp": _total(math.exp),
    "exp10": _total(lambda number: math.pow(10.0, number)),
    "log": _total(_log),
    "log10": _total(_log10),
    "pow": _total(_pow),
    "sqrt": _total(math.sqrt),
    "date": _date,
    "day": _day,
    "date-time": _date_time,
    "decimal-date-time": _decimal_date_time,
    "decimal-time": _decimal_time,
    "format-date": _format_date,
    "area": _area,
    "distance": _distance,
    "geofence": _geofence,
    "version": _version,
    "property": _property,
    "random": _random,
    "uuid": _uuid,
    "randomize": _randomize,
}
