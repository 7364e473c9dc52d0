"""The grammar of XPath 1.0: the text of an expression taken apart into a tree."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TypeAlias

from forms.findings import Faulty, Finding

_LONGEST = 50_000
_DEEPEST = 90
_TALLEST = 400  # `a or b or c` is a tree too, as tall as it has operators; whoever walks down it needs a frame a level


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Variable:
    """Never written by users: a value that the compiler passes in."""

    name: str


@dataclass(frozen=True, slots=True)
class Negation:
    operand: Node


@dataclass(frozen=True, slots=True)
class Operation:
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """`test` is a name, `*`, or a node test with its parentheses such as `text()`."""

    axis: str
    test: str
    predicates: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """`start` is `/` (absolute), `.` (relative) or the expression whose nodes the steps begin at."""

    start: str | Node
    steps: tuple[Step, ...]
    predicates: tuple[Node, ...] = field(default=())  # of `start`, when that is an expression


Node: TypeAlias = Number | Text | Variable | Negation | Operation | Call | Path

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d*)?|\.\d+)
    | (?P<text>"[^"]*"|'[^']*')
    | (?P<name>[^\W\d][\w.\-·]*(?::(?!:)(?:\*|[^\W\d][\w.\-·]*))?)
    | (?P<symbol>\.\.|::|//|!=|<=|>=|[/()\[\].@,|+\-=<>*$])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_PRECEDENCE = {
    "or": 1,
    "and": 2,
    "=": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "div": 6,
    "mod": 6,
    "|": 8,
}
_NEGATION = 7
_WORDS = frozenset({"or", "and", "div", "mod"})
_NODE_TESTS = frozenset({"text", "node", "comment", "processing-instruction"})
_AXES = frozenset(
    {
        "ancestor",
        "ancestor-or-self",
        "attribute",
        "child",
        "descendant",
        "descendant-or-self",
        "following",
        "following-sibling",
        "parent",
        "preceding",
        "preceding-sibling",
        "self",
    }
)
# After one of these, or at the start, `*` and `and` are names; anywhere else they are operators (XPath 1.0, 3.7).
_NAMES_FOLLOW = frozenset(
    {"@", "::", "(", "[", ",", "/", "//", "|", "+", "-", "=", "!=", "<", "<=", ">", ">=", "$", ""}
)


def words_of(text: str) -> tuple[str, ...]:
    """The words and signs of an expression, however they are spaced. Raises Faulty where something is neither."""
    return tuple(token.text for token in _tokens(text))


def parse(text: str, *, variables: bool = False) -> Node:
    """Raises Faulty with one finding when the text is not an XPath 1.0 expression. `variables` ($…) are never written
    by users."""
    if len(text) > _LONGEST:
        raise _fault(f"The expression is longer than {_LONGEST} characters.")
    return _Parser(text, variables=variables).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, name, symbol, operator, end
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    before, position = _Token("symbol", "", 0), 0
    while before.kind != "end":
        found = _TOKEN.match(text, position)
        if found is None:
            where = len(text) - len(text[position:].lstrip())
            if text[where] in "'\"":
                raise _fault(f"The quotation mark at character {where + 1} is never closed.")
            raise _fault(f"‘{text[where]}’ at character {where + 1} does not belong into an expression.")
        kind = found.lastgroup or ""
        token = _Token(kind, found[kind], found.start(kind))
        names_follow = before.kind == "operator" or (before.kind == "symbol" and before.text in _NAMES_FOLLOW)
        ambiguous = token.text in _WORDS or token.text == "*"
        if (ambiguous and not names_follow) or (kind == "symbol" and not ambiguous and token.text in _PRECEDENCE):
            token = _Token("operator", token.text, token.position)
        tokens.append(token)
        before, position = token, found.end()
    return tokens


class _Parser:
    def __init__(self, text: str, *, variables: bool) -> None:
        self.text = text
        self.variables = variables
        self.tokens = _tokens(text)
        self.index = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def whole(self) -> Node:
        if self.token.kind == "end":
            raise _fault("The expression is empty.")
        node = self.expression(0)
        if self.token.kind != "end":
            raise self.unexpected()
        if _height(node) > _TALLEST:
            fault = f"The expression has more than {_TALLEST} operators in a row."
            raise _fault(fault, "Divide it among several calculations.")
        return node

    def expression(self, binding: int) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _fault(f"The expression is nested more than {_DEEPEST} levels deep.")
        node = self.operand()
        while self.token.kind == "operator" and _PRECEDENCE[self.token.text] > binding:
            operator = self.take().text
            node = Operation(operator, node, self.expression(_PRECEDENCE[operator]))
        self.depth -= 1
        return node

    def operand(self) -> Node:
        if self.token.kind == "operator" and self.token.text == "-":
            self.take()
            return Negation(self.expression(_NEGATION))
        return self.path()

    def path(self) -> Node:
        if self.accept("//"):
            return Path("/", (Step("descendant-or-self", "node()"), *self.steps()))
        if self.accept("/"):
            return Path("/", self.steps() if self.starts_step() else ())
        if self.starts_step() and not self.starts_call():
            return Path(".", self.steps())
        primary = self.primary()
        predicates = self.predicates()
        if self.token.text == "//" and self.accept("//"):
            return Path(primary, (Step("descendant-or-self", "node()"), *self.steps()), predicates)
        if self.accept("/"):
            return Path(primary, self.steps(), predicates)
        return Path(primary, (), predicates) if predicates else primary

    def steps(self) -> tuple[Step, ...]:
        steps = [self.step()]
        while self.token.kind == "symbol" and self.token.text in ("/", "//"):
            if self.take().text == "//":
                steps.append(Step("descendant-or-self", "node()"))
            steps.append(self.step())
        return tuple(steps)

    def step(self) -> Step:
        if self.accept(".."):
            return Step("parent", "node()", self.predicates())
        if self.accept("."):
            return Step("self", "node()", self.predicates())
        axis = "child"
        if self.accept("@"):
            axis = "attribute"
        elif self.token.kind == "name" and self.following().text == "::":
            axis = self.take().text
            self.take()
            if axis not in _AXES:
                raise _fault(f"‘{axis}’ is not an axis of XPath.")
        if self.token.kind not in ("name", "symbol") or (self.token.kind == "symbol" and self.token.text != "*"):
            raise self.unexpected()
        test = self.take().text
        if test in _NODE_TESTS and self.accept("("):
            self.expect(")")
            test += "()"
        return Step(axis, test, self.predicates())

    def predicates(self) -> tuple[Node, ...]:
        predicates = []
        while self.accept("["):
            predicates.append(self.expression(0))
            self.expect("]")
        return tuple(predicates)

    def primary(self) -> Node:
        token = self.take()
        if token.kind == "number":
            number = float(token.text)
            if math.isinf(number):
                raise _fault(f"The number ‘{token.text[:20]}…’ is too large.")
            return Number(number)
        if token.kind == "text":
            return Text(token.text[1:-1])
        if token.kind == "name":
            return Call(token.text, self.arguments())
        if token.kind == "symbol" and token.text == "(":
            node = self.expression(0)
            self.expect(")")
            return node
        if token.text == "$" and self.variables:
            return Variable(self.take().text)
        if token.text == "$":
            raise _fault("Variables ($…) are not known here.", "To name a question write ${question}.")
        self.index -= token.kind != "end"
        raise self.unexpected()

    def arguments(self) -> tuple[Node, ...]:
        self.expect("(")
        arguments: list[Node] = []
        if not self.accept(")"):
            arguments.append(self.expression(0))
            while self.accept(","):
                arguments.append(self.expression(0))
            self.expect(")")
        return tuple(arguments)

    def starts_step(self) -> bool:
        token = self.token
        return token.kind == "name" or (token.kind == "symbol" and token.text in (".", "..", "@", "*"))

    def starts_call(self) -> bool:
        return self.token.kind == "name" and self.token.text not in _NODE_TESTS and self.following().text == "("

    def following(self) -> _Token:
        return self.tokens[min(self.index + 1, len(self.tokens) - 1)]

    def take(self) -> _Token:
        token = self.token
        self.index += token.kind != "end"
        return token

    def accept(self, symbol: str) -> bool:
        if self.token.kind == "symbol" and self.token.text == symbol:
            self.index += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise self.unexpected(symbol)

    def unexpected(self, missing: str = "") -> Faulty:
        token = self.token
        if token.kind == "end" and missing:
            return _fault(f"The expression ends too early: ‘{missing}’ is missing.")
        if token.kind == "end":
            return _fault("The expression ends too early.")
        if missing:
            return _fault(f"‘{missing}’ is missing before ‘{token.text}’ at character {token.position + 1}.")
        return _fault(f"‘{token.text}’ at character {token.position + 1} stands where it cannot.")


def _height(node: Node) -> int:
    tallest, waiting = 0, [(node, 1)]
    while waiting:
        node, height = waiting.pop()
        tallest = max(tallest, height)
        match node:
            case Operation(_, left, right):
                below: tuple[Node, ...] = (left, right)
            case Negation(operand):
                below = (operand,)
            case Call(_, arguments):
                below = arguments
            case Path(start, steps, predicates):
                filters = [predicate for step in steps for predicate in step.predicates]
                below = (*predicates, *filters, *(() if isinstance(start, str) else (start,)))
            case _:
                below = ()
        waiting += [(each, height + 1) for each in below]
    return tallest


def _fault(fault: str, remedy: str = "") -> Faulty:
    return Faulty([Finding(fault, remedy)])
