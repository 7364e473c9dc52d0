"""What is known of a form, and of a value, before anything is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Steps = tuple[str, ...]


class Kind(Enum):
    """What is known of a value before evaluation."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NUMERIC = "numeric"  # a number question: its text, '' when blank
    DECIMAL = "decimal"  # the same, whose text need not be the number's shortest
    TRUTH = "truth"  # a boolean question: its text
    DATE = "date"  # the text of a date or dateTime
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Shape:
    """What expressions must know of a form. Paths are without positions and begin with `/data`.

    `types` has every element (groups and repeats with ''); `inside` names the secondary instances that the form
    carries, `outside` maps the id of each other one to the list's name; `itemsets` maps a select's path to its list.
    """

    root: str
    types: Mapping[str, str]
    repeats: frozenset[str]
    inside: frozenset[str]
    outside: Mapping[str, str]
    itemsets: Mapping[str, str] = field(default_factory=dict)
    ambiguous: frozenset[str] = frozenset()  # selects of which a value alone does not tell the label
    filled: frozenset[str] = frozenset()  # texts with answers in them; jr:itext() of JavaRosa has numbers there
    late: frozenset[str] = frozenset()  # known at the end only, when nothing is calculated any more
    kinds: Mapping[str, Kind] = field(default_factory=dict)  # of calculated questions, by what they calculate
    groups: frozenset[str] = frozenset()  # what has elements or attributes with rules in it, repeats included

    def is_question(self, path: str) -> bool:
        """Whether it is an element that holds a text and nothing else."""
        within = path in self.groups or path in self.repeats or path.endswith("/meta/entity")
        return path in self.types and not within


NUMERIC = (Kind.NUMERIC, Kind.DECIMAL)
KIND_OF_TYPE = {
    "int": Kind.NUMERIC,
    "integer": Kind.NUMERIC,
    "long": Kind.NUMERIC,
    "decimal": Kind.DECIMAL,
    "date": Kind.DATE,
    "dateTime": Kind.DATE,
    "time": Kind.DATE,
    "boolean": Kind.TRUTH,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A translated part. `nodes`: its value is a list of nodes, `kind` is theirs, `at` their path if known."""

    code: str
    kind: Kind
    nodes: bool = False
    at: Steps | None = None
    chain: str = ""  # of which operators it is a chain that another of them may be added to without brackets


def quote(text: str) -> str:
    """A text as XPath writes it, which has no way to escape a quotation mark."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    parts = text.split("'")
    return "concat(" + ', "\'", '.join(f"'{part}'" for part in parts) + ")"
