"""The language that statements are written in: a small, closed part of Jinja, in a sandbox of its own."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.environment import Template
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

from forms.findings import Finding
from forms.spelling import did_you_mean, suggestion
from sync.errors import Unexpected
from sync.statements.unwritable import (
    FAULTS,
    Missing,
    NotAllowed,
    Unwritable,
    called,
    of_numbers,
    reckoned,
    told,
    well_asked,
)

LONGEST_SOURCE = 100_000
LONGEST_TEXT = 400_000
_MOST_ROUNDS = 20_000
_MOST_JOINED = 200
_LONGEST_JOINED = 10 * LONGEST_TEXT  # of all that one text joins

# No assignments, macros or imports. Loops in loops can still make much of little: their rounds, what is joined in
# them and the numbers that are reckoned have limits of their own.
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.For,
    nodes.Name,
    nodes.Call,
    nodes.Keyword,
    nodes.Filter,
    nodes.Test,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.Tuple,
    nodes.List,
    nodes.Compare,
    nodes.Operand,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Pos,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.Concat,
)
_TESTS = ("defined", "undefined", "none")
_TESTS_OF_NUMBERS = ("divisibleby", "even", "odd")
_LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
_GONE = "Take it out of the text, or bring back the form that it came from."
# Filters that no text can name: what loops go through, and what joins what a text joins with `~`.
_ROUND, TOGETHER = "(round)", "(together)"


class Joining:
    """Joins all that one text joins, up to a limit."""

    def __init__(self) -> None:
        self._length = 0

    def __call__(self, texts: Iterable[str], between: str = "") -> str:
        pieces = list(texts)
        self._length += sum(len(piece) + len(between) for piece in pieces)
        if self._length > _LONGEST_JOINED:
            raise Unwritable(f"What is joined comes to more than {_LONGEST_JOINED} characters", "Join shorter texts.")
        return between.join(pieces)


class StatementEnvironment(SandboxedEnvironment):
    """`show` writes what stands in {{ }}; `attributes` are those that a value of a class shows. One of the filters is
    TOGETHER."""

    intercepted_binops = frozenset({"*", "**", "%", "+", "-", "/"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(
        self,
        filters: Mapping[str, Callable[..., Any]],
        attributes: Mapping[type, Collection[str]],
        show: Callable[[Any], Any],
    ) -> None:
        # Not optimized: what is nested would be tried once for each level, and again for those within.
        super().__init__(undefined=Missing, finalize=show, trim_blocks=True, lstrip_blocks=True, optimized=False)
        self._attributes: dict[type, Collection[str]] = {LoopContext: _LOOP, **attributes}
        self._rounds = 0
        self.globals = {}
        # Those of which a text knows nothing have nothing to say for themselves.
        said = {name: well_asked(name, one) for name, one in filters.items() if name.isidentifier()}
        self.filters = {**filters, **said, _ROUND: self._round}
        tests: Mapping[str, Any] = self.tests
        numbers = {name: well_asked(name, of_numbers(tests[name])) for name in _TESTS_OF_NUMBERS}
        self.tests = {**{name: well_asked(name, tests[name]) for name in _TESTS}, **numbers}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr in self._attributes.get(type(obj), ())

    def is_safe_callable(self, obj: Any) -> bool:
        return type(obj) in self._attributes and not isinstance(obj, LoopContext)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        return self.undefined(f"‘{attribute}’ may not be asked for", obj, attribute, NotAllowed)

    def call(self, context: Any, asked: Any, /, *given: Any, **named: Any) -> Any:
        if not self.is_safe_callable(asked):
            raise NotAllowed("only a figure takes something in brackets")
        return called(super().call, context, asked, *given, **named)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Texts may be neither multiplied nor filled in; what grows them is written out with `~`."""
        return reckoned(operator, self.binop_table[operator], *_alike(left, right))

    def call_unop(self, context: Any, operator: str, arg: Any) -> Any:
        return reckoned(operator, self.unop_table[operator], arg)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _ROUND, [], [], None, None, lineno=loop.lineno)
        joined: nodes.Template = _Joined().visit(tree)
        return joined

    def _round(self, values: Iterable[Any]) -> Iterator[Any]:
        try:
            each = iter(values)
        except TypeError:
            raise Unwritable("a loop is for lists", "Of a figure, take its .items.") from None
        for value in each:
            self._rounds += 1
            if self._rounds > _MOST_ROUNDS:
                raise Unwritable(f"The loops go round more than {_MOST_ROUNDS} times", "Go through shorter lists.")
            yield value


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Both as decimals where one is: a figure and a number with a decimal point."""
    if isinstance(left, Decimal) and isinstance(right, float):
        return left, Decimal(repr(right))
    if isinstance(left, float) and isinstance(right, Decimal):
        return Decimal(repr(left)), right
    return left, right


class _Joined(NodeTransformer):
    """Leaves to the filter what `~` would join without a limit."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 — Jinja's name
        self.generic_visit(node)
        joined = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(joined, TOGETHER, [], [], None, None, lineno=node.lineno)


def render_source(
    environment: StatementEnvironment,
    source: str,
    values: Mapping[str, Any],
    place: str,
    length: Callable[[str], int] = len,
) -> str:
    """The text, whose `length` is what it will have come to when it is read.

    Raises Unexpected with the line, if there is one, for whatever cannot be worked out. The environment is used up: it
    holds itself, and would hold what its filters read from until garbage is collected.
    """
    try:
        return bounded(environment.from_string(source), values, length=length)
    except Unexpected as refusal:
        line = _line_of(refusal)
        raise Unexpected(findings=[replace(one, place=place, row=line) for one in refusal.findings]) from None
    except TemplateSyntaxError as error:
        raise Unexpected(findings=_gone(environment, source, values, place) or [_syntax(error, place)]) from None
    except FAULTS as error:
        line, why = _line_of(error), told(error)
        findings = [Finding(f"The statement cannot be written: {why}.", why.remedy, place, row=line)]
        gone = _gone(environment, source, values, place)
        raise Unexpected(findings=gone if line in {one.row for one in gone} else findings) from error
    finally:
        environment.filters.clear()
        environment.finalize = None


def _no_indicator(name: str) -> str:
    return f"‘{name}’ is not an indicator."


def check_source(
    environment: StatementEnvironment,
    source: str,
    known: Collection[str],
    check_call: Callable[[str, Mapping[str, Any]], Iterable[tuple[str, str]]],
    place: str,
    say_unknown: Callable[[str], str] = _no_indicator,
) -> list[Finding]:
    """Everything that is wrong with a text, each with its line. `known` are the names that it may use, `say_unknown` is
    said of others; `check_call` gives faults and remedies of a figure that is asked for with these constants."""
    if len(source) > LONGEST_SOURCE:
        return [Finding(f"The text has more than {LONGEST_SOURCE} characters.", "Divide it into several.", place)]
    try:
        tree = environment.parse(source)
        faults = sorted(_faults(environment, tree, known, check_call, say_unknown))
        if not faults:
            environment.compile(source)
    except TemplateSyntaxError as error:
        return [_syntax(error, place)]
    except ValueError:
        return [Finding("The text holds a number that is too long.", "Write a shorter one.", place)]
    except (TemplateError, RecursionError, SyntaxError):
        return [Finding("The text is too deeply nested.", "Write it plainer.", place)]
    return [Finding(fault, remedy, place, row=line) for line, fault, remedy in faults]


def only_allowed(tree: nodes.Template) -> None:
    """For what may come to be filled in without having been checked. Raises TemplateError."""
    for node in _all(tree):
        if not isinstance(node, _ALLOWED):
            raise Unwritable(f"‘{type(node).__name__.lower()}’ has no place in a template")
        if isinstance(node, nodes.For) and node.recursive:
            raise Unwritable("‘recursive’ has no place in a template")
        joins = isinstance(node, nodes.Filter) and node.name == TOGETHER
        if joins and sum(1 for _ in node.find_all(nodes.Name)) > _MOST_JOINED:
            raise Unwritable(f"More than {_MOST_JOINED} texts are joined", "Join fewer texts.")


def bounded(
    template: Template, values: Mapping[str, Any], at_most: int = LONGEST_TEXT, length: Callable[[str], int] = len
) -> str:
    """The text; raises TemplateError where it would become longer."""
    pieces, so_far = [], 0
    for piece in template.generate(**values):
        pieces.append(piece)
        so_far += length(piece)
        if so_far > at_most:
            raise Unwritable(f"The text comes to more than {at_most} characters", "Divide it into several.")
    return "".join(pieces)


def _line_of(error: Exception) -> int | None:
    """The line of the text that was being written."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else None


def _syntax(error: TemplateSyntaxError, place: str) -> Finding:
    return Finding(
        f"{(error.message or 'This is not understood').rstrip('.')}.",
        "See the docs on statements.",
        place,
        row=error.lineno,
    )


def _faults(
    environment: StatementEnvironment,
    tree: nodes.Template,
    known: Collection[str],
    check_call: Callable[[str, Mapping[str, Any]], Iterable[tuple[str, str]]],
    say_unknown: Callable[[str], str],
) -> Iterator[tuple[int, str, str]]:
    yield from _unknown(environment, tree, known, say_unknown, lambda name: did_you_mean(name, known))
    for node in _all(tree):
        if not isinstance(node, _ALLOWED):
            kind = type(node).__name__.lower()
            yield node.lineno, f"‘{kind}’ has no place in a statement.", "Use {{ … }}, {% if … %} and {% for … %}."
        elif isinstance(node, nodes.For) and node.recursive:
            yield node.lineno, "‘recursive’ has no place in a statement.", "Use {{ … }}, {% if … %} and {% for … %}."
        elif isinstance(node, nodes.Const) and not _can_be_written(node.value):
            yield (
                node.lineno,
                "This constant cannot be written out.",
                "Use whole characters, or a smaller number.",
            )
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in known:
            for fault, remedy in _call_faults(node, check_call):
                yield node.lineno, fault, remedy


def _unknown(
    environment: StatementEnvironment,
    tree: nodes.Template,
    known: Collection[str],
    say_unknown: Callable[[str], str],
    remedy: Callable[[str], str],
) -> Iterator[tuple[int, str, str]]:
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"} | {"loop"}
    filters = [name for name in environment.filters if name.isidentifier()]
    for node in _all(tree):
        if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in own and node.name not in known:
            yield node.lineno, say_unknown(node.name), remedy(node.name)
        elif isinstance(node, nodes.Filter) and node.name not in environment.filters:
            yield node.lineno, f"‘{node.name}’ is not a filter.", suggestion(node.name, filters)
        elif isinstance(node, nodes.Test) and node.name not in environment.tests:
            yield node.lineno, f"‘{node.name}’ cannot be asked with ‘is’.", suggestion(node.name, environment.tests)


def _gone(environment: StatementEnvironment, source: str, known: Collection[str], place: str) -> list[Finding]:
    """What a text names that was known when it was taken, and is not any more."""
    try:
        found = sorted(_unknown(environment, environment.parse(source), known, _no_indicator, lambda _: _GONE))
    except (TemplateError, ValueError, RecursionError, SyntaxError):
        return []
    return [Finding(fault, remedy, place, row=line) for line, fault, remedy in found]


def _can_be_written(value: object) -> bool:
    """Not so: numbers without end, and halves of characters."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, str) or not any("\ud800" <= sign <= "\udfff" for sign in value)


def _call_faults(
    call: nodes.Call, check_call: Callable[[str, Mapping[str, Any]], Iterable[tuple[str, str]]]
) -> Iterable[tuple[str, str]]:
    name = call.node.name if isinstance(call.node, nodes.Name) else ""
    if call.args or call.dyn_args is not None or call.dyn_kwargs is not None:
        return [(f"‘{name}’ is asked for by names only.", 'Write it like people_trained(sex="female").')]
    asked = {one.key: one.value.value for one in call.kwargs if isinstance(one.value, nodes.Const)}
    return check_call(name, asked)


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _all(child)
