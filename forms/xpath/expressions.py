"""XForms XPath expressions: compiled once by lxml's engine, evaluated on instances with JavaRosa's meaning."""

from __future__ import annotations

import copy
import datetime as dt
import math

from lxml import etree

from forms.findings import Faulty, Finding
from forms.xpath.calls import CALLS
from forms.xpath.context import HERE, Context, FormAround
from forms.xpath.dates import read_moment, write_moment
from forms.xpath.everyday import Run, everyday
from forms.xpath.functions import EXTENSIONS, NAMESPACE, PREFIX
from forms.xpath.numbers import read_decimal, stored_number
from forms.xpath.shape import Kind, Piece, Shape
from forms.xpath.syntax import Node, parse
from forms.xpath.translation import Translator
from forms.xpath.values import Unevaluable, text_of

Value = str | float | bool | list[etree._Element]

__all__ = [
    "Context",
    "Expression",
    "Unevaluable",
    "Value",
    "compile_expression",
    "compile_node",
]


class Expression:
    """A compiled expression. Threads may share it.

    `depends_on` has the absolute paths that it reads, `lists` the lists outside the form that it looks into; `constant`
    is True or False where it is nothing but that. `volatile`: the clock, chance or the device takes part, so another
    moment gives another value. `spoken`: the value depends on the language that is shown. `wide`: it reads more than
    its own iteration of a repeat, so that working it out in each one costs the square of how many there are.
    """

    __slots__ = (
        "_piece",
        "_programs",
        "_translator",
        "constant",
        "depends_on",
        "kind",
        "lists",
        "spoken",
        "text",
        "volatile",
        "wide",
    )

    def __init__(self, text: str, piece: Piece, translator: Translator) -> None:
        self.text = text
        self.depends_on = frozenset(translator.depends_on)
        self.lists = frozenset(translator.lists)
        self.volatile = translator.volatile
        self.spoken = translator.spoken
        self.wide = translator.wide
        self.kind = piece.kind
        self.constant = {"true()": True, "false()": False}.get(piece.code)
        self._piece = piece
        self._translator = translator
        self._programs: dict[str, _Program] = {}
        _xpath(piece.code, translator.functions)  # to hear of what is wrong; only what is used is kept, 15 kB each

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def evaluate(self, context: Context, **given: str) -> Value:
        """Raises Unevaluable when it has no value on this instance. Dates come as texts, blank numbers as ''."""
        return self._run("value", context, given)  # type: ignore[return-value]

    def string(self, context: Context, **given: str) -> str:
        return self._run("text", context, given)  # type: ignore[return-value]

    def number(self, context: Context, **given: str) -> float:
        return self._run("number", context, given)  # type: ignore[return-value]

    def boolean(self, context: Context, **given: str) -> bool:
        if self.constant is not None:
            return self.constant
        return self._run("boolean", context, given)  # type: ignore[return-value]

    def answer(self, context: Context, question_type: str = "string") -> str:
        """The value as a client stores it in a question of this type: `1` or `0` for true or false, a date with its
        time unless the question is for dates, what is not a number blank."""
        return self.stored(self._run(self._stored, context, {}), question_type, context.tz)

    def stored(self, value: object, question_type: str, tz: dt.tzinfo) -> str:
        """What `over_texts("answer")` gives, as `answer` has it."""
        if isinstance(value, bool):
            return "1" if value else "0"
        if isinstance(value, float):
            whole = question_type == "int" and math.isfinite(value)
            return stored_number(math.trunc(value) if whole else value)
        text = value if isinstance(value, str) else text_of(value)  # type: ignore[arg-type]
        if question_type == "int" and self.kind is Kind.DECIMAL and math.isfinite(number := read_decimal(text)):
            return stored_number(math.trunc(number))
        return _stored_date(text, question_type, tz) if self.kind is Kind.DATE else text

    def nodes(self, context: Context, **given: str) -> list[etree._Element]:
        """Empty unless the expression is a path."""
        value = self._run("value", context, given)
        return value if isinstance(value, list) else []

    def over_texts(self, wanted: str) -> Run | None:
        """What works out the `value`, `text`, `number` or `boolean`, or the `answer`, in a context with a scope; None
        if that takes more than the texts in the scope and around it. Whoever calls it says before whose turn it is, as
        `HERE`."""
        if self.wide:
            return None
        return self._program(self._stored if wanted == "answer" else wanted).everyday

    @property
    def _stored(self) -> str:
        return "plain" if self._piece.at else "value"

    def _run(self, wanted: str, context: Context, given: dict[str, str]) -> object:
        return self._program(wanted).run(context, given)

    def _program(self, wanted: str) -> _Program:
        program = self._programs.get(wanted)
        if program is None:
            # Two threads may both come here; they make equal programs, and either may stay.
            program = self._programs[wanted] = self._compile(wanted)
        return program

    def _compile(self, wanted: str) -> _Program:
        maker = copy.copy(self._translator)  # threads may be here at once
        maker.functions, maker.variables = set(maker.functions), set(maker.variables)
        code = {
            "value": lambda piece: piece.code,
            "plain": maker.plain_text,
            "text": maker.text,
            "number": maker.number,
            "boolean": maker.boolean,
        }[wanted](self._piece)
        return _Program(code, maker)


class _Program:
    """XPath as closures know it, or as lxml runs it, with the names of what must be passed in."""

    __slots__ = ("code", "everyday", "functions", "variables", "xpath")

    def __init__(self, code: str, translator: Translator) -> None:
        self.code = code
        self.everyday = everyday(code, translator.at, translator.shape)
        self.functions = translator.functions
        self.variables = [name for name in translator.variables if f"${name}" in code]
        self.xpath: etree.XPath | None = None

    def run(self, context: Context, given: dict[str, str]) -> object:
        HERE.context = context
        if self.everyday is not None and context.scope is not None:
            return self.everyday(context, given)
        try:
            if self.xpath is None:
                self.xpath = _xpath(self.code, self.functions)
            if not self.variables:
                return self.xpath(context.node)
            values = {name: given[name] if name in given else context.variable(name) for name in self.variables}
            return self.xpath(context.node, **values)  # type: ignore[arg-type]
        except etree.XPathSyntaxError as error:
            raise Unevaluable(f"it is too long or too deep ({error})") from error
        except etree.XPathError as error:
            raise Unevaluable(f"it cannot be worked out ({error})") from error
        except RecursionError as error:
            raise Unevaluable("it is nested too deep") from error


def _xpath(code: str, functions: set[str]) -> etree.XPath:
    return etree.XPath(
        code,
        namespaces={PREFIX: NAMESPACE},
        extensions={(NAMESPACE, name): EXTENSIONS[name] for name in functions if f"{PREFIX}:{name}(" in code},
        regexp=False,
        smart_strings=False,
    )


def compile_expression(text: str, *, form: FormAround | None = None, at: str = "/data") -> Expression:
    """`at` is the path of the context node: relative paths start there, and an absolute path into a repeat around it
    means the same iteration, as in JavaRosa. Raises Faulty with everything that is wrong: syntax, unknown functions,
    paths that the form does not have."""
    return compile_node(parse(text), text, form.shape if form else None, at)


def compile_node(node: Node, text: str, shape: Shape | None, at: str, within: str | None = None) -> Expression:
    """As compile_expression, from an expression that is parsed already. `within`: see Translator."""
    translator = Translator(at, shape, CALLS, within)
    piece = translator.piece(node)
    if translator.findings:
        raise Faulty(translator.findings)
    try:
        return Expression(text, piece, translator)
    except etree.XPathSyntaxError as error:
        remedy = "Divide it among several calculations."
        raise Faulty([Finding(f"The expression is too long or too deep ({error}).", remedy)]) from error


def _stored_date(text: str, question_type: str, tz: dt.tzinfo) -> str:
    moment = read_moment(text, tz)
    if moment is None:
        return text
    if question_type == "date":
        return moment.date().isoformat()
    if question_type == "time":
        return moment.timetz().isoformat(timespec="milliseconds")
    return write_moment(moment)
