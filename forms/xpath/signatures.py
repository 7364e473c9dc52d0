"""The functions of XForms expressions: what they take, and what they become in XPath 1.0."""

from __future__ import annotations

from dataclasses import dataclass

from forms.xpath.shape import Kind


@dataclass(frozen=True, slots=True)
class Function:
    """`arguments`: a letter each (n number, s text, b boolean, v any value, p path, m path or value), the last one
    repeated as often as allowed. `code` is what it is in XPath 1.0; without it an extension of its name."""

    arguments: str
    least: int
    most: int | None
    kind: Kind
    code: str | None = None
    extension: str | None = None
    volatile: bool = False

    def takes(self, place: int) -> str:
        return self.arguments[min(place, len(self.arguments) - 1)]

    @property
    def counted(self) -> str:
        if self.most is None:
            return f"at least {self.least} arguments"
        if self.least == self.most:
            return "no arguments" if not self.most else "1 argument" if self.most == 1 else f"{self.most} arguments"
        return f"{self.least} to {self.most} arguments"


def _native(arguments: str, kind: Kind, code: str) -> Function:
    return Function(arguments, len(arguments), len(arguments), kind, code)


def _own(arguments: str, kind: Kind, *, least: int | None = None, **more: object) -> Function:
    return Function(arguments, len(arguments) if least is None else least, len(arguments), kind, **more)  # type: ignore[arg-type]


_N, _T, _B = Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN
_SELECTED = "contains(concat(' ', {0}, ' '), concat(' ', normalize-space({1}), ' '))"

FUNCTIONS: dict[str, Function] = {
    "true": _native("", _B, "true()"),
    "false": _native("", _B, "false()"),
    "not": _native("b", _B, "not({0})"),
    "boolean": _native("b", _B, "{0}"),
    "number": _native("n", _N, "{0}"),
    "string": Function("s", 0, 1, _T),
    "contains": _native("ss", _B, "contains({0}, {1})"),
    "starts-with": _native("ss", _B, "starts-with({0}, {1})"),
    "ends-with": _own("ss", _B),
    "substring-before": _native("ss", _T, "substring-before({0}, {1})"),
    "substring-after": _native("ss", _T, "substring-after({0}, {1})"),
    "substring": Function("snn", 2, 3, _T, "substring({all})"),
    "translate": _native("sss", _T, "translate({0}, {1}, {2})"),
    "normalize-space": Function("s", 0, 1, _T, "normalize-space({all})"),
    "string-length": Function("s", 0, 1, _N, "string-length({all})"),
    "concat": Function("s", 1, None, _T),
    "join": Function("s", 1, None, _T),
    "substr": _own("snn", _T, least=2),
    "selected": _native("ss", _B, _SELECTED),
    "is-selected": _native("ss", _B, _SELECTED),
    "selected-at": _own("sn", _T),
    "count-selected": _own("s", _N),
    "count": _native("p", _N, "count({0})"),
    "count-non-empty": _native("p", _N, ""),
    "sum": _native("p", _N, ""),
    "min": Function("m", 1, None, _N),
    "max": Function("m", 1, None, _N),
    "position": Function("p", 0, 1, _N),
    "last": _native("", _N, "last()"),
    "name": Function("p", 0, 1, _T, "name({all})"),
    "local-name": Function("p", 0, 1, _T, "local-name({all})"),
    "if": _native("bvv", Kind.ANY, ""),
    "coalesce": _native("vv", Kind.ANY, ""),
    "once": Function("v", 1, 1, Kind.ANY, volatile=True),
    "depend": Function("v", 1, None, Kind.ANY),
    "current": _native("", _T, ""),
    "instance": _native("s", _T, ""),
    "indexed-repeat": Function("p", 3, 11, _T),
    "pulldata": _own("ssss", _T),
    "jr:choice-name": _native("ss", _T, ""),
    "jr:itext": _native("s", _T, ""),
    "regex": _own("ss", _B),
    "boolean-from-string": _native("s", _B, "({0} = '1' or translate({0}, 'TRUE', 'true') = 'true')"),
    "checklist": Function("nnm", 2, None, _B),
    "weighted-checklist": Function("nnm", 4, None, _B),
    "int": _own("n", _N),
    "round": _own("nn", _N, least=1),
    "floor": _native("n", _N, "floor({0})"),
    "ceiling": _native("n", _N, "ceiling({0})"),
    "pi": _native("", _N, "3.141592653589793"),
    "pow": _own("nn", _N),
    "atan2": _own("nn", _N),
    "date": _own("v", Kind.DATE),
    "date-time": _own("v", Kind.DATE),
    "decimal-date-time": _own("v", Kind.ANY),
    "decimal-time": _own("v", Kind.ANY),
    "format-date": _own("vs", _T),
    "format-date-time": _own("vs", _T),
    "today": Function("", 0, 0, Kind.DATE, volatile=True),
    "now": Function("", 0, 0, Kind.DATE, volatile=True),
    "area": Function("m", 1, None, _N),
    "enclosed-area": Function("m", 1, None, _N, extension="area"),
    "distance": Function("m", 1, None, _N),
    "geofence": _own("mm", _B),
    "digest": _own("sss", _T, least=2),
    "base64-decode": _own("s", _T),
    "base64-encode": _own("s", _T),
    "version": _own("", _T),
    "property": Function("s", 1, 1, _T, volatile=True),
    "random": Function("", 0, 0, _N, volatile=True),
    "uuid": Function("n", 0, 1, _T, volatile=True),
    "randomize": Function("p", 1, 2, _T),
    **{name: _own("n", _N) for name in ("abs", "acos", "asin", "atan", "cos", "sin", "tan")},
    **{name: _own("n", _N) for name in ("exp", "exp10", "log", "log10", "sqrt")},
}
