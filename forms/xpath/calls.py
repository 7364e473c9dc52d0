"""Calls of functions that take more than a template to translate."""

from __future__ import annotations

from collections.abc import Mapping

from forms.xpath.dates import SPOKEN, read_date
from forms.xpath.patterns import BadPattern, compile_pattern
from forms.xpath.shape import Kind, Piece, Steps, quote
from forms.xpath.syntax import Call, Negation, Node, Operation, Path, Step, Text
from forms.xpath.translation import Special, Translator


def _string(translator: Translator, value: Node | None = None) -> Piece:
    piece = translator.piece(value or Path(".", (Step("self", "node()"),)))
    return Piece(translator.text(piece), Kind.TEXT)


def _if(translator: Translator, condition: Node, then: Node, otherwise: Node) -> Piece:
    test = translator.coerced("b", condition)
    one, other = translator.piece(then), translator.piece(otherwise)
    return Piece(translator.extension("if", test, translator.value(one), translator.value(other)), _joined(one, other))


def _coalesce(translator: Translator, first: Node, second: Node) -> Piece:
    one, other = translator.piece(first), translator.piece(second)
    return Piece(translator.extension("coalesce", translator.value(one), translator.value(other)), _joined(one, other))


def _once(translator: Translator, value: Node) -> Piece:
    before = set(translator.depends_on)
    now = translator.path(Path(".", (Step("self", "node()"),)))
    translator.depends_on = before  # that it looks at what it holds already is no circle
    first = translator.piece(value)
    return Piece(translator.extension("coalesce", translator.value(now), translator.value(first)), _joined(now, first))


def _today(translator: Translator) -> Piece:
    translator.variables.add("today")
    return Piece("$today", Kind.DATE)


def _now(translator: Translator) -> Piece:
    translator.variables.add("now")
    return Piece("$now", Kind.DATE)


def _current(translator: Translator) -> Piece:
    return translator.path(Path(Call("current", ()), ()))


def _instance(translator: Translator, name: Node) -> Piece:
    if isinstance(name, Text):
        translator.look_up(name.value)
    else:
        translator.fault("instance() wants the name of a list between quotation marks.")
    return Piece(translator.extension("list", translator.coerced("s", name)), Kind.TEXT, nodes=True)


def _position(translator: Translator, node: Node | None = None) -> Piece:
    if node is None:
        return Piece("position()", Kind.NUMBER)
    piece = translator.piece(node)
    if not piece.nodes:
        translator.fault("position() wants a path, such as ‘..’.")
    if piece.at and not piece.at[-1].startswith("@"):
        first = piece.code if set(piece.code) <= {".", "/"} else f"({piece.code})[1]"
        return Piece(f"(count({first}/preceding-sibling::{piece.at[-1]}) + 1)", Kind.NUMBER)
    return Piece(translator.extension("position", piece.code), Kind.NUMBER)


def _count_non_empty(translator: Translator, node: Node) -> Piece:
    return Piece(f"count(({translator.coerced('p', node)})[string(.) != '' or *])", Kind.NUMBER)


def _sum(translator: Translator, node: Node) -> Piece:
    piece = translator.piece(node)
    if piece.kind is Kind.NUMERIC and piece.nodes:
        return Piece(f"sum(({piece.code})[number(.) = number(.)])", Kind.NUMBER)
    return Piece(translator.extension("sum", translator.coerced("p", node)), Kind.NUMBER)


def _concat(translator: Translator, *arguments: Node) -> Piece:
    pieces = [translator.piece(argument) for argument in arguments]
    if len(pieces) == 1:
        return Piece(translator.extension("join", "''", translator.coerced("m", arguments[0])), Kind.TEXT)
    return Piece(f"concat({', '.join(map(translator.text, pieces))})", Kind.TEXT)


def _join(translator: Translator, separator: Node, *arguments: Node) -> Piece:
    between = translator.coerced("s", separator)
    if len(arguments) == 1:
        return Piece(translator.extension("join", between, translator.coerced("m", arguments[0])), Kind.TEXT)
    return Piece(
        translator.extension("join", between, *(translator.coerced("s", node) for node in arguments)),
        Kind.TEXT,
    )


def _min(translator: Translator, *arguments: Node) -> Piece:
    return _extreme(translator, "min", arguments)


def _max(translator: Translator, *arguments: Node) -> Piece:
    return _extreme(translator, "max", arguments)


def _extreme(translator: Translator, name: str, arguments: tuple[Node, ...]) -> Piece:
    if len(arguments) > 1:
        numbers = (translator.coerced("n", node) for node in arguments)
        return Piece(translator.extension(name, *numbers), Kind.NUMBER)
    piece = translator.piece(arguments[0])
    if not piece.nodes:
        return Piece(translator.extension(name, translator.number(piece)), Kind.NUMBER)
    days = "-day" if piece.kind is Kind.DATE else ""
    return Piece(translator.extension(name + days, piece.code), Kind.NUMBER)


def _indexed_repeat(translator: Translator, target: Node, *indices: Node) -> Piece:
    """The target's path with a position for each of the repeats that are named."""
    wanted = translator.piece(target).at
    if wanted is None or len(indices) % 2:
        translator.fault("indexed-repeat() wants a question, then a repeat and an index, once or more.")
        return Piece("''", Kind.TEXT)
    positions: dict[Steps, str] = {}
    for place in range(0, len(indices), 2):
        group = translator.piece(indices[place]).at
        if group is None or wanted[: len(group)] != group:
            translator.fault("indexed-repeat() wants a repeat that the question is in.")
            continue
        index = translator.inside_predicate(_from_current(indices[place + 1]))
        positions[group] = translator.extension("index", translator.number(index))
    return _positioned(translator, wanted, positions)


def _positioned(translator: Translator, wanted: Steps, positions: Mapping[Steps, str]) -> Piece:
    first = min(map(len, positions), default=len(wanted))
    start, shared = translator.iteration(wanted[: first - 1])
    parts = [start]
    for place in range(shared + 1, len(wanted) + 1):
        position = positions.get(wanted[:place])
        parts.append(wanted[place - 1] + (f"[position() = {position}]" if position else ""))
    return Piece("/".join(parts), translator.kind(wanted), nodes=True, at=wanted)


def _pulldata(translator: Translator, name: Node, wanted: Node, column: Node, value: Node) -> Piece:
    if isinstance(name, Text):
        name = Text(name.value.removesuffix(".csv"))
        translator.lists.add(translator.shape.outside.get(name.value, name.value) if translator.shape else name.value)
    code = [translator.coerced("s", node) for node in (name, wanted, column, value)]
    return Piece(translator.extension("pulldata", *code), Kind.TEXT)


def _jr_choice_name(translator: Translator, value: Node, question: Node) -> Piece:
    translator.spoken = True
    target: Steps | None = None
    if isinstance(question, Text):
        target = _quoted_path(translator, question.value)
    else:
        translator.fault("jr:choice-name() wants the question's path between quotation marks.")
    path = "/" + "/".join(target or ())
    if translator.shape and target and path in translator.shape.types:
        listed = translator.shape.itemsets.get(path)
        if listed is not None and listed in translator.shape.outside.values():
            translator.lists.add(listed)
        elif listed is None and path not in translator.shape.ambiguous:
            translator.fault(f"‘{path}’ has no choices, so jr:choice-name() finds none.")
        translator.volatile |= path in translator.shape.ambiguous
    return Piece(translator.extension("choice-name", translator.coerced("s", value), quote(path)), Kind.TEXT)


def _quoted_path(translator: Translator, text: str) -> Steps | None:
    steps: Steps = () if text.strip().startswith("/") else translator.at
    for name in text.strip().strip("/").split("/"):
        steps = steps[:-1] if name == ".." else steps if name in (".", "") else (*steps, name)
    steps = ("data", *steps[1:])
    translator.note(steps)
    return steps


def _jr_itext(translator: Translator, identifier: Node) -> Piece:
    translator.spoken = True
    if translator.shape:
        filled = translator.shape.filled
        translator.volatile |= identifier.value in filled if isinstance(identifier, Text) else bool(filled)
    return Piece(translator.extension("itext", translator.coerced("s", identifier)), Kind.TEXT)


def _regex(translator: Translator, text: Node, pattern: Node) -> Piece:
    if isinstance(pattern, Text):
        try:
            compile_pattern(pattern.value)
        except BadPattern as fault:
            translator.fault(f"The regular expression ‘{pattern.value}’ cannot be used: {fault}.")
    code = [translator.coerced("s", node) for node in (text, pattern)]
    return Piece(translator.extension("regex", *code), Kind.BOOLEAN)


def _date(translator: Translator, value: Node) -> Piece:
    """What is a date already loses its time; the text of one keeps it, as in JavaRosa."""
    if isinstance(value, Text) and (date := read_date(value.value)):
        return Piece(quote(date.isoformat()), Kind.DATE)
    piece = translator.piece(value)
    return Piece(translator.extension("day" if piece.kind is Kind.DATE else "date", translator.value(piece)), Kind.DATE)


def _format_date(translator: Translator, value: Node, pattern: Node) -> Piece:
    if not isinstance(pattern, Text) or SPOKEN.search(pattern.value):
        translator.volatile = True  # names of months are written in the device's language
    code = translator.value(translator.piece(value)), translator.coerced("s", pattern)
    return Piece(translator.extension("format-date", *code), Kind.TEXT)


def _randomize(translator: Translator, nodes: Node, seed: Node | None = None) -> Piece:
    translator.volatile |= seed is None
    piece = translator.piece(nodes)
    if not piece.nodes:
        translator.fault("randomize() wants a path.")
    arguments = [piece.code] if seed is None else [piece.code, translator.coerced("n", seed)]
    return Piece(translator.extension("randomize", *arguments), piece.kind, nodes=True)


def _depend(translator: Translator, first: Node, *others: Node) -> Piece:
    for node in others:
        translator.piece(node)
    return translator.piece(first)


def _joined(one: Piece, other: Piece) -> Kind:
    """The kind of a value that is one of two."""
    kinds = {one.kind, other.kind}
    if len(kinds) == 1:
        return one.kind
    if Kind.DATE in kinds and any(piece.code == "''" for piece in (one, other)):
        return Kind.DATE
    return Kind.ANY


def _from_current(node: Node) -> Node:
    """The same expression for use inside a predicate: what was relative to the context starts at current()."""
    match node:
        case Path("."):
            return Path(Call("current", ()), node.steps)
        case Operation():
            return Operation(node.operator, _from_current(node.left), _from_current(node.right))
        case Negation():
            return Negation(_from_current(node.operand))
        case Call():
            return Call(node.name, tuple(map(_from_current, node.arguments)))
    return node


CALLS: dict[str, Special] = {
    "string": _string,
    "if": _if,
    "coalesce": _coalesce,
    "once": _once,
    "today": _today,
    "now": _now,
    "current": _current,
    "instance": _instance,
    "position": _position,
    "count-non-empty": _count_non_empty,
    "sum": _sum,
    "concat": _concat,
    "join": _join,
    "min": _min,
    "max": _max,
    "indexed-repeat": _indexed_repeat,
    "pulldata": _pulldata,
    "jr:choice-name": _jr_choice_name,
    "jr:itext": _jr_itext,
    "regex": _regex,
    "date": _date,
    "format-date": _format_date,
    "randomize": _randomize,
    "depend": _depend,
    "format-date-time": _format_date,
}
