"""What `filters` promises: the parser of OData is a library's, and here is what its trees mean in SQL.

Null as OData has it: `eq` and `ne` compare it like a value, `gt ge lt le` with it are false, a function of it is null,
and what comes out null is left out.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from odatapy.errors import ODataException
from odatapy.server.uri.expression import (
    Binary,
    BinaryOperatorKind,
    Enumeration,
    Expression,
    ListExpression,
    Literal,
    Member,
    Method,
    MethodKind,
    Unary,
    UnaryOperatorKind,
)
from odatapy.server.uri.expression_parser import ExpressionParser
from odatapy.server.uri.query_options import SearchBinary, SearchExpression, SearchTerm, SearchUnary
from odatapy.server.uri.resource import UriResourceRoot
from odatapy.server.uri.search_parser import SearchParser
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    String,
    and_,
    case,
    cast,
    extract,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    true,
)

from forms.findings import Finding
from forms.spelling import did_you_mean
from forms.xpath.numbers import LARGEST
from sync.errors import BadFilter, NotImplementedHere
from sync.exports.among import Among, Order, plain_key
from sync.exports.values import Value, texts_among
from sync.models.base import UtcDateTime

LONGEST = 10_000
# Each costs the database and us some milliseconds.
_MOST_PARTS, _MOST_WORDS, _MOST_ORDERS = 1_000, 50, 20
_FARTHEST = 2**30  # in a text; beyond it PostgreSQL counts no more
_NULL = Value("null", null())
_WRITTEN_OTHERWISE = re.compile(r'["\\\x00-\x1f]')  # in JSON
_PARENT_KEY = re.compile(r"\b__Submissions(?:-\w+)*-id\b", re.ASCII)
# Of a time with an offset, in an address in which nobody has written the plus as %2B.
_LOST_PLUS = re.compile(r"(T\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:\d\d)", re.ASCII)
_WRAPPED = re.compile(r"""\b(?:Member|Literal)\((["']?)(.*?)\1\)""")  # as the library writes a part of a filter
_ENUMERATIONS = frozenset({"org.opendatakit.submission.ReviewState", "org.opendatakit.submission.Status"})
Made = TypeVar("Made")
_Comparison = Callable[[Any, Any], ColumnElement[bool]]


def compile_filter(text: str, among: Among) -> ColumnElement[bool]:
    return _parsed(text, "$filter", lambda: _Compiler(among).condition(_read(text)))


def compile_order(text: str, among: Among) -> list[Order]:
    def orders() -> list[Order]:
        compiler = _Compiler(among)
        items = ExpressionParser.parse_orderby(_plain(text))
        if len(items) > _MOST_ORDERS:
            raise _bad(f"It names more than {_MOST_ORDERS} things to order by.", "Name the first ones.")
        return [Order(compiler.ordered(expression), descending) for expression, descending in items]

    return _parsed(text, "$orderby", orders)


def compile_search(text: str, among: Among) -> ColumnElement[bool]:
    beyond = "$root", "__system"
    names = [name for name in among.values if not name.startswith(beyond) and name not in among.unsearched]
    texts = texts_among([among.values[name] for name in names])

    def found() -> ColumnElement[bool]:
        search = SearchParser.parse(text)
        if _words(search) > _MOST_WORDS:
            raise _bad(f"It has more than {_MOST_WORDS} words.", "Search for fewer.")
        return _found(search, texts, among)

    return _parsed(text, "$search", found)


def names_in(text: str) -> set[str]:
    return _parsed(text, "$filter", lambda: set(_names(_read(text))))


def texts_of(condition: str, name: str) -> frozenset[str] | None:
    expression = _parsed(condition, "$filter", lambda: _read(condition))
    said = [_texts_in(part, name) for part in _joined(expression, BinaryOperatorKind.AND)]
    sure = [texts for texts in said if texts is not None]
    return frozenset.intersection(*sure) if sure else None


def hangs_on_time(condition: str | None, order: str | None = None) -> bool:
    asked = [_parsed(condition, "$filter", lambda: _read(condition))] if condition else []
    if order:
        asked += _parsed(order, "$orderby", lambda: [each for each, _ in ExpressionParser.parse_orderby(_plain(order))])
    methods = (part.method for each in asked for part in _parts(each) if isinstance(part, Method))
    return MethodKind.NOW in methods


def _parsed(text: str, option: str, compiled: Callable[[], Made]) -> Made:
    if len(text) > LONGEST or "\0" in text:
        raise _bad(f"It is longer than {LONGEST:,} characters, or holds a NUL.", "Shorten it.", option)
    try:
        return compiled()
    except ODataException as error:
        remedy = "A filter is written like this: sacks gt 3 and contains(village, 'Sib')."
        raise _bad(str(error), remedy, option) from error
    except RecursionError as error:
        raise _bad("It is nested too deeply.", "Take brackets out of it.", option) from error
    except (ValueError, ArithmeticError) as error:
        raise _bad("It holds a number or a time that there is not.", "Write one that there is.", option) from error
    except BadFilter as bad:
        bad.findings = [Finding(each.fault, each.remedy, option) for each in bad.findings]
        raise


def _read(text: str) -> Expression:
    return ExpressionParser.parse_string(_plain(text))


def _plain(text: str) -> str:
    """With such keys put plainly and lost pluses in their places, outside of what is quoted."""
    parts = text.split("'")
    parts[::2] = [
        _PARENT_KEY.sub(lambda found: plain_key(found[0]), _LOST_PLUS.sub(r"\1+\2", part)) for part in parts[::2]
    ]
    return "'".join(parts)


def _bad(fault: str, remedy: str = "", place: str = "") -> BadFilter:
    return BadFilter(fault if not remedy else f"{fault} {remedy}", findings=[Finding(fault, remedy, place)])


class _Compiler:
    def __init__(self, among: Among) -> None:
        self.among = among
        self.parts = 0

    def condition(self, expression: Expression) -> ColumnElement[bool]:
        value = self.value(expression)
        if value.kind == "null":
            return false()
        if value.kind != "boolean":
            raise _bad(f"‘{_shown(expression)}’ is not a condition.", "Compare it with something: … eq …")
        return value.sql

    def ordered(self, expression: Expression) -> Value:
        value = self.value(expression)
        if value.kind == "geo":
            raise _bad("Places on the map have no order.", "Order by something else.")
        if value.kind == "null":
            return Value("null", cast(null(), Integer()))
        if value.kind == "boolean":  # a bare true or false would be taken for the number of a column
            return Value("boolean", case((value.sql, true()), (not_(value.sql), false())))
        return value

    def value(self, expression: Expression) -> Value:
        self.count(1)
        match expression:
            case Literal():
                return self.constant(expression)
            case Enumeration() if expression.type_name in _ENUMERATIONS:
                return Value("text", literal(",".join(expression.values), String()))
            case Member():
                return self.member(expression)
            case Unary():
                return self.unary(expression)
            case Method():
                return self.method(expression)
            case Binary():
                return self.binary(expression)
        raise NotImplementedHere(f"‘{_shown(expression)}’ is not understood in a filter here.")

    def count(self, parts: int) -> None:
        self.parts += parts
        if self.parts > _MOST_PARTS:
            raise _bad(f"It has more than {_MOST_PARTS:,} parts.", "Compare with many values by: … in (…, …)")

    def member(self, member: Member) -> Value:
        if member.lambda_expression is not None or member.count:
            raise NotImplementedHere("any, all and $count are not done here; ask the table of the repeat.")
        name = _name(member)
        found = self.among.values.get(name)
        if found is None:
            raise _bad(f"There is no field ‘{name}’ here.", did_you_mean(name, self.among.values))
        return found

    def constant(self, constant: Literal) -> Value:
        value = constant.value
        match value:
            case None:
                return _NULL
            case bool():
                return Value("boolean", true() if value else false())
            case int() | Decimal() | float():
                return Value("number", self.number(value))
            case str() if constant.type_name == "Edm.String":
                return Value("text", literal(value, String()))
        if constant.type_name == "Edm.DateTimeOffset":
            return Value("moment", literal(_moment(constant.text), UtcDateTime()))
        if constant.type_name == "Edm.Date":
            return Value("date", literal(constant.text, String()))
        return Value("text", literal(constant.text, String()))

    def number(self, value: int | Decimal | float) -> ColumnElement[Any]:
        number = Decimal(str(value))
        if not number.is_finite() or abs(number.adjusted()) > 300:
            raise _bad(f"{value} is no number that an answer could be.", "Write it in digits.")
        if self.among.sqlite:
            whole = number == number.to_integral_value() and abs(number) <= LARGEST
            return literal(int(number), BigInteger()) if whole else literal(float(number), Float())
        return literal(number, Numeric())

    # --- operators ------------------------------------------------------------------------------------------------

    def unary(self, expression: Unary) -> Value:
        operand = self.value(expression.operand)
        if operand.kind == "null":
            return _NULL
        if expression.operator is UnaryOperatorKind.NOT:
            return Value("boolean", not_(_wanted(operand, "boolean", "not")))
        return Value("number", -_wanted(operand, "number", "-"))

    def binary(self, expression: Binary) -> Value:
        operator = expression.operator
        if operator.is_logical:
            join = and_ if operator is BinaryOperatorKind.AND else or_
            parts = [self.value(part) for part in _joined(expression, operator)]
            return Value("boolean", join(*(_wanted(part, "boolean", operator.value) for part in parts)))
        if operator is BinaryOperatorKind.IN:
            return Value("boolean", self.one_of(expression))
        left, right = self.value(expression.left), self.value(expression.right)
        if operator.is_comparison:
            return Value("boolean", self.compared(operator, left, right))
        if operator in _ARITHMETIC:
            if "null" in (left.kind, right.kind):
                return _NULL
            reckon = _ARITHMETIC[operator]
            numbers = (_wanted(each, "number", operator.value) for each in (left, right))
            return Value("number", reckon(*numbers))
        raise NotImplementedHere(f"The operator ‘{operator.value}’ is not done here.")

    def one_of(self, expression: Binary) -> ColumnElement[bool]:
        if not isinstance(expression.right, ListExpression):
            raise _bad("After ‘in’ stands a list.", "Write: … in ('a', 'b')")
        self.count(len(expression.right.items))
        left = self.value(expression.left)
        plain = [item for item in expression.right.items if isinstance(item, Literal) and item.value is not None]
        values = [_alike(left, self.constant(item)) for item in plain if left.kind != "null"]
        others = [item for item in expression.right.items if item not in plain or left.kind == "null"]
        equal = [self.compared(BinaryOperatorKind.EQ, left, self.value(item)) for item in others]
        if values:  # at once, however many there are
            equal.append(func.coalesce(values[0][0].sql.in_([right.sql for _, right in values]), false()))
        return or_(false(), *equal)

    def compared(self, operator: BinaryOperatorKind, left: Value, right: Value) -> ColumnElement[bool]:
        left, right = _alike(left, right)
        if operator is BinaryOperatorKind.EQ:
            return left.sql.is_not_distinct_from(right.sql)
        if operator is BinaryOperatorKind.NE:
            return left.sql.is_distinct_from(right.sql)
        if "null" in (left.kind, right.kind):
            return false()
        if left.kind in ("geo", "boolean"):
            raise _bad(f"‘{operator.value}’ does not compare values of this kind.", "Use eq or ne.")
        return func.coalesce(_ORDERED[operator](left.sql, right.sql), false())

    # --- functions ------------------------------------------------------------------------------------------------

    def method(self, expression: Method) -> Value:
        given = [self.value(parameter) for parameter in expression.parameters]
        method = expression.method
        if method is MethodKind.NOW:
            return Value("moment", literal(self.among.now, UtcDateTime()))
        if any(value.kind == "null" for value in given):
            return _NULL
        if method in _PARTS:
            return Value("number", self.part(_PARTS[method], given[0], method.value))
        if method is MethodKind.DATE:
            return Value("date", self.day_of(given[0]))
        if method in _ROUNDED:
            return Value("number", self.rounded(method, _wanted(given[0], "number", method.value)))
        if method in _OF_TEXTS:
            kind, make = _OF_TEXTS[method]
            return Value(kind, make(self.among.sqlite, *self.arguments(method, given)))
        raise NotImplementedHere(f"The function ‘{method.value}’ is not done here.")

    def arguments(self, method: MethodKind, given: Sequence[Value]) -> Iterator[ColumnElement[Any]]:
        for place, value in enumerate(given):
            number = method is MethodKind.SUBSTRING and place > 0
            sql = _wanted(value, "number" if number else "text", method.value)
            yield cast(case((sql < 0, 0), (sql > _FARTHEST, _FARTHEST), else_=sql), Integer()) if number else sql

    def part(self, part: str, value: Value, name: str) -> ColumnElement[Any]:
        if value.kind == "date":
            start, length = _OF_DATE.get(part, (0, 0))
            if not length:
                raise _bad(f"A date has no {part}.", "Use a question with date and time.")
            return cast(func.substr(value.sql, start, length), Integer())
        moment = _wanted(value, "moment", name)
        if self.among.sqlite:
            return cast(func.strftime(_OF_STRFTIME[part], moment, type_=String()), Integer())
        return cast(func.floor(extract(part, func.timezone("UTC", moment))), Integer())

    def day_of(self, value: Value) -> ColumnElement[Any]:
        if value.kind == "date":
            return value.sql
        moment = _wanted(value, "moment", "date")
        if self.among.sqlite:
            return func.strftime("%Y-%m-%d", moment, type_=String())
        return func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD", type_=String()).collate("C")

    def rounded(self, method: MethodKind, number: ColumnElement[Any]) -> ColumnElement[Any]:
        return {"round": func.round, "floor": func.floor, "ceiling": func.ceil}[method.value](number)


_ORDERED: Mapping[BinaryOperatorKind, _Comparison] = {
    BinaryOperatorKind.GT: lambda left, right: left > right,
    BinaryOperatorKind.GE: lambda left, right: left >= right,
    BinaryOperatorKind.LT: lambda left, right: left < right,
    BinaryOperatorKind.LE: lambda left, right: left <= right,
}
_ARITHMETIC: Mapping[BinaryOperatorKind, Callable[[Any, Any], ColumnElement[Any]]] = {
    BinaryOperatorKind.ADD: lambda left, right: left + right,
    BinaryOperatorKind.SUB: lambda left, right: left - right,
    BinaryOperatorKind.MUL: lambda left, right: left * right,
    BinaryOperatorKind.DIV: lambda left, right: left / func.nullif(right, 0),
    BinaryOperatorKind.DIVBY: lambda left, right: left / func.nullif(right, 0),
}
_PARTS = {
    MethodKind.YEAR: "year",
    MethodKind.MONTH: "month",
    MethodKind.DAY: "day",
    MethodKind.HOUR: "hour",
    MethodKind.MINUTE: "minute",
    MethodKind.SECOND: "second",
}
_OF_STRFTIME = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}
_OF_DATE = {"year": (1, 4), "month": (6, 2), "day": (9, 2)}
_ROUNDED = (MethodKind.ROUND, MethodKind.FLOOR, MethodKind.CEILING)


def _place_in(sqlite: bool, text: Any, part: Any) -> ColumnElement[Any]:
    return func.instr(text, part, type_=Integer()) if sqlite else func.strpos(text, part, type_=Integer())


def _contains(sqlite: bool, text: Any, part: Any) -> ColumnElement[bool]:
    return _place_in(sqlite, text, part) > 0


def _ends(_sqlite: bool, text: Any, part: Any) -> ColumnElement[Any]:
    begins = func.length(text) - func.length(part) + 1
    return and_(begins > 0, func.substr(text, begins) == part)


_OF_TEXTS: Mapping[MethodKind, tuple[str, Callable[..., ColumnElement[Any]]]] = {
    MethodKind.CONTAINS: ("boolean", _contains),
    MethodKind.STARTSWITH: ("boolean", lambda _, text, part: func.substr(text, 1, func.length(part)) == part),
    MethodKind.ENDSWITH: ("boolean", _ends),
    MethodKind.INDEXOF: ("number", lambda sqlite, text, part: _place_in(sqlite, text, part) - 1),
    MethodKind.LENGTH: ("number", lambda _, text: func.length(text)),
    MethodKind.SUBSTRING: ("text", lambda _, text, begin, *length: func.substr(text, begin + 1, *length)),
    MethodKind.TOLOWER: ("text", lambda _, text: func.lower(text)),
    MethodKind.TOUPPER: ("text", lambda _, text: func.upper(text)),
    MethodKind.TRIM: ("text", lambda _, text: func.trim(text)),
    MethodKind.CONCAT: ("text", lambda _, one, other: one.concat(other)),
}


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    """Both of one kind. A moment may be compared with a date: that is its beginning in UTC."""
    kinds = {left.kind, right.kind}
    if len(kinds) == 1 or "null" in kinds:
        return left, right
    if "number_or_text" in kinds and kinds <= {"number_or_text", "number", "text"}:
        return _as_text(left), _as_text(right)
    if kinds == {"moment", "date"}:
        return _begun(left), _begun(right)
    raise _bad(
        f"A {_CALLED[left.kind]} is compared with a {_CALLED[right.kind]}.",
        f"Write {' and '.join(_EXAMPLES[kind] for kind in sorted(kinds) if kind in _EXAMPLES)}.",
    )


def _as_text(value: Value) -> Value:
    return value if value.kind == "text" else Value("text", cast(value.sql, String()))


def _begun(value: Value) -> Value:
    written = getattr(value.sql, "value", None)
    if value.kind == "moment":
        return value
    if not isinstance(written, str):
        raise _bad("A question for a date is compared with a moment.", "Use date(…) on the moment.")
    moment = dt.datetime.combine(dt.date.fromisoformat(written), dt.time(), dt.UTC)
    return Value("moment", literal(moment, UtcDateTime()))


_CALLED = {
    "number": "number",
    "text": "text",
    "boolean": "true or false",
    "date": "date",
    "moment": "moment",
    "geo": "place on the map",
    "number_or_text": "number",
}
_EXAMPLES = {
    "number": "numbers without quotes",
    "text": "texts in single quotes",
    "boolean": "true or false",
    "date": "dates as 2026-01-31",
    "moment": "moments as 2026-01-31T08:00:00Z",
    "geo": "only null beside a place on the map",
}


def _wanted(value: Value, kind: str, what: str) -> ColumnElement[Any]:
    if value.kind == "null":
        return null()
    if value.kind == "number_or_text" and kind in ("number", "text"):
        return value.sql if kind == "number" else cast(value.sql, String())
    if value.kind != kind:
        raise _bad(f"‘{what}’ takes a {_CALLED[kind]}, not a {_CALLED[value.kind]}.", "")
    return value.sql


def _moment(text: str) -> dt.datetime:
    """UTC unless the literal says otherwise. Digits beyond the microsecond are cut."""
    whole, point, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if point else ""
    moment = dt.datetime.fromisoformat(f"{whole}.{digits[:6]}{rest[len(digits) :]}" if point else text)
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _joined(expression: Expression, operator: BinaryOperatorKind) -> Iterator[Expression]:
    """The parts of a long chain of `and` or `or`, however it leans."""
    pending = [expression]
    while pending:
        part = pending.pop()
        if isinstance(part, Binary) and part.operator is operator:
            pending += [part.right, part.left]
        else:
            yield part


def _texts_in(part: Expression, name: str) -> frozenset[str] | None:
    """Those with which a part of a filter says that `name` is equal."""
    if not isinstance(part, Binary) or part.operator not in (BinaryOperatorKind.EQ, BinaryOperatorKind.IN):
        return None
    sides = [part.left, *(part.right.items if isinstance(part.right, ListExpression) else [part.right])]
    named = [side for side in sides if isinstance(side, Member) and _name(side) == name]
    texts = [side.value for side in sides if isinstance(side, Literal) and side.type_name == "Edm.String"]
    return frozenset(texts) if len(named) == 1 and len(texts) == len(sides) - 1 else None


def _name(member: Member) -> str:
    path = "/".join(member.path).removeprefix("$it/")
    rooted = bool(member.resource_parts) and isinstance(member.resource_parts[0], UriResourceRoot)
    return f"$root/{path}" if rooted else path


def _names(expression: Expression) -> Iterator[str]:
    return (_name(part) for part in _parts(expression) if isinstance(part, Member))


def _parts(expression: Expression) -> Iterator[Expression]:
    """The expression and all in it."""
    pending: list[Expression] = [expression]
    while pending:
        part = pending.pop()
        yield part
        match part:
            case Binary():
                pending += [part.left, part.right]
            case Unary():
                pending.append(part.operand)
            case Method():
                pending += part.parameters
            case ListExpression():
                pending += part.items


def _shown(expression: Expression) -> str:
    return _WRAPPED.sub(r"\2", str(expression)[:1000])[:100]


def _words(search: SearchExpression) -> int:
    match search:
        case SearchUnary():
            return _words(search.operand)
        case SearchBinary():
            return _words(search.left) + _words(search.right)
    return 1


def _found(search: SearchExpression, texts: Sequence[ColumnElement[Any]], among: Among) -> ColumnElement[bool]:
    match search:
        case SearchTerm():
            holds = (func.coalesce(text.icontains(search.text, autoescape=True), false()) for text in texts)
            return and_(_roughly(search.text, among), or_(false(), *holds))
        case SearchUnary():
            return not_(_found(search.operand, texts, among))
        case SearchBinary():
            join = and_ if search.operator == "AND" else or_
            return join(_found(search.left, texts, among), _found(search.right, texts, among))
    raise NotImplementedHere


def _roughly(word: str, among: Among) -> ColumnElement[bool]:
    """What holds wherever the word is found, and is told sooner."""
    if not among.wholes or _WRITTEN_OTHERWISE.search(word):
        return true()
    # SQLite's LIKE takes capitals for small letters by itself, in half the time.
    wholes = among.wholes
    return or_(
        *(whole.contains(word, autoescape=True) for whole in wholes)
        if among.sqlite
        else (whole.icontains(word, autoescape=True) for whole in wholes)
    )
