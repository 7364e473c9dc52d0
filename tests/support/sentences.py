"""The sentences that the code can say in English: texts and f-strings, found by reading it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sync import errors
from sync.errors import Refusal

# What is called with a text that a person reads, be it a sentence or only a part of one.
_SAYING = {
    *(name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Refusal)),
    *("Finding", "Unevaluable", "BadPattern", "TemplateError", "Unwritable", "NotAllowed"),
}
# The same, where the text is not the first of the values.
_SAYING_AT = {"Flag": 2, "_unfinished": 1}
# Texts of the pages, which have catalogues of their own, and what nobody reads.
_SAID_ELSEWHERE = {"_", "gettext", "ngettext", "lazy_gettext", "lazy_ngettext", "compile"}
_SENTENCE = re.compile(r"[^\n]*[a-z]{2,}[^\n]* [^\n]*[.?…]")


@dataclass(frozen=True)
class Sentence:
    """The texts around its values, and where it stands."""

    pieces: tuple[str, ...]
    where: str

    def __str__(self) -> str:
        return "{}".join(self.pieces)


@dataclass(frozen=True)
class Texts:
    """What stands in a module: every text but docstrings, as the texts around its values; and those of them that a
    person may read, which are whole sentences, and whatever a refusal, a finding or a flag is made with."""

    all: frozenset[tuple[str, ...]]
    sentences: tuple[Sentence, ...]


@cache
def texts_of(path: Path) -> Texts:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    found = list(_texts(nodes))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    others = {id(inside) for call in calls if _called(call) in _SAID_ELSEWHERE for inside in ast.walk(call)}
    said = {id(call.args[0]) for call in calls if _called(call) in _SAYING and call.args}
    for call in calls:
        at = _SAYING_AT.get(_called(call))
        said |= {id(one) for one in call.args[at : at + 1]} if at is not None else set()
    said |= {
        id(node.value)
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "title"
    }
    sentences = []
    for node in found:
        sentence = Sentence(_pieces(node), f"{path}:{node.lineno}")
        empty = not str(sentence).strip("{}.,: ")
        if id(node) not in others and not empty and (id(node) in said or _SENTENCE.fullmatch(str(sentence))):
            sentences.append(sentence)
    return Texts(frozenset(map(_pieces, found)), tuple(sentences))


def _texts(nodes: Sequence[ast.AST]) -> Iterator[ast.Constant | ast.JoinedStr]:
    joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    apart = {id(part) for node in joined for part in node.values}
    apart |= {id(part.format_spec) for node in joined for part in node.values if isinstance(part, ast.FormattedValue)}
    apart |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if (text or isinstance(node, ast.JoinedStr)) and id(node) not in apart:
            yield node  # type: ignore[misc]


def _pieces(node: ast.Constant | ast.JoinedStr) -> tuple[str, ...]:
    if isinstance(node, ast.Constant):
        return (str(node.value),)
    pieces = [""]
    for part in node.values:
        if isinstance(part, ast.Constant):
            pieces[-1] += str(part.value)
        else:
            pieces.append("")
    return tuple(pieces)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
