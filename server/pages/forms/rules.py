"""The rules of a form in words: questions by their labels, choices by theirs, comparisons as one reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flask_babel import gettext

from forms.findings import Faulty
from forms.workbooks.differences import as_written
from forms.xforms.model import Form
from forms.xforms.questions import questions_of
from forms.xpath.syntax import Call, Negation, Node, Number, Operation, Path, Text, parse
from sync.indicators.definitions import by_code, label_in

_SIGNS = {"!=": "≠", "<=": "≤", ">=": "≥", "*": "×", "div": "÷"}
_BINDS = {"or": 1, "and": 2, "=": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5}
_TIGHTEST = 6
_LONGEST_LABEL = 60
# What only makes a value of another type or form of the same value.
_PASSED_THROUGH = frozenset({"number", "string", "normalize-space", "date", "decimal-date-time", "int", "boolean"})


def _(text: str, **values: str) -> str:
    return str(gettext(text, **values))


class Said(NamedTuple):
    """Words, and how tightly they hold together."""

    words: str
    binds: int = _TIGHTEST + 1


class RuleReader:
    """Reads the rules of one form in one language."""

    def __init__(self, form: Form, language: str) -> None:
        self._form, self._language = form, language
        self._labels = {question.path: question.labels for question in questions_of(form)}

    def words(self, text: str, path: str) -> str:
        """A rule of the question at `path`. What cannot be said in words stands as the workbook has it."""
        try:
            return self._say(parse(text), path).words
        except Faulty:
            return as_written(self._form, text)

    def _say(self, node: Node, path: str) -> Said:
        match node:
            case Number(value):
                return Said(f"{value:g}" if value != int(value) else str(int(value)))
            case Text(value):
                return Said(f"“{value}”" if value else _("nothing"))
            case Negation(operand):
                return Said(f"−{self._inside(operand, path, _TIGHTEST)}")
            case Operation():
                return self._operation(node, path)
            case Call(name, arguments):
                return self._call(name, arguments, path)
            case Path():
                return Said(self._path(node, path))
        return Said("…")

    def _operation(self, node: Operation, path: str) -> Said:
        binds = _BINDS.get(node.operator, _TIGHTEST)
        if node.operator in ("=", "!=") and node.right == Text(""):
            asked = self._say(node.left, path).words
            empty = node.operator == "="
            return Said(
                _("%(question)s is empty", question=asked) if empty else _("%(question)s is answered", question=asked),
                3,
            )
        left, right = self._inside(node.left, path, binds), self._inside(node.right, path, binds + 1)
        if node.operator in ("=", "!=") and isinstance(node.right, Text) and isinstance(node.left, Path):
            right = self._choice(node.left, node.right.value, path) or right
        sign = {"and": _("and"), "or": _("or"), "mod": "mod"}.get(node.operator) or _SIGNS.get(
            node.operator, node.operator
        )
        return Said(f"{left} {sign} {right}", binds)

    def _inside(self, node: Node, path: str, binds: int) -> str:
        said = self._say(node, path)
        return f"({said.words})" if said.binds < binds else said.words

    def _call(self, name: str, arguments: Sequence[Node], path: str) -> Said:
        if name in _PASSED_THROUGH and len(arguments) == 1:
            return self._say(arguments[0], path)
        said = [self._say(one, path).words for one in arguments]
        match name, arguments:
            case "selected", [Path() as where, Text(value)]:
                chosen = self._choice(where, value, path) or said[1]
                return Said(_("%(question)s includes %(choice)s", question=said[0], choice=chosen), 3)
            case "not", [Operation(operator=("=" | "!=") as sign) as told]:
                return self._operation(Operation("!=" if sign == "=" else "=", told.left, told.right), path)
            case "not", [_one]:
                return Said(_("not (%(rule)s)", rule=said[0]))
            case "true", []:
                return Said(_("always"))
            case "false", []:
                return Said(_("never"))
            case "today", []:
                return Said(_("today"))
            case "now", []:
                return Said(_("now"))
            case "count-selected", [_one]:
                return Said(_("number of choices in %(question)s", question=said[0]))
            case "string-length", [_one]:
                return Said(_("number of characters in %(question)s", question=said[0]))
            case "count", [_one]:
                return Said(_("number of %(question)s", question=said[0]))
            case "sum", [_one]:
                return Said(_("sum of %(question)s", question=said[0]))
            case "regex", [_one, Text(pattern)]:
                return Said(_("%(question)s has the form %(pattern)s", question=said[0], pattern=pattern), 3)
            case "format-date", [_one, Text("%Y")]:
                return Said(_("year of %(question)s", question=said[0]))
            case "once", [_one]:
                return Said(said[0])
            case "if", [_when, _then, _else]:
                when, then, otherwise = said
                return Said(_("if %(rule)s: %(value)s, else %(other)s", rule=when, value=then, other=otherwise), 0)
        return Said(f"{name}({', '.join(said)})")

    def _path(self, node: Path, path: str) -> str:
        found = self._target(node, path)
        if found == path:
            return _("the answer")
        bind = self._form.binds.get(found or "")
        if bind is not None and bind.preload == "date":
            return _("today")
        if found is not None and found in self._labels:
            label = _label(self._labels[found], self._language) or found.rpartition("/")[2]
            return f"«\u00a0{label if len(label) <= _LONGEST_LABEL else label[:_LONGEST_LABEL].rstrip() + '…'}\u00a0»"
        match node.start:
            case Call("instance", (Text(name),)) if node.steps:
                return _("%(column)s in the list %(name)s", column=node.steps[-1].test, name=name)
        return node.steps[-1].test if node.steps else "."

    def _target(self, node: Path, path: str) -> str | None:
        """The question that a path means, None for what is not one of this form."""
        if node.start == "/":
            return "/data" + "".join(f"/{step.test}" for step in node.steps[1:])
        if node.start == "." or node.start == Call("current", ()):
            at = path
            for step in node.steps:
                if step.axis == "parent":
                    at = at.rpartition("/")[0]
                elif step.axis == "child":
                    at = f"{at}/{step.test}"
                elif step.axis != "self":
                    return None
            return at
        return None

    def _choice(self, where: Path, value: str, path: str) -> str | None:
        asked = self._form.fields.get(self._target(where, path) or "")
        if asked is None or asked.itemset is None or asked.external:
            return None
        choice = self._form.choices.get(asked.itemset, {}).get(value)
        return f"“{_label(choice.labels, self._language) or value}”" if choice is not None else None


def _label(labels: Mapping[str, str], language: str) -> str | None:
    return label_in(by_code(labels), language)
