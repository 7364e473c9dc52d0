"""The XPath of everyday rules as Python functions over the texts that a walk has gathered.

A call into lxml costs ten times as much where each expression is worked out once for each record. What is known here
gives to the bit what lxml gives (a law in the tests); all other XPath stays with lxml.

Each rule becomes one line of Python, which is compiled. Nothing that a form says is ever part of that line: its texts,
numbers and names are values that the line calls by names of our own.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from forms.findings import Faulty
from forms.xpath.context import Context
from forms.xpath.functions import EXTENSIONS, PREFIX
from forms.xpath.shape import Shape, Steps
from forms.xpath.syntax import Call, Negation, Node, Number, Operation, Path, Step, Text, Variable, parse

Run = Callable[[Context, Mapping[str, str]], Any]

_LONGEST = 500  # characters: what is longer is not of every day, and might nest deeper than Python calls may
_NOWHERE = etree.Element("nowhere")
_LXML_NUMBER = etree.XPath("number($value)", regexp=False, smart_strings=False)
_LXML_STRING = etree.XPath("string($value)", regexp=False, smart_strings=False)
_BLANKS = re.compile("[ \t\r\n]+")


def everyday(code: str, at: Steps, shape: Shape | None) -> Run | None:
    """What `code`, as the translation writes it for a node at `at`, gives in a context that has the texts around that
    node, with the values given to it; None if that is not known here."""
    if len(code) > _LONGEST:
        return None
    try:
        reader = _Reader(at, shape)
        part = reader.part(parse(code, variables=True))
        if part.kind == "path":
            return None
        line = compile(f"lambda context, given: {part.line}", "<everyday>", "eval")
    except (_NotHere, Faulty, SyntaxError, MemoryError, RecursionError):  # some are nested deeper than Python reads
        return None
    run: Run = eval(line, reader.values)  # noqa: S307 — see above
    return run


class _NotHere(Exception):
    """The code holds something that only lxml knows."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the code. `kind` is what it gives: text, number, boolean, nodes (a list), any of these, or path: the
    text of the first node that a path leads to, which only serves where a text or a number is made of it.

    `line` is the Python that works it out.
    """

    kind: str
    line: str
    constant: bool = False
    value: str | float | bool = ""  # of a constant


class _Reader:
    def __init__(self, at: Steps, shape: Shape | None) -> None:
        self.at = at
        self.shape = shape
        self.values: dict[str, Any] = {"__builtins__": {}}  # by the names that the line calls them by

    def named(self, value: object) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return name

    def part(self, node: Node) -> _Part:
        match node:
            case Number(value):
                if value != int(value) or value >= 2**53:
                    raise _NotHere
                return self.constant("number", value)
            case Text(value):
                return self.constant("text", value)
            case Variable(name):
                return self.variable(name)
            case Negation(operand):
                return _Part("number", f"(-{self.cast(self.part(operand), 'number').line})")
            case Operation(name, left, right):
                return self.operation(name, self.part(left), self.part(right))
            case Call(name, arguments):
                parts = [self.part(argument) for argument in arguments]
                prefix, _, extension = name.partition(":")
                return self.extension(extension, parts) if prefix == PREFIX else self.core(name, parts)
            case Path():
                return _Part("path", self.path(node))

    def constant(self, kind: str, value: str | float | bool) -> _Part:
        return _Part(kind, self.named(value), constant=True, value=value)

    def variable(self, name: str) -> _Part:
        if name in ("root", "current"):
            raise _NotHere
        called = self.named(name)
        line = f"(given[{called}] if {called} in given else context.variable({called}))"
        return _Part("number" if name == "today_number" else "text", line)

    def operation(self, name: str, left: _Part, right: _Part) -> _Part:
        if name in ("and", "or"):
            return _Part("boolean", f"({self.cast(left, 'boolean').line} {name} {self.cast(right, 'boolean').line})")
        if name in _ARITHMETIC:
            one, other = self.cast(left, "number").line, self.cast(right, "number").line
            return _Part("number", f"({one} {name} {other})")
        if name in _DIVISIONS:
            return self.called("number", _DIVISIONS[name], [self.cast(left, "number"), self.cast(right, "number")])
        if name == "=" and left.kind == right.kind and left.kind in ("text", "number", "boolean"):
            return _Part("boolean", f"({left.line} == {right.line})")
        if name in _COMPARISONS and left.kind == right.kind == "number":
            return _Part("boolean", f"({left.line} {name} {right.line})")
        raise _NotHere

    def called(self, gives: str, function: Callable[..., Any], parts: Sequence[_Part]) -> _Part:
        return _Part(gives, f"{self.named(function)}({', '.join(part.line for part in parts)})")

    def core(self, name: str, parts: list[_Part]) -> _Part:
        if name in ("true", "false"):
            return self.constant("boolean", name == "true")
        kind = {"string": "text", "number": "number", "boolean": "boolean"}.get(name)
        if kind and len(parts) == 1:
            return self.cast(parts[0], kind)
        if name not in _CORE or not parts:
            raise _NotHere
        takes, gives, function = _CORE[name]
        arguments = [self.cast(part, takes) for part in parts]
        if all(part.constant for part in arguments):
            return self.constant(gives, function(*[part.value for part in arguments]))
        if name not in _WRITTEN or len(parts) != 2:
            return self.called(gives, function, arguments)
        return _Part(gives, _WRITTEN[name].format(*[part.line for part in arguments]))

    def extension(self, name: str, parts: list[_Part]) -> _Part:
        if name not in _EXTENSIONS or any(part.kind == "path" for part in parts):
            raise _NotHere
        # Where lxml passes a context of its own, they look at nothing.
        return self.called(_EXTENSIONS[name], EXTENSIONS[name], [_Part("any", "None"), *parts])

    def cast(self, part: _Part, kind: str) -> _Part:
        """One kind as another."""
        if part.kind == kind:
            return part
        if kind == "nodes" or (kind == "boolean" and part.kind == "path"):  # whether there is one, blank or not
            raise _NotHere
        if kind == "text" and part.kind == "path":
            return _Part("text", part.line)
        return self.called(kind, {"text": _text, "number": _number, "boolean": _boolean}[kind], [part])

    def path(self, path: Path) -> str:
        """A question by names from the root, the node or what is above that, without a repeat on the way down."""
        steps = list(path.steps)
        above = len(self.at)
        if path.start == "/" and steps and steps.pop(0) == _ROOT:
            above = 1
        elif path.start == "." and steps:
            while steps and steps[0] in (_SELF, _PARENT):
                above -= steps.pop(0) == _PARENT
        else:
            raise _NotHere
        if self.shape is None or above < 1 or self.at[-1].startswith("@") or path.predicates:
            raise _NotHere
        target = self.at[:above]
        for step in steps:
            target = (*target, step.test)
            if step != Step("child", step.test) or _path(target) in self.shape.repeats:
                raise _NotHere
        if not self.shape.is_question(_path(target)):
            raise _NotHere
        left = [place for place in range(above + 1, len(self.at) + 1) if _path(self.at[:place]) in self.shape.repeats]
        return f"context.scope{'.outer' * len(left)}.texts.get({self.named(_path(target))}, '')"


_SELF, _PARENT, _ROOT = Step("self", "node()"), Step("parent", "node()"), Step("child", "*")


def _path(steps: Steps) -> str:
    return "/" + "/".join(steps)


# --- operators -----------------------------------------------------------------------------------------------------


def _divided(one: float, other: float) -> float:
    if other:
        return one / other
    return math.nan if not one or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1.0, other)


def _modulo(one: float, other: float) -> float:
    return math.fmod(one, other) if other and not math.isinf(one) else math.nan


# What XPath and Python write alike and mean alike.
_COMPARISONS = frozenset({"<", "<=", ">", ">="})
_ARITHMETIC = frozenset({"+", "-", "*"})
_DIVISIONS = {"div": _divided, "mod": _modulo}


# --- functions -----------------------------------------------------------------------------------------------------


def _normalized(text: str) -> str:
    return _BLANKS.sub(" ", text).strip(" ")


def _translated(text: str, these: str, others: str) -> str:
    table: dict[int, str | None] = {}
    for place, letter in enumerate(these):
        table.setdefault(ord(letter), others[place] if place < len(others) else None)
    return text.translate(table)


# Name → what it takes, what it gives, and how.
_CORE: dict[str, tuple[str, str, Callable[..., Any]]] = {
    "not": ("boolean", "boolean", operator.not_),
    "contains": ("text", "boolean", operator.contains),
    "starts-with": ("text", "boolean", str.startswith),
    "concat": ("text", "text", lambda *texts: "".join(texts)),
    "normalize-space": ("text", "text", _normalized),
    "translate": ("text", "text", _translated),
    "string-length": ("text", "number", lambda text: float(len(text))),
    "count": ("nodes", "number", lambda nodes: float(len(nodes))),
}
_EXTENSIONS = {
    **dict.fromkeys(("near", "equal", "boolean", "equal-truth", "regex", "ends-with", "checklist"), "boolean"),
    **dict.fromkeys(("number", "exact", "decimal", "day-number", "count-selected"), "number"),
    **dict.fromkeys(("int", "round", "min", "max"), "number"),
    **dict.fromkeys(("text", "decimal-text", "truth-text", "day-text", "selected-at", "substr", "join"), "text"),
    **dict.fromkeys(("format-date", "choice-name", "pulldata"), "text"),
    **dict.fromkeys(("if", "coalesce", "date", "day"), "any"),
    "find": "nodes",
}
# Those of two arguments that Python has words for.
_WRITTEN = {"concat": "({0} + {1})", "starts-with": "{0}.startswith({1})"}


def _boolean(value: Any) -> bool:
    return bool(value) and value == value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(_LXML_STRING(_NOWHERE, value=value))


def _number(value: Any) -> float:
    """The digits of every day; libxml2 reads signs, fractions and what is no number in ways of its own."""
    if isinstance(value, str) and len(value) < 16 and value.isdecimal() and value.isascii():
        return float(value)
    if isinstance(value, bool):
        return float(value)
    return math.nan if value == "" else float(_LXML_NUMBER(_NOWHERE, value=value))  # type: ignore[arg-type]
